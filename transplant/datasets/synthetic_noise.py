"""Noise of ambulatory ECG: wander, muscle, mains, motion and lost contact.

Signal-to-noise ratios are 10 log10(var(ECG) / var(noise)) in dB over the whole
record; baseline wander, which hides nothing, is scaled on its own.
"""

import math

import numpy as np


def fast_length(samples):
    """Return the smallest 2^k or 3 * 2^k that is at least `samples`, for the FFT."""
    power = 1 << max(samples - 1, 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= samples else power


def coloured_noise(rng, samples, sampling_rate_hz, amplitude_of_frequency):
    """Draw Gaussian noise with a given amplitude spectrum.

    Args:
        rng: `np.random.Generator`.
        amplitude_of_frequency: function of frequencies in Hz (float64 array).

    Returns:
        float64 (samples,) of standard deviation 1.
    """
    length = fast_length(samples)
    frequency = np.fft.rfftfreq(length, 1.0 / sampling_rate_hz)
    spectrum = rng.standard_normal((len(frequency), 2)).view(np.complex128)[:, 0]
    noise = np.fft.irfft(spectrum * amplitude_of_frequency(frequency), length)[:samples]
    return _unit(noise)


def baseline_wander(rng, samples, sampling_rate_hz):
    """Draw baseline wander of standard deviation 1: breathing and slow drift below 0.5 Hz."""
    # Nothing is above 0.5 Hz, so eight values a second carry it.
    coarse_hz = 8.0
    knots = int(samples / sampling_rate_hz * coarse_hz) + 3
    drift = coloured_noise(rng, knots, coarse_hz, lambda f: np.where(f < 0.5, 1.0 / (f + 0.05), 0.0))
    time = np.arange(knots) / coarse_hz
    breathing = math.sqrt(2.0) * np.sin(2.0 * np.pi * (rng.uniform(0.17, 0.32) * time + rng.random()))
    share = rng.uniform(0.2, 0.8)
    mixed = math.sqrt(share) * drift + math.sqrt(1.0 - share) * breathing
    return _unit(np.interp(np.arange(samples) / sampling_rate_hz, time, mixed))


def muscle_noise(rng, samples, sampling_rate_hz):
    """Draw muscle (EMG) noise of standard deviation 1: above 20 Hz, a floor and bursts."""
    noise = coloured_noise(rng, samples, sampling_rate_hz, lambda f: (f / 20.0) ** 2 / (1.0 + (f / 20.0) ** 2))
    seconds = samples / sampling_rate_hz
    knots = np.exp(rng.normal(0.0, rng.uniform(0.2, 0.8), int(seconds) + 3))
    return _unit(noise * np.interp(np.arange(samples) / sampling_rate_hz, np.arange(len(knots)), knots))


def mains_hum(rng, samples, sampling_rate_hz, mains_hz=None):
    """Draw mains interference of standard deviation 1.

    Args:
        mains_hz: 50 or 60. Defaults to a draw of the two.
    """
    mains_hz = rng.choice([50.0, 60.0]) if mains_hz is None else mains_hz
    time = np.arange(samples) / sampling_rate_hz
    phase = 2.0 * np.pi * ((mains_hz + rng.normal(0.0, 0.02)) * time + rng.random())
    knots = 1.0 + rng.uniform(0.0, 0.4) * rng.normal(0.0, 1.0, int(time[-1] / 5.0) + 3)
    hum = np.sin(phase) * np.interp(time, 5.0 * np.arange(len(knots)), knots)
    return _unit(hum)


def motion_artefact(rng, samples, sampling_rate_hz):
    """Draw motion artefacts of standard deviation 1: steps that decay and slow irregular bumps.

    The bumps (1-10 Hz) look like waves of the heart; the steps are electrodes
    that shift and an amplifier that recovers within a second or two.
    """
    bumps = coloured_noise(rng, samples, sampling_rate_hz, lambda f: f**2 / (1.0 + (f / 1.5) ** 4))
    seconds = samples / sampling_rate_hz
    knots = np.exp(rng.normal(0.0, 1.0, int(seconds / 2.0) + 3))
    bumps *= np.interp(np.arange(samples) / sampling_rate_hz, 2.0 * np.arange(len(knots)), knots)
    steps = np.zeros(samples)
    for onset in np.sort(rng.integers(0, samples, 1 + rng.poisson(seconds / 20.0))):
        recovery_s = rng.uniform(0.2, 1.5)
        length = min(samples - onset, int(5.0 * recovery_s * sampling_rate_hz))
        decay = np.exp(-np.arange(length) / (recovery_s * sampling_rate_hz))
        steps[onset : onset + length] += rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.5) * decay
    share = rng.uniform(0.3, 0.9)
    return _unit(share * _unit(bumps) + (1.0 - share) * _unit(steps))


def noise_mixture(rng, samples, sampling_rate_hz):
    """Draw a mixture of muscle noise, mains hum and motion artefact, each present.

    Returns:
        float64 (samples,) of standard deviation 1.
    """
    # Mains hum alone leaves an ECG readable: it never has most of the power.
    shares = rng.dirichlet([2.0, 0.7, 2.0]) * 0.9 + 0.1 / 3.0
    shares[1] = min(shares[1], 0.3)
    parts = (muscle_noise, mains_hum, motion_artefact)
    return _unit(sum(math.sqrt(s) * draw(rng, samples, sampling_rate_hz) for s, draw in zip(shares, parts)))


def lose_contact(rng, signal, sampling_rate_hz, per_minute=1.0):
    """Return a copy with dropouts of 0.1-0.8 s, a flat line at 0 mV where an electrode is off.

    At most a tenth of the signal is lost.

    Args:
        rng: `np.random.Generator`.
        signal: float64 (time,) in mV.
        per_minute: mean number of dropouts in a minute.
    """
    signal = signal.copy()
    most = int(len(signal) / (8.0 * sampling_rate_hz))
    count = min(rng.poisson(per_minute * len(signal) / sampling_rate_hz / 60.0), most)
    for onset in rng.integers(0, len(signal), count):
        signal[onset : onset + int(rng.uniform(0.1, 0.8) * sampling_rate_hz)] = 0.0
    return signal


def noise_at(rng, clean, sampling_rate_hz, snr_db):
    """Draw a `noise_mixture` at a signal-to-noise ratio to a clean ECG.

    Args:
        clean: float64 (time,) in mV.
        snr_db: 10 log10(var(clean) / var(result)).

    Returns:
        float64 (time,) in mV, mean 0.
    """
    return clean.std() * 10.0 ** (-snr_db / 20.0) * noise_mixture(rng, len(clean), sampling_rate_hz)


def _unit(signal):
    """Return the signal with mean 0 and standard deviation 1 (all zeros if it is constant)."""
    signal = signal - signal.mean()
    deviation = signal.std()
    return signal / deviation if deviation > 0.0 else signal
