"""The gain of a signal that was stored as integers and divided by it."""

import numpy as np

# Counts per mV, coarsest first: of two gains that fit, the smaller one is the signal's own.
# The odd one is that of Icentia11k on PhysioNet: 16 bit over +-440.6 mV.
COMMON_GAINS = (50, 32767 * 6 / (0.9375 * 2820), 100, 200, 250, 400, 500, 1000, 2000)
_MOST_COUNTS = 32767
# Samples looked at for the gain; whoever packs the signal compares them all.
_SAMPLES = 8192


def find_gain(signal):
    """Find the gain and baseline of a signal of float32 millivolts.

    Tried are gains in common use, then that of the smallest step between two
    values. A gain fits where (counts - baseline) / gain in float32 is the
    signal exactly.

    Args:
        signal: float32 (time,), mV; NaN where invalid.

    Returns:
        gain (counts per mV) and baseline (counts at 0 mV), or None where none
        fits in 16 bits.
    """
    valid = signal[:: max(len(signal) // _SAMPLES, 1)]
    values = np.unique(valid[np.isfinite(valid)])
    if not len(values):
        return None
    low, high = np.nanmin(signal), np.nanmax(signal)
    if not np.isfinite([low, high]).all():
        return None
    values = np.unique(np.append(values, [low, high]))
    for gain in (*COMMON_GAINS, *_gains_of_steps(values)):
        if _fits(values, gain):
            return _with_baseline(float(low) * gain, float(high) * gain, gain)
    return None


def _fits(values, gain):
    counts = np.rint(values * np.float64(gain)).astype(np.float32)
    return np.array_equal(counts / np.float32(gain), values)


def _gains_of_steps(values):
    """Yield the gains at which the smallest step is one count, refined by ever larger values."""
    values = values.astype(np.float64)
    steps = np.diff(np.unique(np.append(np.abs(values), 0)))
    if not len(steps):
        return
    gain = 1 / steps.min()
    for reach in (8, 128, 2048, np.inf):
        near = values[np.abs(values) * gain <= reach]
        counts = np.rint(near * gain)
        if counts.any():
            gain = np.dot(counts, counts) / np.dot(counts, near)
    if round(gain):
        yield round(gain)
    # The division was by a float32, which float32 quotients tell to a few units of the last place.
    nearest = np.float32(gain)
    for ulps in (0, -1, 1, -2, 2):
        yield float(nearest + ulps * np.spacing(nearest))


def _with_baseline(low, high, gain):
    """Return the gain with a baseline that brings the counts from low to high into 16 bits, or None."""
    baseline = 0
    if max(-low, high) > _MOST_COUNTS:
        baseline = -round((low + high) / 2)
    if max(-(low + baseline), high + baseline) > _MOST_COUNTS:
        return None
    return gain, float(baseline)
