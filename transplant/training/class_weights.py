"""What a record of each class counts in the loss."""

import numpy as np

from transplant.errors import OptionError

CLASS_WEIGHTS = ("none", "sqrt", "balanced")


def class_weights(labels, n_classes, kind):
    """Return float64 (n_classes,) weights whose mean over the records is 1.

    Args:
        labels: int (records,), of the training set.
        n_classes: number of classes.
        kind: "none" (all 1), "balanced" (inversely proportional to a class's
            frequency) or "sqrt" (to its square root, which the rare classes' few
            records shake less).

    Raises:
        OptionError: if there is no such kind.
    """
    if kind not in CLASS_WEIGHTS:
        raise OptionError(f"class weights are one of {', '.join(CLASS_WEIGHTS)}. Received: {kind}")
    counts = np.bincount(labels, minlength=n_classes).astype(np.float64)
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[kind]
    # A class without a record in the training set is never asked for its weight.
    weights = np.where(counts, np.maximum(counts, 1) ** -power, 1.0)
    return weights * counts.sum() / (weights * counts).sum()
