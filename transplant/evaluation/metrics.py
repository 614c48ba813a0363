"""Classification metrics of single-label predictions.

A metric over classes counts every class the model can name. A class that
occurs neither in the truth nor in the predictions has F1 = 0, as in
scikit-learn's `f1_score(labels=all, zero_division=0)`; it is named under
`absent_classes`, so that a low macro-F1 can be read for what it is.

Of two classes the second is the positive one, as in ("survived", "died"): what
is asked of such a set is how well the positive records are ranked before the
others. A mean over both classes would flatter, because the frequent class has
a high precision whatever the model does.
"""

import math

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from transplant.errors import DataError, OptionError

MONITORED = ("loss", "acc", "f1", "auc", "auprc")

CHALLENGE_CLASSES = ("N", "A", "O")
"""Classes whose mean F1 is the score of the PhysioNet/CinC Challenge 2017; noise does not count."""

_SMALLEST_PROBABILITY = 1e-7  # as Keras clips probabilities; a confident mistake costs 16.1 at most


def class_indices(labels, n_classes):
    """Return labels as class indices.

    Args:
        labels: integer indices (n,), or one-hot rows (n, n_classes).
        n_classes: number of classes.

    Returns:
        int64 (n,).

    Raises:
        DataError: if a label is no class, or a row has not exactly one.
    """
    labels = np.asarray(labels)
    if labels.ndim == 2:
        if labels.shape[1] != n_classes:
            raise DataError(f"One-hot labels need one column per class. Received: {labels.shape}, {n_classes} classes")
        if not (np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise DataError("Each record has exactly one true class. Received: rows that are not one-hot")
        return labels.argmax(axis=1).astype(np.int64)
    if labels.ndim != 1 or (labels.size and not np.issubdtype(labels.dtype, np.integer)):
        raise DataError(f"Labels are class indices or one-hot rows. Received: {labels.dtype} {labels.shape}")
    if labels.size and not (labels.min() >= 0 and labels.max() < n_classes):
        raise DataError(f"Labels lie in 0..{n_classes - 1}. Received: {labels.min()}..{labels.max()}")
    return labels.astype(np.int64)


def checked_probabilities(y_prob, n_records, n_classes):
    """Return `y_prob` as a float array (n_records, n_classes) of finite numbers.

    Raises:
        DataError: on another shape, no records, or values that are not finite.
    """
    y_prob = np.asarray(y_prob)
    if y_prob.shape != (n_records, n_classes):
        raise DataError(
            f"Probabilities are (records, classes) = ({n_records}, {n_classes}). Received: shape={y_prob.shape}"
        )
    if n_records == 0:
        raise DataError("Metrics need at least one record. Received: none")
    if y_prob.dtype.itemsize < 4:
        y_prob = y_prob.astype(np.float32)
    broken = int((~np.isfinite(y_prob)).any(axis=1).sum())
    if broken:
        raise DataError(
            f"Predicted probabilities are not finite. Received: {broken} of {n_records} rows with NaN or infinity; "
            "the training diverged (lower the learning rate) or a record holds NaN"
        )
    return y_prob


def confusion_matrix(y_true, y_pred, n_classes):
    """Count (truth, prediction) pairs of class indices.

    Args:
        y_true, y_pred: integer (n,), values in 0..n_classes-1.

    Returns:
        int64 (n_classes, n_classes); rows are the truth.
    """
    cells = np.asarray(y_true, np.int64) * n_classes + np.asarray(y_pred, np.int64)
    return np.bincount(cells, minlength=n_classes * n_classes).reshape(n_classes, n_classes)


def f1_from_confusion(confusion):
    """Return the F1 of each class, 2 TP / (true + predicted), or 0 where both are 0.

    Args:
        confusion: counts (..., classes, classes), rows true.

    Returns:
        float64 (..., classes).
    """
    confusion = np.asarray(confusion, np.float64)
    occurrences = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.divide(2 * hits, occurrences, out=np.zeros_like(occurrences), where=occurrences > 0)


def macro_f1(y_true, y_pred, n_classes):
    """Return the unweighted mean F1 over all classes of index arrays (n,)."""
    return float(f1_from_confusion(confusion_matrix(y_true, y_pred, n_classes)).mean())


def challenge_columns(classes):
    """Return the positions of N, A and O in `classes`, or None if one is missing."""
    classes = list(classes)
    if not set(CHALLENGE_CLASSES) <= set(classes):
        return None
    return [classes.index(name) for name in CHALLENGE_CLASSES]


def positive_class(classes):
    """Return the name of the positive class, the second of two, or None for another number of classes."""
    return str(classes[1]) if len(classes) == 2 else None


def ranked_columns(n_classes):
    """Return the columns whose ranking is scored: the positive one of two classes, else each against the rest."""
    return [1] if n_classes == 2 else list(range(n_classes))


def _ranking_mean(score, y_true, y_prob):
    """Average `score` over the ranked classes that have both members and non-members."""
    y_prob = np.asarray(y_prob)
    truth = class_indices(y_true, y_prob.shape[1])
    values = []
    for column in ranked_columns(y_prob.shape[1]):
        member = truth == column
        if member.any() and not member.all():
            values.append(score(member, y_prob[:, column]))
    return float(np.mean(values)) if values else None


def roc_auc(y_true, y_prob):
    """Return the area under the receiver operating characteristic (AUROC).

    Args:
        y_true: indices (n,) or one-hot (n, classes).
        y_prob: probabilities (n, classes).

    Returns:
        That of the positive class where there are two, else the mean one-vs-rest
        area over the classes present; None if only one class is present.
    """
    return _ranking_mean(roc_auc_score, y_true, y_prob)


def pr_auc(y_true, y_prob):
    """Return the area under the precision-recall curve (AUPRC) as average precision.

    It is scikit-learn's sum over the thresholds, sum (R_k - R_(k-1)) P_k, which
    does not interpolate. A random ranking has the share of the positive records.
    The trapezium rule of the MIMIC-III benchmark gives slightly other values.

    Args:
        y_true: indices (n,) or one-hot (n, classes).
        y_prob: probabilities (n, classes).

    Returns:
        That of the positive class where there are two, else the mean one-vs-rest
        area over the classes present; None if only one class is present.
    """
    return _ranking_mean(average_precision_score, y_true, y_prob)


def min_precision_recall(y_true, y_prob):
    """Return min(+P, Se): the smaller of precision and recall, at the threshold where it is largest.

    Args:
        y_true: indices (n,) or one-hot (n, 2).
        y_prob: probabilities (n, 2), the positive class second.

    Returns:
        A number in 0 to 1, or None if there are not two classes or only one is present.

    Source:
        Harutyunyan et al., "Multitask learning and benchmarking with clinical time
        series data", Scientific Data 6 (2019) 96; thresholds are the distinct scores.
    """
    if np.shape(y_prob)[1] != 2:
        return None

    def largest_minimum(member, score):
        precision, recall, _ = precision_recall_curve(member, score)
        return np.minimum(precision, recall).max()

    return _ranking_mean(largest_minimum, y_true, y_prob)


def classification_metrics(y_true, y_prob, classes):
    """Compute what is reported of a classifier on one set of records.

    The predicted class is the most probable one, on ties the one that comes
    first in `classes`.

    Args:
        y_true: class indices (n,) or one-hot rows (n, classes).
        y_prob: predicted probabilities (n, classes).
        classes: class names, one per column.

    Returns:
        A dict of plain numbers, lists and dicts, ready for JSON: `n`, `classes`,
        `macro_f1`, `f1` (per class), `accuracy`, `challenge_f1` (mean F1 of N, A
        and O; None for other classes), `positive_class` (the second of two; None for
        another number), `roc_auc` and `pr_auc` (of the positive class, else macro
        one-vs-rest over the classes present; None if only one is),
        `min_precision_recall` (min(+P, Se); two classes only), `confusion` (rows
        true), `support` (records per class), `absent_classes` (without any record).

    Raises:
        DataError: on labels or probabilities of another shape, or NaN.

    Example:
        >>> metrics = classification_metrics([0, 1], [[0.9, 0.1], [0.2, 0.8]], ["A", "N"])
        >>> metrics["macro_f1"]
        1.0
    """
    classes = [str(name) for name in classes]
    truth = class_indices(y_true, len(classes))
    y_prob = checked_probabilities(y_prob, len(truth), len(classes))
    confusion = confusion_matrix(truth, y_prob.argmax(axis=1), len(classes))
    f1 = f1_from_confusion(confusion)
    support = confusion.sum(axis=1)
    challenge = challenge_columns(classes)
    return {
        "n": len(truth),
        "classes": classes,
        "macro_f1": float(f1.mean()),
        "f1": {name: float(value) for name, value in zip(classes, f1)},
        "accuracy": float(np.trace(confusion) / len(truth)),
        "challenge_f1": None if challenge is None else float(f1[challenge].mean()),
        "positive_class": positive_class(classes),
        "roc_auc": roc_auc(truth, y_prob),
        "pr_auc": pr_auc(truth, y_prob),
        "min_precision_recall": min_precision_recall(truth, y_prob),
        "confusion": confusion.tolist(),
        "support": {name: int(count) for name, count in zip(classes, support)},
        "absent_classes": [name for name, count in zip(classes, support) if count == 0],
    }


def cross_entropy(y_true, y_prob):
    """Return the mean cross-entropy in nats, probabilities clipped at 1e-7.

    Args:
        y_true: indices (n,) or one-hot (n, classes).
        y_prob: probabilities (n, classes).
    """
    y_prob = np.asarray(y_prob, np.float64)
    truth = class_indices(y_true, y_prob.shape[1])
    likelihood = y_prob[np.arange(len(truth)), truth]
    return float(-np.log(np.clip(likelihood, _SMALLEST_PROBABILITY, 1.0)).mean())


def monitored_value(name, y_true, y_prob):
    """Return the value that chooses the best epoch.

    Args:
        name: "loss" (cross-entropy), "acc", "f1" (macro), "auc" or "auprc" (of the
            positive class where there are two, else macro one-vs-rest).
        y_true: indices (n,) or one-hot (n, classes) of the validation records.
        y_prob: predicted probabilities (n, classes).

    Raises:
        OptionError: if the name is unknown, or an area is asked of one class.
        DataError: on labels or probabilities of another shape, or NaN.
    """
    _check_name(name)
    n_classes = np.shape(y_prob)[-1]
    truth = class_indices(y_true, n_classes)
    y_prob = checked_probabilities(y_prob, len(truth), n_classes)
    if name == "loss":
        return cross_entropy(truth, y_prob)
    if name in ("auc", "auprc"):
        value = roc_auc(truth, y_prob) if name == "auc" else pr_auc(truth, y_prob)
        if value is None:
            raise OptionError(
                f"--val-metric {name} needs records of two classes in the validation set. Received: one class; "
                "use a larger --val-size or another metric"
            )
        return value
    predicted = y_prob.argmax(axis=1)
    return macro_f1(truth, predicted, n_classes) if name == "f1" else float((truth == predicted).mean())


def better(name, new, old):
    """Say whether `new` improves on `old`: a loss by being lower, the others by being higher.

    Args:
        name: "loss", "acc", "f1", "auc" or "auprc"; a prefix "val_" is ignored.
        new: the candidate; NaN never improves.
        old: the best so far; None or NaN if there is none.
    """
    name = name.removeprefix("val_")
    _check_name(name)
    if new is None or math.isnan(new):
        return False
    if old is None or math.isnan(old):
        return True
    return bool(new < old if name == "loss" else new > old)


def _check_name(name):
    if name not in MONITORED:
        raise OptionError(f"A monitored metric is one of {', '.join(MONITORED)}. Received: {name}")
