"""The files of the PhysioNet/CinC Challenge 2012: one text file a stay, one table of outcomes a set."""

import csv
import dataclasses
import io
import math
import pathlib
import re

import numpy as np

from transplant.datasets.physionet2012_variables import OUTCOMES, RECORD_ID, VARIABLES
from transplant.datasets.record_source import Skipped
from transplant.errors import DataError, shorten

HEADER = b"Time,Parameter,Value"
PARAMETERS = (RECORD_ID, *(variable.name for variable in VARIABLES))
MISSING = -1

_FETCH = "fetch the challenge's set again, https://physionet.org/content/challenge-2012/"
_STAY_FILE = re.compile(r"\d+\.txt")
_TIME = re.compile(r"(\d{2,3}):([0-5]\d)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COLUMNS = (RECORD_ID, "Length_of_stay", "In-hospital_death")


@dataclasses.dataclass(frozen=True)
class StaySet:
    """A set of the challenge as it lies on disk.

    Attributes:
        name: "set-a", "set-b" or "set-c".
        files: dict record name -> file of the stay.
        outcome_file: the set's table of outcomes, None where there is none.
    """

    name: str
    files: dict
    outcome_file: pathlib.Path | None


@dataclasses.dataclass(frozen=True)
class Events:
    """All rows of many stays, in the order of the files.

    Attributes:
        names: record names, one a stay.
        stay: int (rows,), index into `names`.
        hour: float64 (rows,), hours since admission to the ICU.
        parameter: int (rows,), index into `PARAMETERS`.
        value: float64 (rows,), -1 where missing.
    """

    names: tuple
    stay: np.ndarray
    hour: np.ndarray
    parameter: np.ndarray
    value: np.ndarray


def find_sets(source):
    """Return the `StaySet`s of a folder.

    Args:
        source: folder with set-a/ (set-b/, set-c/) and Outcomes-a.txt beside or in it, or such a set's
            own folder, whose outcomes lie in it or beside it.

    Raises:
        DataError: if there are no stays, or none has outcomes.
    """
    source = pathlib.Path(source)
    if not source.is_dir():
        raise DataError(f"{source}: the folder of the challenge is needed. Received: no such folder; check --source")
    folders = [source / f"set-{letter}" for letter in "abc" if (source / f"set-{letter}").is_dir()] or [source]
    sets = [_stay_set(folder, source) for folder in folders]
    sets = [found for found in sets if found.files]
    if not sets:
        raise DataError(
            f"{source}: the stays' files are needed (set-a/132539.txt and so on). Received: a folder without any; "
            f"check --source, or {_FETCH}"
        )
    if not any(found.outcome_file for found in sets):
        wanted = f"Outcomes-{sets[0].name[-1]}.txt"
        raise DataError(
            f"{source / wanted}: the outcomes of {sets[0].name} are needed. Received: no such file, here or in the "
            f"stays' folder; {_FETCH}"
        )
    return sets


def _stay_set(folder, source):
    files = {file.stem: file for file in folder.iterdir() if _STAY_FILE.fullmatch(file.name)}
    places = dict.fromkeys((source, folder, folder.resolve().parent))
    letter = re.fullmatch(r"set-([abc])", folder.resolve().name)
    found = [
        file
        for place in places
        for file in sorted(place.glob("Outcomes-?.txt"))
        if letter is None or file.name == f"Outcomes-{letter[1]}.txt"
    ]
    if letter is None and len({file.name for file in found}) > 1:
        raise DataError(
            f"{folder}: stays lie in set-a/, set-b/ or set-c/ where there are several tables of outcomes. Received: "
            f"stays beside {shorten([file.name for file in found])}; move them into the folder of their set"
        )
    name = folder.resolve().name if letter else f"set-{found[0].stem[-1] if found else 'a'}"
    return StaySet(name, dict(sorted(files.items(), key=lambda item: int(item[0]))), found[0] if found else None)


def read_outcomes(file):
    """Read a table of outcomes.

    Returns:
        dict record name -> (length of stay in days, -1 where unknown; whether the patient died in hospital).

    Raises:
        DataError: if a column is missing, or a row is malformed or there twice.
    """
    try:
        rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig", errors="replace"))))
    except OSError as error:
        raise DataError(f"{file}: outcomes are needed. Received: {error.strerror}; check the file") from error
    header = [name.strip() for name in rows[0]] if rows else []
    missing = [name for name in _COLUMNS if name not in header]
    if missing:
        raise DataError(
            f"{file}: outcomes have columns {', '.join(_COLUMNS)}. Received: no {', '.join(missing)} in line 1; "
            f"{_FETCH}"
        )
    columns = [header.index(name) for name in _COLUMNS]
    outcomes = {}
    for number, row in enumerate(rows[1:], 2):
        if not any(field.strip() for field in row):
            continue
        try:
            name, days, died = (int(row[column]) for column in columns)
            if len(row) != len(header) or died not in (0, 1) or days < MISSING:
                raise ValueError
        except (ValueError, IndexError):
            raise DataError(
                f"{file}: a row has a number for each of {', '.join(header)}, In-hospital_death 0 or 1. Received: "
                f"line {number} {','.join(row)[:60]!r}; correct it, or {_FETCH}"
            ) from None
        if str(name) in outcomes:
            raise DataError(f"{file}: a stay has one row. Received: {name} again in line {number}; remove one")
        outcomes[str(name)] = (days, bool(died))
    return outcomes


def read_stays(files, skipped=None, on_record=None):
    """Read the files of stays, all in one go.

    Args:
        files: dict record name -> file.
        skipped: a list that receives a `Skipped` for every file that cannot be used. Defaults to
            None: such a file is an error.
        on_record: called after each file, e.g. to show progress.

    Returns:
        `Events`.

    Raises:
        DataError: if a file cannot be read, has a malformed row, an unknown parameter or an outcome
            among its parameters, or says that it is another stay's; it names the line.
    """
    bodies = {}
    for name, file in files.items():
        try:
            bodies[name] = _body(file)
        except DataError as error:
            _skip(name, error, skipped)
        if on_record is not None:
            on_record()
    try:
        return _parse(bodies)
    except ValueError:
        # Somewhere is a row that is not as it should be: look at each file, line by line.
        return _parse(_checked_bodies(files, bodies, skipped))


def _skip(name, error, skipped):
    if skipped is None:
        raise error
    skipped.append(Skipped(name, str(error)))


def _body(file):
    """Return the bytes below the header, ending in a line's end."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: a stay's file is needed. Received: {error.strerror}; {_FETCH}") from error
    header, _, body = data.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    if header.strip() != HEADER:
        raise DataError(
            f"{file}: a stay's file begins with {HEADER.decode()}. Received: line 1 "
            f"{header[:60].decode(errors='replace').strip()!r}; {_FETCH}"
        )
    return body if body.endswith(b"\n") or not body else body + b"\n"


def _parse(bodies):
    """Return the `Events` of well-formed bodies; any doubt about one is a ValueError."""
    import pandas as pd

    text = b"".join(bodies.values())
    rows = np.array([body.count(b"\n") for body in bodies.values()], np.int64)
    # With as many commas as three columns have, a row with more leaves another without a value, which is refused.
    if text.count(b",") != 2 * rows.sum() or b"\0" in text or not rows.all():
        raise ValueError("rows of other width")
    if not text:
        return Events((), *(np.empty(0, kind) for kind in (np.int64, np.float64, np.int64, np.float64)))
    table = pd.read_csv(
        io.BytesIO(text),
        header=None,
        names=["time", "parameter", "value"],
        dtype={"time": "category", "parameter": "category", "value": np.float64},
        na_filter=False,
        quoting=csv.QUOTE_NONE,
    )
    value = table["value"].to_numpy()
    if len(table) != rows.sum() or not np.isfinite(value).all():
        raise ValueError("empty rows or values")
    times = [_TIME.fullmatch(time) for time in table["time"].cat.categories]
    if not all(times):
        raise ValueError("times of other form")
    hours = np.array([int(time[1]) + int(time[2]) / 60 for time in times])
    # Raises ValueError where a parameter is unknown.
    numbers = np.array([PARAMETERS.index(name) for name in table["parameter"].cat.categories], np.int64)
    stay = np.repeat(np.arange(len(rows)), rows)
    parameter = numbers[table["parameter"].cat.codes.to_numpy()]
    is_name = parameter == PARAMETERS.index(RECORD_ID)
    expected = np.array([int(name) for name in bodies])
    if not np.array_equal(stay[is_name], np.arange(len(rows))) or not np.array_equal(value[is_name], expected):
        raise ValueError("names of other stays")
    return Events(tuple(bodies), stay, hours[table["time"].cat.codes.to_numpy()], parameter, value)


def _checked_bodies(files, bodies, skipped):
    """Return the bodies of the files that hold nothing but whole rows; the others are errors, or skipped."""
    sound = {}
    for name, body in bodies.items():
        try:
            sound[name] = _checked(files[name], name, body)
        except DataError as error:
            _skip(name, error, skipped)
    return sound


def _checked(file, name, body):
    """Return the body without empty lines, or raise a `DataError` that names what is wrong and where."""
    lines, names = [], []
    for number, line in enumerate(body.decode("utf-8", errors="replace").split("\n"), 2):
        line = line.strip()
        if not line:
            continue
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 3 or not _TIME.fullmatch(fields[0]) or not _is_number(fields[2]):
            raise DataError(
                f"{file}: a row is HH:MM,PARAMETER,NUMBER. Received: line {number} {line[:60]!r}; correct it, "
                f"{_FETCH}, or leave the stay out (--skip-bad)"
            )
        _check_parameter(file, fields[1], number)
        if fields[1] == RECORD_ID:
            names.append(fields[2])
        lines.append(",".join(fields))
    if [float(text) for text in names] != [float(name)]:
        raise DataError(
            f"{file}: a stay's file holds its own {RECORD_ID} once. Received: {', '.join(names) or 'none'}; {_FETCH}, "
            "or leave the stay out (--skip-bad)"
        )
    return "".join(line + "\n" for line in lines).encode()


def _is_number(text):
    return _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))


def _check_parameter(file, parameter, number):
    if parameter in OUTCOMES:
        raise DataError(
            f"{file}: an outcome is never an input. Received: {parameter} in line {number} ({OUTCOMES[parameter]}); "
            "remove the row, or leave the stay out (--skip-bad)"
        )
    if parameter not in PARAMETERS:
        raise DataError(
            f"{file}: a parameter is one of the challenge's {len(VARIABLES)} variables. Received: "
            f"{parameter or 'an empty name'} in line {number}; correct it, or leave the stay out (--skip-bad)"
        )
