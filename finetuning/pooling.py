"""The held-out predictions of a row's runs, pooled, and what validation predictions make of them."""

import numpy as np

from transplant.errors import DataError, shorten
from transplant.evaluation.calibration import apply_temperature, fit_temperature
from transplant.evaluation.class_offsets import apply_class_offsets, fit_class_offsets
from transplant.evaluation.predictions import read_predictions


def held_out(runs, record_ids, name="test", change=None):
    """Return a row's predictions of the records that each run held out.

    Args:
        runs: the row's `Run`s: every seed with every fold.
        record_ids: records in the order of the set.
        name: of the predictions, as in NAME_predictions.csv. Defaults to "test".
        change: function (run, y_prob) -> y_prob, applied run by run. Defaults to None.

    Returns:
        float64 (seeds, records, classes).

    Raises:
        DataError: if a record was not held out once with every seed.
    """
    seeds = list(dict.fromkeys(run.seed for run in runs))
    row_of = {record: i for i, record in enumerate(np.asarray(record_ids).tolist())}
    pooled = None
    for run in runs:
        path = run.folder / f"{name}_predictions.csv"
        part = read_predictions(path)
        if pooled is None:
            pooled = np.full((len(seeds), len(row_of), len(part["classes"])), np.nan)
        unknown = [record for record in part["record_names"] if record not in row_of]
        if unknown:
            raise DataError(f"{path}: predictions of other records. Received: {shorten(unknown)}; use a new folder")
        y_prob = change(run, part["y_prob"]) if change else part["y_prob"]
        pooled[seeds.index(run.seed), [row_of[record] for record in part["record_names"]]] = y_prob
    if np.isnan(pooled).any():
        raise DataError(f"{runs[0].row.name}: every record is held out once with every seed. Received: some are not")
    return pooled


def with_class_offsets(run, y_prob):
    """Return a run's probabilities with the class offsets that its validation part asks for."""
    validation = read_predictions(run.folder / "val_predictions.csv")
    return apply_class_offsets(y_prob, fit_class_offsets(validation["y_true"], validation["y_prob"]))


def with_temperature(run, y_prob):
    """Return a run's probabilities at the temperature that its validation part asks for."""
    validation = read_predictions(run.folder / "val_predictions.csv")
    return apply_temperature(y_prob, fit_temperature(validation["y_true"], validation["y_prob"]))


def stacked(values, seeds):
    """Return labels, groups or records of one seed repeated for each seed."""
    return np.concatenate([np.asarray(values)] * seeds)
