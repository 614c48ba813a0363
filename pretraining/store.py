"""The store: recordings prepared once, memory-mapped ever after.

A folder with `manifest.json` and one folder per patient under `patients/`:
`signal.npy` (int16 counts or float32 mV), `annotations.npz` and
`patient.json`. A patient's folder appears by one rename; the manifest is
written last, so a store with a manifest is whole.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
import typing
import zipfile
import zlib

import numpy as np

from pretraining.packing import INVALID_COUNT, PatientSegments
from transplant.atomic import atomic_directory, write_json
from transplant.errors import DataError
from transplant.signals.moments import Moments
from transplant.signals.normalization import normalization_of
from transplant.tasks.annotations import SegmentAnnotations

FORMAT = "transplant-store-1"


@dataclasses.dataclass(frozen=True)
class StoredPatient:
    """What the manifest says of one patient, and the door to the arrays.

    Attributes:
        patient: patient id.
        folder: its folder in the store.
        records: record names, one per segment.
        leads: per segment, the lead names.
        lengths: samples of each segment.
        dtype: "int16" or "float32".
        invalid_samples: number of samples marked invalid.
        beats: number of annotated beats.
        moments: `Moments` of the signal in mV.
        sha256: digest of signal and annotations.
    """

    # Patients of a stream that are opened together.
    working_set: typing.ClassVar[int] = 16

    patient: str
    folder: pathlib.Path
    records: list
    leads: list
    lengths: list
    dtype: str
    invalid_samples: int
    beats: int
    moments: Moments
    sha256: str

    def frame_starts(self, frame_size):
        """Return int64 (segments,): how many frames of this size start in each segment."""
        return np.maximum(np.array(self.lengths, np.int64) - frame_size + 1, 0)

    def problem(self):
        """Return why the patient's files cannot be used, or None; looks at their sizes and ends only."""
        values = sum(self.lengths) * len(self.leads[0])
        path = self.folder / "signal.npy"
        if not path.is_file() or not zipfile.is_zipfile(self.folder / "annotations.npz"):
            return f"{self.folder}: signal.npy or annotations.npz is missing or damaged"
        if path.stat().st_size < values * np.dtype(self.dtype).itemsize:
            return f"{path}: cut short"
        return None

    def expect(self):
        """Take note that `load` will follow; a stored patient is ready for it."""

    def load(self):
        """Return the patient's `PatientSegments`, the signal memory-mapped.

        Raises:
            DataError: if a file is missing, cut short or of another shape.
        """
        path = self.folder / "signal.npy"
        try:
            # As a plain array: slicing np.memmap costs four times as much, and a frame is one slice.
            signal = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
            with np.load(self.folder / "annotations.npz", allow_pickle=False) as file:
                arrays = dict(file)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(
                f"{self.folder}: cannot be read ({error}); remove this folder and run pretraining.prepare again"
            ) from error
        if len(signal) != sum(self.lengths):
            raise DataError(
                f"{path}: the manifest says {sum(self.lengths)} samples. Received: {len(signal)}; "
                f"prepare patient {self.patient} again"
            )
        return PatientSegments(
            patient=self.patient,
            records=self.records,
            leads=self.leads,
            offsets=np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64),
            signal=signal,
            gain=arrays["gain"],
            baseline=arrays["baseline"],
            annotations=_split_annotations(arrays, self.lengths),
        )

    def to_dict(self):
        """Return the JSON form kept in `patient.json` and the manifest."""
        values = dataclasses.asdict(self)
        del values["folder"]
        return values

    @classmethod
    def from_dict(cls, values, folder):
        """Return the patient that `to_dict` described."""
        moments = Moments(*(tuple(values["moments"][k]) for k in ("count", "mean", "deviations")))
        return cls(**(values | {"moments": moments, "folder": pathlib.Path(folder)}))


def _split_annotations(arrays, lengths):
    beats, rhythms = arrays["beat_offsets"], arrays["rhythm_offsets"]
    return [
        SegmentAnnotations(
            length=length,
            **{k: arrays[k][beats[i] : beats[i + 1]] for k in ("beat_positions", "beat_classes")},
            **{k: arrays[k][rhythms[i] : rhythms[i + 1]] for k in ("rhythm_starts", "rhythm_ends", "rhythm_classes")},
            rhythm_known_until=int(arrays["rhythm_known_until"][i]),
        )
        for i, length in enumerate(lengths)
    ]


def _join_annotations(segments: PatientSegments):
    def join(field, dtype):
        return np.concatenate([getattr(a, field) for a in segments.annotations]).astype(dtype)

    def offsets(field):
        return np.concatenate([[0], np.cumsum([len(getattr(a, field)) for a in segments.annotations])]).astype(np.int64)

    return {
        "beat_positions": join("beat_positions", np.int64),
        "beat_classes": join("beat_classes", np.uint8),
        "beat_offsets": offsets("beat_positions"),
        "rhythm_starts": join("rhythm_starts", np.int64),
        "rhythm_ends": join("rhythm_ends", np.int64),
        "rhythm_classes": join("rhythm_classes", np.uint8),
        "rhythm_offsets": offsets("rhythm_starts"),
        "rhythm_known_until": np.array([a.rhythm_known_until for a in segments.annotations], np.int64),
        "gain": segments.gain,
        "baseline": segments.baseline,
    }


