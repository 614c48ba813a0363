"""PhysioNet/CinC Challenge 2017: short single-lead ECGs labelled normal, AF, other, noise.

Source: Clifford et al., "AF classification from a short single lead ECG
recording: the PhysioNet/Computing in Cardiology Challenge 2017" (2017).
"""

import collections
import pathlib
import re
import zlib

import numpy as np

from transplant.datasets.record import Record
from transplant.datasets.record_source import Skipped
from transplant.errors import DataError

CLASSES = ("A", "N", "O", "~")
PAPER_NAME = "cinc2017"
PAPER_MEAN_MV, PAPER_STD_MV = 0.0075, 0.2373
SAMPLING_RATE_HZ = 300
COUNTS_PER_MV = 1000.0
LABEL_VERSIONS = ("v1", "v2", "v3")
DEFAULT_LABEL_VERSION = "v2"
LEAD = "ECG"

_FULL_SET = 8528
_FULL_COUNTS = {
    "v1": {"N": 5154, "A": 771, "O": 2557, "~": 46},
    "v2": {"N": 5050, "A": 738, "O": 2456, "~": 284},
    "v3": {"N": 5076, "A": 758, "O": 2415, "~": 279},
}
_GAIN = re.compile(r"^(?P<gain>[-+.\deE]+)(\((?P<baseline>-?\d+)\))?(/(?P<unit>.+))?$")


def read_challenge2017(source, label_version=None, records=None, skipped=None):
    """Open the challenge's records.

    Args:
        source: the folder that holds the .mat files, or the folder above it
            (`training2017/`, `training/`).
        label_version: "v1", "v2" or "v3": REFERENCE-<version>.csv beside the
            records or one folder above. Defaults to v2, whose counts are those
            of the Weimann-Conrad paper. Where there is only a REFERENCE.csv
            and no version was asked for, that file is used; its version is
            told by its class counts if it lists all 8,528 records, and is
            "unversioned" otherwise.
        records: names of the records wanted, or the path of a file that lists
            them. Defaults to all.
        skipped: a list that receives a `Skipped` for every record that cannot
            be used. Defaults to None: such a record is an error.

    Returns:
        A `Challenge2017`: iterating it yields `Record`s with label and patient
        (the record's name: who gave several recordings was not published).

    Raises:
        DataError: if records, labels or the wanted version are missing, or a
            file is damaged.
    """
    return Challenge2017(source, label_version, records, skipped)


