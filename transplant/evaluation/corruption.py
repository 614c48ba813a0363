"""Spoil standardised records at evaluation, to see what a classifier leans on.

Records are (records, time, leads), padded with zeros on the left, as
`LabelledSet.standardized` returns them. Padding stays exactly 0, so that a
network that tells padding from signal sees records of the same lengths.
"""

import numpy as np

from transplant.errors import DataError, OptionError


def flip_polarity(x):
    """Turn records upside down, as with electrodes that were swapped.

    Standardised values are mirrored about the training mean, not about 0 mV;
    the two differ by twice the mean.

    Args:
        x: standardised records (records, time, leads).

    Returns:
        A new array of the same shape and type; zeros are +0.
    """
    return 0 - np.asarray(x)


def carries_mains(sampling_rate_hz, mains_hz=50.0):
    """Return whether records at a sampling rate can hold the hum of the mains: more than two samples a period."""
    return sampling_rate_hz is not None and 0 < mains_hz < sampling_rate_hz / 2


def add_mains(x, lengths, sampling_rate_hz, amplitude_std, mains_hz=50.0, seed=0):
    """Add the hum of the mains, a sine, to the valid samples of every record.

    Each record has a phase of its own, drawn from the seed and the same in all
    its leads. The sine is counted from the record's end: how far a record is
    padded does not change it.

    Args:
        x: standardised records (records, time, leads).
        lengths: valid samples at the end of each record (records,).
        sampling_rate_hz: samples per second.
        amplitude_std: peak of the sine in standard deviations of the training
            data, the unit of standardised records.
        mains_hz: 50 in most of the world, 60 in the Americas. Defaults to 50.
        seed: of the phases. Defaults to 0.

    Returns:
        A new array of the same shape and type.

    Raises:
        DataError: if there is not one length from 0 to `time` for each record.
        OptionError: if the frequency is not below half the sampling rate, or the
            amplitude is negative.
    """
    x, lengths = np.asarray(x), np.asarray(lengths)
    if x.ndim != 3:
        raise DataError(f"Records are (records, time, leads). Received: shape={x.shape}")
    n, time, _ = x.shape
    if lengths.shape != (n,) or (n and not (lengths.min() >= 0 and lengths.max() <= time)):
        received = f"{lengths.min()} to {lengths.max()}" if lengths.shape == (n,) else f"shape={lengths.shape}"
        raise DataError(f"Each of {n} records has 0 to {time} valid samples. Received: {received}")
    if not carries_mains(sampling_rate_hz, mains_hz):
        raise OptionError(
            f"Mains are sampled more than twice a period. Received: {mains_hz:g} Hz at {sampling_rate_hz:g} Hz"
        )
    if not amplitude_std >= 0:
        raise OptionError(f"An amplitude is 0 or more. Received: {amplitude_std}")
    angle = 2 * np.pi * mains_hz / sampling_rate_hz * np.arange(-time, 0)
    noisy = x.copy()
    for record, length, phase in zip(noisy, lengths, np.random.default_rng(seed).uniform(0, 2 * np.pi, n)):
        start = time - length
        record[start:] += (amplitude_std * np.sin(angle[start:] + phase)).astype(x.dtype)[:, None]
    return noisy
