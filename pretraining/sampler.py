"""Which frames a batch holds: a pure function of (seed, step)."""

import collections
import dataclasses
import threading

import numpy as np

from transplant.tasks.annotations import AnnotationAxis

# Streams of random numbers that must not repeat each other.
_ORDER, _PLACES, _STARTS = range(3)


class WorkingSet:
    """A few patients opened together: memory-mapped signals and one axis of annotations.

    Attributes:
        segments: list of `PatientSegments`.
        axis: `AnnotationAxis` of all of them.
        first_segments: int64 (patients + 1,), number of each patient's first segment in the set.
        first_samples: int64 (segments,), where each segment of the set starts in its patient's signal.
        gain, baseline: float32 (segments, leads), of each segment of the set.

    Args:
        patients: list of `StoredPatient`.
        frame_size: samples in a frame.
        sampling_rate_hz: rate of the store.
    """

    def __init__(self, patients, frame_size, sampling_rate_hz):
        self.segments = [p.load() for p in patients]
        self.axis = AnnotationAxis([a for s in self.segments for a in s.annotations], sampling_rate_hz)
        starts = [p.frame_starts(frame_size) for p in patients]
        # Frame starts of all segments of all patients, numbered through.
        self._starts_before = np.concatenate([[0], np.cumsum(np.concatenate(starts))])
        first_segment = np.concatenate([[0], np.cumsum([len(s) for s in starts])])
        self._patient_from = self._starts_before[first_segment[:-1]]
        self._patient_starts = np.diff(self._starts_before[first_segment])
        self.first_segments = first_segment
        self.first_samples = np.concatenate([s.offsets[:-1] for s in self.segments])
        self.gain = np.concatenate([s.gain for s in self.segments])
        self.baseline = np.concatenate([s.baseline for s in self.segments])

    def place(self, slots, uniform):
        """Turn uniform numbers into frame starts.

        Args:
            slots: (frames,), which patient of the set.
            uniform: (frames,), in [0, 1).

        Returns:
            segments: int64 (frames,), segment within the patient.
            within: int64 (frames,), first sample within that segment.
            axis_starts: int64 (frames,), the same on the annotation axis.
        """
        number = self._patient_from[slots] + (uniform * self._patient_starts[slots]).astype(np.int64)
        segment = np.searchsorted(self._starts_before, number, side="right") - 1
        within = number - self._starts_before[segment]
        return segment - self.first_segments[slots], within, self.axis.origins[segment] + within


@dataclasses.dataclass(frozen=True, eq=False)
class Draw:
    """The frames of one batch that come from one working set.

    Attributes:
        rows: (frames,), rows of the batch that they fill.
        working_set: the `WorkingSet`.
        slots, segments, within: (frames,), patient of the set, its segment, first sample.
        axis_starts: (frames,), first sample on the set's annotation axis.
    """

    rows: np.ndarray
    working_set: WorkingSet
    slots: np.ndarray
    segments: np.ndarray
    within: np.ndarray
    axis_starts: np.ndarray


class FrameSampler:
    """Draws frames patient by patient, each patient equally often.

    A pass visits every patient once, in an order of its own; patients are
    taken `working_set` at a time, and each gives `samples_per_patient` frames,
    shuffled within the set. A frame starts anywhere in its patient's segments
    with equal probability and lies inside one segment. The store is read in
    this order too, which keeps a slow disk near one place.

    Args:
        patients: list of `StoredPatient`, each with at least one frame.
        frame_size: samples in a frame.
        batch_size: frames in a batch.
        samples_per_patient: frames of a patient in a pass.
        sampling_rate_hz: rate of the store.
        seed: seed of the stream.
        working_set: patients opened together. Defaults to 16.
    """

    def __init__(self, patients, frame_size, batch_size, samples_per_patient, sampling_rate_hz, seed, working_set=16):
        self._patients = list(patients)
        self._frame_size = frame_size
        self._batch_size = batch_size
        self._samples = samples_per_patient
        self._rate = sampling_rate_hz
        self._seed = seed
        self._set_size = working_set
        self._cache = collections.OrderedDict()
        self._lock = threading.Lock()

    def draw(self, step):
        """Return the list of `Draw`s that make up batch number `step`."""
        numbers = np.arange(step * self._batch_size, (step + 1) * self._batch_size)
        uniform = np.random.default_rng((self._seed, _STARTS, step)).random(self._batch_size)
        pass_size = len(self._patients) * self._samples
        passes, within_pass = np.divmod(numbers, pass_size)
        sets, within_set = np.divmod(within_pass, self._set_size * self._samples)
        draws = []
        # Numbers rise, so each (pass, set) is one run of rows.
        changes = np.flatnonzero(np.diff(passes) | np.diff(sets)) + 1
        for rows in np.split(np.arange(self._batch_size), changes):
            working_set, slot_of = self._open(int(passes[rows[0]]), int(sets[rows[0]]))
            slots = slot_of[within_set[rows]]
            draws.append(Draw(rows, working_set, slots, *working_set.place(slots, uniform[rows])))
        return draws

    def _open(self, pass_number, set_number):
        """Return the working set and the patient slot of each place in its shuffled order."""
        key = (pass_number, set_number)
        with self._lock:
            if key not in self._cache:
                order = np.random.default_rng((self._seed, _ORDER, pass_number)).permutation(len(self._patients))
                chosen = order[set_number * self._set_size : (set_number + 1) * self._set_size]
                slots = np.repeat(np.arange(len(chosen), dtype=np.int32), self._samples)
                np.random.default_rng((self._seed, _PLACES, pass_number, set_number)).shuffle(slots)
                patients = [self._patients[i] for i in chosen]
                self._cache[key] = WorkingSet(patients, self._frame_size, self._rate), slots
                # Two batches are drawn at once; they may straddle two sets.
                while len(self._cache) > 3:
                    self._cache.popitem(last=False)
            self._cache.move_to_end(key)
            return self._cache[key]
