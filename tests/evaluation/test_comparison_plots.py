"""Figures of a comparison: valid files, the numbers that were given, what a reader needs to be told."""

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_file, texts_overlap

from transplant.errors import DataError
from transplant.evaluation import comparison_plots as plots


def history(values, column="f1"):
    return pd.DataFrame({"epoch": np.arange(1, len(values) + 1), column: values})


def legend(figure):
    shown = figure.legends[0] if figure.legends else figure.axes[0].get_legend()
    return [text.get_text() for text in shown.get_texts()]


def test_band_is_least_to_greatest_around_the_mean(tmp_path):
    rows = [
        ("random weights", [history([0.1, 0.5, 0.6]), history([0.3, 0.4, 0.9])]),
        ("pretrained", [history([0.4, 0.6, 0.7])]),
    ]
    figure = plots.plot_history_bands(rows, tmp_path / "bands.png", title="CinC 2017")
    check_file(figure, tmp_path / "bands.png")
    (axes,) = figure.axes
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [(1, 0.2), (2, 0.45), (3, 0.75)])
    corners = axes.collections[0].get_paths()[0].vertices
    for epoch, low, high in ((1, 0.1, 0.3), (2, 0.4, 0.5), (3, 0.6, 0.9)):
        heights = corners[corners[:, 0] == epoch, 1]
        assert (heights.min(), heights.max()) == (low, high)
    assert legend(figure) == ["random weights (n = 2)", "pretrained (n = 1)"]
    assert axes.get_ylabel() == "Macro-F1 (validation)" and "minimum to maximum" in axes.get_xlabel()
    assert "dashed" not in axes.get_xlabel()
    assert not texts_overlap(figure)


def test_runs_that_stopped_leave_a_dashed_mean_of_the_others(tmp_path):
    rows = [("a", [history([0.1, 0.2, 0.6, 0.8], "val_loss"), history([0.3, 0.4], "val_loss")])]
    figure = plots.plot_history_bands(rows, tmp_path / "bands.png", column="val_loss")
    whole, rest = figure.axes[0].lines
    np.testing.assert_allclose(whole.get_xydata(), [(1, 0.2), (2, 0.3)])
    np.testing.assert_allclose(rest.get_xydata(), [(2, 0.3), (3, 0.6), (4, 0.8)])
    assert (whole.get_linestyle(), rest.get_linestyle()) == ("-", "--")
    assert "dashed: some runs had stopped" in figure.axes[0].get_xlabel()


def test_many_rows_have_no_bands_and_can_be_told_apart(tmp_path):
    rows = [(f"row {number}", [history([0.1 * number, 0.2])]) for number in range(8)]
    figure = plots.plot_history_bands(rows, tmp_path / "bands.png")
    (axes,) = figure.axes
    assert len(axes.collections) == 0 and "band" not in axes.get_xlabel()
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 8
    assert not texts_overlap(figure)


def test_names_of_three_rows_and_more_stand_beside_the_curves(tmp_path):
    rows = [(f"row {number}", [history([0.1 * number, 0.2])]) for number in range(3)]
    (axes,) = plots.plot_history_bands(rows, tmp_path / "bands.png").axes
    assert axes.get_legend().get_window_extent().x0 >= axes.get_window_extent().x1


def test_bands_of_nothing_are_refused(tmp_path):
    with pytest.raises(DataError, match="a: a band is made of"):
        plots.plot_history_bands([("a", [])], tmp_path / "bands.png")
    with pytest.raises(DataError, match="columns epoch and auc"):
        plots.plot_history_bands([("a", [history([0.1])])], tmp_path / "bands.png", column="auc")
    assert list(tmp_path.iterdir()) == []


def points_of(figure, row):
    """Return x, y and half the length of the error bars of a row."""
    container = figure.axes[0].containers[row]
    bars = np.array([np.diff(segment[:, 1])[0] / 2 for segment in container.lines[2][0].get_segments() if len(segment)])
    return *np.asarray(container.lines[0].get_data(), float), bars


def test_subset_shares(tmp_path):
    rows = [
        ("random", [(1.0, [0.6, 0.8]), (0.1, [0.2, 0.3, 0.4]), (0.05, [0.1])]),
        ("pretrained", [(0.1, [0.5, 0.7]), (1.0, [0.8, 0.8])]),
    ]
    figure = plots.plot_subset_share(rows, tmp_path / "subset.png")
    check_file(figure, tmp_path / "subset.png")
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["5%", "10%", "100%"]
    np.testing.assert_allclose(axes.get_xticks(), [0.05, 0.1, 1.0])
    assert len(axes.get_xticks(minor=True)) == 0
    x, y, bars = points_of(figure, 0)
    np.testing.assert_allclose(x, [0.05, 0.1, 1.0], rtol=0.05)
    np.testing.assert_allclose(y, [0.1, 0.3, 0.7])
    np.testing.assert_allclose(bars[~np.isnan(bars)], [0.1, np.std([0.6, 0.8], ddof=1)])  # one run has no deviation
    assert (points_of(figure, 1)[0] > x[1:]).all()  # side by side
    assert legend(figure) == ["random (n = 1 to 3)", "pretrained (n = 2)"]
    assert "ddof=1" in axes.get_ylabel()
    assert not texts_overlap(figure)


def test_pretraining_shares_with_random_weights_as_a_line(tmp_path):
    rows = [
        ("1-D", [(0, [0.6, 0.8]), (0.01, [0.7, 0.8]), (0.88, [0.8, 0.8]), (1, [0.8, 0.9])]),
        ("2-D", [(0, [0.65]), (0.2, [0.7])]),
    ]
    figure = plots.plot_pretraining_share(rows, tmp_path / "share.png")
    check_file(figure, tmp_path / "share.png")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1%", "20%", "88%", "100%"]
    assert legend(figure) == [
        "1-D (n = 2)",
        "1-D, random weights (n = 2)",
        "2-D (n = 1)",
        "2-D, random weights (n = 1)",
    ]
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [line.get_ydata()[0] for line in dashed] == [pytest.approx(0.7), 0.65]
    assert not texts_overlap(figure)


def test_random_weights_alone_are_drawn(tmp_path):
    figure = plots.plot_pretraining_share([("1-D", [(0, [0.6, 0.8])])], tmp_path / "share.png")
    assert legend(figure) == ["1-D, random weights (n = 2)"]


def test_shares_out_of_range_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"0 to 1.*20"):
        plots.plot_pretraining_share([("a", [(20, [0.5])])], tmp_path / "share.png")
    with pytest.raises(DataError, match="above 0"):
        plots.plot_subset_share([("a", [(0, [0.5])])], tmp_path / "share.png")
    with pytest.raises(DataError, match="one finite number"):
        plots.plot_subset_share([("a", [(0.5, [])])], tmp_path / "share.png")
    with pytest.raises(DataError, match="none"):
        plots.plot_subset_share([], tmp_path / "share.png")
