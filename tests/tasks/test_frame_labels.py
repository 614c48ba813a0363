"""Frame labels against cases computed by the public code, and against hand-worked ones."""

import json
import pathlib

import numpy as np
import pytest

from transplant.datasets.icentia11k import rhythm_intervals_from_ends
from transplant.tasks.annotations import AnnotationAxis, SegmentAnnotations
from transplant.tasks.task import get_task

GOLDEN = json.loads((pathlib.Path(__file__).parents[1] / "golden" / "frame_labels.json").read_text())
SEGMENT_LENGTH = 40_000
NONE = np.zeros(0, np.int64)


def beat_segment(positions, classes, length=SEGMENT_LENGTH):
    return SegmentAnnotations(length, np.array(positions), np.array(classes), NONE, NONE, NONE, length)


def rhythm_segment(starts, ends, classes, length=SEGMENT_LENGTH, known_until=None):
    return SegmentAnnotations(
        length,
        NONE,
        NONE,
        np.array(starts),
        np.array(ends),
        np.array(classes),
        length if known_until is None else known_until,
    )


def label(task, segment, start, size, rate=250):
    axis = AnnotationAxis([segment], rate)
    return int(get_task(task).label_frames(axis, np.array([start]), size)[0])


def golden_segment(task, case):
    if task == "rhythm":
        *intervals, known_until = rhythm_intervals_from_ends(case["ends"], case["labels"], SEGMENT_LENGTH)
        return rhythm_segment(*intervals, known_until=known_until)
    return beat_segment(case["ends"], case.get("labels", [1] * len(case["ends"])))


@pytest.mark.parametrize(("task", "key"), [("beat", "beat"), ("rhythm", "rhythm"), ("hr", "heart_rate")])
def test_golden_cases_one_by_one(task, key):
    cases = GOLDEN[key]
    assert len(cases) == 300
    wrong = [
        i for i, c in enumerate(cases) if label(task, golden_segment(task, c), c["start"], c["size"]) != c["label"]
    ]
    assert wrong == []


@pytest.mark.parametrize(("task", "key"), [("beat", "beat"), ("rhythm", "rhythm"), ("hr", "heart_rate")])
def test_golden_cases_as_one_batch_on_a_common_axis(task, key):
    """Neighbouring segments must not leak into a frame."""
    for size in sorted({c["size"] for c in GOLDEN[key]}):
        cases = [c for c in GOLDEN[key] if c["size"] == size]
        axis = AnnotationAxis([golden_segment(task, c) for c in cases], 250)
        starts = axis.origins + np.array([c["start"] for c in cases])
        labels = get_task(task).label_frames(axis, starts, size)
        np.testing.assert_array_equal(labels, [c["label"] for c in cases])


def test_first_beat_is_dropped_and_the_end_is_inclusive():
    assert label("beat", beat_segment([100, 200], [4, 1]), 100, 100) == 1
    assert label("beat", beat_segment([100, 201], [4, 1]), 100, 100) == 0
    assert label("beat", beat_segment([99, 100, 200], [1, 4, 4]), 100, 100) == 4


def test_most_frequent_ectopic_wins_and_ties_go_to_the_lower_class():
    positions = np.arange(10, 110, 10)
    assert label("beat", beat_segment(positions, [1, 1, 1, 1, 4, 4, 2, 1, 1, 1]), 0, 120) == 4
    assert label("beat", beat_segment(positions, [1, 4, 2, 1, 1, 1, 1, 1, 1, 1]), 0, 120) == 2
    assert label("beat", beat_segment(positions, [1, 0, 1, 0, 1, 0, 1, 1, 0, 1]), 0, 120) == 1
    assert label("beat", beat_segment([10, 20, 30], [1, 0, 1]), 0, 120) == 0


def test_a_beat_at_the_next_segments_first_sample_is_not_seen():
    axis = AnnotationAxis([beat_segment([10, 50], [1, 1], 100), beat_segment([0], [4], 100)], 250)
    assert get_task("beat").label_frames(axis, np.array([0]), 100)[0] == 1


def test_a_rhythm_that_opens_at_its_mark_labels_what_follows():
    """WFDB: (AFIB at 1000 and (N at 3000 make 1000-3000 AF."""
    segment = rhythm_segment([0, 1000, 3000], [1000, 3000, SEGMENT_LENGTH], [3, 4, 3])
    assert label("rhythm", segment, 1200, 1000) == 4
    assert label("rhythm", segment, 0, 1000) == 3
    assert label("rhythm", segment, 3000, 1000) == 3
    assert label("rhythm", segment, 2999, 1000) == 4


def test_a_rhythm_that_ends_at_its_mark_labels_what_precedes():
    starts, ends, classes, known_until = rhythm_intervals_from_ends([1000, 3000], [3, 4], 10_000)
    segment = rhythm_segment(starts, ends, classes, known_until=known_until)
    assert label("rhythm", segment, 0, 1000) == 3
    assert label("rhythm", segment, 1200, 1000) == 4
    assert label("rhythm", segment, 2500, 1000) == 4
    assert label("rhythm", segment, 3000, 1000) == 0


def test_time_without_any_rhythm_is_undefined_only_when_nothing_else_is_there():
    segment = rhythm_segment([500], [5000], [3])
    assert label("rhythm", segment, 0, 400) == 0
    assert label("rhythm", segment, 0, 1000) == 3


@pytest.mark.parametrize(("interval", "expected"), [(251, 1), (250, 2), (200, 2), (150, 2), (149, 0)])
def test_heart_rate_limits_at_250_hz(interval, expected):
    positions = np.arange(10) * interval
    assert label("hr", beat_segment(positions, [1] * 10), 0, 10 * interval) == expected


def test_heart_rate_needs_two_complete_beats():
    assert label("hr", beat_segment([10, 200], [1, 1]), 0, 500) == 3
    assert label("hr", beat_segment([10, 200, 400], [1, 1, 1]), 0, 500) == 2


def test_every_task_names_its_classes():
    assert {name: len(get_task(name).classes(None)) for name in ("beat", "rhythm", "hr")} == {
        "beat": 5,
        "rhythm": 6,
        "hr": 4,
    }


def test_the_log_says_how_often_each_class_occurs_and_warns_of_one_alone():
    task = get_task("rhythm")
    counted = task.describe_labels(lambda: np.array([2, 2, 4, 2]))
    assert counted == "classes of the first 4 frames: undefined 0, end 0, noise 3, normal 0, afib 1, aflut 0"
    assert "one class alone teaches nothing" in task.describe_labels(lambda: np.full(4, 2))
