"""Figures of distilled sets: what is drawn where, and labels that can be read."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_file, texts_overlap

from distillation.condensation.distilled_set import DistilledSet
from distillation.condensation.example_plots import draw_examples, plot_ecg
from distillation.condensation.plots import plot_course, plot_values
from distillation.problem import Problem
from transplant.datasets.labelled_set import LabelledSet
from transplant.signals.normalization import Normalization

CLASSES = ("normal", "pvc")


def ecg_set(seconds, rate=100.0):
    n = round(seconds * rate)
    rng = np.random.default_rng(0)
    real = LabelledSet(
        x=rng.normal(size=(12, n, 1)).astype(np.float32),
        lengths=np.full(12, n),
        y=np.arange(12) % 2,
        classes=CLASSES,
        record_ids=[str(i) for i in range(12)],
        group_ids=[str(i) for i in range(12)],
        sampling_rate_hz=rate,
        leads=("ECG",),
        dataset="made",
        label_version="made",
        unit="mV",
    )
    distilled = DistilledSet(
        x=rng.normal(size=(14, n, 1)),
        y=np.repeat([0, 1], 7),
        targets=np.eye(2)[np.repeat([0, 1], 7)],
        rates=[],
        step=np.zeros(14),
        classes=CLASSES,
        leads=("ECG",),
        indicators=(),
        unit="mV",
        sampling_rate_hz=rate,
        normalization=Normalization("zscore", "train", (0.1,), (2.0,)),
        provenance={"method": "dm"},
    )
    return distilled, real


@pytest.mark.parametrize(("seconds", "columns", "shown"), [(1.5, (5, 3), 150), (9.0, (2, 1), 600)])
def test_beats_stand_beside_real_ones_in_millivolts(seconds, columns, shown, tmp_path):
    distilled, real = ecg_set(seconds)
    figure = plot_ecg(distilled, real, tmp_path / "ecg.png", "dm of made")
    check_file(figure, tmp_path / "ecg.png")
    assert not texts_overlap(figure)
    rows = [figure.axes[: sum(columns)], figure.axes[sum(columns) :]]
    for label, row in enumerate(rows):
        assert [axes.get_title() for axes in row] == ["distilled"] * columns[0] + ["real"] * columns[1]
        drawn = [axes.lines[0].get_ydata() for axes in row]
        np.testing.assert_allclose(drawn[0], 0.1 + 2 * distilled.x[7 * label, -shown:, 0], rtol=1e-5)
        records = real.x[real.y == label][:, -shown:, 0]
        assert all(any(np.array_equal(line, record) for record in records) for line in drawn[columns[0] :])


def test_what_a_coreset_chose_is_not_called_distilled(tmp_path):
    distilled, real = ecg_set(1.0)
    distilled = dataclasses.replace(distilled, provenance={"method": "herding"})
    figure = plot_ecg(distilled, real, tmp_path / "ecg.png", "herding of made")
    assert {axes.get_title() for axes in figure.axes} == {"chosen", "real"}


@pytest.mark.parametrize(("end", "ticks"), [(1.0, 6), (1.6, 5), (6.0, 7)])
def test_times_stand_on_bold_lines(end, ticks, tmp_path):
    distilled, real = ecg_set(end)
    axes = plot_ecg(distilled, real, tmp_path / "ecg.png", "dm of made").axes[0]
    found = np.array(axes.get_xticks())
    assert len(found) == ticks
    np.testing.assert_allclose(found / 0.2, (found / 0.2).round(), atol=1e-9)


def other_set(shape, unit):
    """Return a distilled set and its problem, of examples of this shape: three of each class, five real ones."""
    distilled, real = ecg_set(1.0)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(12, *shape)).astype(np.float32)
    leads = tuple(f"c{number}" for number in range(shape[-1]))
    real = dataclasses.replace(real, x=x, lengths=np.full(12, shape[0]), leads=leads, unit=unit, sampling_rate_hz=None)
    distilled = dataclasses.replace(
        distilled,
        x=rng.normal(size=(6, *shape)).astype(np.float32),
        y=np.repeat([0, 1], 3),
        targets=np.eye(2, dtype=np.float32)[np.repeat([0, 1], 3)],
        step=np.zeros(6, np.int64),
        leads=leads,
        unit=unit,
        sampling_rate_hz=None,
        normalization=Normalization("zscore", "train", (0.0,) * shape[-1], (1.0,) * shape[-1]),
    )
    return distilled, Problem(real, real, real, distilled.normalization)


def test_images_stand_above_real_ones_a_column_a_class(tmp_path):
    distilled, problem = other_set((8, 8, 1), "")
    figure = draw_examples(distilled, problem, tmp_path / "a.png", "dm of made")
    check_file(figure, tmp_path / "a.png")
    assert not texts_overlap(figure)
    grid = np.array(figure.axes).reshape(5, 2)
    assert [axes.get_title() for axes in grid[0]] == list(CLASSES)
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["distilled", "", "", "real", ""]
    drawn = np.array([[axes.images[0].get_array() for axes in row] for row in grid])
    low, high = problem.train.x.min(), problem.train.x.max()
    for label in range(2):
        own = distilled.x[distilled.y == label][..., 0]
        np.testing.assert_allclose(drawn[:3, label], np.clip((own - low) / (high - low), 0, 1), rtol=1e-5, atol=1e-6)
        records = (problem.train.x[problem.train.y == label][..., 0] - low) / (high - low)
        assert all(any(np.allclose(image, record, atol=1e-6) for record in records) for image in drawn[3:, label])


@pytest.mark.parametrize("shape", [(60, 1), (48, 7)])
def test_signals_and_tables_stand_beside_a_real_one(shape, tmp_path):
    distilled, problem = other_set(shape, "")
    figure = draw_examples(distilled, problem, tmp_path / "a.png", "dm of made")
    check_file(figure, tmp_path / "a.png")
    assert not texts_overlap(figure)
    assert [axes.get_title() for axes in figure.axes] == (["distilled"] * 3 + ["real"]) * 2
    last = figure.axes[3]
    drawn = last.lines[0].get_ydata() if shape[-1] == 1 else last.images[0].get_array()
    real = problem.train.x[problem.train.y == 0]
    assert any(np.allclose(drawn, record[:, 0] if shape[-1] == 1 else record.T) for record in real)


def test_no_distilled_value_is_left_out_of_the_histogram(tmp_path):
    distilled, problem = other_set((60, 1), "")
    distilled.x[0, 0, 0] = 40.0
    axes = plot_values(distilled, problem.inputs("train"), tmp_path / "v.png", "dm of made").axes[0]
    assert axes.get_xlim()[1] >= 40


def test_the_course_has_whole_iterations_and_a_whole_scale(tmp_path):
    history = pd.DataFrame({"iteration": [1, 2, 3, 4], "loss": [3.0, 2, 1, 1], "val_score": [np.nan, 0.9, None, 0.91]})
    figure = plot_course(history, "macro-F1", tmp_path / "c.png", "dm of made")
    assert not texts_overlap(figure)
    left, right = figure.axes
    assert right.get_ylim() == (0, 1) and right.get_ylabel().startswith("macro-F1")
    assert all(float(tick).is_integer() for axes in (left, right) for tick in axes.get_xticks())