class Challenge2017:
    """Labelled records of the challenge, read one at a time in the order of their names.

    Attributes:
        name: "challenge2017".
        label_version: "v1", "v2", "v3" or "unversioned".
        label_file: the file that the labels come from.
    """

    name = "challenge2017"
    classes = CLASSES

    def __init__(self, source, label_version=None, records=None, skipped=None):
        self.source = pathlib.Path(source)
        if not self.source.is_dir():
            raise DataError(f"{source}: the folder of the challenge is needed. Received: no such folder")
        self._skipped = skipped
        self._signals = _find_signals(self.source)
        self.label_file, self.label_version = _find_labels(self.source, self._signals, label_version)
        labels = _read_labels(self.label_file)
        self.label_version = self.label_version or _identify(labels)
        self._labels = self._match(labels, _wanted(records))

    def __len__(self):
        return len(self._labels)

    def __iter__(self):
        for name in sorted(self._labels):
            try:
                record = self._read(name)
            except DataError as error:
                self._skip(name, error)
                continue
            yield record

    def _skip(self, name, error):
        if self._skipped is None:
            raise error
        self._skipped.append(Skipped(name, str(error)))

    def _match(self, labels, wanted):
        """Return {name: label} of the records that have both, dealing with those that do not."""
        if wanted is not None:
            unknown = [name for name in wanted if name not in labels and name not in self._signals]
            if unknown:
                self._reject(
                    unknown, f"{self.source}: every record asked for must be there", "neither signal nor label"
                )
        names = set(labels) | set(self._signals) if wanted is None else set(wanted)
        without_signal = sorted(name for name in names if name in labels and name not in self._signals)
        if without_signal:
            self._reject(without_signal, f"{self.label_file}: every label needs a signal (.mat)", "no signal")
        without_label = sorted(name for name in names if name in self._signals and name not in labels)
        if without_label:
            self._reject(
                without_label, f"{self.source}: every signal needs a label in {self.label_file.name}", "no label"
            )
        matched = {name: labels[name] for name in names if name in labels and name in self._signals}
        if not matched:
            raise DataError(
                f"{self.source}: labelled records are needed. Received: none left; check the folder and --records"
            )
        for name, label in list(matched.items()):
            if label not in CLASSES:
                error = DataError(
                    f"{self.label_file}: labels are {', '.join(CLASSES)}. Received: {name} labelled {label!r}; "
                    "correct the line or leave the record out (--skip-bad)"
                )
                self._skip(name, error)
                del matched[name]
        return matched

    def _reject(self, names, rule, reason):
        error = DataError(
            f"{rule}. Received: {len(names)} with {reason} ({_first(names)}); "
            "name the records that you hold (--records FILE) or leave these out (--skip-bad)"
        )
        if self._skipped is None:
            raise error
        self._skipped.extend(Skipped(name, reason) for name in names)

    def _read(self, name):
        file = self._signals[name]
        values = _load_mat(file)
        header = file.with_suffix(".hea")
        rate, gain, baseline, length = float(SAMPLING_RATE_HZ), COUNTS_PER_MV, 0.0, None
        if header.is_file():
            rate, gain, baseline, length = _parse_header(header)
        if length is not None and length != values.size:
            raise DataError(
                f"{file}: the header promises {length} samples. Received: {values.size}; "
                "the file is cut short, fetch it again or leave it out (--skip-bad)"
            )
        invalid = int(np.count_nonzero(~np.isfinite(values)))
        if invalid:
            raise DataError(
                f"{file}: every sample must be a number. Received: {invalid} NaN or infinite; "
                "fetch it again or leave it out (--skip-bad)"
            )
        signal = ((values.astype(np.float32) - np.float32(baseline)) / np.float32(gain)).reshape(-1, 1)
        integers = values.dtype.kind in "iu"
        return Record(
            name=name,
            patient=name,
            signal=signal,
            sampling_rate_hz=rate,
            leads=(LEAD,),
            label=self._labels[name],
            adc_gain=np.array([gain]) if integers else None,
            adc_baseline=np.array([baseline]) if integers else None,
        )


def _first(names, count=3):
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")


def _find_signals(source):
    """Return {record name: .mat file} of the folder, or of the training folder in it."""
    files = [file for file in source.glob("*.mat") if not file.name.startswith(".")]
    if not files:
        below = next((source / name for name in ("training2017", "training") if (source / name).is_dir()), source)
        files = [
            file
            for file in below.rglob("*.mat")
            if not any(part.startswith(".") for part in file.relative_to(source).parts)
        ]
    if not files:
        raise DataError(
            f"{source}: the challenge's .mat files are needed. Received: a folder without any, below it neither; "
            "check the path, or unpack training2017.zip"
        )
    signals = {}
    for file in sorted(files):
        if file.stem in signals:
            raise DataError(
                f"{file}: a record must be there once. Received: {signals[file.stem]} too; name one of the folders"
            )
        signals[file.stem] = file
    return signals


def _find_labels(source, signals, version):
    """Return the label file and its version, None where the file does not say."""
    if version is not None and version not in LABEL_VERSIONS:
        raise DataError(f"label versions are {', '.join(LABEL_VERSIONS)}. Received: {version}")
    folder = next(iter(signals.values())).parent
    between = [place for place in folder.parents if source in place.parents]
    folders = list(dict.fromkeys([source, folder, *between, source.resolve().parent]))
    for place in folders:
        file = place / f"REFERENCE-{version or DEFAULT_LABEL_VERSION}.csv"
        if file.is_file():
            return file, version or DEFAULT_LABEL_VERSION
    if version is None:
        for place in folders:
            if (place / "REFERENCE.csv").is_file():
                return place / "REFERENCE.csv", None
    there = sorted({file.name for place in folders for file in place.glob("REFERENCE*.csv")})
    raise DataError(
        f"{source}: labels are read from REFERENCE-{version or DEFAULT_LABEL_VERSION}.csv, here or one folder above. "
        f"Received: {', '.join(there) or 'no REFERENCE file'}; "
        + ("choose what is there (--label-version)" if there else "add the file")
    )


