"""Which windows and frames a batch holds: a pure function of (seed, step)."""

import dataclasses
import itertools

import numpy as np

from transplant.errors import DataError
from transplant.tasks.annotations import AnnotationAxis
from transplant.training.working_sets import set_bounds

# Streams of random numbers that must not repeat each other.
_ORDER, _PLACES, _STARTS, _OTHERS, LABELS = range(5)


@dataclasses.dataclass(frozen=True, eq=False)
class Places:
    """Where frames or windows lie in a working set; the two arrays have one shape.

    Attributes:
        segments: int64, number of the segment in the set.
        starts: int64, first sample within that segment.
    """

    segments: np.ndarray
    starts: np.ndarray


class WorkingSet:
    """A few patients opened together: memory-mapped signals and one axis of annotations.

    The segments of all patients are numbered through.

    Attributes:
        patients: list of `PatientSegments`.
        axis: `AnnotationAxis` of all of them.
        patient_of: int64 (segments,), index of each segment's patient.
        first_segments: int64 (patients + 1,), number of each patient's first segment.
        first_samples: int64 (segments,), where each segment starts in its patient's signal.
        signals: list of each segment's patient's whole signal.
        gain, baseline: float32 (scalings, leads), the different ones that segments have.
        scaling_of: int64 (segments,), which of them each segment has.

    Args:
        patients: list of `StoredPatient`.
        window_size: samples in a window.
        sampling_rate_hz: rate of the store.
    """

    def __init__(self, patients, window_size, sampling_rate_hz):
        self.patients = [p.load() for p in patients]
        self.axis = AnnotationAxis([a for p in self.patients for a in p.annotations], sampling_rate_hz)
        self._lengths = np.concatenate([np.diff(p.offsets) for p in self.patients])
        counts = [len(p.annotations) for p in self.patients]
        self.patient_of = np.repeat(np.arange(len(counts)), counts)
        self.first_segments = np.concatenate([[0], np.cumsum(counts)])
        self.first_samples = np.concatenate([p.offsets[:-1] for p in self.patients])
        self.signals = [self.patients[i].signal for i in self.patient_of]
        scalings = np.concatenate([np.stack([p.gain, p.baseline], axis=1) for p in self.patients])
        different, self.scaling_of = np.unique(scalings, axis=0, return_inverse=True)
        self.gain, self.baseline = different[:, 0], different[:, 1]
        self._window_size = window_size
        # Window starts of all segments, numbered through.
        self._starts_before = np.concatenate([[0], np.cumsum(self._starts_of(window_size))])
        self._patient_from = self._starts_before[self.first_segments[:-1]]
        self._patient_starts = np.diff(self._starts_before[self.first_segments])

    def _starts_of(self, size):
        return np.maximum(self._lengths - size + 1, 0)

    def on_axis(self, places):
        """Return int64 annotation-axis positions of the first samples."""
        return self.axis.origins[places.segments] + places.starts

    def place(self, slots, uniform):
        """Turn uniform numbers into windows, each start of a patient equally likely.

        Args:
            slots: (windows,), which patient of the set.
            uniform: (windows,), in [0, 1).

        Returns:
            `Places` of shape (windows,).
        """
        number = self._patient_from[slots] + (uniform * self._patient_starts[slots]).astype(np.int64)
        segments = np.searchsorted(self._starts_before, number, side="right") - 1
        return Places(segments, number - self._starts_before[segments])

    def place_apart(self, windows, frame_size, uniform):
        """Draw frames from the whole set that do not touch the windows they go with.

        A frame comes from any segment with equal probability, the window's own
        included, and from any start in it that leaves the window alone.

        Args:
            windows: `Places` of shape (windows,).
            frame_size: samples in a frame.
            uniform: (windows, frames, 2), in [0, 1).

        Returns:
            `Places` of shape (windows, frames).

        Raises:
            DataError: if a window's segment is the only one and has no room beside it.

        Source: the negatives of Weimann & Conrad's public code, which may overlap
        the window.
        """
        starts_of = self._starts_of(frame_size)
        fitting = np.flatnonzero(starts_of)
        own, first = windows.segments[:, None], windows.starts[:, None]
        # Starts in (first - frame_size, first + window) would overlap the window.
        blocked_from = np.maximum(first - frame_size + 1, 0)
        blocked_to = np.minimum(first + self._window_size, starts_of[own])
        free_in_own = starts_of[own] - (blocked_to - blocked_from)
        own_is_choice = free_in_own > 0
        choices = len(fitting) - ~own_is_choice
        if (choices < 1).any():
            raise DataError(
                f"a negative frame of {frame_size} samples needs room beside a window of {self._window_size}. "
                f"Received: one segment of {self._lengths[own].min()} samples; use longer records, more patients or "
                "a smaller --context-size"
            )
        rank = (uniform[..., 0] * choices).astype(np.int64)
        # Where the own segment is full, the ranks behind it move up by one.
        rank += ~own_is_choice & (rank >= np.searchsorted(fitting, own))
        segments = fitting[rank]
        in_own = segments == own
        free = np.where(in_own, free_in_own, starts_of[segments])
        starts = (uniform[..., 1] * free).astype(np.int64)
        starts += np.where(in_own & (starts >= blocked_from), blocked_to - blocked_from, 0)
        return Places(segments, starts)


