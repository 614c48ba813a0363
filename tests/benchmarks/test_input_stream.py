"""The input benchmark: its peer labels frames as we do, and its output is a table and one line of JSON."""

import importlib.util
import itertools
import json
import pathlib
import sys

import numpy as np
import pytest

from pretraining.preparation import prepare_store
from transplant.tasks.annotations import AnnotationAxis, SegmentAnnotations
from transplant.tasks.task import get_task

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "input_stream.py"


@pytest.fixture(scope="module")
def input_stream():
    spec = importlib.util.spec_from_file_location("input_stream", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["input_stream"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["input_stream"]


def test_the_generator_labels_frames_by_the_same_rule(input_stream):
    rng = np.random.default_rng(0)
    positions = np.sort(rng.choice(5000, size=60, replace=False))
    classes = rng.choice(5, size=60, p=[0.2, 0.6, 0.1, 0.05, 0.05]).astype(np.uint8)
    none = np.zeros(0, np.int64)
    axis = AnnotationAxis([SegmentAnnotations(5000, positions, classes, none, none, none, 5000)], 250)
    signal = np.arange(5000, dtype=np.float32)  # a frame's first value is its start
    from published_generators import frames_one_by_one

    frames = frames_one_by_one([[(signal, positions, classes)]], 300, 10, 0.0, 1.0, seed=0)
    starts, labels = zip(*((int(frame[0, 0]), label) for frame, label in itertools.islice(frames, 400)))
    np.testing.assert_array_equal(labels, get_task("beat").label_frames(axis, np.array(starts), 300))
    assert len(set(labels)) == 5 and min(starts) >= 0 and max(starts) <= 4700


def test_summary_takes_medians_and_ratios(input_stream):
    speeds = {
        "ours": [(90.0, 1.0), (300.0, 1.0), (100.0, 1.0)],
        "from_generator": [(5.0, 1.0), (4.0, 1.0), (1.0, 1.0)],
        "unshuffled": [(8.0, 1.0)] * 3,
        "memory_copy": [(1000.0, 1.0)] * 3,
        "rhythm": [(70.0, 1.0)] * 3,
        "hr": [(110.0, 1.0)] * 3,
        "cpc": [(30.0, 1.0)] * 3,
        "cpc_from_generator": [(2.0, 1.0)] * 3,
    }
    summary = input_stream.summarize(speeds)
    beat = {"ours": 100, "from_generator": 4, "unshuffled": 8, "memory_copy": 1000}
    assert beat.items() <= summary["frames_per_cpu_second"].items()
    assert summary["lowest_and_highest"]["ours"] == [90, 300]
    ratios = [summary[f"ours_over_{name}"] for name in ("from_generator", "unshuffled", "memory_copy")]
    assert ratios == [25.0, 12.5, 0.1]
    assert [summary[name] for name in ("rhythm_over_ours", "hr_over_ours", "cpc_over_cpc_from_generator")] == [
        0.7,
        1.1,
        15.0,
    ]


def test_the_cpc_generator_yields_a_context_and_the_frame_that_follows(input_stream):
    from published_generators import cpc_one_by_one

    segments = [(np.arange(1000.0) + 10_000 * i, None, None) for i in range(3)]
    windows = cpc_one_by_one([segments[:2], segments[2:]], 50, 4, 3, 0.0, 1.0, seed=0)
    for inputs, label in itertools.islice(windows, 50):
        assert inputs["context"].shape == (4, 50, 1) and inputs["samples"].shape == (4, 50, 1)
        together = np.concatenate([*inputs["context"], inputs["samples"][label]])[:, 0]
        np.testing.assert_array_equal(together, together[0] + np.arange(250))


def test_a_run_ends_in_one_line_of_json(input_stream, tmp_path, capsys):
    source = input_stream.RepeatedRecordings(2, 80.0, segments=2)
    prepare_store(source, tmp_path / "store", workers=1, log=lambda _: None)
    options = ["--store", str(tmp_path / "store"), "--quick", "--repeats", "1"]
    assert input_stream.main([*options, "--batch-size", "4", "--frame-size", "1024"]) == 0
    lines = capsys.readouterr().out.strip().split("\n")
    assert "per-frame from_generator" in "\n".join(lines[:-1])
    result = json.loads(lines[-1])
    assert (result["benchmark"], result["batch_size"], result["patients"]) == ("input_stream", 4, 2)
    assert set(result["frames_per_cpu_second"]) == set(input_stream.ROWS)


def test_a_missing_store_is_one_line(input_stream, tmp_path, capsys):
    assert input_stream.main(["--store", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
