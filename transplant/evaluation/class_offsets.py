"""Offsets of the classes, tuned on validation records for macro-F1.

A network trained on cross-entropy names a rare class only where it is likelier
than all others; macro-F1 is often greater if it is named sooner. One number
for each class, added to the log probabilities, moves those borders.

What is tuned on few records fits their accidents. Four things hold that back:
offsets are limited, must earn their size in macro-F1, are averaged over
resamples of the records (the best border between two records moves far when a
record is left out; its mean does not), and of equal ones those nearest to 0
are taken.
"""

import math

import numpy as np
from scipy.special import softmax

from transplant.errors import DataError, OptionError
from transplant.evaluation.metrics import class_indices, confusion_matrix, f1_from_confusion, macro_f1
from transplant.evaluation.probabilities import probability_rows

OFFSET_LIMIT = math.log(10)
"""Largest offset: a class is weighted at most ten times, and no less than a tenth."""

_SAME = 1e-12  # scores that differ by less are equal but for rounding
_MOST_CYCLES = 50
_MOST_HALVINGS = 6


def fit_class_offsets(y_true, y_prob, resamples=25, limit=OFFSET_LIMIT, caution=4.0, seed=0):
    """Return one offset for each class that raises macro-F1 and is likely to on other records too.

    The mean of `search_class_offsets` over bootstrap resamples of the records,
    halved until macro-F1 on the records themselves is no less than without.

    Args:
        y_true: class indices (n,) or one-hot rows (n, classes) of validation records.
        y_prob: their probabilities (n, classes).
        resamples: number of resamples. Defaults to 25.
        limit, caution: as in `search_class_offsets`.
        seed: of the resamples. Defaults to 0.

    Returns:
        float64 (classes,). Macro-F1 on these records is never below that of zeros.

    Raises:
        DataError: on labels or probabilities of another shape, or rows that are none.
        OptionError: on a negative limit or caution, or no resamples.

    Source: Breiman, "Bagging Predictors", Machine Learning 24 (1996).
    """
    if resamples < 1:
        raise OptionError(f"Offsets are averaged over one resample or more. Received: resamples={resamples}")
    truth, y_prob = _checked(y_true, y_prob)
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(len(truth), size=len(truth)) for _ in range(resamples))
    offsets = np.mean([search_class_offsets(truth[rows], y_prob[rows], limit, caution) for rows in drawn], axis=0)
    return _without_loss(truth, y_prob, offsets)


def search_class_offsets(y_true, y_prob, limit=OFFSET_LIMIT, caution=4.0):
    """Return the offsets that raise macro-F1 on exactly these records.

    Coordinate search from 0: class by class, the borders at which a record
    changes its class are found, and the best interval between two of them is
    taken by its middle, until no class moves. What is maximised is macro-F1 less
    `caution / n` for each unit of the offsets' absolute sum: with 400 records, a
    class is weighted e times for 0.01 of macro-F1 or more.

    Args:
        y_true: class indices (n,) or one-hot rows (n, classes).
        y_prob: probabilities (n, classes).
        limit: largest absolute offset. Defaults to ln 10.
        caution: what an offset costs, 0 or more; 0 believes every record.
            Defaults to 4.

    Returns:
        float64 (classes,). Macro-F1 on these records is never below that of zeros.

    Raises:
        DataError: on labels or probabilities of another shape, or rows that are none.
        OptionError: on a negative limit or caution.
    """
    if not (limit >= 0 and caution >= 0):
        raise OptionError(f"Limit and caution are 0 or more. Received: limit={limit}, caution={caution}")
    truth, y_prob = _checked(y_true, y_prob)
    n, k = y_prob.shape
    with np.errstate(divide="ignore"):
        logs = np.log(y_prob)
    offsets = np.zeros(k)
    reached = macro_f1(truth, y_prob.argmax(axis=1), k)
    for _ in range(_MOST_CYCLES):
        before = offsets.copy()
        for column in range(k):
            places, scores = _scores_of_places(truth, logs, offsets, column, limit)
            scores = scores - caution / n * (np.abs(np.delete(offsets, column)).sum() + np.abs(places))
            # Of equal ones the nearest to 0, then the lower, so that the result depends on nothing else.
            equal = np.flatnonzero(scores >= scores.max() - _SAME)
            best = equal[np.lexsort((places[equal], np.abs(places[equal])))[0]]
            if scores[best] > reached + _SAME:
                offsets[column], reached = places[best], scores[best]
        if (offsets == before).all():
            break
    return _without_loss(truth, y_prob, offsets)


def apply_class_offsets(y_prob, offsets):
    """Add offsets to the log probabilities and normalise again.

    Args:
        y_prob: probabilities (records, classes).
        offsets: of `fit_class_offsets` (classes,).

    Returns:
        float64 (records, classes), rows that sum to 1. They choose a class; as
        probabilities they are no longer calibrated.

    Raises:
        DataError: if there is not one finite offset for each class.
    """
    y_prob, offsets = probability_rows(y_prob), np.asarray(offsets, np.float64)
    if offsets.shape != y_prob.shape[1:] or not np.isfinite(offsets).all():
        raise DataError(f"Each of {y_prob.shape[1]} classes has a finite offset. Received: {offsets.tolist()}")
    if not offsets.any():
        return y_prob
    with np.errstate(divide="ignore"):
        return softmax(np.log(y_prob) + offsets, axis=1)


def _checked(y_true, y_prob):
    y_prob = probability_rows(y_prob)
    truth = class_indices(y_true, y_prob.shape[1])
    if len(truth) != len(y_prob):
        raise DataError(f"Each record has one label. Received: {len(truth)} labels, {len(y_prob)} records")
    return truth, y_prob


def _without_loss(truth, y_prob, offsets):
    """Return the offsets, halved until macro-F1 is not below that without them; zeros if that takes too long."""
    k = y_prob.shape[1]
    plain = macro_f1(truth, y_prob.argmax(axis=1), k)
    for _ in range(_MOST_HALVINGS):
        if macro_f1(truth, apply_class_offsets(y_prob, offsets).argmax(axis=1), k) >= plain:
            return offsets
        offsets = offsets / 2
    return np.zeros(k)


def _scores_of_places(truth, logs, offsets, column, limit):
    """Return the places that the offset of one class is tried at, and macro-F1 at each, the other offsets held."""
    k = logs.shape[1]
    others = logs + offsets
    others[:, column] = -np.inf
    runner_up = others.argmax(axis=1)
    with np.errstate(invalid="ignore"):
        border = others.max(axis=1) - logs[:, column]  # above it the record is given this class
    inside = np.unique(border[np.abs(border) < limit])
    edges = np.concatenate([[-limit], inside, [limit]])
    places = (edges[:-1] + edges[1:]) / 2
    # 0 lies between two borders or on one; there the tie is left as it is.
    places = np.append(places, 0.0) if not np.isin(0.0, inside) else places
    order = np.argsort(border, kind="stable")
    taken = np.searchsorted(border[order], places)  # records given this class at each place
    step = np.zeros((len(truth) + 1, k, k))
    step[0] = confusion_matrix(truth, runner_up, k)
    rows = np.arange(1, len(truth) + 1)
    step[rows, truth[order], runner_up[order]] -= 1
    step[rows, truth[order], column] += 1
    return places, f1_from_confusion(np.cumsum(step, axis=0)[taken]).mean(axis=1)
