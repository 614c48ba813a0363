"""Calibration against hand-worked bins, scikit-learn's curve and log loss, and simulated temperatures."""

import json

import numpy as np
import pytest
from figure_checks import check_file, texts_overlap
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from transplant.errors import DataError, OptionError
from transplant.evaluation import calibration


def simulate(n, sharpness, seed=0):
    """Return (truth, logits): labels drawn from softmax(z), logits = sharpness * z; their best temperature is that."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 4)) * 1.5
    truth = (softmax(z, axis=1).cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1)
    return truth, sharpness * z


HAND = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6], [0.45, 0.55]])
HAND_TRUTH = [0, 1, 1, 1, 0]  # right, wrong, right, right, wrong


def test_equal_width_by_hand():
    # Five bins of width 0.2: (.4, .6] holds .6 (right) and .55 (wrong), (.6, .8] .8 (wrong) and .7, (.8, 1] .9.
    bins = calibration.calibration_bins(HAND_TRUTH, HAND, bins=5)
    np.testing.assert_array_equal(bins.counts, [0, 0, 2, 2, 1])
    np.testing.assert_array_equal(bins.hits, [0, 0, 1, 1, 1])
    np.testing.assert_allclose(bins.confidence, [np.nan, np.nan, 0.575, 0.75, 0.9])
    np.testing.assert_allclose(bins.frequency, [np.nan, np.nan, 0.5, 0.5, 1])
    assert bins.error == pytest.approx((2 * 0.075 + 2 * 0.25 + 0.1) / 5)
    assert calibration.expected_calibration_error(HAND_TRUTH, HAND, bins=5) == bins.error


def test_equal_mass_by_hand():
    # Five in three bins: .55 (wrong); .6 and .7 (both right); .8 (wrong) and .9 (right).
    bins = calibration.calibration_bins(HAND_TRUTH, HAND, bins=3, binning="mass")
    np.testing.assert_array_equal(bins.counts, [1, 2, 2])
    np.testing.assert_allclose(bins.confidence, [0.55, 0.65, 0.85])
    assert bins.error == pytest.approx((0.55 + 2 * 0.35 + 2 * 0.35) / 5)


@pytest.mark.parametrize("n", [7, 10, 100])
def test_equal_mass_counts_differ_by_one_and_ties_stay_together(n):
    truth, logits = simulate(n, 1.0)
    counts = calibration.calibration_bins(truth, softmax(logits, axis=1), 5, "mass").counts
    assert counts.sum() == n and counts.max() - counts.min() <= 1
    tied = calibration.calibration_bins(np.arange(n) % 2, np.tile([0.7, 0.3], (n, 1)), 5, "mass")
    assert sorted(tied.counts) == [0, 0, 0, 0, n]


def test_bins_of_one_class_agree_with_scikit_learn():
    truth, logits = simulate(500, 2.0)
    prob = softmax(logits, axis=1)
    for column in range(4):
        frequency, confidence = calibration_curve(truth == column, prob[:, column], n_bins=15)
        ours = calibration.calibration_bins(truth, prob, class_index=column)
        filled = ours.counts > 0
        np.testing.assert_allclose(ours.frequency[filled], frequency)
        np.testing.assert_allclose(ours.confidence[filled], confidence)


def test_the_bounds_of_a_bin_are_those_of_the_paper():
    # A bin holds its upper bound; 0 has no bin of its own and is in the first.
    prob = np.array([[0.0, 1.0], [0.2, 0.8], [0.2001, 0.7999]])
    assert calibration.calibration_bins([0, 0, 0], prob, 5, class_index=0).counts.tolist() == [2, 1, 0, 0, 0]


def test_right_confidence_has_no_error_and_wrong_confidence_all_of_it():
    sure = np.eye(3)[[0, 1, 2]]
    assert calibration.expected_calibration_error([0, 1, 2], sure) == 0
    assert calibration.expected_calibration_error([1, 2, 0], sure) == 1
    half = np.full((10, 2), 0.5)
    assert calibration.expected_calibration_error([0] * 5 + [1] * 5, half, binning="mass") == 0


@pytest.mark.parametrize("from_logits", [False, True])
def test_temperature_agrees_with_a_grid_of_scikit_learn_log_losses(from_logits):
    truth, logits = simulate(300, 2.5, seed=3)
    scores = logits if from_logits else softmax(logits, axis=1)
    fitted = calibration.fit_temperature(truth, scores, from_logits)
    grid = np.arange(1.8, 3.4, 0.01)
    losses = [log_loss(truth, softmax(logits / t, axis=1), labels=range(4)) for t in grid]
    assert fitted == pytest.approx(grid[np.argmin(losses)], abs=0.01)
    assert log_loss(truth, calibration.apply_temperature(scores, fitted, from_logits)) <= min(losses) + 1e-9


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_temperature_of_many_records_is_what_was_put_in(sharpness):
    truth, logits = simulate(20_000, sharpness)
    assert calibration.fit_temperature(truth, logits, from_logits=True) == pytest.approx(sharpness, rel=0.05)


def test_temperature_fitted_on_validation_mends_the_test_set():
    truth, logits = simulate(3000, 3.0, seed=5)
    prob = softmax(logits, axis=1)
    fitted = calibration.fit_temperature(truth[:1000], prob[:1000])
    mended = calibration.apply_temperature(prob[1000:], fitted)
    for binning in calibration.BINNINGS:
        before = calibration.expected_calibration_error(truth[1000:], prob[1000:], binning=binning)
        after = calibration.expected_calibration_error(truth[1000:], mended, binning=binning)
        assert before > 0.15 and after < 0.04
    np.testing.assert_array_equal(mended.argmax(axis=1), prob[1000:].argmax(axis=1))
    np.testing.assert_allclose(mended.sum(axis=1), 1)


def test_temperature_stays_within_its_bounds_and_at_1_where_nothing_is_better():
    low, high = calibration.TEMPERATURE_BOUNDS
    prob = np.array([[0.6, 0.4], [0.3, 0.7]])
    assert calibration.fit_temperature([0, 1], prob) == low  # all right: the surer the better
    assert calibration.fit_temperature([1, 0], prob) == high
    assert calibration.fit_temperature([1, 0], np.full((2, 2), 0.5)) == 1
    np.testing.assert_allclose(calibration.apply_temperature(prob, 1.0), prob)


def test_probabilities_of_zero_have_a_temperature():
    prob = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    fitted = calibration.fit_temperature([0, 1, 1], prob)
    assert fitted == calibration.TEMPERATURE_BOUNDS[1]
    assert np.isfinite(calibration.apply_temperature(prob, fitted)).all()


def test_metrics_are_ready_for_json():
    metrics = calibration.calibration_metrics(HAND_TRUTH, HAND, ["A", "N"], bins=5)
    assert json.loads(json.dumps(metrics)) == metrics
    assert metrics["log_loss"] == pytest.approx(log_loss(HAND_TRUTH, HAND))
    assert metrics["ece_equal_width"] == pytest.approx(0.15)
    # Class A: (.2, .4] holds .3 and .4, neither A; then .45 (A), .8 (not A) and .9 (A), each alone in its bin.
    assert metrics["ece_per_class"]["A"] == pytest.approx((2 * 0.35 + 0.55 + 0.8 + 0.1) / 5)


def test_what_is_no_probability_is_refused():
    with pytest.raises(DataError, match="softmax"):
        calibration.expected_calibration_error([0], [[2.0, -1.0]])
    with pytest.raises(DataError, match="2 labels, 1 records"):
        calibration.expected_calibration_error([0, 1], [[0.5, 0.5]])
    with pytest.raises(DataError, match="NaN"):
        calibration.fit_temperature([0], [[np.nan, 1.0]], from_logits=True)
    with pytest.raises(OptionError, match="width or mass"):
        calibration.calibration_bins([0], [[0.5, 0.5]], binning="quantile")
    with pytest.raises(OptionError, match="above 0"):
        calibration.apply_temperature([[0.5, 0.5]], 0)


def test_reliability_figure(tmp_path):
    truth, logits = simulate(400, 2.0)
    prob = softmax(logits, axis=1)
    panels = [(name, calibration.calibration_bins(truth, prob, 10, class_index=i)) for i, name in enumerate("ANO~")]
    figure = calibration.plot_reliability(panels, tmp_path / "reliability.png", "test set")
    check_file(figure, tmp_path / "reliability.png")
    upper, lower = figure.axes[:4], figure.axes[4:]
    for (name, bins), axes, below in zip(panels, upper, lower):
        filled = bins.counts > 0
        assert axes.get_title() == f"{name}: ECE {bins.error:.3f}"
        np.testing.assert_allclose(axes.lines[1].get_xydata(), np.c_[bins.confidence, bins.frequency][filled])
        heights = [segment[1, 1] for segment in below.collections[0].get_segments()]
        np.testing.assert_array_equal(heights, bins.counts[filled])
        assert below.get_xlabel() == "Predicted probability\n(10 bins of equal width)"
    assert upper[0].get_ylabel() == "Share that came true" and lower[0].get_ylabel() == "Predictions"
    assert not texts_overlap(figure)


def test_interval_of_a_bin_is_wilson_s():
    # 8 of 10 at z = 1.96: Wilson (1927), (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n).
    np.testing.assert_allclose(calibration._wilson(8, 10), (0.4902, 0.9433), atol=1e-4)
