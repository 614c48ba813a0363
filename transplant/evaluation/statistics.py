"""Bootstrap intervals of metrics and of differences between two models.

Accuracy and F1 depend on the records only through how many fall into each
cell (truth, prediction). Drawing n records with replacement and counting cells
is one multinomial draw over the cells, so 10,000 draws cost milliseconds
however many records there are. Where records come in groups (patients), whole
groups are drawn, by the same argument over groups with equal counts. Only what
ranks the records needs the records themselves: `ranking_intervals`.

Intervals are percentile intervals. Source: Efron and Tibshirani, "An
Introduction to the Bootstrap" (1993), chapters 13 and 16.
"""

import numpy as np

from transplant.errors import DataError, OptionError
from transplant.evaluation import metrics
from transplant.evaluation.ranking_intervals import AUC_DRAWS, RANKINGS, chunks, draw_rankings


def bootstrap_intervals(y_true, y_prob, classes, groups=None, draws=10_000, level=0.95, seed=0):
    """Return intervals of all reported metrics from one set of draws.

    Args:
        y_true: class indices (n,) or one-hot rows (n, classes).
        y_prob: predicted probabilities (n, classes).
        classes: class names, one per column.
        groups: patient or recording of each record (n,); whole groups are drawn.
            Defaults to None: records are drawn.
        draws: number of bootstrap draws. Defaults to 10,000.
        level: probability mass of the interval. Defaults to 0.95.
        seed: seed of the draws. Defaults to 0.

    Returns:
        `{"macro_f1": interval, "f1": {class: interval}, "accuracy": interval,
        "challenge_f1": interval or None, "roc_auc": interval or None, "pr_auc":
        interval or None, "min_precision_recall": interval or None}`; an interval is a
        dict with `estimate` (on the records as they are), `low`, `high`, `level`,
        `draws`, `unit` ("records" or "groups") and `units` (their number). The last
        three are of at most 2,000 draws, less those that hold one class only.

    Raises:
        DataError: with fewer than two records or groups.
    """
    truth, y_prob, unit = _checked(y_true, y_prob, classes, groups)
    names = [str(name) for name in classes]
    predicted = y_prob.argmax(axis=1)
    shape = (-1, len(names), len(names))
    cells = truth * len(names) + predicted
    counts = _draw_counts(cells, len(names) ** 2, unit, draws, seed).reshape(shape)
    drawn = _count_metrics(counts, names)
    observed = _count_metrics(np.bincount(cells, minlength=len(names) ** 2).reshape(shape), names)
    facts = {"level": level, **_unit_facts(truth, unit)}
    result = {
        name: None if drawn[name] is None else _interval(observed[name][0], drawn[name], level) | facts
        for name in ("macro_f1", "accuracy", "challenge_f1")
    }
    result["f1"] = {
        name: _interval(observed["f1"][0, column], drawn["f1"][:, column], level) | facts
        for column, name in enumerate(names)
    }
    (samples,) = draw_rankings(truth, [y_prob], unit, min(draws, AUC_DRAWS), seed)
    for name in RANKINGS:
        sample = samples.get(name, ())
        estimate = getattr(metrics, name)(truth, y_prob)
        result[name] = _interval(estimate, sample, level) | facts if len(sample) else None
    return result


def bootstrap_interval(y_true, y_prob, classes, metric="macro_f1", groups=None, draws=10_000, level=0.95, seed=0):
    """Return the interval of one metric; see `bootstrap_intervals`.

    Args:
        metric: "macro_f1", "accuracy", "challenge_f1", "roc_auc", "pr_auc",
            "min_precision_recall", or "f1:" and a class name, such as "f1:A".
            Defaults to "macro_f1".

    Raises:
        OptionError: if the metric is unknown or not defined for these classes.
    """
    intervals = bootstrap_intervals(y_true, y_prob, classes, groups, draws, level, seed)
    by_name = {name: value for name, value in intervals.items() if name != "f1"}
    by_name |= {f"f1:{name}": value for name, value in intervals["f1"].items()}
    if by_name.get(metric) is None:
        known = ", ".join(name for name, value in by_name.items() if value is not None)
        raise OptionError(f"An interval can be had of {known}. Received: metric={metric}")
    return by_name[metric]


