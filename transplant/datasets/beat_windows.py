"""Single heart beats by class, cut from annotated recordings: of MIT-BIH, or of the embedded synthetic ones."""

import dataclasses
import pathlib

import numpy as np

from transplant.datasets.icentia11k import BEAT_NORMAL, BEAT_PAC, BEAT_PVC
from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.record_source import Skipped
from transplant.datasets.whole_set import WholeSet
from transplant.errors import DataError, OptionError, shorten
from transplant.signals.resample import resample

CLASSES = ("normal", "pac", "pvc")
RATE_HZ = 128.0
BEFORE_S = AFTER_S = 0.75
"""A window holds the beat before too where the rhythm is not slow, so that a premature beat can be told by its time."""
LEADS = "MLII|II|ECG|V5|V2|V1"
TWO_LEADS = ("MLII", "V1")
BEATS_PER_PATIENT = 100

_CLASS_OF = {BEAT_NORMAL: 0, BEAT_PAC: 1, BEAT_PVC: 2}
_SYNTHETIC_PATIENTS, _SYNTHETIC_SECONDS, _SYNTHETIC_SEED = 40, 240.0, 11


def read_beats(source, *, skipped=None, on_record=None, beats_per_patient=None):
    """Read beats of annotated WFDB records, such as those of the MIT-BIH Arrhythmia Database.

    A window goes from .75 s before the annotation to .75 s after it, at 128 Hz, in millivolts; one lead, the first
    there is of MLII, II, ECG, V5, V2 and V1. Classes: normal (N L R e j), premature atrial (A J S) and
    premature ventricular beats (V E); beats of other kinds, and those at the very ends of a record or on
    invalid samples, are left out and counted. Of each class the beats of a patient are thinned out evenly.

    No published division is offered: DS1 and DS2 of de Chazal et al. have records 201 and 202, which are of one
    man, on both sides.

    Args:
        source: folder of the records, or one above it.
        skipped: list that receives a `Skipped` for every record that cannot be read. Defaults to None: such a
            record is an error.
        on_record: called after each record. Defaults to None.
        beats_per_patient: of each class at most. Defaults to 100.

    Returns:
        `WholeSet`; group_ids are the patients.

    Raises:
        DataError: if there are no records, or a class has no beats.
    """
    records = _wfdb_records(source, skipped, on_record, lambda record: record.select_leads([LEADS]))
    return _cut(records, "mitbih_beats", "MIT-BIH symbols", _positive(beats_per_patient), str(source))


def read_two_lead_beats(source, *, skipped=None, on_record=None, beats_per_patient=None):
    """Read beats as `read_beats` does, in leads MLII and V1 at once.

    Leads are found by name: MIT-BIH 114 has V5 first. Records without both, 100, 102 and 104 among them, are left out
    and named in the notes.

    Args:
        source, skipped, on_record, beats_per_patient: as of `read_beats`.

    Returns:
        `WholeSet` of (beats, 192, 2); group_ids are the patients.

    Raises:
        DataError: as `read_beats`.
    """
    without = []

    def select(record):
        if not set(TWO_LEADS) <= set(record.leads):
            without.append(record.name)
            return None
        return record.select_leads(TWO_LEADS)

    records = _wfdb_records(source, skipped, on_record, select)
    name, labels, most = "mitbih_two_leads", "MIT-BIH symbols", _positive(beats_per_patient)
    found = _cut(records, name, labels, most, str(source), leads=TWO_LEADS).data
    if without:
        note = f"{len(without)} records have not both leads: {', '.join(without)}"
        found = dataclasses.replace(found, notes=(*found.notes, note))
    return WholeSet(found)


def _wfdb_records(source, skipped, on_record, select):
    """Yield (patient, `Record`) of a folder; `select` takes leads from a record, or returns None to leave it out."""
    from transplant.datasets.wfdb_directory import WfdbDirectory

    directory = WfdbDirectory(source)
    for patient, names in directory.patients().items():
        for name in names:
            try:
                record = select(directory.read(name))
            except DataError as error:
                if skipped is None:
                    raise
                skipped.append(Skipped(pathlib.Path(name).name, str(error)))
                record = None
            if record is not None:
                yield patient, record
            if on_record is not None:
                on_record()


