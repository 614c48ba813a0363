"""Results for a terminal and for metrics.json."""

import math

import numpy as np

from transplant.atomic import write_json


def results_table(rows):
    """Lay out macro-F1 and per-class F1 of several models as a fixed-width table.

    Args:
        rows: sequence of (name, metrics); metrics as returned by
            `evaluate_predictions` or `classification_metrics`. Only `macro_f1` and
            `f1` (per class) are needed; the 95% interval of macro-F1 is shown where
            `intervals` has one. Rows may name different classes.

    Returns:
        The table, without a newline at the end.

    Example:
        >>> print(results_table([("random weights", {"macro_f1": 0.5, "f1": {"A": 0.4, "N": 0.6}})]))
                        macro-F1      A      N
        random weights     0.500  0.400  0.600
    """
    classes = list(dict.fromkeys(name for _, metrics in rows for name in metrics["f1"]))
    lines = [["", "macro-F1", *classes]]
    for name, metrics in rows:
        lines.append([str(name), _macro(metrics), *(_number(metrics["f1"].get(c)) for c in classes)])
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


def _macro(metrics):
    interval = (metrics.get("intervals") or {}).get("macro_f1")
    if interval is None:
        return _number(metrics["macro_f1"])
    return f"{_number(metrics['macro_f1'])} [{_number(interval['low'])}, {_number(interval['high'])}]"


def _number(value):
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
