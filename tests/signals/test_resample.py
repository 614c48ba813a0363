"""Resampling keeps physiology where it was."""

import numpy as np
import pytest
import scipy.signal

from transplant.signals.resample import resample, resample_positions


@pytest.mark.parametrize(("from_hz", "to_hz"), [(360, 250), (300, 250), (1000, 250), (250, 500)])
def test_a_sine_keeps_frequency_phase_and_height(from_hz, to_hz):
    def sine(rate):
        return np.sin(2 * np.pi * 7.0 * np.arange(20 * rate) / rate)[:, None]

    resampled = resample(sine(from_hz), from_hz, to_hz)
    assert resampled.shape == (20 * to_hz, 1) and resampled.dtype == np.float32
    middle = slice(to_hz, -to_hz)
    np.testing.assert_allclose(resampled[middle], sine(to_hz)[middle], atol=2e-3)


def test_what_lies_above_the_new_nyquist_frequency_is_removed():
    tone = np.sin(2 * np.pi * 170.0 * np.arange(7200) / 360)[:, None]
    assert np.abs(resample(tone, 360, 250)[250:-250]).max() < 0.01


def test_agrees_with_scipy_on_each_lead():
    signal = np.random.default_rng(0).normal(size=(3600, 2)).astype(np.float32)
    expected = [scipy.signal.resample_poly(signal[:, lead], 25, 36, padtype="mean") for lead in range(2)]
    np.testing.assert_allclose(resample(signal, 360, 250), np.stack(expected, axis=1), atol=1e-6)


def test_an_offset_makes_no_transient_at_the_edges():
    signal = np.full((3600, 1), 5.0, np.float32)
    np.testing.assert_allclose(resample(signal, 360, 250), 5.0, atol=1e-5)


def test_invalid_samples_stay_invalid_and_do_not_spread():
    signal = np.random.default_rng(0).normal(size=(3600, 2)).astype(np.float32)
    signal[720:1080, 0] = np.nan
    signal[:, 1] = np.nan
    resampled = resample(signal, 360, 250)
    assert np.isnan(resampled[501:749, 0]).all()
    assert np.isfinite(resampled[:499, 0]).all() and np.isfinite(resampled[751:, 0]).all()
    assert np.isnan(resampled[:, 1]).all()


def test_positions_round_to_the_nearest_sample():
    np.testing.assert_array_equal(resample_positions([0, 1, 360, 361, 649_999], 360, 250), [0, 1, 250, 251, 451_388])


def test_the_same_rate_changes_nothing():
    signal = np.random.default_rng(0).normal(size=(100, 1)).astype(np.float32)
    assert resample(signal, 250, 250) is signal