def read_synthetic_beats(source=None, *, skipped=None, on_record=None, beats_per_patient=None):
    """Cut beats of the embedded synthetic recordings, 40 patients of four minutes: not evidence.

    Args:
        source, skipped: not used, as nothing is read from files.
        on_record: called after each recording. Defaults to None.
        beats_per_patient: of each class at most. Defaults to 100.

    Returns:
        `WholeSet`; group_ids are the patients.
    """
    from transplant.datasets.synthetic import long_recording

    def records():
        for patient in range(_SYNTHETIC_PATIENTS):
            yield str(patient), long_recording(_SYNTHETIC_SEED, patient, _SYNTHETIC_SECONDS)
            if on_record is not None:
                on_record()

    notes = ("synthetic recordings: not evidence",)
    return _cut(records(), "synthetic-ecg", "synthetic", _positive(beats_per_patient), "the embedded ones", notes)


def _positive(text):
    if text is None:
        return BEATS_PER_PATIENT
    if not str(text).isdigit() or int(text) < 1:
        raise OptionError(f"beats_per_patient is a number of beats, 1 or more. Received: {text}")
    return int(text)


def _cut(records, dataset, label_version, most, where, notes=(), leads=("ECG",)):
    """Return the `WholeSet` of the beats of (patient, `Record`) pairs."""
    windows = {}  # patient -> class -> list of (name, window)
    left_out = {"of other kinds": 0, "at the ends or on invalid samples": 0}
    for patient, record in records:
        of_patient = windows.setdefault(patient, [[] for _ in CLASSES])
        for name, label, window in _beats(record, left_out):
            of_patient[label].append((name, window))
    x, y, names, groups, thinned = [], [], [], [], 0
    for patient, of_patient in windows.items():
        for label, beats in enumerate(of_patient):
            chosen = np.unique(np.linspace(0, len(beats) - 1, min(most, len(beats))).round().astype(int))
            thinned += len(beats) - len(chosen)
            for index in chosen:
                name, window = beats[index]
                x.append(window)
                y.append(label)
                names.append(name)
                groups.append(patient)
    counts = np.bincount(np.array(y, np.int64), minlength=len(CLASSES))
    if not counts.all():
        raise DataError(
            f"{where}: beats of every class are needed. Received: none of "
            f"{shorten(name for name, count in zip(CLASSES, counts) if not count)}; give more records"
        )
    samples = x[0].shape[0]
    left = ", ".join(f"{count:,} {kind}" for kind, count in left_out.items())
    data = LabelledSet(
        x=np.stack(x),
        lengths=np.full(len(y), samples),
        y=y,
        classes=CLASSES,
        record_ids=names,
        group_ids=groups,
        sampling_rate_hz=RATE_HZ,
        leads=leads,
        dataset=dataset,
        label_version=label_version,
        unit="mV",
        notes=(
            *notes,
            f"beats of {len(windows)} patients, at most {most} a patient and class ({thinned:,} thinned out); "
            f"left out: {left}",
        ),
    )
    return WholeSet(data)


def _beats(record, left_out):
    """Yield (name, class, window (samples, leads)) of a record's beats."""
    resampled = resample(record.signal, record.sampling_rate_hz, RATE_HZ)
    before, samples = round(BEFORE_S * RATE_HZ), round((BEFORE_S + AFTER_S) * RATE_HZ)
    for position, kind in zip(record.beat_positions.tolist(), record.beat_classes.tolist()):
        label = _CLASS_OF.get(kind)
        if label is None:
            left_out["of other kinds"] += 1
            continue
        first = round(position * RATE_HZ / record.sampling_rate_hz) - before
        window = resampled[max(first, 0) : first + samples]
        if len(window) < samples or not np.isfinite(window).all():
            left_out["at the ends or on invalid samples"] += 1
            continue
        yield f"{record.name}_{position}", label, window.copy()
