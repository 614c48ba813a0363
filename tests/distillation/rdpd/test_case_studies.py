"""Case studies: which records are chosen, what is drawn where, and text that can be read."""

import dataclasses

import numpy as np
import pytest
from figure_checks import check_file, texts_overlap

from distillation.rdpd.case_studies import Case, choose_cases, plot_case_study
from transplant.datasets.labelled_set import LabelledSet
from transplant.errors import DataError, OptionError

NETWORKS = ("Teacher", "Direct", "KD", "RDPD")
ICU = ("HR", "eyes->none", "eyes->pain", "pH", "mask->HR", "mask->eyes", "mask->pH")


def made_case(steps=1000, leads=("II", "V1", "V5"), poor=("II",), rate=100.0, segments=4, classes=("sinus", "pvc")):
    rng = np.random.default_rng(0)
    return Case(
        "r7", rng.normal(size=(steps, len(leads))), leads, poor, rate, "mV",
        {name: rng.dirichlet(np.ones(segments)) for name in NETWORKS},
        {name: rng.dirichlet(np.ones(len(classes))) for name in NETWORKS},
        classes, len(classes) - 1,
    )  # fmt: skip


def probabilities_of(truths, y):
    """Return rows of two classes with these probabilities of the truth."""
    rows = np.empty((len(y), 2))
    rows[np.arange(len(y)), y] = truths
    rows[np.arange(len(y)), 1 - np.asarray(y)] = 1 - np.asarray(truths)
    return rows


def test_the_middle_of_those_that_the_teacher_has_right_is_chosen():
    y = [0, 1, 0, 0, 1, 0, 1]
    rows = probabilities_of([0.9, 0.7, 0.6, 0.1, 0.3, 0.8, 0.99], y)
    # Right are of class 0 .6, .8, .9, of class 1 .7, .99.
    assert choose_cases(y, rows) == [5, 1]
    assert choose_cases(y, rows, per_class=2) == [2, 5, 1, 6]


def test_where_too_few_are_right_the_most_probable_of_the_others_come_before_them():
    y = [0, 0, 0, 1, 1]
    rows = probabilities_of([0.1, 0.4, 0.2, 0.45, 0.8], y)
    assert choose_cases(y, rows) == [1, 4]
    assert choose_cases(y, rows, per_class=2) == [2, 1, 3, 4]
    assert choose_cases(y, rows, per_class=9) == [0, 2, 1, 3, 4]


def test_a_class_that_is_not_there_has_no_case():
    rows = np.array([[0.1, 0.2, 0.7], [0.8, 0.1, 0.1]])
    assert choose_cases([2, 0], rows) == [1, 0]


def test_one_row_of_probabilities_a_record_is_needed():
    with pytest.raises(DataError, match=r"\(3,\) and \(2, 2\)"):
        choose_cases([0, 1, 0], np.full((2, 2), 0.5))


