"""Standardisation: hand-worked numbers, padding left out, nothing lost on the way to a file."""

import json

import numpy as np
import pytest

from transplant.errors import DataError
from transplant.signals.moments import Moments
from transplant.signals.normalization import Normalization, fit_normalization


def test_padding_does_not_count():
    x = np.zeros((2, 6, 1), np.float32)
    x[0, -2:, 0] = [1, 3]
    x[1, -4:, 0] = [5, 5, 7, 9]
    normalization = fit_normalization(x, np.array([2, 4]))
    # Of 1 3 5 5 7 9: mean 5, mean square 190 / 6, variance 190 / 6 - 25 = 20 / 3.
    assert normalization.mean == pytest.approx((5.0,))
    assert normalization.std == pytest.approx((np.sqrt(20 / 3),))
    assert normalization.source == "train"


def test_each_lead_has_its_own_numbers():
    x = np.random.default_rng(0).normal([1, -2], [3, 0.5], (4, 1000, 2)).astype(np.float32)
    normalization = fit_normalization(x, np.full(4, 1000))
    np.testing.assert_allclose(normalization.mean, x.reshape(-1, 2).mean(axis=0, dtype=np.float64), rtol=1e-9)
    np.testing.assert_allclose(normalization.std, x.reshape(-1, 2).std(axis=0, dtype=np.float64), rtol=1e-9)
    standardised = normalization.apply(x)
    np.testing.assert_allclose(standardised.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(standardised.std(axis=(0, 1)), 1, atol=1e-5)


def test_a_large_offset_costs_no_precision():
    signal = 1e4 + np.random.default_rng(0).normal(0, 1e-2, (2, 5000, 1))
    pooled = Moments.of(signal[0]).pool(Moments.of(signal[1]))
    assert pooled.std()[0] == pytest.approx(signal.std(), rel=1e-9)


def test_signals_that_cannot_be_standardised_are_refused():
    with pytest.raises(DataError, match="constant"):
        fit_normalization(np.ones((1, 5, 1), np.float32), [5])
    with pytest.raises(DataError, match="without any"):
        fit_normalization(np.full((1, 5, 1), np.nan, np.float32), [5])


def test_round_trip_through_json():
    normalization = Normalization("zscore", "train", (0.1, 1 / 3), (2.0, 1e-9))
    assert Normalization.from_dict(json.loads(json.dumps(normalization.to_dict()))) == normalization


def test_none_leaves_millivolts_and_paper_takes_its_constants():
    x = np.array([[1.0], [2.0]], np.float32)
    np.testing.assert_array_equal(Normalization.none().apply(x), x)
    paper = Normalization.paper("cinc2017", 0.0075, 0.2373)
    np.testing.assert_allclose(paper.apply(x)[:, 0], [(1 - 0.0075) / 0.2373, (2 - 0.0075) / 0.2373], rtol=1e-6)
