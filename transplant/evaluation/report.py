"""Results for a terminal and for metrics.json."""

import math

import numpy as np

from transplant.atomic import write_json

RANKING_TITLES = {"roc_auc": "AUROC", "pr_auc": "AUPRC", "min_precision_recall": "min(+P, Se)"}
"""What heads the columns of a set of two classes, by the metric's name."""

SYNTHETIC_NOTE = "synthetic recordings: these numbers are not evidence of anything clinical"


def results_table(rows):
    """Lay out the scores of several models as a fixed-width table.

    Of two classes the table shows how well the positive one is ranked: AUROC and
    AUPRC with their 95% intervals, min(+P, Se), accuracy and macro-F1. Of other sets
    it shows macro-F1 with its interval, the F1 of each class, and accuracy.

    Args:
        rows: sequence of (name, metrics); metrics as returned by
            `evaluate_predictions` or `classification_metrics`. Only `macro_f1` and
            `f1` (per class) are needed; accuracy is shown where a row has it, an
            interval where `intervals` has one, and the ranking where every row has
            the same `positive_class`. Rows may name different classes.

    Returns:
        The table, without a newline at the end.

    Example:
        >>> print(results_table([("random weights", {"macro_f1": 0.5, "f1": {"A": 0.4, "N": 0.6}})]))
                        macro-F1      A      N
        random weights     0.500  0.400  0.600
    """
    positive = {metrics.get("positive_class") for _, metrics in rows}
    if len(positive) == 1 and positive != {None}:
        return _ranking_table(rows, *positive)
    classes = list(dict.fromkeys(name for _, metrics in rows for name in metrics["f1"]))
    accuracy = ["accuracy"] if any("accuracy" in metrics for _, metrics in rows) else []
    lines = [["", "macro-F1", *classes, *accuracy]]
    for name, metrics in rows:
        of_classes = [number(metrics["f1"].get(label)) for label in classes]
        lines.append([str(name), with_interval(metrics, "macro_f1"), *of_classes])
        lines[-1] += [number(metrics.get(entry)) for entry in accuracy]
    return fixed_width(lines)


def _ranking_table(rows, positive):
    lines = [[f"positive: {positive}", *RANKING_TITLES.values(), "accuracy", "macro-F1"]]
    for name, metrics in rows:
        areas = [with_interval(metrics, entry) for entry in ("roc_auc", "pr_auc")]
        others = [number(metrics[entry]) for entry in ("min_precision_recall", "accuracy", "macro_f1")]
        lines.append([str(name), *areas, *others])
    return fixed_width(lines)


def fixed_width(lines):
    """Return lines of cells as text: the first column flush left, the others flush right, two spaces between."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:]))])
        for line in lines
    )


def write_metrics(path, metrics):
    """Write metrics as JSON in full precision; numbers that are not finite become null.

    Args:
        path: the file, usually metrics.json.
        metrics: nested dicts and lists of numbers and text; numpy values are allowed.
    """
    write_json(path, _plain(metrics))


def with_interval(metrics, name):
    """Return a metric to three decimals, with its interval in brackets where `intervals` has one."""
    interval = (metrics.get("intervals") or {}).get(name)
    if interval is None:
        return number(metrics[name])
    return f"{number(metrics[name])} [{number(interval['low'])}, {number(interval['high'])}]"


def difference_with_interval(found):
    """Return a difference of scores to three decimals with its sign, and its interval; "-" for None.

    Example:
        >>> difference_with_interval({"difference": 0.25, "low": -0.125, "high": 0.625})
        '+0.250 [-0.125, +0.625]'
    """
    if found is None:
        return "-"
    return f"{found['difference']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"


def with_spread(found, plus_minus=" +- ", shown=".3f"):
    """Return a mean and, where there are several values, their standard deviation; "-" for None.

    Args:
        found: dict of `mean` and `std`, or None.
        plus_minus: text between the two. Defaults to " +- ".
        shown: format of both. Defaults to three decimals.

    Example:
        >>> with_spread({"mean": 0.75, "std": 0.125})
        '0.750 +- 0.125'
    """
    if found is None:
        return "-"
    return f"{found['mean']:{shown}}" + ("" if found["std"] is None else f"{plus_minus}{found['std']:{shown}}")


def number(value):
    """Return a number to three decimals, or "-" for None and NaN."""
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
