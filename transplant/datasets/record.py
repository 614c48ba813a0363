"""The record: what every reader yields and every preparation starts from."""

import dataclasses

import numpy as np

from transplant.errors import DataError


def _no_positions():
    return np.zeros(0, np.int64)


def _no_classes():
    return np.zeros(0, np.uint8)


@dataclasses.dataclass(frozen=True, eq=False)
class Record:
    """One recording as it is on disk: never resampled, never normalised.

    Attributes:
        name: record name, unique in its data set.
        patient: patient id; records of one patient share it.
        signal: float32 (time, leads) in mV; NaN where the sample is invalid.
        sampling_rate_hz: samples per second.
        leads: lead names, one per column of `signal`.
        beat_positions: int64 (beats,), sorted sample indices.
        beat_classes: uint8 (beats,), `icentia11k.ds_beat_names` indices.
        rhythm_starts, rhythm_ends: int64 (rhythms,), half-open sample intervals,
            sorted and not overlapping.
        rhythm_classes: uint8 (rhythms,), `icentia11k.ds_rhythm_names` indices.
        rhythm_known_until: sample from which on nothing is said about the rhythm
            of a frame that starts there; None for the end of the signal.
        label: label of the whole record, if it has one (CinC 2017: N, A, O, ~).
        adc_gain: (leads,) counts per mV and adc_baseline: (leads,) counts at
            0 mV, where the signal was stored as integers; None otherwise.
    """

    name: str
    patient: str
    signal: np.ndarray
    sampling_rate_hz: float
    leads: tuple
    beat_positions: np.ndarray = dataclasses.field(default_factory=_no_positions)
    beat_classes: np.ndarray = dataclasses.field(default_factory=_no_classes)
    rhythm_starts: np.ndarray = dataclasses.field(default_factory=_no_positions)
    rhythm_ends: np.ndarray = dataclasses.field(default_factory=_no_positions)
    rhythm_classes: np.ndarray = dataclasses.field(default_factory=_no_classes)
    rhythm_known_until: int | None = None
    label: str | None = None
    adc_gain: np.ndarray | None = None
    adc_baseline: np.ndarray | None = None

    def __post_init__(self):
        if self.signal.ndim != 2 or self.signal.shape[1] != len(self.leads):
            raise DataError(
                f"{self.name}: a signal is (time, leads). Received: shape={self.signal.shape}, leads={self.leads}"
            )

    @property
    def duration_s(self):
        """Length of the recording in seconds."""
        return len(self.signal) / self.sampling_rate_hz

    def select_leads(self, wanted):
        """Return the record with the wanted leads only, in the wanted order.

        Args:
            wanted: one entry per lead of the result; an entry names a lead, or
                several in order of preference separated by "|" ("MLII|II|V5").
                Names are compared without regard to case.

        Raises:
            DataError: if an entry names no lead that the record has.
        """
        names = [lead.lower() for lead in self.leads]
        columns = []
        for entry in wanted:
            found = [names.index(name.lower()) for name in entry.split("|") if name.lower() in names]
            if not found:
                raise DataError(
                    f"{self.name}: no lead {entry}. Received: leads {', '.join(self.leads)}; "
                    "name one of them with --leads"
                )
            columns.append(found[0])
        return dataclasses.replace(
            self,
            signal=self.signal[:, columns],
            leads=tuple(self.leads[c] for c in columns),
            adc_gain=None if self.adc_gain is None else self.adc_gain[columns],
            adc_baseline=None if self.adc_baseline is None else self.adc_baseline[columns],
        )
