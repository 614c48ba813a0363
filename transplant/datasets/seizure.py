"""Epileptic seizure recognition: seconds of EEG from five kinds of recording.

The 500 single-channel recordings of Bonn university, 4,097 samples each, cut into 23 rows of 178 samples.

Source: Andrzejak et al., "Indications of nonlinear deterministic and finite-dimensional structures in time
series of brain electrical activity" (2001); UCI Machine Learning Repository, "Epileptic Seizure Recognition",
for the rows and the order of the classes, which are numbered 1 to 5 there.
"""

import pathlib

import numpy as np

from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.record_source import Skipped
from transplant.datasets.whole_set import WholeSet
from transplant.errors import DataError, shorten

CLASSES = ("seizure", "tumour area", "healthy area", "eyes closed", "eyes open")
SAMPLING_RATE_HZ = 173.61
SAMPLES = 178
ROWS_PER_RECORDING = 23
FILE_NAMES = ("data.csv", "Epileptic Seizure Recognition.csv")
ROW_SOURCE = "row_source.csv"

_ADDRESS = "UCI's data set 388, Epileptic Seizure Recognition"
_ROW_NAME = r"^X(?P<chunk>\d+)\.(?P<recording>.+)$"


def read_seizure(source, *, skipped=None, on_record=None):
    """Read the table of seconds, each with the recording it was cut from.

    The recording is what `row_source.csv` beside the table says (columns row, from 0;
    bonn_file; chunk). Without that file it is told by the first column: "X21.V1.791"
    is chunk 21 of recording "V1.791". In the published table these 500 names (V1, V1.1
    to V1.99, V11, ...) stand for the 500 recordings one to one.

    Args:
        source: the CSV, or the folder that holds it: data.csv, the published
            "Epileptic Seizure Recognition.csv", or the only CSV there.
        skipped: a list that receives a `Skipped` for every row that cannot be
            used. Defaults to None: such a row is an error.
        on_record: called once for every row. Defaults to None.

    Returns:
        A `WholeSet`; x is float32 (rows, 178, 1) in microvolts, records are named "N088-13" by
        recording and chunk.

    Raises:
        DataError: if the table is missing or has another width, a cell is no
            number, a label is not 1 to 5, or the recordings are not told.
    """
    file = _find_file(pathlib.Path(source))
    table = _read_table(file)
    recordings, chunks, told_by = _find_recordings(file, table)
    x, y, reasons = _check_cells(table)
    for position, reason in reasons.items():
        line = table.index[position] + 2
        error = DataError(f"{file}: line {line}: {reason}; correct it or leave the row out (--skip-bad)")
        if skipped is None:
            raise error
        skipped.append(Skipped(f"line {line}", str(error)))
    for _ in range(len(table) if on_record else 0):
        on_record()
    kept = np.setdiff1d(np.arange(len(table)), list(reasons))
    if not len(kept):
        raise DataError(f"{file}: rows are needed. Received: none that can be used; fetch the table again")
    record_ids = np.array([f"{recording}-{chunk}" for recording, chunk in zip(recordings[kept], chunks[kept])])
    names, counts = np.unique(record_ids, return_counts=True)
    if (counts > 1).any():
        raise DataError(
            f"{file}: a chunk of a recording is one row. Received: {shorten(names[counts > 1])} more than once, as "
            f"{told_by} says; correct it"
        )
    data = LabelledSet(
        x=x[kept, :, None],
        lengths=np.full(len(kept), SAMPLES),
        y=y[kept] - 1,
        classes=CLASSES,
        record_ids=record_ids,
        group_ids=recordings[kept],
        sampling_rate_hz=SAMPLING_RATE_HZ,
        leads=("EEG",),
        dataset="seizure",
        label_version="published",
        unit="uV",
        notes=_notes(recordings[kept], y[kept], told_by),
    )
    return WholeSet(data)


def _find_file(source):
    if source.is_file():
        return source
    if not source.is_dir():
        raise DataError(f"{source}: the table of EEG rows is needed. Received: no such file; get {_ADDRESS}")
    for name in FILE_NAMES:
        if (source / name).is_file():
            return source / name
    tables = sorted(file for file in source.glob("*.csv") if file.name != ROW_SOURCE)
    if len(tables) != 1:
        raise DataError(
            f"{source}: {FILE_NAMES[0]}, {FILE_NAMES[1]!r} or one CSV is needed. Received: "
            f"{shorten(file.name for file in tables)}; name the file, or get {_ADDRESS}"
        )
    return tables[0]


def _read_csv(file, what):
    import pandas as pd

    try:
        # Blank lines are read and dropped afterwards: the index stays the line.
        table = pd.read_csv(file, skip_blank_lines=False, low_memory=False)
    except (ValueError, OSError) as error:  # pandas' own errors and those of decoding are ValueErrors
        raise DataError(f"{file}: {what} is needed. Received: {error}; fetch it again") from error
    if not isinstance(table.index, pd.RangeIndex):
        raise DataError(f"{file}: {what} is needed. Received: lines longer than the header; fetch it again")
    return table.dropna(how="all")


