"""Rows of probabilities: the check that every function on them makes, and their logarithms."""

import numpy as np

from transplant.errors import DataError

_SUM_TOLERANCE = 0.01  # half-precision rows of a network stay within it; logits do not
_SMALLEST = float(np.finfo(np.float32).tiny)


def probability_rows(y_prob):
    """Return `y_prob` as float64 (records, classes).

    Raises:
        DataError: unless every row is finite, not negative and sums to 1 (to 1%).
    """
    y_prob = np.asarray(y_prob, np.float64)
    if y_prob.ndim != 2 or not y_prob.size:
        raise DataError(f"Probabilities are (records, classes), at least one of each. Received: shape={y_prob.shape}")
    # NaN fails the second comparison.
    bad = (y_prob < 0).any(axis=1) | ~(np.abs(y_prob.sum(axis=1) - 1) <= _SUM_TOLERANCE)
    if bad.any():
        raise DataError(
            f"Each row of probabilities is not negative and sums to 1. Received: {bad.sum()} of {len(bad)} rows "
            "that do not; give the network's softmax, not its logits"
        )
    return y_prob


def log_probabilities(y_prob):
    """Return the logarithms of rows of probabilities (records, classes), those of zeros as -87.3.

    They are logits: a network's own, less a number for each record that no
    softmax sees.
    """
    return np.log(np.maximum(probability_rows(y_prob), _SMALLEST))
