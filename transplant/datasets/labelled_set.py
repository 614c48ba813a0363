"""The labelled set: what fine-tuning, baselines and distillation train and test on."""

import dataclasses
import hashlib
import json
import pathlib
import zipfile
import zlib

import numpy as np

from transplant.atomic import atomic_path
from transplant.datasets.safe_pickle import load_safe_pickle
from transplant.errors import DataError, shorten
from transplant.signals.normalization import Normalization

_FORMAT = "transplant labelled set 1"
_ARRAYS = ("x", "lengths", "y", "record_ids", "group_ids", "metadata")
_PICKLE_RATE_HZ = 250.0


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LabelledSet:
    """Records of one shape with one label each: signals, images, hourly tables, visits.

    The values are as they were recorded, those of an ECG millivolts: the trainer
    standardises them, with numbers from its training part only. Only a set from one
    of the public code's pickles holds what its writer standardised; its
    `normalization.source` is "file".

    Attributes:
        x: (records, time, leads) in `unit`, padded on the left with zeros; images are (records, height,
            width, channels), full in height. float32, or uint8 where the values are small whole numbers
            (grey levels, 0 and 1).
        lengths: int64 (records,), valid samples at the end of each record; of images the height.
        y: int64 (records,), indices into `classes`.
        classes: class names.
        record_ids: str (records,), unique.
        group_ids: str (records,), the patient or recording each record is from;
            a split never divides a group.
        sampling_rate_hz: samples per second; None where x has no time in seconds (images, visits).
        leads: names along the last axis: leads, channels, or columns of a table.
        dataset: name of the data set.
        label_version: which version of the labels.
        unit: of x.
        normalization: what was done to x before it was written.
        notes: what a reader of this set should know, one sentence each.
        indicators: the leads that standardisation leaves as they are: masks, columns of one-hot codes.

    Example:
        >>> train = LabelledSet.load("D/train.npz")
        >>> print(train)
        >>> part = train.select(np.arange(10))
    """

    x: np.ndarray
    lengths: np.ndarray
    y: np.ndarray
    classes: tuple
    record_ids: np.ndarray
    group_ids: np.ndarray
    sampling_rate_hz: float | None
    leads: tuple
    dataset: str
    label_version: str
    unit: str = "mV"
    normalization: Normalization | None = None
    notes: tuple = ()
    indicators: tuple = ()

    def __post_init__(self):
        x = np.asarray(self.x)
        convert = {
            "x": x if x.dtype == np.uint8 else np.asarray(x, np.float32),
            "lengths": np.asarray(self.lengths, np.int64),
            "y": np.asarray(self.y, np.int64),
            "record_ids": np.asarray(self.record_ids, np.str_),
            "group_ids": np.asarray(self.group_ids, np.str_),
            "classes": tuple(str(name) for name in self.classes),
            "leads": tuple(str(name) for name in self.leads),
            "indicators": tuple(str(name) for name in self.indicators),
            "sampling_rate_hz": None if self.sampling_rate_hz is None else float(self.sampling_rate_hz),
            "normalization": self.normalization or Normalization.none(len(self.leads)),
        }
        for name, value in convert.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_fingerprint", None)
        self._validate()

    def _validate(self):
        if self.x.ndim < 3 or self.x.shape[-1] != len(self.leads) or not self.x.size:
            raise DataError(
                f"{self.dataset}: x is (records, time, leads) or (records, height, width, channels). "
                f"Received: shape={self.x.shape}, leads={shorten(self.leads)}"
            )
        if not set(self.indicators) <= set(self.leads):
            raise DataError(f"{self.dataset}: indicators are leads. Received: {shorten(self.indicators)}")
        n, time = self.x.shape[:2]
        for name in ("lengths", "y", "record_ids", "group_ids"):
            if getattr(self, name).shape != (n,):
                raise DataError(
                    f"{self.dataset}: {name} has one entry a record. Received: shape={getattr(self, name).shape}, "
                    f"{n} records"
                )
        if self.x.dtype != np.uint8:
            self._reject(
                np.array([not np.isfinite(record.sum()) and not np.isfinite(record).all() for record in self.x]),
                "every sample must be a number",
                "NaN or infinite samples",
            )
        self._reject((self.lengths < 1) | (self.lengths > time), f"a record has 1 to {time} valid samples", "others")
        self._reject(
            np.array([record[: time - length].any() for record, length in zip(self.x, self.lengths)]),
            "padding on the left is zero",
            "other values there",
        )
        self._reject(
            (self.y < 0) | (self.y >= len(self.classes)),
            f"a label is one of {', '.join(self.classes)}",
            "a class index out of range",
        )
        names, counts = np.unique(self.record_ids, return_counts=True)
        self._reject(np.isin(self.record_ids, names[counts > 1]), "record names are unique", "a name used twice")
        if len(set(self.classes)) != len(self.classes):
            raise DataError(f"{self.dataset}: class names are unique. Received: {', '.join(self.classes)}")

    def _reject(self, bad, rule, what):
        if bad.any():
            names = self.record_ids[bad]
            shown = ", ".join(names[:3].tolist()) + (", ..." if len(names) > 3 else "")
            raise DataError(f"{self.dataset}: {rule}. Received: {what} in {len(names)} record(s) ({shown})")

    def __len__(self):
        return len(self.y)

    @property
    def length(self):
        """Samples in each record, padding included; of images the height."""
        return self.x.shape[1]

    @property
    def input_shape(self):
        """Shape of one record: (time, leads) or (height, width, channels)."""
        return self.x.shape[1:]

    @property
    def is_standardised(self):
        """Whether the file's writer standardised the values; they are used as they are."""
        return self.normalization.source == "file"

    def counts(self):
        """Return {class name: records}, classes without records included."""
        return dict(zip(self.classes, np.bincount(self.y, minlength=len(self.classes)).tolist()))

    def one_hot(self):
        """Return float32 (records, classes) with a 1 at each record's class."""
        return np.eye(len(self.classes), dtype=np.float32)[self.y]

    def select(self, indices):
        """Return the set of the records at `indices` (or where a mask is true), in that order."""
        indices = np.asarray(indices)
        if indices.dtype == bool:
            indices = np.flatnonzero(indices)
        arrays = {
            name: getattr(self, name)[indices.astype(np.int64)]
            for name in ("x", "lengths", "y", "record_ids", "group_ids")
        }
        return dataclasses.replace(self, **arrays)

    def select_lead(self, lead):
        """Return the set with one lead only.

        Args:
            lead: its name, without regard to case, or its column.

        Raises:
            DataError: if there is no such lead.
        """
        names = [name.lower() for name in self.leads]
        text = str(lead)
        if text.lower() in names:
            column = names.index(text.lower())
        elif text.isdigit() and int(text) < len(names):
            column = int(text)
        else:
            raise DataError(
                f"{self.dataset}: no lead {text}. Received: leads {', '.join(self.leads)} "
                f"(columns 0 to {len(names) - 1}); name one of them with --channel"
            )
        return dataclasses.replace(
            self,
            x=self.x[..., column : column + 1],
            leads=(self.leads[column],),
            normalization=self.normalization.select([column]),
            indicators=tuple(name for name in self.indicators if name == self.leads[column]),
        )

    def standardized(self, normalization):
        """Return x standardised, as float32, padding exactly 0; where nothing is done, x itself.

        Args:
            normalization: a `Normalization` of millivolts. A set that its
                writer standardised takes its own `normalization` only, which
                leaves the values as they are.

        Raises:
            DataError: if the set is standardised already, or leads do not match.
        """
        if self.is_standardised and normalization.source != "file":
            raise DataError(
                f"{self.dataset}: values that were standardised by the file's writer are not standardised again. "
                f"Received: {normalization}; use the set's own normalization"
            )
        if len(normalization.mean) != len(self.leads):
            raise DataError(
                f"{self.dataset}: standardisation needs one mean a lead. Received: {len(normalization.mean)} for leads "
                f"{', '.join(self.leads)}"
            )
        if normalization.method == "none" and self.x.dtype == np.float32:
            return self.x
        out = np.zeros(self.x.shape, np.float32)
        for target, record, length in zip(out, self.x, self.lengths):
            target[-length:] = normalization.apply(record[-length:])
        return out

    def metadata(self):
        """Return what the set says about itself besides its arrays, ready for JSON."""
        return {
            "classes": list(self.classes),
            "sampling_rate_hz": self.sampling_rate_hz,
            "unit": self.unit,
            "leads": list(self.leads),
            "dataset": self.dataset,
            "label_version": self.label_version,
            "normalization": self.normalization.to_dict(),
            "notes": list(self.notes),
        } | ({"indicators": list(self.indicators)} if self.indicators else {})

    def fingerprint(self):
        """Return 16 hex digits that change with any sample, label, name or description."""
        if self._fingerprint is None:
            digest = hashlib.sha256(json.dumps(self.metadata(), sort_keys=True).encode())
            for array in (self.lengths, self.y, self.x):
                digest.update(repr(array.shape).encode())
                digest.update(np.ascontiguousarray(array).data)
            digest.update(json.dumps([self.record_ids.tolist(), self.group_ids.tolist()]).encode())
            object.__setattr__(self, "_fingerprint", digest.hexdigest()[:16])
        return self._fingerprint

    def save(self, path):
        """Write the set as one uncompressed .npz, whole or not at all.

        Raises:
            DataError: if the file's name does not end in .npz or cannot be written.
        """
        path = pathlib.Path(path)
        if path.suffix != ".npz":
            raise DataError(f"{path}: a labelled set is written as .npz. Received: {path.suffix or 'no extension'}")
        try:
            with atomic_path(path) as temporary:
                self.write(temporary)
        except OSError as error:
            raise DataError(f"{path}: the file cannot be written. Received: {error.strerror or error}") from error

    def write(self, path):
        """Write the .npz at `path` without the care that `save` takes."""
        np.savez(
            path,
            x=self.x,
            lengths=self.lengths,
            y=self.y,
            record_ids=self.record_ids,
            group_ids=self.group_ids,
            metadata=np.array(json.dumps({"format": _FORMAT} | self.metadata())),
        )

    @classmethod
    def load(cls, path):
        """Read a set that `save` wrote, or a (gzipped) pickle of the public Weimann-Conrad code.

        Such a pickle is dict(x, y one-hot, record_ids, classes). It does not
        say its rate, unit or patients: 250 Hz is assumed, the values are taken
        to be standardised, each record is a group of its own, and the leading
        zeros are the padding. `notes` says so.

        Raises:
            DataError: if the file is missing, cut short or something else.
            UnsafeFileError: if a pickle asks for code to be run.
        """
        try:
            with open(path, "rb") as stream:
                is_zip = stream.read(2) == b"PK"
        except IsADirectoryError as error:
            sets = shorten(sorted(file.name for file in pathlib.Path(path).glob("*.npz")))
            raise DataError(
                f"{path}: a labelled set is a file. Received: a folder with {sets}; name one file"
            ) from error
        except OSError as error:
            raise DataError(
                f"{path}: a labelled set is needed. Received: {error.strerror}; make one with finetuning.prepare"
            ) from error
        if not is_zip and pathlib.Path(path).suffix == ".npz":
            raise DataError(f"{path}: an .npz file is a zip archive. Received: other bytes; prepare the set again")
        fields = _npz_fields(path) if is_zip else _pickle_fields(path)
        try:
            return cls(**fields)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error

    @property
    def summary(self):
        """What the set is, in one line without its notes."""
        counts = ", ".join(f"{name} {count}" for name, count in self.counts().items())
        if self.is_standardised:
            state = "standardised by its writer"
        elif len(self.indicators) == len(self.leads):
            state = "values of 0 and 1"
        else:
            state = f"{'units by column' if self.unit == 'mixed' else self.unit}, not standardised"
        return f"{len(self):,} {self._shape_in_words()}; {counts}; {self.dataset}, labels {self.label_version}; {state}"

    def __str__(self):
        return "; ".join((self.summary, *self.notes))

    def _shape_in_words(self):
        time, leads, rate = self.length, self.x.shape[-1], self.sampling_rate_hz
        if self.x.ndim > 3:
            return f"images of {' x '.join(map(str, self.input_shape))}"
        if rate is None:
            return f"records of up to {time} steps x {leads} columns"
        if rate < 1:
            step = f"{1 / rate:g} s" if rate > 1 / 3600 else f"{1 / rate / 3600:g} h"
            return f"records x {time} steps of {step} x {leads} columns"
        return (
            f"records x {time} samples ({time / rate:.1f} s) x {leads} lead{'s' if leads != 1 else ''} at {rate:g} Hz"
        )

    def __repr__(self):
        return f"<LabelledSet {self}>"


