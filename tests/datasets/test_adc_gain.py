"""The gain of a signal that was integers once."""

import numpy as np
import pytest

from transplant.datasets.adc_gain import find_gain


@pytest.mark.parametrize(
    ("gain", "baseline"),
    [(200, 0), (1000, 0), (32767 * 6 / (0.9375 * 2820), 0), (123.456, 0), (31.0, 0), (7.3e-3, 0), (400, 40_000)],
)
def test_the_gain_is_found_where_counts_give_the_signal_back(gain, baseline):
    counts = np.rint(np.random.default_rng(2).normal(0, 900, 30_000)).astype(np.float32)
    signal = (counts + np.float32(baseline)) / np.float32(gain)
    signal[::100] = np.nan
    found, offset = find_gain(signal)
    restored = (np.rint(signal * found + offset).astype(np.float32) - np.float32(offset)) / np.float32(found)
    np.testing.assert_array_equal(restored, signal)
    assert np.float32(found) == np.float32(gain)
    assert np.nanmax(np.abs(np.rint(signal * found + offset))) <= 32767
    assert (offset != 0) == (baseline != 0)


def test_no_gain_is_found_where_there_is_none():
    assert find_gain(np.random.default_rng(0).normal(size=5000).astype(np.float32)) is None
    assert find_gain(np.full(100, np.nan, np.float32)) is None
    assert find_gain(np.array([0, 1 / 200, 4e5], np.float32)) is None
    assert find_gain(np.zeros(100, np.float32))[1] == 0
