"""The CSV tables of MIMIC-III and MIMIC-IV, found on disk and read whole or in chunks.

A copy of MIMIC-III is one folder of tables (`ADMISSIONS.csv.gz`), one of MIMIC-IV has them in `hosp/`
and `icu/` (`hosp/admissions.csv.gz`). Names of files and columns count in either case, and each
file may be gzipped or not. MIMIC-IV's names of columns are given MIMIC-III's.

Source: Johnson et al., "MIMIC-III, a freely accessible critical care database" (2016); "MIMIC-IV,
a freely accessible electronic health record dataset" (2023).
"""

import csv
import io
import pathlib
import zlib

from transplant.errors import DataError, shorten

try:
    # Inflates three times as fast, to the same bytes.
    from isal import igzip as gzip
except ImportError:
    import gzip

MIMIC_III, MIMIC_IV = "MIMIC-III", "MIMIC-IV"
ID, ID_OR_NONE, NUMBER, TEXT, TIME = "id", "id or none", "number", "text", "time"
NO_ID = -1
CHUNK_ROWS = 1_000_000

_ADDRESSES = {
    MIMIC_III: "https://physionet.org/content/mimiciii/ (credentialed; the open demo is mimiciii-demo)",
    MIMIC_IV: "https://physionet.org/content/mimiciv/ (credentialed; the open demo is mimic-iv-demo)",
}
_FOLDERS_OF_IV = ("hosp", "icu")
_SUFFIXES = (".csv", ".csv.gz")  # of two files of one table the first counts
_NAMES_IN_IV = {"icustay_id": "stay_id", "icd9_code": "icd_code"}
_PARSED_AS = {ID: "int64", ID_OR_NONE: "float64", NUMBER: "float64", TEXT: "str", TIME: "str"}
# A row that was cut off is shorter than this.
_TAIL_BYTES = 1 << 16
# What pandas, gzip and zlib raise on files that were cut or scrambled.
_DAMAGE = (ValueError, OSError, EOFError, zlib.error)


class MimicTables:
    """The tables of one copy of MIMIC.

    Args:
        source: the folder that holds the tables, or a folder above it (up to two levels).

    Attributes:
        folder: where the tables are; for MIMIC-IV the folder of `hosp/` and `icu/`.
        version: "MIMIC-III" or "MIMIC-IV".

    Raises:
        DataError: if there is no such folder, or there are several copies in it.

    Example:
        >>> tables = MimicTables("mimic-iii-clinical-database-demo-1.4")
        >>> stays = tables.read("ICUSTAYS", {"icustay_id": ID, "intime": TIME})
    """

    def __init__(self, source):
        self.folder = _find_folder(pathlib.Path(source))
        self._files = _files_of(self.folder)
        self.version = self._find_version()

    def _find_version(self):
        if any((self.folder / name).is_dir() for name in _FOLDERS_OF_IV):
            return MIMIC_IV
        patients = self._files.get("patients")
        return MIMIC_IV if patients and "anchor_age" in read_header(patients) else MIMIC_III

    def path(self, table):
        """Return the file of a table, e.g. "CHARTEVENTS".

        Raises:
            DataError: if it is not there.
        """
        file = self._files.get(table.lower())
        if file is None:
            name, places = table, "here"
            if self.version == MIMIC_IV:
                name, places = table.lower(), "here, in hosp/ or in icu/"
            raise DataError(
                f"{self.folder}: the {self.version} table {name}.csv (or .csv.gz) is needed, {places}. Received: "
                f"{shorten(sorted(path.name for path in self._files.values()), 6)}; get it from "
                f"{_ADDRESSES[self.version]}"
            )
        return file

    def read(self, table, columns, optional=None):
        """Return a table as a `pandas.DataFrame`; see `read_table`."""
        return read_table(self.path(table), columns, optional, _ADDRESSES[self.version])

    def chunks(self, table, columns, optional=None, rows=CHUNK_ROWS):
        """Yield a table in `pandas.DataFrame`s of `rows` rows; see `read_chunks`."""
        return read_chunks(self.path(table), columns, optional, rows, _ADDRESSES[self.version])


def read_table(path, columns, optional=None, address=_ADDRESSES[MIMIC_III]):
    """Read columns of a table, whole.

    Args:
        path: file, .csv or .csv.gz.
        columns: dict column -> ID, ID_OR_NONE, NUMBER, TEXT or TIME, by MIMIC-III's names in lower case.
        optional: the same of columns that need not be there. Defaults to none.
        address: where the table is published, for messages.

    Returns:
        `pandas.DataFrame` of these columns: ID int64, ID_OR_NONE int64 with -1 for none, NUMBER
        float64, TEXT str or NaN, TIME datetime64[s] or NaT. The index counts rows from 0: row i is
        line i + 2 of the file.

    Raises:
        DataError: if the table is missing, has no rows, lacks a column, is cut, or a value is of another kind.
    """
    import pandas

    frames = list(read_chunks(path, columns, optional, CHUNK_ROWS, address))
    if not frames:
        raise DataError(f"{path}: a table with rows is needed. Received: its header alone; get it again from {address}")
    return pandas.concat(frames)