def paired_bootstrap(y_true, prob_a, prob_b, classes, groups=None, draws=10_000, level=0.95, seed=0, rankings=None):
    """Compare two models on the same records: the interval of metric(b) - metric(a).

    Each draw takes the same records for both models, so what makes a record
    hard for both cancels.

    Args:
        y_true: class indices (n,) or one-hot rows (n, classes).
        prob_a, prob_b: probabilities (n, classes) of the two models.
        classes, groups, draws, level, seed: as in `bootstrap_intervals`.
        rankings: whether AUROC, AUPRC and min(+P, Se) are compared too, which takes
            longer the more classes and records there are. Defaults to None: of two
            classes, where they are what is reported.

    Returns:
        `{"macro_f1": d, "f1": {class: d}, "accuracy": d, "challenge_f1": d or None,
        "roc_auc": d or None, "pr_auc": d or None, "min_precision_recall": d or None}`;
        d is a dict with `difference` (on the records as they are), `low`, `high`,
        `share_above_zero` (of the draws), `level`, `draws`, `unit` and `units`.

    Raises:
        DataError: with fewer than two records or groups.
    """
    truth, prob_a, unit = _checked(y_true, prob_a, classes, groups)
    prob_b = metrics.checked_probabilities(prob_b, len(truth), len(classes))
    names = [str(name) for name in classes]
    k = len(names)
    cells = (truth * k + prob_a.argmax(axis=1)) * k + prob_b.argmax(axis=1)
    drawn = _count_differences(_draw_counts(cells, k**3, unit, draws, seed).reshape(-1, k, k, k), names)
    observed = _count_differences(np.bincount(cells, minlength=k**3).reshape(1, k, k, k), names)
    facts = {"level": level, **_unit_facts(truth, unit)}
    result = {
        name: None if drawn[name] is None else _difference(observed[name][0], drawn[name], level) | facts
        for name in ("macro_f1", "accuracy", "challenge_f1")
    }
    result["f1"] = {
        name: _difference(observed["f1"][0, column], drawn["f1"][:, column], level) | facts
        for column, name in enumerate(names)
    }
    result |= dict.fromkeys(RANKINGS)
    if rankings or (rankings is None and k == 2):
        of_a, of_b = draw_rankings(truth, [prob_a, prob_b], unit, min(draws, AUC_DRAWS), seed)
        for name in of_a:
            if len(of_a[name]):
                score = getattr(metrics, name)
                difference = score(truth, prob_b) - score(truth, prob_a)
                result[name] = _difference(difference, of_b[name] - of_a[name], level) | facts
    return result


def paired_auroc(y_true, models, classes, groups=None, draws=10_000, level=0.95, seed=0):
    """Compare every model with those before it by AUROC; the draws of each model are ranked once for all pairs.

    Args:
        y_true: class indices (n,) or one-hot rows (n, classes).
        models: dict name -> probabilities (n, classes).
        classes, groups, draws, level, seed: as in `bootstrap_intervals`.

    Returns:
        dict name -> dict of the names before it -> the `roc_auc` of `paired_bootstrap`.

    Raises:
        DataError: with fewer than two records or groups.
    """
    checked = [_checked(y_true, y_prob, classes, groups) for y_prob in models.values()]
    truth, _, unit = checked[0]
    probabilities = [y_prob for _, y_prob, _ in checked]
    samples = [found["roc_auc"] for found in draw_rankings(truth, probabilities, unit, min(draws, AUC_DRAWS), seed)]
    scores = [metrics.roc_auc(truth, y_prob) for y_prob in probabilities]
    facts = {"level": level, **_unit_facts(truth, unit)}

    def compared(a, b):
        if not len(samples[a]):
            return None
        return _difference(scores[b] - scores[a], samples[b] - samples[a], level) | facts

    names = list(models)
    return {name: {names[a]: compared(a, b) for a in range(b)} for b, name in enumerate(names)}


