"""A record as a TensorFlow Datasets example, and back without loss."""

import numpy as np
import tensorflow_datasets as tfds

from transplant.datasets import icentia11k
from transplant.datasets.record import Record

_BEATS = list(icentia11k.ds_beat_names.values())
_RHYTHMS = list(icentia11k.ds_rhythm_names.values())
# Whole numbers have no NaN: rhythm_known_until is this where the rhythm is known to the end.
_TO_THE_END = -1


def signal_features():
    """Return the features that every record has.

    `signal` is (time, leads) in mV, NaN where a sample is invalid; `adc_gain`
    (counts per mV) and `adc_baseline` (counts at 0 mV) are empty where the
    signal was not stored as integers.
    """
    return {
        "name": tfds.features.Text(doc="record name, unique in the data set"),
        "patient": tfds.features.Text(doc="patient id; records of one patient share it"),
        "signal": tfds.features.Tensor(
            shape=(None, None), dtype=np.float32, encoding="zlib", doc="(time, leads) in mV, NaN where invalid"
        ),
        "sampling_rate_hz": tfds.features.Scalar(dtype=np.float32, doc="samples per second"),
        "leads": tfds.features.Sequence(tfds.features.Text(), doc="lead names, one per column of the signal"),
        # As bytes, because a tf.Example rounds numbers to 32 bits.
        "adc_gain": tfds.features.Tensor(
            shape=(None,), dtype=np.float64, encoding="bytes", doc="counts per mV of each lead"
        ),
        "adc_baseline": tfds.features.Tensor(
            shape=(None,), dtype=np.float64, encoding="bytes", doc="counts at 0 mV of each lead"
        ),
    }


def annotation_features():
    """Return the features of an annotated record: beats at samples, rhythms as half-open intervals of samples."""
    return {
        "beats": tfds.features.Sequence(
            {"position": np.int64, "label": tfds.features.ClassLabel(names=_BEATS)}, doc="annotated beats, in order"
        ),
        "rhythms": tfds.features.Sequence(
            {"start": np.int64, "end": np.int64, "label": tfds.features.ClassLabel(names=_RHYTHMS)},
            doc="rhythm from sample start to before end, in order",
        ),
        "rhythm_known_until": tfds.features.Scalar(
            dtype=np.int64, doc="sample from which on nothing is said about the rhythm; -1: to the end"
        ),
    }


def signal_example(record):
    """Return the values of `signal_features`."""
    none = np.zeros(0, np.float64)
    return {
        "name": record.name,
        "patient": record.patient,
        "signal": record.signal,
        "sampling_rate_hz": record.sampling_rate_hz,
        "leads": list(record.leads),
        "adc_gain": none if record.adc_gain is None else np.asarray(record.adc_gain, np.float64),
        "adc_baseline": none if record.adc_baseline is None else np.asarray(record.adc_baseline, np.float64),
    }


def annotation_example(record):
    """Return the values of `annotation_features`."""
    known = record.rhythm_known_until
    return {
        "beats": {"position": record.beat_positions, "label": record.beat_classes.astype(np.int64)},
        "rhythms": {
            "start": record.rhythm_starts,
            "end": record.rhythm_ends,
            "label": record.rhythm_classes.astype(np.int64),
        },
        "rhythm_known_until": _TO_THE_END if known is None else known,
    }


def record_of(example):
    """Return the `Record` of an annotated example, as `tfds.as_numpy` yields it."""
    known = int(example["rhythm_known_until"])
    has_counts = len(example["adc_gain"]) > 0
    return Record(
        name=example["name"].decode(),
        patient=example["patient"].decode(),
        signal=example["signal"],
        sampling_rate_hz=float(example["sampling_rate_hz"]),
        leads=tuple(lead.decode() for lead in example["leads"]),
        beat_positions=example["beats"]["position"],
        beat_classes=example["beats"]["label"].astype(np.uint8),
        rhythm_starts=example["rhythms"]["start"],
        rhythm_ends=example["rhythms"]["end"],
        rhythm_classes=example["rhythms"]["label"].astype(np.uint8),
        rhythm_known_until=None if known == _TO_THE_END else known,
        adc_gain=example["adc_gain"] if has_counts else None,
        adc_baseline=example["adc_baseline"] if has_counts else None,
    )
