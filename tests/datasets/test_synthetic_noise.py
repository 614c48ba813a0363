"""Each kind of noise has its spectrum and its size."""

import numpy as np
import pytest
import scipy.signal

from transplant.datasets import synthetic_noise as noise

RATE_HZ = 300
SAMPLES = 300 * 60


def share_of_power(signal, low_hz, high_hz):
    frequency, power = scipy.signal.welch(signal, RATE_HZ, nperseg=8192, detrend=False)
    return power[(frequency >= low_hz) & (frequency <= high_hz)].sum() / power.sum()


@pytest.mark.parametrize(
    ("draw", "low_hz", "high_hz", "at_least"),
    [
        (noise.baseline_wander, 0.0, 0.6, 0.97),
        (noise.muscle_noise, 15.0, 150.0, 0.9),
        (noise.motion_artefact, 0.0, 10.0, 0.9),
    ],
)
def test_power_lies_where_it_belongs(draw, low_hz, high_hz, at_least):
    for seed in range(5):
        drawn = draw(np.random.default_rng(seed), SAMPLES, RATE_HZ)
        assert drawn.shape == (SAMPLES,) and drawn.std() == pytest.approx(1.0)
        assert share_of_power(drawn, low_hz, high_hz) > at_least


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_mains_hum_is_a_line(mains_hz):
    hum = noise.mains_hum(np.random.default_rng(1), SAMPLES, RATE_HZ, mains_hz)
    assert share_of_power(hum, mains_hz - 0.5, mains_hz + 0.5) > 0.98


def test_mains_hum_is_of_either_half_of_the_world():
    lines = set()
    for seed in range(20):
        hum = noise.mains_hum(np.random.default_rng(seed), 3000, RATE_HZ)
        lines.add(round(np.argmax(np.abs(np.fft.rfft(hum))) * RATE_HZ / 3000 / 10) * 10)
    assert lines == {50, 60}


def test_motion_makes_steps():
    drawn = noise.motion_artefact(np.random.default_rng(2), SAMPLES, RATE_HZ)
    steps = np.abs(np.diff(drawn))
    assert steps.max() > 8 * np.percentile(steps, 99)


@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 20.0])
def test_noise_comes_at_the_asked_ratio(snr_db):
    clean = 0.3 * np.sin(np.arange(3000) / 7.0)
    drawn = noise.noise_at(np.random.default_rng(3), clean, RATE_HZ, snr_db)
    assert 10 * np.log10(clean.var() / drawn.var()) == pytest.approx(snr_db, abs=1e-6)


def test_lost_contact_is_flat_short_and_at_most_a_tenth():
    signal = 1.0 + np.random.default_rng(0).random(SAMPLES)
    lost = noise.lose_contact(np.random.default_rng(4), signal, RATE_HZ, per_minute=1000.0)
    assert 0 < np.mean(lost == 0.0) <= 0.1
    assert np.array_equal(lost[lost != 0.0], signal[lost != 0.0])
    assert np.array_equal(noise.lose_contact(np.random.default_rng(4), signal, RATE_HZ, per_minute=0.0), signal)


@pytest.mark.parametrize(("samples", "expected"), [(2, 2), (5, 6), (7, 8), (9000, 12288), (4096, 4096), (4097, 6144)])
def test_fft_lengths_are_powers_of_two_or_three_times_one(samples, expected):
    assert noise.fast_length(samples) == expected