def verdict(low, high, level=0.95):
    """Say in words what the interval [low, high] of a difference b - a shows.

    Args:
        low, high: the interval's ends, such as those of `paired_bootstrap`.
        level: its probability mass. Defaults to 0.95.

    Returns:
        A sentence that begins with "better", "worse" or "no difference shown". The
        last is no proof of equality: the interval says how large a difference
        may have been missed.
    """
    interval = f"the {100 * level:g}% interval [{_signed(low)}, {_signed(high)}]"
    if low > 0:
        return f"better: {interval} lies above 0"
    if high < 0:
        return f"worse: {interval} lies below 0"
    return f"no difference shown: {interval} contains 0"


def _signed(value):
    """Return the number to three decimals, or to its first digit where those would hide its sign."""
    return f"{value:+.3f}" if value == 0 or abs(value) >= 0.0005 else f"{value:+.0e}"


def _checked(y_true, y_prob, classes, groups):
    """Return truth (n,), probabilities, and the unit index of each record or None."""
    truth = metrics.class_indices(y_true, len(classes))
    y_prob = metrics.checked_probabilities(y_prob, len(truth), len(classes))
    unit = None
    if groups is not None:
        if len(groups) != len(truth):
            raise DataError(f"Each record has one group. Received: {len(groups)} groups, {len(truth)} records")
        unit = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
    facts = _unit_facts(truth, unit)
    if facts["units"] < 2:
        raise DataError(f"A bootstrap needs at least two {facts['unit']}. Received: {facts['units']}")
    return truth, y_prob, unit


def _unit_facts(truth, unit):
    if unit is None:
        return {"unit": "records", "units": len(truth)}
    return {"unit": "groups", "units": int(unit.max()) + 1}


def _draw_counts(cells, n_cells, unit, draws, seed):
    """Return float64 (draws, n_cells): how often each cell occurs in each draw."""
    rng = np.random.default_rng(seed)
    if unit is None:
        occurrences = np.bincount(cells, minlength=n_cells)
        return rng.multinomial(len(cells), occurrences / len(cells), size=draws).astype(np.float64)
    n_units = int(unit.max()) + 1
    table = np.bincount(unit * n_cells + cells, minlength=n_units * n_cells).reshape(n_units, n_cells)
    kinds, multiplicity = np.unique(table, axis=0, return_counts=True)
    counts = np.empty((draws, n_cells))
    for part in chunks(draws, len(kinds)):
        weights = rng.multinomial(n_units, multiplicity / n_units, size=part.stop - part.start)
        counts[part] = weights.astype(np.float64) @ kinds.astype(np.float64)
    return counts


def _count_metrics(counts, names):
    """Return the metrics of confusion matrices (draws, classes, classes)."""
    f1 = metrics.f1_from_confusion(counts)
    challenge = metrics.challenge_columns(names)
    return {
        "f1": f1,
        "macro_f1": f1.mean(axis=1),
        "accuracy": np.trace(counts, axis1=1, axis2=2) / counts.sum(axis=(1, 2)),
        "challenge_f1": None if challenge is None else f1[:, challenge].mean(axis=1),
    }


def _count_differences(counts, names):
    """Return metric(b) - metric(a) of counts (draws, truth, prediction a, prediction b)."""
    of_a = _count_metrics(counts.sum(axis=3), names)
    of_b = _count_metrics(counts.sum(axis=2), names)
    return {name: None if of_a[name] is None else of_b[name] - of_a[name] for name in of_a}


def _difference(difference, sample, level):
    interval = _interval(difference, sample, level)
    return {"difference": interval.pop("estimate"), **interval, "share_above_zero": float((sample > 0).mean())}


def _interval(estimate, sample, level):
    low, high = np.quantile(sample, [(1 - level) / 2, (1 + level) / 2])
    return {"estimate": float(estimate), "low": float(low), "high": float(high), "draws": len(sample)}
