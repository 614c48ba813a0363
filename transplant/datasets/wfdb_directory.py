"""Annotated WFDB records: MIT-BIH and the PhysioNet form of Icentia11k are the same door."""

import os
import pathlib
import re
import statistics

import numpy as np

from transplant.datasets import icentia11k
from transplant.datasets.record import Record
from transplant.errors import DataError

BEAT_CLASSES = {
    **dict.fromkeys("NLRej", icentia11k.BEAT_NORMAL),
    **dict.fromkeys("AJS", icentia11k.BEAT_PAC),
    "a": icentia11k.BEAT_ABERRATED,
    **dict.fromkeys("VE", icentia11k.BEAT_PVC),
    # The remaining beat codes of PhysioNet's table. A flutter wave ("!") is
    # not in that table, although wfdb counts it among the QRS marks.
    **dict.fromkeys("BrFn/fQ?", icentia11k.BEAT_UNDEFINED),
}
RHYTHM_CLASSES = {
    "(N": icentia11k.RHYTHM_NORMAL,
    "(AFIB": icentia11k.RHYTHM_AFIB,
    "(AFL": icentia11k.RHYTHM_AFLUT,
}
RHYTHM_STOP = ")"

_MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "v": 1e3, "nv": 1e-6}
_ICENTIA_NAME = re.compile(r"^p(\d{5})_s\d+$")
# One man gave MIT-BIH records 201 and 202. Another data set with a record 202
# only has two of its records kept on the same side of a split.
_SAME_PATIENT = {"202": "201"}


def beat_class(symbol):
    """Return the `icentia11k.ds_beat_names` index of an annotation symbol, None where it marks no beat.

    Source: MIT-BIH symbols grouped into the classes of Icentia11k; every beat
    symbol without a group is "undefined".
    """
    return BEAT_CLASSES.get(symbol)


def rhythm_intervals(samples, aux_notes, length):
    """Turn WFDB rhythm marks into intervals.

    A mark opens its rhythm, which runs to the next mark or to the end of the
    record. `)` closes the rhythm; what follows it has no interval, as has what
    lies before the first mark: nothing is said about the rhythm there. `(N)`,
    which Icentia11k has for a rhythm of one beat, closes what it opens. A rhythm
    other than `(N`, `(AFIB` and `(AFL` is "undefined".

    Args:
        samples: sample index of each rhythm mark (`+`), in order.
        aux_notes: text of each mark; trailing NUL and blanks are ignored.
        length: samples in the record.

    Returns:
        starts int64, ends int64 and classes uint8 (`icentia11k.ds_rhythm_names`
        indices), half-open intervals without empty ones.
    """
    starts, ends, classes = [], [], []
    bounds = [min(max(int(sample), 0), length) for sample in samples] + [length]
    for note, start, end in zip(aux_notes, bounds[:-1], bounds[1:]):
        note = note.strip("\x00 \t\r\n")
        if note.endswith(RHYTHM_STOP) or end <= start:
            continue
        starts.append(start)
        ends.append(end)
        classes.append(RHYTHM_CLASSES.get(note, icentia11k.RHYTHM_UNDEFINED))
    return np.array(starts, np.int64), np.array(ends, np.int64), np.array(classes, np.uint8)


def patient_of(record_name):
    """Return the patient id of a record name.

    Icentia11k's `p00012_s03` belongs to patient "12", MIT-BIH's 202 to "201";
    any other record is a patient of its own.
    """
    found = _ICENTIA_NAME.match(record_name)
    if found:
        return str(int(found.group(1)))
    return _SAME_PATIENT.get(record_name, record_name)


