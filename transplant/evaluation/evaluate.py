"""One call from predictions to everything that metrics.json holds."""

from transplant.evaluation.metrics import classification_metrics
from transplant.evaluation.statistics import bootstrap_intervals


def evaluate_predictions(y_true, y_prob, classes, groups=None, draws=10_000, seed=0):
    """Compute the metrics of a set of predictions and their 95% bootstrap intervals.

    Args:
        y_true: class indices (n,) or one-hot rows (n, classes).
        y_prob: predicted probabilities (n, classes).
        classes: class names, one per column.
        groups: patient of each record (n,); whole patients are drawn. Defaults to
            None: records are drawn.
        draws: bootstrap draws; 0 leaves the intervals out. Defaults to 10,000.
        seed: seed of the draws. Defaults to 0.

    Returns:
        `classification_metrics` with one more entry, `intervals`: those of
        `bootstrap_intervals`, or None where there is nothing to draw from (one
        record, one group, `draws=0`): of accuracy, F1, AUROC, AUPRC and, of two
        classes, min(+P, Se).

    Raises:
        DataError: on labels or probabilities of another shape, or NaN.
    """
    metrics = classification_metrics(y_true, y_prob, classes)
    units = metrics["n"] if groups is None else len(set(map(str, groups)))
    metrics["intervals"] = None
    if draws > 0 and units > 1:
        metrics["intervals"] = bootstrap_intervals(y_true, y_prob, classes, groups=groups, draws=draws, seed=seed)
    return metrics
