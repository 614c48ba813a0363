"""Gather the frames of a batch from memory-mapped signals."""

import sys
import threading

import numpy as np

from pretraining.packing import INVALID_COUNT

# Decoded together; 16 frames of 4096 samples are 256 KiB, which the second-level cache holds.
_VALUES_PER_BLOCK = 65_536
# TensorFlow takes an array over without a copy if it starts on such a boundary, bytes.
_ALIGNMENT = 64
# References that Python counts of an object that lies in one list and nowhere else.
_LONE = [object()]
_UNUSED = sys.getrefcount(_LONE[0])


class BatchReader:
    """Reads whole batches of standardised frames and their labels in numpy.

    The batch crosses main memory once: frames become float32 as they are
    gathered, and are standardised a few at a time while the cache holds them.

    Args:
        sampler: `FrameSampler`.
        label_frames: the task's labelling function.
        frame_size: samples in a frame.
        batch_size: frames in a batch.
        n_leads: leads of the store.
        normalization: `Normalization` to apply.
        has_gaps: whether any patient has invalid samples; they become 0, the
            mean of standardised input.
    """

    def __init__(self, sampler, label_frames, frame_size, batch_size, n_leads, normalization, has_gaps):
        self._sampler = sampler
        self._label_frames = label_frames
        self._shape = (frame_size, n_leads)
        self._mean = np.asarray(normalization.mean if normalization.method == "zscore" else 0.0, np.float64)
        self._std = np.asarray(normalization.std if normalization.method == "zscore" else 1.0, np.float64)
        self._has_gaps = has_gaps
        self._memory = BatchMemory((batch_size, *self._shape))

    def read(self, step):
        """Return one batch.

        Returns:
            frames: float32 (batch, time, leads), standardised.
            labels: int32 (batch,).
        """
        draws = self._sampler.draw(int(step))
        frames = self._memory.take()
        labels = np.empty(len(frames), np.int32)
        for draw in draws:
            labels[draw.rows] = self._label_frames(draw.working_set.axis, draw.axis_starts, self._shape[0])
            # The rows of a draw follow each other.
            self._fill(frames[draw.rows[0] : draw.rows[-1] + 1], draw)
        return frames, labels

    def _fill(self, frames, draw):
        opened = draw.working_set
        numbers = opened.first_segments[draw.slots] + draw.segments
        starts = opened.first_samples[numbers] + draw.within
        scale, offset = self._scale_and_offset(opened.gain[numbers], opened.baseline[numbers])
        signals = [patient.signal for patient in opened.segments]
        places = list(zip(draw.slots.tolist(), starts.tolist()))
        frame_size, n_leads = self._shape
        step = max(1, _VALUES_PER_BLOCK // (frame_size * n_leads))
        for first in range(0, len(places), step):
            block = slice(first, first + step)
            decoded = frames[block]
            for frame, (slot, start) in zip(decoded, places[block]):
                stored = signals[slot][start : start + frame_size]
                frame[:] = stored
                if self._has_gaps and stored.dtype == np.int16:
                    frame[stored == INVALID_COUNT] = np.nan
            decoded *= scale[block]
            decoded += offset[block]
            if self._has_gaps:
                decoded[np.isnan(decoded)] = 0.0

    def _scale_and_offset(self, gain, baseline):
        """Return float32 (frames, 1, leads) each: input = stored * scale + offset."""
        gain, baseline = (values[:, None].astype(np.float64) for values in (gain, baseline))
        scale = 1.0 / (gain * self._std)
        offset = -(baseline / gain + self._mean) / self._std
        return scale.astype(np.float32), offset.astype(np.float32)


class BatchMemory:
    """Arrays for batches, used again once nobody holds them.

    Fresh memory for each batch of some MiB costs the system more than filling it.

    Args:
        shape: shape of a batch.
    """

    def __init__(self, shape):
        self._shape = shape
        self._size = 4 * int(np.prod(shape))
        self._blocks = []
        self._lock = threading.Lock()

    def take(self):
        """Return an uninitialised float32 array that TensorFlow can take over without copying it."""
        with self._lock:
            # Every view of a block refers to the block itself.
            free = (i for i in range(len(self._blocks)) if sys.getrefcount(self._blocks[i]) == _UNUSED)
            index = next(free, None)
            if index is None:
                index = len(self._blocks)
                self._blocks.append(np.empty(self._size + _ALIGNMENT, np.uint8))
            block = self._blocks[index]
        first = -block.ctypes.data % _ALIGNMENT
        return block[first : first + self._size].view(np.float32).reshape(self._shape)