def test_signal_attention_and_probabilities_are_those_of_the_case(tmp_path):
    case = made_case()
    figure = plot_case_study(tmp_path / "case.png", case)
    check_file(figure, tmp_path / "case.png")
    assert not texts_overlap(figure)
    assert figure.get_suptitle() == "Record r7, truth: pvc"
    others, poor, attention, bars = figure.axes
    np.testing.assert_allclose(poor.lines[0].get_xdata(), np.arange(1000) / 100)
    np.testing.assert_allclose(poor.lines[0].get_ydata(), case.values[:, 0])
    assert poor.get_ylabel() == "II (mV)"
    lane = case.values[:, 1]
    np.testing.assert_allclose(others.lines[0].get_ydata(), -0.9 + 0.8 * (lane - lane.min()) / np.ptp(lane))
    assert [text.get_text().split()[0] for text in others.get_yticklabels()] == ["V1", "V5"]
    for axes in (others, poor):
        assert [line.get_xdata()[0] for line in axes.lines[-3:]] == [2.5, 5.0, 7.5]
    cells = attention.collections[0]
    np.testing.assert_allclose(cells.get_array().reshape(4, 4), list(case.attention.values()))
    assert cells.get_clim() == (0, pytest.approx(max(map(max, case.attention.values()))))
    assert [text.get_text() for text in attention.texts[:4]] == [f"{one:.2f}" for one in case.attention["Teacher"]]
    assert attention.get_xlim() == poor.get_xlim() == (0, 10) and attention.get_xlabel() == "s"
    for container, name in zip(bars.containers, NETWORKS):
        np.testing.assert_allclose([bar.get_width() for bar in container], case.probabilities[name])
    assert [text.get_text() for text in bars.get_yticklabels()] == ["sinus", "pvc\n(truth)"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(NETWORKS)


def icu_case():
    case = made_case(48, ICU, ("HR", "eyes"), 1 / 3600)
    values = np.zeros((48, 7))
    values[:, 0], values[10:, 2], values[:10, 1], values[:, 3] = np.arange(48), 1, 1, 7.4
    values[::2, 4] = 1
    return dataclasses.replace(case, values=values, unit="mixed")


def test_hourly_tables_have_values_hours_and_dots_where_they_were_measured(tmp_path):
    case = icu_case()
    figure = plot_case_study(tmp_path / "case.png", case)
    check_file(figure, tmp_path / "case.png")
    assert not texts_overlap(figure)
    others, rate, eyes, attention, _ = figure.axes
    assert [axes.get_ylabel() for axes in (rate, eyes)] == ["HR", "eyes"]
    assert [text.get_text() for text in others.get_yticklabels()] == ["pH  never measured"]
    np.testing.assert_array_equal(rate.patches[0].get_data().values, np.arange(48))
    np.testing.assert_allclose(rate.patches[0].get_data().edges, np.arange(49))
    np.testing.assert_allclose(rate.lines[0].get_xydata()[:2], [(0.5, 0), (2.5, 2)])
    np.testing.assert_array_equal(eyes.patches[0].get_data().values, [0] * 10 + [1] * 38)
    assert [text.get_text() for text in eyes.get_yticklabels()] == ["none", "pain"]
    assert [text.get_text() for text in eyes.texts] == ["never measured"]
    assert attention.get_xlabel() == "h"
    np.testing.assert_allclose(attention.get_xticks(), [0, 12, 24, 36, 48])


def test_of_many_channels_those_of_students_are_lanes_and_the_others_are_counted(tmp_path):
    leads = tuple(f"unit{number // 17}-channel{number}" for number in range(52))
    case = made_case(256, leads, leads[17:34], 50.0, 16, tuple(f"activity of kind {number}" for number in range(16)))
    figure = plot_case_study(tmp_path / "case.png", case)
    check_file(figure, tmp_path / "case.png")
    assert not texts_overlap(figure)
    lanes, attention, bars = figure.axes
    assert len(lanes.get_yticklabels()) == 17
    assert lanes.get_title(loc="left") == "black: what students see (17 of 52 channels); the teacher sees 35 more"
    assert len(attention.texts) == 4 * 16
    assert bars.get_yticklabels()[15].get_text() == "activity of kind\n15\n(truth)"


def test_two_segments_of_visits_have_steps(tmp_path):
    case = made_case(20, ("250", "401"), "250", None, 2)
    case.values[:12] = np.nan
    figure = plot_case_study(tmp_path / "case.png", dataclasses.replace(case, unit="1"))
    assert not texts_overlap(figure)
    _, poor, attention, _ = figure.axes
    assert (poor.get_ylabel(), attention.get_xlabel()) == ("250", "step")
    np.testing.assert_array_equal(np.isnan(poor.patches[0].get_data().values), [True] * 12 + [False] * 8)


def test_a_case_of_a_set_leaves_its_padding_out():
    x = np.zeros((2, 6, 2), np.float32)
    x[1, 2:] = np.arange(8).reshape(4, 2)
    data = LabelledSet(
        x, [6, 4], [0, 1], ("a", "b"), ["r0", "r1"], ["p0", "p1"], 2.0, ("II", "V1"), "made", "made", "mV"
    )
    attention = {"Teacher": np.array([[0.5, 0.5], [0.25, 0.75]])}
    case = Case.of_record(data, 1, "II", attention, {"Teacher": np.array([[0.9, 0.1], [0.2, 0.8]])})
    assert (case.record_id, case.truth, case.sampling_rate_hz, case.unit) == ("r1", 1, 2.0, "mV")
    np.testing.assert_array_equal(case.values[:, 1], [np.nan, np.nan, 1, 3, 5, 7])
    np.testing.assert_array_equal(case.attention["Teacher"], [0.25, 0.75])
    np.testing.assert_array_equal(case.probabilities["Teacher"], [0.2, 0.8])
    np.testing.assert_array_equal(data.x[1, :2], 0)


@pytest.mark.parametrize(
    "change",
    [
        {"leads": ("II",)},
        {"truth": 2},
        {"attention": {name: np.full(3 + (name == "KD"), 0.3) for name in NETWORKS}},
        {"probabilities": {name: np.full(3, 0.3) for name in NETWORKS}},
        {"probabilities": {"Teacher": np.full(2, 0.5)}},
    ],
)
def test_what_does_not_fit_together_is_refused(change):
    with pytest.raises(DataError, match="r7: a case has attention"):
        dataclasses.replace(made_case(), **change)


def test_an_unknown_poor_lead_is_refused(tmp_path):
    with pytest.raises(OptionError, match="V9"):
        plot_case_study(tmp_path / "case.png", made_case(poor=("V9",)))
    assert list(tmp_path.iterdir()) == []
