"""Calibration: whether of the records predicted with 80% about 80% are right, and one number that mends it.

A reliability diagram sorts predictions into bins by their probability and sets
the mean probability of each bin against the share that came true; the expected
calibration error (ECE) is the mean distance of the two, weighted by records.
An ECE of few records is too large: even a perfectly calibrated model's bins
miss their mean by chance. Compare ECEs of equal record counts and bins only.

Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural
Networks", ICML 2017.
"""

import dataclasses

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax

from transplant.errors import DataError, OptionError
from transplant.evaluation.figure_file import BLACK, BLUE, new_figure, save_figure, tidy_axes
from transplant.evaluation.metrics import class_indices, cross_entropy
from transplant.evaluation.probabilities import log_probabilities, probability_rows

BINNINGS = ("width", "mass")
TEMPERATURE_BOUNDS = (0.2, 10.0)
"""Limits of a fitted temperature: on few records that are all right, the best one would be 0."""

_SAME = 1e-12  # losses that differ by less are equal but for rounding


@dataclasses.dataclass(frozen=True)
class CalibrationBins:
    """Predictions sorted into bins by their probability.

    Attributes:
        counts: int (bins,), predictions in each bin.
        hits: int (bins,), those that came true.
        confidence: float (bins,), their mean probability; NaN in an empty bin.
        binning: "width" or "mass".
    """

    counts: np.ndarray
    hits: np.ndarray
    confidence: np.ndarray
    binning: str

    @property
    def frequency(self):
        """Share of each bin that came true (bins,); NaN in an empty bin."""
        return np.divide(self.hits, self.counts, out=np.full(len(self.counts), np.nan), where=self.counts > 0)

    @property
    def error(self):
        """The expected calibration error, 0 to 1."""
        filled = self.counts > 0
        gaps = np.abs(self.frequency[filled] - self.confidence[filled])
        return float(gaps @ self.counts[filled] / self.counts.sum())


def calibration_bins(y_true, y_prob, bins=15, binning="width", class_index=None):
    """Sort predictions into bins by their probability.

    Args:
        y_true: class indices (n,) or one-hot rows (n, classes).
        y_prob: predicted probabilities (n, classes).
        bins: number of bins. Defaults to 15, as in the paper.
        binning: "width": ((m - 1) / bins, m / bins], the paper's, a probability of
            exactly 0 in the first; or "mass": as nearly equal counts as ties
            allow, equal probabilities always in one bin. Defaults to "width".
        class_index: column whose probability is held against the records of that
            class. Defaults to None: the most probable class of each record (on
            ties the first) against whether it is right.

    Returns:
        `CalibrationBins`.

    Raises:
        DataError: on labels or probabilities of another shape, or rows that are none.
        OptionError: on another binning or fewer than one bin.
    """
    if binning not in BINNINGS or bins < 1:
        raise OptionError(f"Bins are of equal {' or '.join(BINNINGS)}, one or more. Received: {binning}, bins={bins}")
    truth, y_prob = _checked(y_true, probability_rows(y_prob))
    if class_index is None:
        predicted = y_prob.argmax(axis=1)
        confidence, true = y_prob[np.arange(len(truth)), predicted], truth == predicted
    else:
        confidence, true = y_prob[:, class_index], truth == class_index
    if binning == "width":
        edges = np.arange(1, bins) / bins
        place = np.searchsorted(edges, confidence, side="left")
    else:
        rank = np.searchsorted(np.sort(confidence), confidence, side="right")
        place = (rank * bins - 1) // len(confidence)
    counts = np.bincount(place, minlength=bins)
    total = np.bincount(place, weights=confidence, minlength=bins)
    return CalibrationBins(
        counts=counts,
        hits=np.bincount(place[true], minlength=bins),
        confidence=np.divide(total, counts, out=np.full(bins, np.nan), where=counts > 0),
        binning=binning,
    )


def expected_calibration_error(y_true, y_prob, bins=15, binning="width", class_index=None):
    """Return the ECE, 0 to 1, of the top label or of one class; arguments as of `calibration_bins`."""
    return calibration_bins(y_true, y_prob, bins, binning, class_index).error


def calibration_metrics(y_true, y_prob, classes, bins=15):
    """Return what is reported of a model's calibration, ready for JSON.

    Args:
        y_true: class indices (n,) or one-hot rows (n, classes).
        y_prob: predicted probabilities (n, classes).
        classes: class names, one per column.
        bins: number of bins. Defaults to 15.

    Returns:
        dict with `n`, `bins`, `ece_equal_width` and `ece_equal_mass` (top label),
        `ece_per_class` (class name -> ECE, equal width) and `log_loss` (nats).
    """
    truth, y_prob = _checked(y_true, probability_rows(y_prob))
    return {
        "n": len(truth),
        "bins": bins,
        "ece_equal_width": expected_calibration_error(truth, y_prob, bins, "width"),
        "ece_equal_mass": expected_calibration_error(truth, y_prob, bins, "mass"),
        "ece_per_class": {
            str(name): expected_calibration_error(truth, y_prob, bins, "width", column)
            for column, name in enumerate(classes)
        },
        "log_loss": cross_entropy(truth, y_prob),
    }


