"""Gather the frames of a batch from memory-mapped signals."""

import sys
import threading

import numpy as np

from pretraining.packing import INVALID_COUNT
from pretraining.sampler import LABELS

# Decoded together; 16 frames of 4096 samples are 256 KiB, which the second-level cache holds.
_VALUES_PER_BLOCK = 65_536
# TensorFlow takes an array over without a copy if it starts on such a boundary, bytes.
_ALIGNMENT = 64
# References that Python counts of an object that lies in one list and nowhere else.
_LONE = [object()]
_UNUSED = sys.getrefcount(_LONE[0])


class BatchReader:
    """Reads whole batches of standardised frames and their labels in numpy.

    A batch crosses main memory once: frames become float32 as they are
    gathered, and are standardised a few at a time while the cache holds them.

    Args:
        sampler: `FrameSampler`.
        task: `Task`, which labels windows and says which frames are seen.
        options: of the run, as the task wants them.
        n_leads: leads of the store.
        normalization: `Normalization` to apply.
        has_gaps: whether any patient has invalid samples; they become 0, the
            mean of standardised input.

    Attributes:
        shapes: dict input name -> shape of its frames in a batch.
    """

    def __init__(self, sampler, task, options, n_leads, normalization, has_gaps):
        self._sampler = sampler
        self._task = task
        self._options = options
        self._frame_size = options.frame_size
        self._mean = np.asarray(normalization.mean if normalization.method == "zscore" else 0.0, np.float64)
        self._std = np.asarray(normalization.std if normalization.method == "zscore" else 1.0, np.float64)
        self._has_gaps = has_gaps
        batch_size = sampler.sampling.batch_size
        self.shapes = {
            name: (batch_size, *shape, self._frame_size, n_leads) for name, shape in task.frames_shape(options).items()
        }
        self._memory = {name: BatchMemory(shape) for name, shape in self.shapes.items()}
        self._label_shape = (batch_size, *task.label_shape(options))

    def read(self, step):
        """Return one batch.

        Returns:
            One array float32 (batch, ..., time, leads) for each of the task's
            inputs, standardised, and the labels (batch, ...).
        """
        step = int(step)
        arrays = {name: memory.take() for name, memory in self._memory.items()}
        labels = np.empty(self._label_shape, self._task.label_dtype)
        for part, draw in enumerate(self._sampler.draws(step)):
            rng = np.random.default_rng((self._sampler.sampling.seed, LABELS, step, part))
            starts = draw.working_set.on_axis(draw.windows)
            labels[draw.rows] = self._task.label(draw.working_set.axis, starts, rng, self._options)
            frames = self._task.frames(draw.windows, draw.others, labels[draw.rows], self._options)
            for name, (segments, starts) in frames.items():
                rows = arrays[name][draw.rows].reshape(-1, *arrays[name].shape[-2:])
                self._fill(rows, draw.working_set, segments.ravel(), starts.ravel())
        return *arrays.values(), labels

    def close(self):
        """Let go of the working sets and of the memory of batches; a later read takes its own again."""
        self._sampler.close()
        for memory in self._memory.values():
            memory.clear()

    def _fill(self, frames, opened, segments, starts):
        size, n_leads = self._frame_size, frames.shape[-1]
        step = max(1, _VALUES_PER_BLOCK // (size * n_leads))
        scale, offset = self._scale_and_offset(opened)
        scalings = opened.scaling_of[segments]
        rows = {}
        samples = frames.reshape(-1, n_leads)
        for block, runs in _blocks(segments, opened.first_samples[segments] + starts, size, step):
            for row, count, segment, start in runs:
                stored = opened.signals[segment][start : start + count * size]
                target = samples[row * size : (row + count) * size]
                target[:] = stored
                if self._has_gaps and stored.dtype == np.int16:
                    target[stored == INVALID_COUNT] = np.nan
            decoded, scaling = frames[block], scalings[block]
            if (scaling == scaling[0]).all():
                # One for all: numpy goes through the block once, and not once for each frame or, of several
                # leads, for each sample.
                first = int(scaling[0])
                if first not in rows:
                    rows[first] = _as_row(scale[first], size), _as_row(offset[first], size)
                flat = decoded.reshape(-1, size * n_leads)
                flat *= rows[first][0]
                flat += rows[first][1]
            else:
                decoded *= scale[scaling]
                decoded += offset[scaling]
            if self._has_gaps:
                decoded[np.isnan(decoded)] = 0.0

    def _scale_and_offset(self, opened):
        """Return float32 (scalings, 1, leads) each: input = stored * scale + offset."""
        gain, baseline = (values[:, None].astype(np.float64) for values in (opened.gain, opened.baseline))
        scale = 1.0 / (gain * self._std)
        offset = -(baseline / gain + self._mean) / self._std
        return scale.astype(np.float32), offset.astype(np.float32)


def _as_row(values, size):
    """Return (1, leads) as a row (time * leads,) of one frame, or of one lead as it is."""
    return values[0] if values.shape[-1] == 1 else np.tile(values[0], size)


def _blocks(segments, starts, size, step):
    """Yield the frames in blocks of `step` rows, those that follow each other in a segment as one run.

    Args:
        segments: int64 (frames,).
        starts: int64 (frames,), first sample of each frame.
        size: samples in a frame.
        step: frames in a block.

    Yields:
        The block's rows as a slice, and an iterator of (row, frames, segment, start) over its runs.
    """
    follows = (segments[1:] == segments[:-1]) & (starts[1:] == starts[:-1] + size)
    follows[step - 1 :: step] = False
    rows = np.concatenate([[0], np.flatnonzero(~follows) + 1])
    columns = rows, np.diff(rows, append=len(starts)), segments[rows], starts[rows]
    columns = [column.tolist() for column in columns]
    firsts = np.arange(0, len(starts), step)
    bounds = [*np.searchsorted(rows, firsts).tolist(), len(rows)]
    for first, run, behind in zip(firsts.tolist(), bounds, bounds[1:]):
        yield slice(first, first + step), zip(*(column[run:behind] for column in columns))


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

    def clear(self):
        """Let go of all arrays; those that somebody holds stay his."""
        with self._lock:
            self._blocks.clear()
