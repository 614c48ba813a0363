"""Embedded recordings of three leads at once: the default where knowledge goes from many sensors to one."""

import numpy as np

from transplant.datasets.labelled_set import LabelledSet
from transplant.datasets.synthetic_morphology import draw_heart
from transplant.datasets.synthetic_noise import noise_at
from transplant.datasets.synthetic_recording import Episode, draw_ecg
from transplant.datasets.whole_set import WholeSet

NAME = "synthetic-leads"
CLASSES = ("sinus", "afib", "aflut", "pvc")
LEADS = ("II", "V1", "V5")
RATE_HZ, SECONDS = 100.0, 10.0
RECORDS = 480

_SEED = 23
_RHYTHM, _HEART, _NOISE = range(3)  # independent random streams of a record
_NOISE_DB = {"II": (-6.0, 3.0), "V1": (8.0, 20.0), "V5": (8.0, 20.0)}


def read_synthetic_leads(source=None, *, skipped=None, on_record=None):
    """Make 480 recordings of 10 s, one a patient, of four rhythms alike: not evidence of anything.

    The leads show the same beats in shapes of their own. Lead II is as from a loose electrode, with noise
    about as large as the ECG; V1 and V5 are clean: who sees them knows more.

    Args:
        source, skipped: not used, as nothing is read from files.
        on_record: called after each recording. Defaults to None.

    Returns:
        `WholeSet` of (480, 1000, 3) in mV.
    """
    samples = round(SECONDS * RATE_HZ)
    x, y = np.empty((RECORDS, samples, len(LEADS)), np.float32), np.arange(RECORDS) % len(CLASSES)
    for index in range(RECORDS):
        x[index] = _recording(index, CLASSES[y[index]])
        if on_record is not None:
            on_record()
    names = [f"L{index:04d}" for index in range(RECORDS)]
    data = LabelledSet(
        x=x,
        lengths=np.full(RECORDS, samples),
        y=y,
        classes=CLASSES,
        record_ids=names,
        group_ids=names,
        sampling_rate_hz=RATE_HZ,
        leads=LEADS,
        dataset=NAME,
        label_version="synthetic",
        notes=("synthetic recordings: not evidence", "lead II is noisy, V1 and V5 are clean"),
    )
    return WholeSet(data)


def _recording(index, label):
    """Return (samples, leads) in mV."""
    episode = _episode(np.random.default_rng((_SEED, index)), label)
    leads = []
    for number, lead in enumerate(LEADS):
        heart = draw_heart(np.random.default_rng((_SEED, _HEART, index, number)))
        # The same random numbers for every lead: the same beats, whatever their shape.
        rhythm = np.random.default_rng((_SEED, _RHYTHM, index))
        clean = draw_ecg(rhythm, heart, [episode], SECONDS, RATE_HZ).signal
        rng = np.random.default_rng((_SEED, _NOISE, index, number))
        leads.append(clean + noise_at(rng, clean, RATE_HZ, rng.uniform(*_NOISE_DB[lead])))
    return np.stack(leads, axis=1)


def _episode(rng, label):
    if label == "aflut":
        return Episode("aflut", 0.0, SECONDS, rng.uniform(65.0, 100.0))
    if label == "afib":
        return Episode("afib", 0.0, SECONDS, rng.uniform(60.0, 120.0))
    share = rng.uniform(0.2, 0.4) if label == "pvc" else 0.0
    return Episode("sinus", 0.0, SECONDS, rng.uniform(60.0, 100.0), pvc_share=share)