class WfdbDirectory:
    """A folder of WFDB records, each a header, a signal and beat annotations (.atr).

    Args:
        path: the folder. Its `RECORDS` file, if there is one, names the
            records; otherwise they are found by their .hea or .atr file in the
            folder and below it. Names that start with "." are ignored.

    Raises:
        DataError: if there is no such folder or no record in it.

    Example:
        >>> directory = WfdbDirectory("mitdb")
        >>> record = directory.read(directory.patients()["100"][0])
    """

    one_process = False

    def __init__(self, path):
        self.path = pathlib.Path(path)
        if not self.path.is_dir():
            raise DataError(f"{path}: a folder of WFDB records is needed. Received: no such folder; check the path")
        self._patients = None

    @property
    def name(self):
        """Name of the folder."""
        return self.path.resolve().name

    @property
    def dataset(self):
        """ "icentia11k" where the records are named as PhysioNet names its own, else "wfdb"."""
        first = next(iter(self.patients().values()))[0]
        return "icentia11k" if _ICENTIA_NAME.match(os.path.basename(first)) else "wfdb"

    def expected_samples(self, records, rate_hz):
        """Estimate the size of records from a few headers, without reading signals.

        Signal files of one data set have one layout, so the median of up to 20
        headers, spread over the list, stands for the rest.

        Args:
            records: record paths, as in `patients()`.
            rate_hz: rate they would be resampled to.

        Returns:
            Samples per lead after resampling (0 where no header can be read),
            and bytes per sample: 2 if the rate stays, else 4.
        """
        import wfdb

        samples, same_rate = [], True
        for record in records[:: max(len(records) // 20, 1)]:
            try:
                header = wfdb.rdheader(record)
                samples.append(header.sig_len * rate_hz / header.fs)
            except (OSError, ValueError, IndexError, TypeError, ZeroDivisionError):
                # Reading will report a bad header with its name; the estimate does without.
                continue
            same_rate &= header.fs == rate_hz
        # The median: one header with an absurd length does not decide.
        return (statistics.median(samples) * len(records) if samples else 0.0), 2 if same_rate else 4

    def patients(self):
        """Return {patient id: [record path without extension]}, both sorted; no signal is read."""
        if self._patients is None:
            found = {}
            for record in self._record_paths():
                found.setdefault(patient_of(os.path.basename(record)), []).append(record)
            self._patients = {patient: sorted(found[patient]) for patient in sorted(found, key=_natural)}
        return self._patients

    def read(self, record):
        """Read one record.

        Channels that are not in volts are left out. A record that is made of
        several segments has no single gain: `adc_gain` is None.

        Args:
            record: a path that `patients` returned.

        Returns:
            A `Record`: float32 mV, NaN where a sample is marked invalid.

        Raises:
            DataError: if the header, signal or annotations are missing, cut
                short or unreadable.
        """
        signal, rate, leads, gain, baseline = read_signal(str(record))
        samples, symbols, notes = _read_annotations(str(record))
        if len(samples) and (samples[-1] > len(signal) or samples[0] < 0):
            raise DataError(
                f"{record}.atr: annotations must lie on the signal. Received: marks from {samples[0]} to "
                f"{samples[-1]}, {len(signal)} samples in the signal; fetch the record again or leave it out "
                "(--skip-bad)"
            )
        classes = [BEAT_CLASSES.get(symbol, -1) for symbol in symbols]
        classes = np.array(classes, np.int64)
        is_beat = classes >= 0
        marks = [i for i, symbol in enumerate(symbols) if symbol == "+"]
        starts, ends, rhythms = rhythm_intervals(samples[marks], [notes[i] for i in marks], len(signal))
        return Record(
            name=self._record_name(record),
            patient=patient_of(os.path.basename(record)),
            signal=signal,
            sampling_rate_hz=rate,
            leads=leads,
            beat_positions=samples[is_beat],
            beat_classes=classes[is_beat].astype(np.uint8),
            rhythm_starts=starts,
            rhythm_ends=ends,
            rhythm_classes=rhythms,
            adc_gain=gain,
            adc_baseline=baseline,
        )

    def _record_paths(self):
        listing = self.path / "RECORDS"
        if listing.is_file():
            names = listing.read_text(encoding="utf-8", errors="replace").split()
            if not names:
                raise DataError(f"{listing}: record names are needed. Received: an empty file; remove or refill it")
            return [str(self.path / name) for name in dict.fromkeys(names)]
        records = set()
        for folder, folders, files in os.walk(self.path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for file in files:
                stem, extension = os.path.splitext(file)
                if extension in (".hea", ".atr") and not file.startswith("."):
                    records.add(os.path.join(folder, stem))
        if not records:
            raise DataError(
                f"{self.path}: WFDB records (.hea, .dat, .atr) are needed. Received: a folder without any; "
                "check the path"
            )
        return sorted(records)

    def _record_name(self, record):
        stem = os.path.basename(record)
        if _ICENTIA_NAME.match(stem):
            return stem
        return pathlib.Path(os.path.relpath(record, self.path)).as_posix()


def _natural(text):
    return (0, int(text), text) if text.isdigit() else (1, 0, text)


def _need(file, holds):
    if not os.path.isfile(file):
        raise DataError(
            f"{file}: a record needs its {holds}. Received: no such file; "
            "fetch the record again or leave it out (--skip-bad)"
        )


def _unreadable(file, problem, error):
    return DataError(
        f"{file}: {problem}. Received: {type(error).__name__} ({error}); "
        "fetch the record again or leave it out (--skip-bad)"
    )


# What wfdb raises on damaged files, found by cutting and scrambling them; its
# own HeaderSyntaxError is a ValueError.
_WFDB_ERRORS = (ValueError, TypeError, IndexError, KeyError, AttributeError, OSError, OverflowError, MemoryError)


def read_comments(record):
    """Return the comment lines of a record's header, without "#".

    Args:
        record: path without extension.

    Raises:
        DataError: if the header is missing or cannot be read.
    """
    import wfdb

    _need(f"{record}.hea", "header (.hea)")
    try:
        return list(wfdb.rdheader(record).comments)
    except _WFDB_ERRORS as error:
        raise _unreadable(f"{record}.hea", "the header cannot be read", error) from error


def read_signal(record):
    """Read the signals of a record, which needs no annotations.

    Args:
        record: path without extension.

    Returns:
        Signal float32 (time, leads) in mV, NaN where invalid; sampling rate in Hz, lead names, gain and baseline.

    Raises:
        DataError: if the header or a signal is missing, cut short or damaged.
    """
    import wfdb

    _need(f"{record}.hea", "header (.hea)")
    try:
        header = wfdb.rdheader(record)
        segmented = isinstance(header, wfdb.MultiRecord)
        parts = header.seg_name if segmented else header.file_name
    except _WFDB_ERRORS as error:
        raise _unreadable(f"{record}.hea", "the header cannot be read", error) from error
    if not header.n_sig or not parts:
        raise DataError(f"{record}.hea: a signal is needed. Received: a header without one; leave the record out")
    if not header.fs:
        raise DataError(f"{record}.hea: a sampling rate above 0 is needed. Received: {header.fs} Hz; leave it out")
    folder = os.path.dirname(record)
    if not segmented:
        for file in dict.fromkeys(parts):
            _need(os.path.join(folder, file), "signal")
    try:
        data = wfdb.rdrecord(record, return_res=32)
    except _WFDB_ERRORS as error:
        file = record + ".hea" if segmented else os.path.join(folder, parts[0])
        raise _unreadable(file, "the signal is cut short or damaged", error) from error
    scale = [_MILLIVOLTS.get((unit or "mV").lower()) for unit in data.units]
    columns = [i for i, factor in enumerate(scale) if factor is not None]
    if not columns or not len(data.p_signal):
        raise DataError(
            f"{record}.hea: a signal in volts is needed. Received: units {', '.join(map(str, data.units))}, "
            f"{len(data.p_signal)} samples; leave the record out (--skip-bad)"
        )
    factors = np.array([scale[i] for i in columns])
    signal = np.asarray(data.p_signal, np.float32)
    if len(columns) < signal.shape[1]:
        signal = signal[:, columns]
    if (factors != 1).any():
        signal = (signal * factors).astype(np.float32)
    gain = baseline = None
    if not segmented:
        gain = np.array([data.adc_gain[i] for i in columns]) / factors
        baseline = np.array([data.baseline[i] for i in columns], np.float64)
    names = data.sig_name or [None] * data.n_sig
    leads = tuple(names[i] or f"lead{i}" for i in columns)
    return np.ascontiguousarray(signal), float(data.fs), leads, gain, baseline


def _read_annotations(record):
    """Return sample int64 (sorted), symbol list and aux note list of the .atr file."""
    import wfdb

    file = f"{record}.atr"
    _need(file, "annotations (.atr)")
    with open(file, "rb") as stream:
        stream.seek(0, os.SEEK_END)
        size = stream.tell()
        stream.seek(max(size - 2, 0))
        closing = stream.read()
    if size < 2 or size % 2 or closing != b"\0\0":
        raise DataError(
            f"{file}: annotations end with two zero bytes. Received: a file of {size} bytes that is cut short; "
            "fetch the record again or leave it out (--skip-bad)"
        )
    try:
        # Numeric codes are looked up here, because wfdb's own way to symbols is a table join.
        found = wfdb.rdann(record, "atr", return_label_elements=["label_store"])
    except _WFDB_ERRORS as error:
        raise _unreadable(file, "the annotations cannot be read", error) from error
    samples = np.asarray(found.sample, np.int64)
    codes = np.asarray(found.label_store, np.int64)
    symbol_of = {label.label_store: label.symbol for label in wfdb.io.annotation.ann_labels}
    notes = [note or "" for note in found.aux_note]
    if (np.diff(samples) < 0).any():
        order = np.argsort(samples, kind="stable")
        samples, codes, notes = samples[order], codes[order], [notes[i] for i in order]
    return samples, [symbol_of.get(code, "") for code in codes.tolist()], notes