@dataclasses.dataclass(frozen=True, eq=False)
class Draw:
    """The part of one batch that comes from one working set.

    Attributes:
        rows: slice of the batch's rows.
        working_set: the `WorkingSet`.
        windows: `Places` of shape (rows,).
        others: `Places` of shape (rows, others): frames apart from the windows; None where none are drawn.
    """

    rows: slice
    working_set: WorkingSet
    windows: Places
    others: Places


@dataclasses.dataclass(frozen=True)
class Sampling:
    """What is drawn.

    Attributes:
        window_size: samples in a window.
        frame_size: samples in one of the other frames.
        others: frames drawn beside each window.
        batch_size: windows in a batch.
        samples_per_patient: windows of a patient in a pass.
        seed: seed of the stream.
    """

    window_size: int
    frame_size: int
    others: int
    batch_size: int
    samples_per_patient: int
    seed: int


class FrameSampler:
    """Draws windows patient by patient, each patient equally often.

    A pass visits every patient once, in an order of its own; patients are
    taken some at a time, at most `working_set`, and each gives
    `samples_per_patient` windows, shuffled within the set. A window starts
    anywhere in its patient's segments with equal probability and lies inside one
    segment. The store is read in this order too, which keeps a slow disk near one
    place. One thread draws.

    Args:
        patients: list of `StoredPatient`, each with room for a window.
        sampling: `Sampling`.
        sampling_rate_hz: rate of the store.
        working_set: patients opened together. Defaults to what the patients' storage
            allows, 16 in a store.
    """

    def __init__(self, patients, sampling, sampling_rate_hz, working_set=None):
        self._patients = list(patients)
        self.sampling = sampling
        self._rate = sampling_rate_hz
        self._first_patients = set_bounds(len(self._patients), working_set or self._patients[0].working_set)
        self._opened = None

    def draw(self, step):
        """Return the list of `Draw`s that make up batch number `step`."""
        return list(self.draws(step))

    def draws(self, step):
        """Yield the `Draw`s that make up batch number `step`, one working set open at a time."""
        s = self.sampling
        numbers = np.arange(step * s.batch_size, (step + 1) * s.batch_size)
        uniform = np.random.default_rng((s.seed, _STARTS, step)).random(s.batch_size)
        apart = np.random.default_rng((s.seed, _OTHERS, step)).random((s.batch_size, s.others, 2))
        passes, within_pass = np.divmod(numbers, len(self._patients) * s.samples_per_patient)
        firsts = self._first_patients[:-1] * s.samples_per_patient
        sets = np.searchsorted(firsts, within_pass, side="right") - 1
        within_set = within_pass - firsts[sets]
        # Numbers rise, so each (pass, set) is one run of rows.
        bounds = [0, *(np.flatnonzero(np.diff(passes) | np.diff(sets)) + 1).tolist(), s.batch_size]
        for first, last in itertools.pairwise(bounds):
            rows, key = slice(first, last), (int(passes[first]), int(sets[first]))
            working_set, slot_of = self._open(key)
            windows = working_set.place(slot_of[within_set[rows]], uniform[rows])
            others = working_set.place_apart(windows, s.frame_size, apart[rows]) if s.others else None
            yield Draw(rows, working_set, windows, others)

    def _open(self, key):
        """Return a working set, by (pass, set), and the patient slot of each place in its shuffled order."""
        if self._opened is None or self._opened[0] != key:
            # Let go of the one before it, that both need not fit.
            self._opened = None
            pass_number, set_number = key
            patients = self._patients_of(pass_number, set_number)
            # Patients that are decoded on the way get ready while this set is in use.
            is_last = set_number == len(self._first_patients) - 2
            following = (pass_number + 1, 0) if is_last else (pass_number, set_number + 1)
            for patient in (*patients, *self._patients_of(*following)):
                patient.expect()
            slots = np.repeat(np.arange(len(patients), dtype=np.int32), self.sampling.samples_per_patient)
            np.random.default_rng((self.sampling.seed, _PLACES, pass_number, set_number)).shuffle(slots)
            self._opened = key, WorkingSet(patients, self.sampling.window_size, self._rate), slots
        return self._opened[1:]

    def close(self):
        """Let go of the working set; a later draw opens its own again."""
        self._opened = None

    def _patients_of(self, pass_number, set_number):
        order = np.random.default_rng((self.sampling.seed, _ORDER, pass_number)).permutation(len(self._patients))
        first, last = self._first_patients[set_number : set_number + 2]
        return [self._patients[i] for i in order[first:last]]
