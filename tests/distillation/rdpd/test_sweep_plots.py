"""Figure of a sweep: the numbers that were given, bars beside each other, ticks that can be read."""

import math

import numpy as np
import pytest
from figure_checks import check_file, texts_overlap

from distillation.rdpd.sweep_plots import plot_sweep
from transplant.errors import DataError

SHARES = {
    "Direct": [(1.0, 0.7, 0.02), (0.1, 0.5, None), (0.5, 0.6, 0.04)],
    "RDPD": [(0.1, 0.6, 0.01), (0.5, 0.7, 0.03), (1.0, 0.8, 0.02)],
}


def drawn(figure, row):
    """Return x, y and half the length of the bars of a series."""
    container = figure.axes[0].containers[row]
    bars = [np.diff(segment[:, 1])[0] / 2 if len(segment) else math.nan for segment in container[2][0].get_segments()]
    return *np.asarray(container[0].get_data(), float), np.array(bars)


def tick_texts(figure):
    ticks = figure.axes[0].xaxis.get_major_ticks()
    return [tick.label1.get_text() if tick.label1.get_visible() else "" for tick in ticks]


def test_means_and_deviations_on_a_wide_range(tmp_path):
    figure = plot_sweep(tmp_path / "s.png", SHARES, "Share", "ROC-AUC", "Rich data")
    check_file(figure, tmp_path / "s.png")
    assert not texts_overlap(figure)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log" and len(axes.get_xticks(minor=True)) == 0
    assert tick_texts(figure) == ["0.1", "0.5", "1"]
    x, y, bars = drawn(figure, 0)
    np.testing.assert_allclose(x, [0.1, 0.5, 1], rtol=0.03)
    np.testing.assert_allclose(y, [0.5, 0.6, 0.7])
    np.testing.assert_allclose(bars[np.isfinite(bars)], [0.04, 0.02])  # one run has no deviation
    other = drawn(figure, 1)[0]
    assert (other > x).all()
    np.testing.assert_allclose(np.sqrt(other * x), [0.1, 0.5, 1])  # as far to the right as the first to the left
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Direct", "RDPD"]
    assert "standard deviation" in axes.get_ylabel()


@pytest.mark.parametrize(("values", "scale"), [((1, 2, 8), "linear"), ((0, 1, 20), "linear"), ((1, 2, 8.5), "log")])
def test_the_axis_is_logarithmic_above_a_factor_of_8(values, scale, tmp_path):
    points = {"RDPD": [(value, 0.5, None) for value in values]}
    figure = plot_sweep(tmp_path / "s.png", points, "T", "ROC-AUC", "Temperature")
    assert figure.axes[0].get_xscale() == scale
    assert figure.axes[0].get_ylabel() == "ROC-AUC"
    np.testing.assert_allclose(drawn(figure, 0)[0], values)
    assert not texts_overlap(figure)


def test_series_stay_nearer_to_their_value_than_to_the_next(tmp_path):
    points = {name: [(value, 0.5, 0.1) for value in (0, 0.01, 1)] for name in ("a", "b", "c", "d", "e")}
    figure = plot_sweep(tmp_path / "s.png", points, "Noise", "ROC-AUC", "Noise")
    places = np.array([drawn(figure, row)[0] for row in range(5)])
    assert (np.abs(places - [0, 0.01, 1]) < 0.005).all() and (np.diff(places, axis=0) > 0).all()


def test_labels_that_would_touch_stand_lower_or_are_left_out(tmp_path):
    points = {"RDPD": [(value, 0.5, None) for value in (0, 0.01, 0.02, 0.5, 1)]}
    figure = plot_sweep(tmp_path / "s.png", points, "Noise", "ROC-AUC", "Noise")
    assert tick_texts(figure) == ["0", "0.01", "", "0.5", "1"]
    np.testing.assert_allclose(figure.axes[0].get_xticks(), [0, 0.01, 0.02, 0.5, 1])


def test_one_value_is_drawn(tmp_path):
    figure = plot_sweep(tmp_path / "s.png", {"RDPD": [(5, 0.5, 0.1)]}, "T", "ROC-AUC", "Temperature")
    assert tick_texts(figure) == ["5"]


def test_a_long_legend_stays_inside(tmp_path):
    points = {f"a long name of series {number}": [(1, 0.5, None), (2, 0.6, None)] for number in range(5)}
    figure = plot_sweep(tmp_path / "s.png", points, "T", "ROC-AUC", "Temperature")
    figure.canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1


@pytest.mark.parametrize("points", [{}, {"RDPD": []}, {"RDPD": [(1, math.nan, None)]}, {"RDPD": [(1, None, None)]}])
def test_points_that_cannot_be_drawn_are_refused(points, tmp_path):
    with pytest.raises(DataError, match="Noise: a sweep has points"):
        plot_sweep(tmp_path / "s.png", points, "T", "ROC-AUC", "Noise")
    assert list(tmp_path.iterdir()) == []
