"""The table of a comparison: scores over seeds or folds as mean and standard deviation."""

import numpy as np

from transplant.errors import DataError
from transplant.evaluation.metrics import CHALLENGE_CLASSES
from transplant.evaluation.report import RANKING_TITLES, fixed_width, with_spread

SPREAD_NOTE = "mean +- standard deviation over the runs of a row (ddof=1: divided by runs - 1)"

_PAPER_ORDER = (*CHALLENGE_CLASSES, "~")
_COSTS = (("epochs_to_best", "epochs to best", 1), ("cpu_minutes_to_best", "CPU min to best", 1))


def mean_and_std(values):
    """Return the mean of some runs and their spread.

    Args:
        values: one number for each run (runs,), at least one.

    Returns:
        dict with `mean`, `std` (ddof=1; None of a single run), `min`, `max` and `n`.

    Raises:
        DataError: without a run, or if a number is not finite.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise DataError(f"A mean needs one finite number for each run. Received: {values.tolist()}")
    return {
        "mean": float(values.mean()),
        "std": float(values.std(ddof=1)) if len(values) > 1 else None,
        "min": float(values.min()),
        "max": float(values.max()),
        "n": len(values),
    }


def run_rows(rows):
    """Summarise the runs of each row of a comparison, ready for JSON.

    The mean over folds is not the score of the pooled predictions: macro-F1 is
    no average of records.

    Args:
        rows: sequence of (name, runs); a run is a dict with `macro_f1`, `f1` (class
            name -> F1) and, where they are known, `challenge_f1` (the challenge's
            mean of N, A and O), `accuracy`, `positive_class`, `roc_auc`, `pr_auc`,
            `min_precision_recall`, `epochs_to_best` and `cpu_minutes_to_best`:
            `classification_metrics` and `cost_to_epoch` in one.

    Returns:
        A list of dicts with `name`, `runs` (their number), the entries above, each
        `mean_and_std` or None where no run has it (`positive_class` its name), and
        `spread` (what `std` is). The mean of a ranking metric leaves out runs on
        records of one class, where it is not defined; its `n` is less than `runs` then.

    Raises:
        DataError: if a row has no runs, or its runs differ in classes or in what is known.
    """
    summaries = []
    for name, runs in rows:
        runs = list(runs)
        if not runs:
            raise DataError(f"{name}: a row is made of one run or more. Received: none")
        classes = list(runs[0]["f1"])
        if any(set(run["f1"]) != set(classes) for run in runs):
            raise DataError(f"{name}: the runs of a row have the same classes. Received: others in some")
        summary = {"name": str(name), "runs": len(runs), "macro_f1": _summary(name, runs, "macro_f1")}
        summary["f1"] = {label: mean_and_std([run["f1"][label] for run in runs]) for label in paper_order(classes)}
        for entry in ("challenge_f1", "accuracy", *(entry for entry, _, _ in _COSTS)):
            summary[entry] = _summary(name, runs, entry)
        summary["positive_class"] = runs[0].get("positive_class")
        for entry in RANKING_TITLES:
            # Runs that do not say which class is positive have been scored by another rule.
            known = all("positive_class" in run for run in runs)
            defined = [run[entry] for run in runs if run[entry] is not None] if known else []
            summary[entry] = mean_and_std(defined) if defined else None
        summaries.append(summary | {"spread": SPREAD_NOTE})
    return summaries


def run_table(rows):
    """Lay out a comparison for a terminal: AUROC, AUPRC and min(+P, Se) of two classes, F1, accuracy, the cost.

    Args:
        rows: as for `run_rows`.

    Returns:
        The table and a line that says what is in it, without a newline at the end.

    Example:
        >>> runs = [{"macro_f1": f1, "f1": {"N": f1 + 0.1, "A": f1 - 0.1}} for f1 in (0.5, 0.6)]
        >>> print(run_table([("random", runs)]).split("\\n")[1])
        random  0.550 +- 0.071  0.650 +- 0.071  0.450 +- 0.071     2
    """
    lines = _lines(run_rows(rows), " +- ")
    lines[0][0] = ""
    return f"{fixed_width(lines)}\n{SPREAD_NOTE}"


def markdown_run_table(rows):
    """Lay out a comparison as a Markdown table; cells and rows as in `run_table`."""
    table = markdown_table(_lines(run_rows(rows), " ± "))
    return f"{table}\n\n{SPREAD_NOTE.replace('+-', '±')}"


def markdown_table(lines, numbers=True):
    """Return lines of cells, the header first, as a Markdown table.

    Args:
        lines: lists of text.
        numbers: whether all columns but the first hold numbers, flush right. Defaults to True.
    """
    header, *body = lines
    lines = [header, ["---", *("---:" if numbers else "---" for _ in header[1:])], *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def paper_order(classes):
    """Return the classes as a list with N, A, O and ~ first, as the paper lists them, if N is among them."""
    classes = list(classes)
    if "N" not in classes:
        return classes
    return [label for label in _PAPER_ORDER if label in classes] + [c for c in classes if c not in _PAPER_ORDER]


def _lines(summaries, plus_minus):
    """Return header and body cells; columns that no row has are left out."""
    classes = paper_order(dict.fromkeys(label for summary in summaries for label in summary["f1"]))
    columns = []
    ranked = any(summary["positive_class"] for summary in summaries)
    if ranked:
        columns += [
            (title, 3, lambda summary, entry=entry: summary[entry]) for entry, title in RANKING_TITLES.items()
        ]
    columns.append(("macro-F1", 3, lambda summary: summary["macro_f1"]))
    columns += [
        (f"F1 {label}" if ranked else label, 3, lambda summary, label=label: summary["f1"].get(label))
        for label in classes
    ]
    known = [
        (entry, title, digits)
        for entry, title, digits in (("challenge_f1", "N/A/O mean", 3), ("accuracy", "accuracy", 3), *_COSTS)
        if any(summary[entry] for summary in summaries)
    ]
    columns += [(title, digits, lambda summary, entry=entry: summary[entry]) for entry, title, digits in known]
    lines = [["", *(title for title, _, _ in columns), "runs"]]
    for summary in summaries:
        cells = [_cell(value(summary), summary["runs"], digits, plus_minus) for _, digits, value in columns]
        lines.append([summary["name"], *cells, str(summary["runs"])])
    return lines


def _cell(value, runs, digits, plus_minus):
    if value is None:
        return "-"
    fewer = "" if value["n"] == runs else f" ({value['n']} of {runs})"
    return with_spread(value, plus_minus, f".{digits}f") + fewer


def _summary(name, runs, entry):
    values = [run.get(entry) for run in runs]
    known = [value for value in values if value is not None]
    if not known:
        return None
    if len(known) < len(values):
        raise DataError(
            f"{name}: the runs of a row are measured alike. Received: {entry} of {len(known)} of {len(values)} runs"
        )
    return mean_and_std(known)
