"""Hand-made features of a stay's measurements, for a logistic regression.

Source: Harutyunyan et al., "Multitask learning and benchmarking with clinical time series data"
(2019): six statistics of each variable in seven sub-periods, 714 numbers for their 17 variables.
"""

import numpy as np

from transplant.errors import DataError

STATISTICS = ("min", "max", "mean", "std", "skew", "count")
# (end it is counted from, share of the time between the first and the last measurement)
SUB_PERIODS = (
    ("first", 100),
    ("first", 10),
    ("first", 25),
    ("first", 50),
    ("last", 10),
    ("last", 25),
    ("last", 50),
)
# Their tolerance at both ends of a sub-period, in steps of time.
_EPSILON = 1e-6
_BLOCK_BYTES = 64 * 2**20


def hand_features(x, observed=None):
    """Compute the six statistics of each channel in the seven sub-periods.

    A channel's period runs from its first to its last measurement in the record; the sub-periods
    are all of it, its first 10%, 25% and 50%, and its last 10%, 25% and 50%, both ends included.
    The standard deviation divides by n, the skewness is m3 / m2^1.5 (scipy.stats.skew with its
    defaults). The public code reads each measurement at its minute; here time is the step of x, so
    that an hourly bin is one measurement.

    Args:
        x: (records, time, channels); values where `observed` is False are never looked at.
        observed: bool of the shape of x, where something was measured. Defaults to None: wherever
            x is a number.

    Returns:
        float32 (records, channels x 42): channel by channel, in it sub-period by sub-period, in it
        minimum, maximum, mean, standard deviation, skewness, number of measurements. NaN where a
        statistic does not exist: all six without a measurement, as in the public code (the number is
        not 0, but missing), and the skewness of equal values (where older scipy gave 0). The caller
        replaces NaN, by means of the training records.

    Raises:
        DataError: if the shapes are wrong or a measured value is no finite number.

    Example:
        >>> features = hand_features(np.random.default_rng(0).normal(size=(5, 48, 17)))
        >>> features.shape
        (5, 714)
    """
    x = np.asarray(x)
    observed = ~np.isnan(x) if observed is None else np.asarray(observed, bool)
    if x.ndim != 3 or observed.shape != x.shape or not x.size:
        raise DataError(
            f"hand features take (records, time, channels) and a mask of the same shape. Received: {x.shape}, "
            f"{observed.shape}"
        )
    records, time, channels = x.shape
    features = np.empty((records, channels, len(SUB_PERIODS), len(STATISTICS)), np.float32)
    # Blocks bound the memory of the float64 work below.
    block = max(1, _BLOCK_BYTES // (8 * time * channels))
    for start in range(0, records, block):
        part = slice(start, start + block)
        values = np.where(observed[part], x[part], 0).astype(np.float64)
        if not np.isfinite(values).all():
            bad = start + np.flatnonzero(~np.isfinite(values).all(axis=(1, 2)))
            raise DataError(f"a measured value is a finite number. Received: NaN or infinity in record {bad[0]}")
        for index, inside in enumerate(_inside(observed[part])):
            features[part, :, index] = _statistics(values, inside)
    return features.reshape(records, -1)


def feature_names(channels):
    """Return the names of the columns of `hand_features`, such as "HR first 25% mean".

    Args:
        channels: names of the channels.
    """
    periods = ["all" if share == 100 else f"{end} {share}%" for end, share in SUB_PERIODS]
    return tuple(f"{channel} {period} {what}" for channel in channels for period in periods for what in STATISTICS)


def _inside(observed):
    """Yield bool (records, time, channels) of each sub-period: measured, and within it."""
    time = observed.shape[1]
    steps = np.arange(time, dtype=np.float64)[:, None]
    first = observed.argmax(axis=1).astype(np.float64)[:, None]
    last = (time - 1 - observed[:, ::-1].argmax(axis=1)).astype(np.float64)[:, None]
    for end, share in SUB_PERIODS:
        span = (last - first) * share / 100
        low, high = (first, first + span) if end == "first" else (last - span, last)
        yield observed & (steps > low - _EPSILON) & (steps < high + _EPSILON)


def _statistics(values, inside):
    """Return the six statistics (records, channels, 6) of the values (records, time, channels) inside."""
    count = inside.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(inside, values, 0).sum(axis=1) / count
        deviation = np.where(inside, values - mean[:, None], 0)
        m2, m3 = (deviation**2).sum(axis=1) / count, (deviation**3).sum(axis=1) / count
        low = np.where(inside, values, np.inf).min(axis=1)
        high = np.where(inside, values, -np.inf).max(axis=1)
        # The second is scipy's rule: values that differ by less than rounding have no skewness.
        flat = (low == high) | (m2 <= (np.finfo(np.float64).eps * mean) ** 2)
        skew = np.where(flat, np.nan, m3 / m2**1.5)
    statistics = np.stack([low, high, mean, np.sqrt(m2), skew, count.astype(np.float64)], axis=-1)
    statistics[count == 0] = np.nan
    return statistics