def indicator_columns(data):
    """Return the places among a set's `leads` of its `indicators`, in order."""
    indicators = set(data.indicators)
    return [column for column, name in enumerate(data.leads) if name in indicators]


def _npz_fields(path):
    # numpy and zipfile raise these on archives that were cut or scrambled.
    damage = (zipfile.BadZipFile, ValueError, KeyError, TypeError, OSError, EOFError, zlib.error, NotImplementedError)
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in _ARRAYS if name not in file.files]
            if missing:
                raise ValueError(f"no {', '.join(missing)} in it")
            arrays = {name: file[name] for name in _ARRAYS}
        values = json.loads(str(arrays.pop("metadata")))
        if values.pop("format", None) != _FORMAT:
            raise ValueError("another format")
        values["normalization"] = Normalization.from_dict(values["normalization"])
        values["notes"], values["indicators"] = tuple(values["notes"]), tuple(values.get("indicators", ()))
        known = {field.name for field in dataclasses.fields(LabelledSet)}
        if set(values) != known - set(arrays):
            raise ValueError(f"a description of {', '.join(sorted(values))}")
    except damage as error:
        raise DataError(
            f"{path}: a labelled set (.npz) is needed. Received: {type(error).__name__} ({error}); the file is cut "
            "short or something else, make it again with finetuning.prepare"
        ) from error
    return arrays | values


