"""Predictions on disk: one CSV row per record, true_* and prob_* columns."""

import csv
import pathlib

import numpy as np

from transplant.atomic import atomic_path
from transplant.errors import DataError
from transplant.evaluation.metrics import class_indices

_KINDS = ("true", "pred", "prob")


def write_predictions(path, record_ids, y_true, y_prob, classes):
    """Write predictions as CSV, whole or not at all.

    Columns: record_name, true_A .. (0 or 1; left out without labels), prob_A ..
    Probabilities are written with as many digits as their type needs to be read
    back exactly.

    Args:
        path: the file to write.
        record_ids: record names (n,).
        y_true: class indices (n,), one-hot rows (n, classes), or None.
        y_prob: predicted probabilities (n, classes).
        classes: class names, one per column of `y_prob`.

    Raises:
        DataError: if the lengths differ.
    """
    classes = [str(name) for name in classes]
    y_prob = np.asarray(y_prob)
    if y_prob.shape != (len(record_ids), len(classes)):
        raise DataError(
            f"{path}: predictions are (records, classes) = ({len(record_ids)}, {len(classes)}). "
            f"Received: shape={y_prob.shape}"
        )
    if y_prob.dtype.itemsize < 4:
        y_prob = y_prob.astype(np.float32)
    header = ["record_name"]
    truth = None
    if y_true is not None:
        truth = class_indices(y_true, len(classes))
        if len(truth) != len(y_prob):
            raise DataError(f"{path}: each record has one label. Received: {len(truth)} labels, {len(y_prob)} records")
        header += [f"true_{name}" for name in classes]
    header += [f"prob_{name}" for name in classes]
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row, name in enumerate(record_ids):
            labels = [] if truth is None else [int(column == truth[row]) for column in range(len(classes))]
            writer.writerow([str(name), *labels, *(str(value) for value in y_prob[row])])


def read_predictions(path):
    """Read predictions written by `write_predictions` or by the Weimann-Conrad code.

    Args:
        path: CSV file with prob_* columns and, as far as they are known, true_*,
            pred_* and record_name columns.

    Returns:
        dict with `y_prob` float64 (n, classes), `classes` (list of str), and where
        the file has them `y_true` int64 (n, classes), `y_pred` float64
        (n, classes) and `record_names` (list of str).

    Raises:
        DataError: if the file is missing or is not such a table.
    """
    path = pathlib.Path(path)
    header, rows = _read_table(path)
    classes = [column.removeprefix("prob_") for column in header if column.startswith("prob_")]
    if not classes or len(set(header)) != len(header):
        raise DataError(
            f"{path}: predictions have one prob_ column per class. Received: columns {', '.join(header) or 'none'}"
        )
    predictions = {}
    for kind in _KINDS:
        wanted = [f"{kind}_{name}" for name in classes]
        missing = [column for column in wanted if column not in header]
        if len(missing) == len(wanted):
            continue
        if missing:
            raise DataError(f"{path}: {kind}_ columns need one per class. Received: none for {', '.join(missing)}")
        predictions[f"y_{kind}"] = _numbers(path, header, rows, wanted)
    if "y_true" in predictions:
        if not np.isin(predictions["y_true"], (0, 1)).all():
            raise DataError(f"{path}: true_ columns hold 0 or 1. Received: other numbers")
        predictions["y_true"] = predictions["y_true"].astype(np.int64)
    predictions["classes"] = classes
    if "record_name" in header:
        column = header.index("record_name")
        predictions["record_names"] = [row[column] for row in rows]
    return predictions


def _read_table(path):
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file, strict=True) if row]
    except OSError as error:
        raise DataError(f"{path}: predictions cannot be read. Received: {error.strerror}; name a .csv file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV table of predictions. Received: {error}") from error
    if not rows:
        raise DataError(f"{path}: predictions need a header line. Received: an empty file")
    header, rows = rows[0], rows[1:]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise DataError(
                f"{path}: line {number} must have {len(header)} fields. Received: {len(row)}; the file is damaged"
            )
    return header, rows


def _numbers(path, header, rows, columns):
    positions = [header.index(column) for column in columns]
    values = np.empty((len(rows), len(columns)))
    for number, row in enumerate(rows):
        try:
            values[number] = [float(row[position]) for position in positions]
        except ValueError as error:
            raise DataError(f"{path}: line {number + 2} must hold numbers. Received: {error}") from error
    if not np.isfinite(values).all():
        line = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0]) + 2
        raise DataError(f"{path}: line {line} must hold finite numbers. Received: NaN or infinity")
    return values