def fit_temperature(y_true, scores, from_logits=False):
    """Return the temperature that makes the log loss of softmax(logits / temperature) smallest.

    Fit it on validation records. Above 1 it makes a model less sure of itself.
    The order of the classes does not change, and neither does any F1. A true
    class with a probability of exactly 0, as a decision tree gives it, counts
    as 1e-38 and drives the temperature up.

    Args:
        y_true: class indices (n,) or one-hot rows (n, classes).
        scores: probabilities (n, classes), or logits.
        from_logits: whether `scores` are logits. Defaults to False.

    Returns:
        float within `TEMPERATURE_BOUNDS`; 1 where no other is better.

    Raises:
        DataError: on labels or scores of another shape, or not finite.
    """
    truth, logits = _checked(y_true, _logits(scores, from_logits))
    rows = np.arange(len(truth))

    def log_loss(temperature):
        scaled = logits / temperature
        return float((logsumexp(scaled, axis=1) - scaled[rows, truth]).mean())

    # The log loss is convex in 1 / temperature: one valley, whatever the scale it is searched on.
    low, high = np.log(TEMPERATURE_BOUNDS)
    found = minimize_scalar(
        lambda s: log_loss(np.exp(s)), bounds=(low, high), method="bounded", options={"xatol": 1e-6}
    )
    # The search comes near its bounds, never onto them.
    best = min((float(np.exp(found.x)), *TEMPERATURE_BOUNDS), key=log_loss)
    return best if log_loss(best) < log_loss(1.0) - _SAME else 1.0


def apply_temperature(scores, temperature, from_logits=False):
    """Return softmax(logits / temperature), float64 (records, classes).

    Args:
        scores: probabilities (records, classes), or logits.
        temperature: of `fit_temperature`; above 0.
        from_logits: whether `scores` are logits. Defaults to False.

    Raises:
        OptionError: if the temperature is not above 0.
    """
    if not temperature > 0:
        raise OptionError(f"A temperature is above 0. Received: {temperature}")
    return softmax(_logits(scores, from_logits) / temperature, axis=1)


def plot_reliability(panels, path, title="Reliability"):
    """Plot reliability diagrams side by side, with the number of predictions in each bin below.

    A bar through a point is the 95% Wilson interval of its share.

    Args:
        panels: sequence of (name, `CalibrationBins`), such as before and after a
            temperature, or one for each class.
        path: the .png file to write.
        title: figure title.

    Returns:
        The matplotlib figure.

    Example:
        >>> panels = [(name, calibration_bins(y, p, 10, class_index=i)) for i, name in enumerate("ANO~")]
        >>> figure = plot_reliability(panels, "reliability.png", "test set")
    """
    figure = new_figure(max(5.5, 1.0 + 3.6 * len(panels)), 5.2)
    figure.suptitle(title, fontsize=14)
    grid = figure.subplots(2, len(panels), squeeze=False, sharex=True, sharey="row", height_ratios=(3, 1))
    for column, (name, bins) in enumerate(panels):
        upper, lower = grid[:, column]
        filled = bins.counts > 0
        confidence, frequency = bins.confidence[filled], bins.frequency[filled]
        low, high = np.transpose([_wilson(h, n) for h, n in zip(bins.hits[filled], bins.counts[filled])])
        upper.plot([0, 1], [0, 1], "--", color="0.5", linewidth=1.2, label="perfectly calibrated")
        upper.vlines(confidence, low, high, color=BLUE, linewidth=1.4, alpha=0.6)
        upper.plot(confidence, frequency, "o-", color=BLUE, markersize=5, linewidth=1.2, label="observed, 95% interval")
        upper.set_title(f"{name}: ECE {bins.error:.3f}", fontsize=12)
        upper.set_xlim(-0.02, 1.02)
        upper.set_ylim(-0.02, 1.02)
        lower.vlines(confidence, 0, bins.counts[filled], color=BLACK, linewidth=3)
        lower.set_xlabel(f"Predicted probability\n({len(bins.counts)} bins of equal {bins.binning})", fontsize=11)
        tidy_axes(upper)
        tidy_axes(lower)
    # The lower panels share their axis: the fullest bin of all of them sets its end.
    grid[1, 0].set_ylim(0, 1.05 * max(bins.counts.max() for _, bins in panels))
    grid[0, 0].set_ylabel("Share that came true", fontsize=11)
    grid[1, 0].set_ylabel("Predictions", fontsize=11)
    grid[0, 0].legend(fontsize=9, framealpha=0.9, loc="upper left")
    return save_figure(figure, path)


def _wilson(hits, n):
    from scipy.stats import binomtest

    interval = binomtest(int(hits), int(n)).proportion_ci(method="wilson")
    return interval.low, interval.high


def _logits(scores, from_logits):
    if not from_logits:
        return log_probabilities(scores)
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 2 or not scores.size or not np.isfinite(scores).all():
        raise DataError(f"Logits are finite numbers (records, classes). Received: shape={scores.shape}, or NaN in it")
    return scores


def _checked(y_true, rows):
    truth = class_indices(y_true, rows.shape[1])
    if len(truth) != len(rows):
        raise DataError(f"Each record has one label. Received: {len(truth)} labels, {len(rows)} records")
    return truth, rows