def read_chunks(path, columns, optional=None, rows=CHUNK_ROWS, address=_ADDRESSES[MIMIC_III]):
    """Yield columns of a table, `rows` rows at a time, in bounded memory; the rest as `read_table`.

    Whether the last line is whole is known at the end only: the error comes after the last chunk.
    """
    import pandas

    path = pathlib.Path(path)
    kinds = dict(columns)
    try:
        with _open(path) as raw, io.BufferedReader(raw, _TAIL_BYTES) as stream:
            header = _split_header(stream.readline())
            kinds |= {name: kind for name, kind in (optional or {}).items() if name in header}
            _check_columns(path, header, kinds, address)
            parts = pandas.read_csv(
                io.TextIOWrapper(stream, encoding="utf-8", newline=""),
                header=None,
                names=header,
                index_col=False,
                usecols=list(kinds),
                dtype={name: _PARSED_AS[kind] for name, kind in kinds.items()},
                keep_default_na=False,
                na_values=[""],
                chunksize=rows,
            )
            with parts:
                for part in parts:
                    # Of a header alone pandas makes one empty part.
                    if len(part):
                        yield _convert(part, kinds)
            _check_last_line(path, raw.tail, header, address)
    except _DAMAGE as error:
        # pandas' own errors are ValueErrors.
        text = str(error) or type(error).__name__
        raise DataError(
            f"{path}: a whole table of comma-separated values is needed. Received: {text.splitlines()[0]}; the file "
            f"is cut short or damaged, get it again from {address}"
        ) from error


def read_header(path):
    """Return the names of a table's columns, in lower case and by MIMIC-III's names.

    Raises:
        DataError: if the file cannot be read.
    """
    try:
        with _open(path) as raw, io.BufferedReader(raw, _TAIL_BYTES) as stream:
            return _split_header(stream.readline())
    except _DAMAGE as error:
        raise DataError(
            f"{path}: a table of comma-separated values is needed. Received: {error}; get it again"
        ) from error


class _Tail(io.RawIOBase):
    """A binary stream that remembers the end of what was read from it, and closes the file below."""

    def __init__(self, file):
        self._file = file
        self.tail = b""

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        if data:
            self.tail = (self.tail + data)[-_TAIL_BYTES:] if len(data) < _TAIL_BYTES else data[-_TAIL_BYTES:]
        return len(data)

    def close(self):
        self._file.close()
        super().close()


def _open(path):
    with open(path, "rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return _Tail(gzip.open(path, "rb") if is_gzip else open(path, "rb"))


def _split_header(line):
    (names,) = csv.reader([line.decode("utf-8-sig").rstrip("\r\n")]) if line.strip() else ([],)
    of_iii = {name: ours for ours, name in _NAMES_IN_IV.items()}
    return [of_iii.get(name.strip().lower(), name.strip().lower()) for name in names]


def _check_columns(path, header, kinds, address):
    missing = [name for name in kinds if name not in header]
    if missing:
        raise DataError(
            f"{path}: the table has columns {', '.join(kinds)}. Received: none called {', '.join(missing)} among "
            f"{shorten(header, 8)}; get the table from {address}"
        )


def _convert(part, kinds):
    for name, kind in kinds.items():
        if kind == ID_OR_NONE:
            part[name] = part[name].fillna(NO_ID).astype("int64")
        elif kind == TIME:
            part[name] = parse_times(part[name])
    return part[list(kinds)]


def parse_times(texts):
    """Return a `pandas.Series` of times as datetime64[s]; missing ones are NaT.

    Seconds, since a date of birth that was shifted for privacy lies three centuries before the stay,
    more than nanoseconds in 64 bits can span.

    Raises:
        ValueError: if a text is no date or time.
    """
    import pandas

    return pandas.to_datetime(texts, format="ISO8601").astype("datetime64[s]")


def _check_last_line(path, tail, header, address):
    last = tail.rstrip(b"\r\n").rpartition(b"\n")[2]
    fields = next(csv.reader([last.decode("utf-8", errors="replace")]), [])
    if len(fields) < len(header):
        raise DataError(
            f"{path}: every line has {len(header)} fields. Received: a last line of {len(fields)}; the file is cut "
            f"short, get it again from {address}"
        )
    if not tail.endswith(b"\n"):
        # In the last field a cut leaves as many fields: a code 428 of 4280 would pass for another diagnosis.
        raise DataError(
            f"{path}: every line ends, the last one too. Received: {last[-40:].decode('utf-8', errors='replace')!r} "
            f"and no end of line; the file is cut short, get it again from {address}"
        )


def _files_of(folder):
    """Return {table name in lower case: file} of a copy of MIMIC."""
    files = {}
    for place in (folder, *(folder / name for name in _FOLDERS_OF_IV)):
        for suffix in _SUFFIXES:
            for file in sorted(place.glob("*")) if place.is_dir() else ():
                if file.name.lower().endswith(suffix) and file.is_file() and not file.name.startswith("."):
                    files.setdefault(file.name[: -len(suffix)].lower(), file)
    return files


def _find_folder(source):
    if not source.is_dir():
        what = "a file" if source.exists() else "no such folder"
        raise DataError(
            f"{source}: the folder of the MIMIC tables is needed. Received: {what}; get them from "
            f"{_ADDRESSES[MIMIC_III]} or {_ADDRESSES[MIMIC_IV]}"
        )
    if "admissions" in _files_of(source):
        return source
    below = [
        folder
        for pattern in ("*", "*/*")
        for folder in sorted(source.glob(pattern))
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in _FOLDERS_OF_IV
    ]
    found = [folder for folder in below if "admissions" in _files_of(folder)]
    if len(found) > 1:
        raise DataError(
            f"{source}: one copy of MIMIC is read at a time. Received: {shorten(found)}; name one of the folders"
        )
    return found[0] if found else source
