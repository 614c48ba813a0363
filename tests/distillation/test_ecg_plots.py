"""Figures of distilled sets: what is drawn where, and labels that can be read."""

import dataclasses

import numpy as np
import pytest
from figure_checks import check_file, texts_overlap

from distillation.condensation.distilled_set import DistilledSet
from distillation.condensation.plots import plot_ecg
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
