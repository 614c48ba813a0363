"""Annotations of many segments on one axis, so that a whole batch of frames is labelled at once."""

import dataclasses

import numpy as np

from transplant.datasets.icentia11k import ds_beat_names, ds_rhythm_names

# Samples between two segments on the axis. A frame's end is inclusive, so the
# last frame of a segment may touch the position right behind the segment; two
# keep that position apart from the next segment's first sample.
SEGMENT_GAP = 2

N_BEAT_CLASSES = len(ds_beat_names)
N_RHYTHM_CLASSES = len(ds_rhythm_names)


@dataclasses.dataclass(frozen=True, eq=False)
class SegmentAnnotations:
    """Annotations of one segment, in its own sample indices.

    Attributes:
        length: samples in the segment.
        beat_positions, beat_classes: sorted beats.
        rhythm_starts, rhythm_ends, rhythm_classes: half-open intervals, sorted, not overlapping.
        rhythm_known_until: a frame that starts here or later has no rhythm.
    """

    length: int
    beat_positions: np.ndarray
    beat_classes: np.ndarray
    rhythm_starts: np.ndarray
    rhythm_ends: np.ndarray
    rhythm_classes: np.ndarray
    rhythm_known_until: int


class AnnotationAxis:
    """Segments laid end to end with a gap, their beats and rhythms with prefix sums.

    Args:
        segments: iterable of `SegmentAnnotations`.
        sampling_rate_hz: rate of all segments.

    Attributes:
        origins: int64 (segments,), axis position of each segment's first sample.
        beat_positions: int64 (beats,), sorted axis positions.
    """

    def __init__(self, segments, sampling_rate_hz):
        segments = list(segments)
        lengths = np.array([s.length for s in segments], np.int64)
        self.sampling_rate_hz = sampling_rate_hz
        self.origins = np.concatenate([[0], np.cumsum(lengths + SEGMENT_GAP)[:-1]]).astype(np.int64)
        self._known_until = self.origins + np.array([s.rhythm_known_until for s in segments], np.int64)

        self.beat_positions = self._on_axis(segments, "beat_positions")
        classes = np.concatenate([s.beat_classes for s in segments]).astype(np.int64)
        self._beats_before = _prefix_sums(np.ones(len(classes), np.int32), classes, N_BEAT_CLASSES)

        self._rhythm_starts = self._on_axis(segments, "rhythm_starts")
        self._rhythm_ends = self._on_axis(segments, "rhythm_ends")
        self._rhythm_classes = np.concatenate([s.rhythm_classes for s in segments]).astype(np.int64)
        durations = self._rhythm_ends - self._rhythm_starts
        self._rhythm_before = _prefix_sums(durations, self._rhythm_classes, N_RHYTHM_CLASSES)

    def _on_axis(self, segments, field):
        return np.concatenate([getattr(s, field) + o for s, o in zip(segments, self.origins)]).astype(np.int64)

    def complete_beats(self, starts, frame_size):
        """Return index ranges of the complete beats of frames.

        An annotation marks the end of a beat: the first beat that ends in a
        frame began before it and is dropped; the frame's end is inclusive.

        Args:
            starts: int64 (frames,), axis positions of the frames' first samples.
            frame_size: samples in a frame.

        Returns:
            first, last: int64 (frames,), so that beats [first, last) are complete;
            first == last where there is none.
        """
        first = np.searchsorted(self.beat_positions, starts, side="left") + 1
        last = np.searchsorted(self.beat_positions, starts + frame_size, side="right")
        return np.minimum(first, last), last

    def count_beats(self, starts, frame_size):
        """Return int32 (frames, 5): complete beats of each class in each frame."""
        first, last = self.complete_beats(starts, frame_size)
        return self._beats_before[last] - self._beats_before[first]

    def rhythm_durations(self, starts, frame_size):
        """Return int64 (frames, 6): samples of each rhythm class in each frame.

        All zero for a frame that starts where its segment's rhythm is no longer known.
        """
        durations = self._rhythm_until(starts + frame_size) - self._rhythm_until(starts)
        segment = np.searchsorted(self.origins, starts, side="right") - 1
        durations[starts >= self._known_until[segment]] = 0
        return durations

    def _rhythm_until(self, positions):
        """Return int64 (frames, 6): samples of each class on [0, position)."""
        index = np.searchsorted(self._rhythm_starts, positions, side="right") - 1
        total = self._rhythm_before[np.maximum(index, 0)].copy()
        inside = np.flatnonzero(index >= 0)
        current = index[inside]
        reached = np.minimum(positions[inside], self._rhythm_ends[current]) - self._rhythm_starts[current]
        total[inside, self._rhythm_classes[current]] += reached
        return total


def _prefix_sums(values, classes, n_classes):
    """Return (n + 1, n_classes): sums of `values` of each class before index i."""
    sums = np.zeros((len(values) + 1, n_classes), values.dtype)
    sums[np.arange(1, len(values) + 1), classes] = values
    return np.cumsum(sums, axis=0, out=sums)
