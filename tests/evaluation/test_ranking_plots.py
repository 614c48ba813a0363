"""The figure of both curves: points against scikit-learn, marks, labels and many rows."""

import numpy as np
import pytest
from figure_checks import check_file, texts_overlap
from sklearn.metrics import precision_recall_curve, roc_curve

from transplant.errors import DataError
from transplant.evaluation.metrics import min_precision_recall
from transplant.evaluation.ranking_plots import plot_ranking, ranking_points

CLASSES = ("survived", "died")


def made_up(seed, n=300, decimals=2):
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.2).astype(int)
    score = np.round(1 / (1 + np.exp(1 - rng.normal(truth, 1.0))), decimals)
    return truth, np.stack([1 - score, score], axis=1)


@pytest.mark.parametrize("decimals", [1, 2, 9])
def test_points_agree_with_scikit_learn(decimals):
    truth, prob = made_up(0, decimals=decimals)
    false_rate, recall, precision = ranking_points(truth == 1, prob[:, 1])
    expected = roc_curve(truth, prob[:, 1], drop_intermediate=False)
    np.testing.assert_allclose(false_rate, expected[0][1:])  # scikit-learn begins with the point (0, 0)
    np.testing.assert_allclose(recall, expected[1][1:])
    expected = precision_recall_curve(truth, prob[:, 1])
    np.testing.assert_allclose(precision[::-1], expected[0][:-1])
    np.testing.assert_allclose(recall[::-1], expected[1][:-1])


def test_two_rows(tmp_path):
    rows = [("random weights", *made_up(0)), ("pretrained", *made_up(1))]
    figure = plot_ranking(rows, CLASSES, tmp_path / "ranking.png", "test, 300 records")
    check_file(figure, tmp_path / "ranking.png")
    roc, curve = figure.axes
    assert figure.get_suptitle() == "test, 300 records"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[0].startswith("random weights: AUROC 0.") and legend[-1].endswith("the share of died")
    assert curve.get_ylabel() == "Precision of died"
    # The mark stands where the smaller of precision and recall is min(+P, Se).
    line = curve.lines[0]
    (mark,) = line.get_markevery()
    best = min(line.get_xdata()[mark], line.get_ydata()[mark])
    assert best == pytest.approx(min_precision_recall(*rows[0][1:]))
    (roc_mark,) = roc.lines[0].get_markevery()
    assert roc.lines[0].get_ydata()[roc_mark] == line.get_xdata()[mark]  # both are the recall there
    shares = {round(float(truth.mean()), 3) for _, truth, _ in rows}
    assert {line.get_ydata()[0] for line in curve.lines[2:]} == shares
    assert not texts_overlap(figure)


def test_many_rows_differ_and_long_curves_are_thinned(tmp_path):
    rows = [(f"row {number}", *made_up(number, 6000, 9)) for number in range(9)]
    figure = plot_ranking(rows, CLASSES, tmp_path / "ranking.png")
    check_file(figure, tmp_path / "ranking.png")
    roc = figure.axes[0]
    styles = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in roc.lines[:9]}
    assert len(styles) == 9
    line = roc.lines[0]
    assert 2000 <= len(line.get_xdata()) <= 2002
    assert (line.get_xdata()[-1], line.get_ydata()[-1], line.get_xdata()[0]) == (1, 1, 0)
    assert not texts_overlap(figure)


def test_what_cannot_be_ranked_is_refused(tmp_path):
    truth, prob = made_up(0)
    with pytest.raises(DataError, match=r"second of two\. Received: a, b, c"):
        plot_ranking([("a", truth, prob)], "abc", tmp_path / "ranking.png")
    with pytest.raises(DataError, match="one row or more"):
        plot_ranking([], CLASSES, tmp_path / "ranking.png")
    with pytest.raises(DataError, match="length only: a ranking needs records of both classes"):
        plot_ranking([("length only", np.zeros_like(truth), prob)], CLASSES, tmp_path / "ranking.png")
    assert list(tmp_path.iterdir()) == []
