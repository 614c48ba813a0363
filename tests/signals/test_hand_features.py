"""Hand features against a plain loop after the public definition, with scipy's skewness."""

import warnings

import numpy as np
import pytest
import scipy.stats

from transplant.errors import DataError
from transplant.signals.hand_features import feature_names, hand_features

NAN = np.nan
PERIODS = [(0, 1), (0, 0.1), (0, 0.25), (0, 0.5), (0.9, 1), (0.75, 1), (0.5, 1)]


def by_loop(values, observed):
    """Return the 42 features of one channel (time,), one measurement after the other."""
    steps = np.flatnonzero(observed)
    features = []
    for start, stop in PERIODS:
        inside = [
            float(values[t])
            for t in steps
            if steps[0] + start * (steps[-1] - steps[0]) - 1e-6 < t < steps[0] + stop * (steps[-1] - steps[0]) + 1e-6
        ]
        if not inside:
            features += [NAN] * 6
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scipy warns of equal values
            skew = scipy.stats.skew(inside)
        features += [min(inside), max(inside), np.mean(inside), np.std(inside), skew, len(inside)]
    return features


def test_features_agree_with_a_loop_and_scipy():
    rng = np.random.default_rng(0)
    x = rng.gamma(2.0, 3.0, size=(9, 48, 5)).astype(np.float32)
    observed = rng.random(x.shape) < rng.uniform(0.02, 0.9, size=(9, 1, 5))
    observed[0, :, 0] = False
    observed[1, :, 1] = np.arange(48) == 20
    x[2, :, 2] = 36.6
    features = hand_features(x, observed)
    assert features.shape == (9, 5 * 42) and features.dtype == np.float32
    expected = np.array([[by_loop(x[r, :, c], observed[r, :, c]) for c in range(5)] for r in range(9)])
    np.testing.assert_allclose(features.reshape(9, 5, 42), expected, rtol=2e-5, atol=1e-5)
    assert np.isnan(features[0, :42]).all()
    # A single measurement: itself, no spread, no skewness, in all seven periods.
    np.testing.assert_array_equal(
        features[1, 42:84].reshape(7, 6)[:, [0, 1, 2, 3, 5]], [[x[1, 20, 1]] * 3 + [0, 1]] * 7
    )
    assert np.isnan(features[2].reshape(5, 7, 6)[2, :, 4]).all()


def test_sub_periods_worked_by_hand():
    # Measured at steps 2 to 12: the first 25% are steps 2 to 4.5, the last 10% 11 to 12, both ends included.
    x = np.full((1, 20, 1), NAN)
    x[0, 2:13, 0] = [1, 2, 6, 4, 5, 6, 7, 8, 9, 10, 13]
    features = dict(zip(feature_names(("HR",)), hand_features(x)[0]))
    assert len(features) == 42
    counts = [features[f"HR {period} count"] for period in ("all", "first 10%", "first 25%", "first 50%")]
    assert counts == [11, 2, 3, 6]
    assert [features[f"HR last {share}% count"] for share in (10, 25, 50)] == [2, 3, 6]
    assert features["HR first 25% mean"] == 3 and features["HR last 10% min"] == 10 and features["HR all max"] == 13
    assert features["HR first 25% std"] == pytest.approx(np.sqrt(14 / 3))
    # Deviations -2, -1, 3: third moment 18 / 3, second 14 / 3.
    assert features["HR first 25% skew"] == pytest.approx(6 / (14 / 3) ** 1.5)


def test_blocks_do_not_change_the_features(monkeypatch):
    x = np.random.default_rng(1).normal(size=(7, 10, 2))
    whole = hand_features(x)
    monkeypatch.setattr("transplant.signals.hand_features._BLOCK_BYTES", 3 * 8 * 10 * 2)
    np.testing.assert_array_equal(hand_features(x), whole)


def test_what_was_not_observed_is_not_looked_at():
    x = np.random.default_rng(2).normal(size=(2, 10, 1))
    observed = np.ones(x.shape, bool)
    observed[:, 4] = False
    expected = hand_features(x, observed)
    for other in (NAN, np.inf, 1e30):
        x[:, 4] = other
        np.testing.assert_array_equal(hand_features(x, observed), expected)


@pytest.mark.parametrize(
    "x, observed, text",
    [
        (np.zeros((2, 3)), None, r"Received: \(2, 3\)"),
        (np.zeros((2, 3, 1)), np.ones((2, 3, 2), bool), "a mask of the same shape"),
        (np.full((1, 3, 1), np.inf), None, "NaN or infinity in record 0"),
        (np.full((1, 3, 1), NAN), np.ones((1, 3, 1), bool), "NaN or infinity in record 0"),
    ],
)
def test_what_does_not_fit_is_refused(x, observed, text):
    with pytest.raises(DataError, match=text):
        hand_features(x, observed)
