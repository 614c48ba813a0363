"""Change the sampling rate of whole records and of the positions on them."""

import fractions

import numpy as np
import scipy.signal


def _ratio(from_hz, to_hz):
    """Return to/from as the smallest integers that give it exactly enough (1e-9)."""
    ratio = fractions.Fraction(to_hz).limit_denominator(10_000) / fractions.Fraction(from_hz).limit_denominator(10_000)
    return ratio.numerator, ratio.denominator


def resample(signal, from_hz, to_hz):
    """Resample a whole record with a polyphase anti-aliasing filter.

    The edges are continued with the lead's mean, so that a baseline offset
    makes no transient there. Invalid (NaN) samples are bridged by straight
    lines before filtering and are NaN again in the result.

    Args:
        signal: (time, leads), NaN where invalid.
        from_hz, to_hz: sampling rates.

    Returns:
        float32 (ceil(time * to_hz / from_hz), leads).

    Source: `scipy.signal.resample_poly`, Kaiser window (beta 5), as the public
    Weimann-Conrad preparation.
    """
    signal = np.asarray(signal, np.float32)
    up, down = _ratio(from_hz, to_hz)
    if up == down or not len(signal):
        return signal
    invalid = np.isnan(signal)
    has_gaps = invalid.any()
    if has_gaps:
        signal = _bridge(signal, invalid)
    resampled = scipy.signal.resample_poly(signal, up, down, axis=0, padtype="mean").astype(np.float32)
    if has_gaps:
        nearest = np.minimum(np.rint(np.arange(len(resampled)) * (down / up)).astype(np.int64), len(signal) - 1)
        resampled[invalid[nearest]] = np.nan
    return resampled


def _bridge(signal, invalid):
    bridged = signal.copy()
    time = np.arange(len(signal))
    for lead in range(signal.shape[1]):
        bad = invalid[:, lead]
        if bad.all():
            bridged[:, lead] = 0.0
        elif bad.any():
            bridged[bad, lead] = np.interp(time[bad], time[~bad], signal[~bad, lead])
    return bridged


def resample_positions(positions, from_hz, to_hz):
    """Move sample indices to another rate: rint(i * to / from).

    Args:
        positions: integer sample indices at `from_hz`.

    Returns:
        int64 indices at `to_hz`.
    """
    up, down = _ratio(from_hz, to_hz)
    return np.rint(np.asarray(positions, np.int64) * up / down).astype(np.int64)