def _pickle_fields(path):
    content = load_safe_pickle(path)
    keys = ("x", "y", "record_ids", "classes")
    if not isinstance(content, dict) or any(key not in content for key in keys):
        got = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise DataError(f"{path}: a prepared pickle is dict({', '.join(keys)}). Received: {got}")
    x, y, record_ids, classes = (np.asarray(content[key]) for key in keys)
    if x.ndim != 3 or x.dtype.kind not in "fiu" or y.dtype.kind not in "biuf":
        raise DataError(
            f"{path}: x is an array (records, time, leads), y one of numbers. Received: x {x.dtype} {x.shape}, "
            f"y {y.dtype} {y.shape}"
        )
    if y.shape != (len(x), classes.size) or not ((y == 1).sum(axis=1) == 1).all() or not np.isin(y, (0, 1)).all():
        raise DataError(
            f"{path}: y has a row a record with one 1 among {classes.size} classes. Received: shape={y.shape}, or rows "
            "with several labels; a set with one label a record is needed"
        )
    with np.errstate(over="ignore"):  # infinite then, which the set refuses by name
        x = x.astype(np.float32)
    filled = (x != 0).any(axis=2)
    leads = ("ECG",) if x.shape[2] == 1 else tuple(f"lead{i}" for i in range(x.shape[2]))
    return {
        "x": x,
        "lengths": np.where(filled.any(axis=1), x.shape[1] - filled.argmax(axis=1), 0),
        "y": y.argmax(axis=1),
        "classes": tuple(classes.astype(np.str_).ravel().tolist()),
        "record_ids": record_ids.astype(np.str_),
        "group_ids": record_ids.astype(np.str_),
        "sampling_rate_hz": _PICKLE_RATE_HZ,
        "leads": leads,
        "dataset": pathlib.Path(path).name,
        "label_version": "unrecorded",
        "normalization": Normalization("zscore", "file", (0.0,) * len(leads), (1.0,) * len(leads)),
        "notes": ("250 Hz, standardised millivolts and one patient a record are assumed: the pickle does not say",),
    }
