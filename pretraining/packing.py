"""One patient's records as the few flat arrays that a frame stream reads."""

import dataclasses
import functools

import numpy as np

from transplant.datasets.record import Record
from transplant.errors import DataError
from transplant.signals.moments import Moments
from transplant.signals.resample import resample, resample_positions
from transplant.tasks.annotations import SegmentAnnotations

# int16 value of an invalid sample; counts never use it.
INVALID_COUNT = np.iinfo(np.int16).min


@dataclasses.dataclass(frozen=True, eq=False)
class PatientSegments:
    """All segments of one patient, laid end to end.

    Attributes:
        patient: patient id.
        records: name of the record each segment came from.
        leads: per segment, the lead names of the columns.
        offsets: int64 (segments + 1,), where each segment starts in `signal`.
        signal: (samples, leads), int16 counts (`INVALID_COUNT` where invalid)
            or float32 mV (NaN where invalid).
        gain: float32 (segments, leads), counts per mV; 1 for float32 signals.
        baseline: float32 (segments, leads), counts at 0 mV; 0 for float32 signals.
        annotations: list of `SegmentAnnotations`, one per segment.
    """

    patient: str
    records: list
    leads: list
    offsets: np.ndarray
    signal: np.ndarray
    gain: np.ndarray
    baseline: np.ndarray
    annotations: list

    def moments(self):
        """Return the `Moments` of all valid samples, mV."""
        segments = range(len(self.annotations))
        return functools.reduce(Moments.pool, (Moments.of(self.millivolts(i)) for i in segments))

    def millivolts(self, segment):
        """Return float32 (time, leads) mV of one segment, NaN where invalid."""
        signal = self.signal[self.offsets[segment] : self.offsets[segment + 1]]
        if signal.dtype == np.float32:
            return np.asarray(signal)
        return counts_to_millivolts(signal, self.gain[segment], self.baseline[segment])


def counts_to_millivolts(counts, gain, baseline):
    """Return float32 mV of int16 counts, NaN where they are `INVALID_COUNT`."""
    millivolts = (counts.astype(np.float32) - np.float32(baseline)) / np.float32(gain)
    millivolts[counts == INVALID_COUNT] = np.nan
    return millivolts


def _counts_of(record: Record):
    """Return the record's int16 counts if they give its signal back exactly, else None."""
    if record.adc_gain is None:
        return None
    invalid = np.isnan(record.signal)
    gain = np.asarray(record.adc_gain, np.float64)
    counts = np.rint(np.where(invalid, 0, record.signal) * gain + record.adc_baseline)
    if counts.size and (counts.min() <= INVALID_COUNT or counts.max() > np.iinfo(np.int16).max):
        return None
    counts = counts.astype(np.int16)
    counts[invalid] = INVALID_COUNT
    restored = counts_to_millivolts(counts, record.adc_gain, record.adc_baseline)
    return counts if np.array_equal(restored, record.signal, equal_nan=True) else None


def resample_record(record: Record, rate_hz):
    """Return the record at another rate, its annotations moved along.

    Positions are clipped to the record, because rint may round the last one up.
    """
    if record.sampling_rate_hz == rate_hz:
        return record
    signal = resample(record.signal, record.sampling_rate_hz, rate_hz)

    def move(positions):
        return np.minimum(resample_positions(positions, record.sampling_rate_hz, rate_hz), len(signal))

    known = record.rhythm_known_until
    return dataclasses.replace(
        record,
        signal=signal,
        sampling_rate_hz=rate_hz,
        beat_positions=move(record.beat_positions),
        rhythm_starts=move(record.rhythm_starts),
        rhythm_ends=move(record.rhythm_ends),
        rhythm_known_until=None if known is None else int(move(known)),
        adc_gain=None,
        adc_baseline=None,
    )


def pack_patient(patient, records, rate_hz):
    """Lay a patient's records end to end at one rate.

    The signal stays int16 where every record's counts give it back exactly.

    Args:
        patient: patient id.
        records: list of `Record` with the leads already selected.
        rate_hz: rate of the result.

    Raises:
        DataError: if no record holds a valid sample or a beat.
    """
    records = [resample_record(record, rate_hz) for record in records]
    names = ", ".join(r.name for r in records[:3])
    if not any(np.isfinite(record.signal).any() for record in records):
        raise DataError(f"patient {patient} ({names}): no valid sample. Received: only NaN; use --skip-bad")
    if not any(len(record.beat_positions) for record in records):
        raise DataError(f"patient {patient} ({names}): no beats. Received: 0 annotations; use --skip-bad")

    counts = [_counts_of(record) for record in records]
    as_counts = all(c is not None for c in counts)
    n_leads = len(records[0].leads)
    ones = np.ones(n_leads)
    return PatientSegments(
        patient=patient,
        records=[record.name for record in records],
        leads=[list(record.leads) for record in records],
        offsets=np.concatenate([[0], np.cumsum([len(record.signal) for record in records])]).astype(np.int64),
        signal=np.concatenate(counts if as_counts else [record.signal for record in records]),
        gain=np.array([r.adc_gain if as_counts else ones for r in records], np.float32),
        baseline=np.array([r.adc_baseline if as_counts else 0 * ones for r in records], np.float32),
        annotations=[_annotations_of(record) for record in records],
    )


def _annotations_of(record: Record):
    known = record.rhythm_known_until
    return SegmentAnnotations(
        length=len(record.signal),
        beat_positions=record.beat_positions,
        beat_classes=record.beat_classes,
        rhythm_starts=record.rhythm_starts,
        rhythm_ends=record.rhythm_ends,
        rhythm_classes=record.rhythm_classes,
        rhythm_known_until=len(record.signal) if known is None else known,
    )