def _read_labels(file):
    """Return {record name: label} of a REFERENCE file."""
    labels = {}
    for number, line in enumerate(file.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 2 or not all(fields):
            raise DataError(f"{file}: a line is NAME,LABEL. Received: line {number} {line[:60]!r}; correct it")
        if labels.setdefault(fields[0], fields[1]) != fields[1]:
            raise DataError(
                f"{file}: a record has one label. Received: {fields[0]} with {labels[fields[0]]} and {fields[1]}"
            )
    if not labels:
        raise DataError(f"{file}: labels are needed. Received: an empty file; fetch it again")
    return labels


def _identify(labels):
    counts = dict(collections.Counter(labels.values()))
    if len(labels) == _FULL_SET:
        for version, expected in _FULL_COUNTS.items():
            if counts == expected:
                return version
    return "unversioned"


def _wanted(records):
    """Return the record names asked for, None for all."""
    if records is None:
        return None
    if isinstance(records, (str, pathlib.PurePath)):
        file = pathlib.Path(records)
        if not file.is_file():
            raise DataError(f"{file}: a file that lists records is needed. Received: no such file; check --records")
        records = file.read_text(encoding="utf-8", errors="replace").split()
        if not records:
            raise DataError(f"{file}: a file that lists records is needed. Received: an empty file; check --records")
    return list(dict.fromkeys(pathlib.PurePosixPath(name).name for name in records))


def _load_mat(file):
    """Return the record's samples (time,) as stored."""
    import scipy.io

    # What scipy raises on files cut or scrambled at various places.
    damage = (ValueError, TypeError, KeyError, IndexError, OSError, EOFError, NotImplementedError, zlib.error)
    try:
        # A cut v4 file may ask for more bytes than there are; scipy then warns and pads.
        values = scipy.io.loadmat(file, variable_names=["val"])["val"]
        if values.dtype.kind not in "iuf" or values.ndim != 2 or 1 not in values.shape or not values.size:
            raise ValueError(f"val of shape {values.shape} and type {values.dtype}")
    except (*damage, scipy.io.matlab.MatReadError) as error:
        raise DataError(
            f"{file}: a MATLAB file with one row of samples, `val`, is needed. Received: {type(error).__name__} "
            f"({error}); the file is cut short or damaged, fetch it again or leave it out (--skip-bad)"
        ) from error
    return values.ravel()


def _parse_header(file):
    """Return rate in Hz, counts per mV, counts at 0 mV and samples, by the header's first two lines.

    The headers as distributed write the date year first; wfdb refuses those,
    hence this reader, which does not look at the date.
    """
    text = file.read_text(encoding="utf-8", errors="replace")
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        (_name, n_signals, rate, length), fields = lines[0][:4], lines[1]
        if int(n_signals) != 1:
            raise ValueError(f"{n_signals} signals")
        found = _GAIN.match(fields[2])
        if not found or (found["unit"] or "mV").lower() != "mv":
            raise ValueError(f"gain {fields[2]}")
        gain = float(found["gain"]) or COUNTS_PER_MV
        baseline = float(found["baseline"] or (fields[4] if len(fields) > 4 else 0))
        rate = float(rate.split("/")[0])
        if rate <= 0 or gain <= 0:
            raise ValueError(f"rate {rate}, gain {gain}")
        return rate, gain, baseline, int(length)
    except (ValueError, IndexError) as error:
        raise DataError(
            f"{file}: a header of one signal is needed (name, 1, rate, samples; file, format, gain/mV, ...). "
            f"Received: {error}; fetch it again or leave it out (--skip-bad)"
        ) from error
