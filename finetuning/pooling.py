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
        float64 (times, records, classes): how many times each record was held out, once with every seed, with
        every seed twice by `finetuning.runs.inner_folds`.

    Raises:
        DataError: if some records were held out more often than others.
    """
    row_of = {record: i for i, record in enumerate(np.asarray(record_ids).tolist())}
    pooled, times = [], np.zeros(len(row_of), np.int64)
    for run in runs:
        path = run.folder / f"{name}_predictions.csv"
        part = read_predictions(path)
        unknown = [record for record in part["record_names"] if record not in row_of]
        if unknown:
            raise DataError(f"{path}: predictions of other records. Received: {shorten(unknown)}; use a new folder")
        y_prob = change(run, part["y_prob"]) if change else part["y_prob"]
        for record, probabilities in zip(part["record_names"], y_prob):
            place = row_of[record]
            if times[place] == len(pooled):
                pooled.append(np.full((len(row_of), y_prob.shape[1]), np.nan))
            pooled[times[place]][place] = probabilities
            times[place] += 1
    if not len(pooled) or (times < len(pooled)).any():
        raise DataError(f"{runs[0].row.name}: every record is held out equally often. Received: some are not")
    return np.stack(pooled)


def with_class_offsets(run, y_prob):
    """Return a run's probabilities with the class offsets that its validation part asks for."""
    validation = read_predictions(run.folder / "val_predictions.csv")
    return apply_class_offsets(y_prob, fit_class_offsets(validation["y_true"], validation["y_prob"]))


def with_temperature(run, y_prob):
    """Return a run's probabilities at the temperature that its validation part asks for."""
    validation = read_predictions(run.folder / "val_predictions.csv")
    return apply_temperature(y_prob, fit_temperature(validation["y_true"], validation["y_prob"]))


def stacked(values, times):
    """Return labels, groups or records repeated for each time that they were held out."""
    return np.concatenate([np.asarray(values)] * times)