def patient_folder(store, patient):
    """Return the folder of a patient, whose id may hold characters a path may not."""
    safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in patient)
    if safe != patient or safe.startswith("."):
        safe = f"p{safe}-{hashlib.sha256(patient.encode()).hexdigest()[:8]}"
    return pathlib.Path(store) / "patients" / safe


def write_patient(store, segments: PatientSegments):
    """Write one patient's folder, whole or not at all.

    Returns:
        The `StoredPatient`.
    """
    folder = patient_folder(store, segments.patient)
    annotations = _join_annotations(segments)
    digest = hashlib.sha256(np.ascontiguousarray(segments.signal).view(np.uint8))
    for key in sorted(annotations):
        digest.update(key.encode() + np.ascontiguousarray(annotations[key]).tobytes())
    if segments.signal.dtype == np.int16:
        invalid = int((segments.signal == INVALID_COUNT).sum())
    else:
        invalid = int(np.isnan(segments.signal).sum())
    stored = StoredPatient(
        patient=segments.patient,
        folder=folder,
        records=segments.records,
        leads=segments.leads,
        lengths=np.diff(segments.offsets).tolist(),
        dtype=str(segments.signal.dtype),
        invalid_samples=invalid,
        beats=len(annotations["beat_positions"]),
        moments=segments.moments(),
        sha256=digest.hexdigest(),
    )
    with atomic_directory(folder) as temporary:
        np.save(temporary / "signal.npy", segments.signal)
        np.savez(temporary / "annotations.npz", **annotations)
        (temporary / "patient.json").write_text(json.dumps(stored.to_dict()))
    return stored


def read_patient(folder):
    """Return the `StoredPatient` of a finished patient folder, or None if there is none."""
    description = pathlib.Path(folder) / "patient.json"
    if not description.is_file():
        return None
    return StoredPatient.from_dict(json.loads(description.read_text()), folder)


class Store:
    """A prepared store, opened for reading.

    Attributes:
        path: its folder.
        name: name of the data it was made from.
        dataset: data set whose conventions it follows: icentia11k, wfdb or synthetic.
        sampling_rate_hz: rate of every signal.
        lead_choices: how the leads were asked for, e.g. ["MLII|II|V5"].
        patients: list of `StoredPatient`.
        skipped: list of [patient, reason] left out when it was made.
    """

    def __init__(self, path, manifest):
        self.path = pathlib.Path(path)
        self.name = manifest["name"]
        self.dataset = manifest["dataset"]
        self.sampling_rate_hz = manifest["sampling_rate_hz"]
        self.lead_choices = manifest["lead_choices"]
        self.skipped = manifest["skipped"]
        self.patients = [
            StoredPatient.from_dict(values, patient_folder(path, values["patient"])) for values in manifest["patients"]
        ]

    @classmethod
    def open(cls, path):
        """Open a store.

        Raises:
            DataError: if the folder is missing, is no store or was not finished.
        """
        path = pathlib.Path(path)
        manifest = path / "manifest.json"
        if not manifest.is_file():
            if (path / "patients").is_dir():
                raise DataError(f"{path}: a store that was not finished; run its pretraining.prepare command again")
            raise DataError(f"{path}: no store. Received: no manifest.json in it; make one with pretraining.prepare")
        try:
            values = json.loads(manifest.read_text())
            if values["format"] != FORMAT:
                raise DataError(f"{manifest}: format {FORMAT} is needed. Received: {values['format']}; make it again")
            return cls(path, values)
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise DataError(f"{manifest}: damaged ({error!r}); run its pretraining.prepare command again") from error

    @functools.cached_property
    def fingerprint(self):
        """Hex digest of what is in the store: rate, patients, signals and annotations."""
        lines = [f"{self.sampling_rate_hz}", *sorted(f"{p.patient} {p.sha256}" for p in self.patients)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    @property
    def n_leads(self):
        """Number of leads of every signal."""
        return len(self.lead_choices)

    def normalization(self, patients):
        """Return the standardisation computed from these patients' signals.

        Raises:
            DataError: if a lead of theirs never changes.
        """
        try:
            return normalization_of(functools.reduce(Moments.pool, (p.moments for p in patients)))
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from error


def write_manifest(path, name, dataset, sampling_rate_hz, lead_choices, patients, skipped):
    """Finish a store: write its manifest, whole or not at all."""
    write_json(
        pathlib.Path(path) / "manifest.json",
        {
            "format": FORMAT,
            "name": name,
            "dataset": dataset,
            "unit": "mV",
            "sampling_rate_hz": float(sampling_rate_hz),
            "lead_choices": list(lead_choices),
            "skipped": skipped,
            "patients": [p.to_dict() for p in patients],
        },
    )
