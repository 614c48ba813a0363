"""Streams of labelled ECG frames as `tf.data.Dataset`s."""

import numpy as np
import tensorflow as tf

from pretraining.frames import BatchReader
from pretraining.sampler import FrameSampler
from transplant.errors import DataError


def usable_patients(patients, frame_size):
    """Divide patients into those a frame fits in and those it does not, or whose files are damaged.

    Returns:
        usable: list of `StoredPatient`.
        left_out: list of (patient id, reason).

    Raises:
        DataError: if nobody is left.
    """
    usable, left_out = [], []
    for patient in patients:
        problem = patient.problem()
        if problem is None and not patient.frame_starts(frame_size).any():
            problem = f"longest segment {max(patient.lengths)} samples, shorter than a frame of {frame_size}"
        if problem is None:
            usable.append(patient)
        else:
            left_out.append((patient.patient, problem))
    if not usable:
        raise DataError(f"no patient can be used. Received: {len(left_out)}, the first: {left_out[0][1]}")
    return usable, left_out


def frame_dataset(
    store, patients, task, normalization, frame_size, batch_size, samples_per_patient, seed, steps, first_step=0
):
    """Return a stream of batches of labelled frames.

    Whole batches are gathered and standardised in numpy, in one thread ahead of
    the training step. Batch number `step` depends on the seed and the step alone, so a
    stream that starts at `first_step` goes on exactly where another stopped.
    Invalid samples become 0, the mean of standardised input.

    Args:
        store: `Store`.
        patients: list of `StoredPatient` that a frame fits in.
        task: `Task`.
        normalization: `Normalization`.
        frame_size: samples in a frame.
        batch_size: frames in a batch.
        samples_per_patient: frames of one patient before the next ones are visited.
        seed: seed of the stream.
        steps: number of batches.
        first_step: number of the first batch.

    Returns:
        tf.data.Dataset of (frames float32 (batch, time, leads), labels int32 (batch,)).
    """
    sampler = FrameSampler(patients, frame_size, batch_size, samples_per_patient, store.sampling_rate_hz, seed)
    has_gaps = any(p.invalid_samples for p in patients)
    reader = BatchReader(sampler, task.label_frames, frame_size, batch_size, store.n_leads, normalization, has_gaps)

    def read(step):
        frames, labels = tf.numpy_function(reader.read, [step], [tf.float32, tf.int32], stateful=False)
        frames.set_shape((batch_size, frame_size, store.n_leads))
        labels.set_shape((batch_size,))
        return frames, labels

    numbers = tf.data.Dataset.range(first_step, first_step + steps)
    options = tf.data.Options()
    # Two threads would wait for each other, for Python runs one at a time, and spin meanwhile.
    options.threading.private_threadpool_size = 1
    return numbers.map(read).prefetch(2).with_options(options)


def class_counts(dataset, n_classes):
    """Return int64 (n_classes,): how often each label occurs in a stream."""
    counts = np.zeros(n_classes, np.int64)
    for _, labels in dataset:
        counts += np.bincount(labels.numpy(), minlength=n_classes)
    return counts
