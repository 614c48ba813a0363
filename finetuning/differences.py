"""Paired differences between the rows of a comparison: what is set against what, and how it is said."""

import numpy as np

from transplant.evaluation.paired_test import wilcoxon_signed_rank
from transplant.evaluation.report import RANKING_TITLES, difference_with_interval
from transplant.evaluation.statistics import paired_bootstrap, verdict


def references(rows, controls=()):
    """Return dict row name -> name of the row that its difference is to, all but the first row's.

    Rows are set against the first row with the same share of the records; a row on
    shuffled labels against the same row on the real ones; what has no runs, and the
    first row of another share, against the first row of all.

    Args:
        rows: `Row`s.
        controls: names of further rows, without runs.
    """
    first = rows[0]
    first_of_share, found = {}, {}
    for row in rows:
        reference = first_of_share.setdefault(row.subset, row)
        if row.shuffled:
            real = (row.start, row.arch, row.variant, row.subset, False)
            same = [r for r in rows if (r.start, r.arch, r.variant, r.subset, r.shuffled) == real]
            reference = same[0] if same else reference
        found[row.name] = (first if reference is row else reference).name
    found |= dict.fromkeys(controls, first.name)
    del found[first.name]
    return found


def wilcoxon_tests(rows, of_runs, reference_of):
    """Return dict row name -> Wilcoxon test of its runs against its reference's: a pair is a fold, or a seed.

    Args:
        rows: dict `Row` -> `Run`s.
        of_runs: dict row name -> dicts with `macro_f1` of each run.
        reference_of: of `references`.
    """
    scores = {}
    for row, runs in rows.items():
        if len(runs[0].folds) > 1:
            reason = "runs on inner folds share the records that they held out: no Wilcoxon test"
            return {row.name: {"p": None, "reason": reason} for row in rows}
        of_parts = {}
        for run, found in zip(runs, of_runs[row.name]):
            # The seeds of a fold are scored on the same records: they make one pair.
            of_parts.setdefault(run.folds or run.seed, []).append(found["macro_f1"])
        scores[row.name] = [float(np.mean(values)) for values in of_parts.values()]
    return {
        name: wilcoxon_signed_rank(scores[reference_of[name]], values)
        for name, values in scores.items()
        if name in reference_of
    }


def paired_differences(pooled, y, groups, classes, reference_of, tests, log):
    """Return the paired difference of every row to its reference, and say it in words.

    Args:
        pooled: dict row name -> float64 (times, records, classes).
        y, groups: int (times x records,), labels and patients.
        classes: class names.
        reference_of: of `references`.
        tests: of `wilcoxon_tests`; rows without runs have none.
        log: function that takes a line.

    Returns:
        dict row name -> what `paired_bootstrap` returns, with `to`, `verdict` (on macro-F1), `verdict_roc_auc` (on
        AUROC; None unless there are two classes) and, where there is one, `wilcoxon`.
    """
    found = {}
    for name, reference in reference_of.items():
        a, b = (np.concatenate(pooled[row]) for row in (reference, name))
        one = paired_bootstrap(y, a, b, classes, groups)
        macro = one["macro_f1"]
        auroc = one["roc_auc"]
        one |= {"to": reference, "verdict": verdict(macro["low"], macro["high"])}
        one["verdict_roc_auc"] = auroc and verdict(auroc["low"], auroc["high"])
        log(f"{name} against {reference}: macro-F1 {macro['difference']:+.3f}, {one['verdict']}")
        for label, part in ({title: one[entry] for entry, title in RANKING_TITLES.items()} | one["f1"]).items():
            if part is not None:
                log(f"    {label}: {difference_with_interval(part)}")
        if name in tests:
            one["wilcoxon"] = tests[name]
            if tests[name]["p"] is not None:
                log(f"    Wilcoxon over {tests[name]['pairs']} pairs: p = {tests[name]['p']:.3g}")
        found[name] = one
    for reason in dict.fromkeys(test["reason"] for test in tests.values() if test["p"] is None):
        log(reason)
    return found


def all_pairs(pooled, differences, y, groups, classes):
    """Return the paired difference of macro-F1 of every row to those before it: row -> other row -> difference.

    Args:
        pooled, y, groups, classes: as for `paired_differences`.
        differences: of `paired_differences`; what is known from there is not drawn again.
    """
    together = {name: np.concatenate(probabilities) for name, probabilities in pooled.items()}
    pairs = {}
    for place, name in enumerate(together):
        pairs[name] = {}
        for other in list(together)[:place]:
            found = differences[name]
            if found["to"] != other:
                found = paired_bootstrap(y, together[other], together[name], classes, groups, rankings=False)
            pairs[name][other] = found["macro_f1"]
    return pairs
