"""What the atria draw on an ECG when they fibrillate or flutter."""

import numpy as np

FIBRILLATION_BAND_HZ = (4.0, 9.0)


def fibrillatory_waves(rng, samples, sampling_rate_hz, amplitude_mv, frequency_hz):
    """Draw f waves: a sawtooth-like wave whose frequency and height wander.

    Args:
        rng: `np.random.Generator`.
        samples: length of the result.
        amplitude_mv: mean amplitude (half of peak to peak) in mV.
        frequency_hz: mean frequency, within 4-9 Hz.

    Returns:
        float64 (samples,) in mV.

    Source: harmonics with amplitude and frequency modulation as in Stridh and
    Sornmo, IEEE Trans Biomed Eng 48(1), 2001; the modulation here is random.
    """
    frequency = frequency_hz + _slow(rng, samples, sampling_rate_hz, 0.35)
    frequency = np.clip(frequency, *FIBRILLATION_BAND_HZ)
    phase = 2.0 * np.pi * (np.cumsum(frequency) / sampling_rate_hz + rng.random())
    height = amplitude_mv * np.maximum(1.0 + _slow(rng, samples, sampling_rate_hz, 0.3), 0.2)
    return height * _harmonics(phase, (1.0, 0.35, 0.15))


def flutter_waves(samples, sampling_rate_hz, amplitude_mv, atrial_rate_hz, origin_s):
    """Draw flutter waves: a slow fall and a fast rise, without a pause between.

    Args:
        samples: length of the result.
        amplitude_mv: half of peak to peak, in mV.
        atrial_rate_hz: waves per second.
        origin_s: time of one wave's fastest rise.

    Returns:
        float64 (samples,) in mV.
    """
    phase = 2.0 * np.pi * atrial_rate_hz * (np.arange(samples) / sampling_rate_hz - origin_s)
    return amplitude_mv * _harmonics(phase, (1.0, 0.5, 1.0 / 3.0, 0.2))


def _harmonics(phase, shares):
    """Return sum_k shares[k-1] sin(k phase), by the angle-addition recurrence."""
    turn = np.exp(1j * phase)
    power, total = turn, shares[0] * turn.imag
    for share in shares[1:]:
        power = power * turn
        total += share * power.imag
    return total


def _slow(rng, samples, sampling_rate_hz, deviation):
    """Return random modulation of the given standard deviation, new about every second."""
    knots = rng.normal(0.0, deviation, int(samples / sampling_rate_hz) + 3)
    return np.interp(np.arange(samples) / sampling_rate_hz, np.arange(len(knots)), knots)
