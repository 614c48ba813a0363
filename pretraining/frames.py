"""Gather the frames of a batch from memory-mapped signals."""

import numpy as np

from pretraining.packing import counts_to_millivolts


class BatchReader:
    """Reads whole batches of frames and their labels in numpy.

    The signal leaves as it is stored, int16 where every patient's is, with the
    scale and offset that turn it into network input; the multiplication is
    left to the graph.

    Args:
        sampler: `FrameSampler`.
        label_frames: the task's labelling function.
        frame_size: samples in a frame.
        n_leads: leads of the store.
        normalization: `Normalization` to apply.
        as_counts: whether every patient's signal is int16.
    """

    def __init__(self, sampler, label_frames, frame_size, n_leads, normalization, as_counts):
        self._sampler = sampler
        self._label_frames = label_frames
        self._shape = (frame_size, n_leads)
        self._mean = np.asarray(normalization.mean if normalization.method == "zscore" else 0.0, np.float64)
        self._std = np.asarray(normalization.std if normalization.method == "zscore" else 1.0, np.float64)
        self.dtype = np.int16 if as_counts else np.float32

    def read(self, step):
        """Return one batch.

        Returns:
            frames: (batch, time, leads), int16 or float32, as stored.
            scale, offset: float32 (batch, 1, leads); input = frames * scale + offset.
            labels: int32 (batch,).
        """
        draws = self._sampler.draw(int(step))
        batch_size = sum(len(d.rows) for d in draws)
        frame_size, n_leads = self._shape
        frames = np.empty((batch_size, frame_size, n_leads), self.dtype)
        gain = np.empty((batch_size, 1, n_leads))
        baseline = np.empty((batch_size, 1, n_leads))
        labels = np.empty(batch_size, np.int32)
        for draw in draws:
            labels[draw.rows] = self._label_frames(draw.working_set.axis, draw.axis_starts, frame_size)
            for slot in np.unique(draw.slots):
                chosen = draw.slots == slot
                patient = draw.working_set.segments[slot]
                rows, segments = draw.rows[chosen], draw.segments[chosen]
                starts = patient.offsets[segments] + draw.within[chosen]
                if patient.signal.dtype == self.dtype:
                    for row, start in zip(rows.tolist(), starts.tolist()):
                        frames[row] = patient.signal[start : start + frame_size]
                    gain[rows, 0] = patient.gain[segments]
                    baseline[rows, 0] = patient.baseline[segments]
                else:
                    for row, start, segment in zip(rows.tolist(), starts.tolist(), segments.tolist()):
                        counts = patient.signal[start : start + frame_size]
                        frames[row] = counts_to_millivolts(counts, patient.gain[segment], patient.baseline[segment])
                    gain[rows, 0] = 1.0
                    baseline[rows, 0] = 0.0
        scale = 1.0 / (gain * self._std)
        offset = -(baseline / gain + self._mean) / self._std
        return frames, scale.astype(np.float32), offset.astype(np.float32), labels
