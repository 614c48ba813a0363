"""Which row the inner folds of each outer fold choose: nested cross-validation."""

import numpy as np

from transplant.errors import DataError
from transplant.evaluation.metrics import macro_f1
from transplant.evaluation.predictions import read_predictions
from transplant.evaluation.statistics import paired_bootstrap

_HALF_WIDTH = 1.96  # of a 95% interval, in standard errors


def choose_rows(rows, data, folds, log=print):
    """Choose a row for each outer fold, on runs that never saw the fold.

    The choice is the first row, unless the best one is better by more than
    a standard error of their paired difference (Breiman et al., 1984,
    "Classification and Regression Trees", 3.4.3): small inner folds would
    otherwise choose by chance.

    Args:
        rows: dict `Row` -> its `Run`s, of `finetuning.runs.inner_folds`; those on shuffled labels are no candidates.
        data: `LabelledSet` that the folds divide.
        folds: list of int64 arrays, the records of each fold.
        log: function that takes a line.

    Returns:
        list, of each outer fold a dict: `fold`, `scores` (row name -> macro-F1 on
        the inner folds), `best`, `difference` of it to the first row,
        `standard_error` of that, `chosen`.

    Raises:
        DataError: if no run holds a fold out.
    """
    choices = []
    for fold, held in enumerate(folds):
        outer = set(data.record_ids[held].tolist())
        found = {row.name: _inner_predictions(runs, fold, outer) for row, runs in rows.items() if not row.shuffled}
        scores = {
            name: macro_f1(y, probabilities.argmax(axis=1), len(data.classes))
            for name, (y, probabilities, _) in found.items()
        }
        first, best = next(iter(scores)), max(scores, key=scores.get)
        y, probabilities, groups = found[first]
        pair = paired_bootstrap(
            y, probabilities, found[best][1], data.classes, _groups_of(data, groups), rankings=False
        )["macro_f1"]
        error = (pair["high"] - pair["low"]) / (2 * _HALF_WIDTH)
        chosen = best if pair["difference"] > error else first
        choices.append(
            {
                "fold": fold,
                "scores": scores,
                "best": best,
                "difference": pair["difference"],
                "standard_error": error,
                "chosen": chosen,
            }
        )
        log(
            f"outer fold {fold}: {first} {scores[first]:.3f}, best {best} {scores[best]:.3f}, "
            f"difference {pair['difference']:+.3f} with a standard error of {error:.3f}; chosen: {chosen}"
        )
    return choices


def _inner_predictions(runs, fold, outer):
    """Return labels, probabilities and records that the runs without the fold predicted outside of it."""
    y, probabilities, records = [], [], []
    for run in runs:
        if fold not in run.folds:
            continue
        part = read_predictions(run.folder / "test_predictions.csv")
        inner = [i for i, record in enumerate(part["record_names"]) if record not in outer]
        y.append(part["y_true"].argmax(axis=1)[inner])
        probabilities.append(part["y_prob"][inner])
        records += [part["record_names"][i] for i in inner]
    if not records:
        raise DataError(f"fold {fold}: no run held it out. Received: {len(runs)} runs")
    return np.concatenate(y), np.concatenate(probabilities), records


def _groups_of(data, records):
    """Return the patient or recording of each record."""
    group_of = dict(zip(data.record_ids.tolist(), data.group_ids.tolist()))
    return np.array([group_of[record] for record in records])