def _read_table(file):
    """Return the rows of the CSV, indexed by line - 2."""
    what = f"a CSV of {SAMPLES} samples and a label y a line, after the row's name"
    table = _read_csv(file, what)
    if table.shape[1] not in (SAMPLES + 1, SAMPLES + 2) or str(table.columns[-1]).strip().lower() != "y":
        raise DataError(
            f"{file}: {what}, is needed: {SAMPLES + 2} columns. Received: {table.shape[1]}, the last one "
            f"{str(table.columns[-1])[:20]!r}; get {_ADDRESS}"
        )
    if not len(table):
        raise DataError(f"{file}: rows are needed. Received: a header only; fetch it again")
    return table


def _find_recordings(file, table):
    """Return the recordings and chunks, str arrays of a row each, and the name of what tells them."""
    named = None
    if table.shape[1] == SAMPLES + 2:
        parts = table.iloc[:, 0].astype(str).str.extract(_ROW_NAME)
        named = None if parts.isna().any(axis=None) else parts[["recording", "chunk"]].to_numpy(np.str_)
    if (file.parent / ROW_SOURCE).is_file():
        listed = _read_row_source(file.parent / ROW_SOURCE, len(table))
        if named is not None:
            _check_agreement(file, listed[:, 0], named[:, 0])
        return listed[:, 0], listed[:, 1], ROW_SOURCE
    if named is None:
        raise DataError(
            f"{file}: the first column names each row's recording, as in X21.V1.791, so that a split can keep "
            f"recordings whole. Received: {str(table.iloc[0, 0])[:20]!r} and no {ROW_SOURCE}; get {_ADDRESS}"
        )
    return named[:, 0], named[:, 1], "the first column"


def _read_row_source(file, n_rows):
    import pandas as pd

    what = f"a CSV of row, bonn_file, chunk for the {n_rows} rows"
    listed = _read_csv(file, what)
    chunk = next((name for name in listed.columns if str(name).startswith("chunk")), None)
    if chunk is None or not {"row", "bonn_file"} <= set(listed.columns):
        raise DataError(
            f"{file}: {what} is needed. Received: columns {shorten(listed.columns)}; correct or remove it"
        )
    rows = pd.to_numeric(listed["row"], errors="coerce").to_numpy(float)
    if not np.array_equal(np.sort(rows), np.arange(n_rows)) or listed[["bonn_file", chunk]].isna().any(axis=None):
        raise DataError(f"{file}: {what}, from 0, is needed. Received: {len(listed)} lines, or others; remove it")
    return listed.iloc[np.argsort(rows)][["bonn_file", chunk]].astype(str).to_numpy(np.str_)


def _check_agreement(file, listed, named):
    """Refuse two accounts of the recordings that do not match one to one."""
    pairs = {*zip(listed.tolist(), named.tolist())}
    if not len(pairs) == len({*listed.tolist()}) == len({*named.tolist()}):
        raise DataError(
            f"{file}: the first column and {ROW_SOURCE} name the same recordings. Received: {len({*named.tolist()})} "
            f"and {len({*listed.tolist()})} names in {len(pairs)} pairs; remove the one that is not of this table"
        )


def _check_cells(table):
    """Return float32 samples, int labels and {position: what is wrong with the row}."""
    import pandas as pd

    cells = table.iloc[:, -SAMPLES - 1 :]
    numbers = cells.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    with np.errstate(over="ignore"):  # infinite then, and refused
        x = numbers[:, :-1].astype(np.float32)
    y = np.where(np.isin(numbers[:, -1], np.arange(1, len(CLASSES) + 1)), numbers[:, -1], 0).astype(np.int64)
    reasons = {}
    for position in np.flatnonzero(~np.isfinite(x).all(axis=1) | (y == 0)).tolist():
        bad = np.flatnonzero(~np.isfinite(x[position]))
        column = int(bad[0]) if len(bad) else SAMPLES
        value = cells.iat[position, column]
        received = "an empty cell" if pd.isna(value) else repr(str(value)[:20])
        rule = "a sample is a number" if len(bad) else "a label is 1 to 5"
        reasons[position] = f"{rule}. Received: {received} in column {str(cells.columns[column])[:20]}"
    return x, y, reasons


def _notes(recordings, y, told_by):
    names, counts = np.unique(recordings, return_counts=True)
    classes = {name: set() for name in names.tolist()}
    for name, label in zip(recordings.tolist(), y.tolist()):
        classes[name].add(label)
    notes = [
        f"{len(names)} recordings, told by {told_by}; whose they are is not published: Bonn's 500 come from ten "
        "people, so a split by recording may have one of them on both of its sides"
    ]
    others = names[counts != ROWS_PER_RECORDING]
    if len(others):
        notes.append(f"recordings that do not have {ROWS_PER_RECORDING} rows: {shorten(others)}")
    mixed = [name for name, labels in classes.items() if len(labels) > 1]
    if mixed:
        notes.append(f"recordings whose rows have different labels: {shorten(mixed)}")
    return tuple(notes)
