"""Streams of labelled ECG frames as `tf.data.Dataset`s."""

import atexit
import contextlib
import threading
import time

import tensorflow as tf

from pretraining.frames import BatchReader
from pretraining.sampler import FrameSampler, Sampling
from transplant.errors import DataError
from transplant.training.pipelines import without_autotune

_ending = threading.Event()
_read_lock = threading.Lock()
_failures = []


@contextlib.contextmanager
def _reading():
    """Read under the eyes of `own_errors` and of the end of the process."""
    with _read_lock:
        if _ending.is_set():
            raise RuntimeError("the process ends")
        try:
            yield
        except Exception as error:
            _failures.append(error)
            raise


def _end():
    """Have readers end before Python does: a thread of TensorFlow's that waits for it then waits for ever."""
    _ending.set()
    with _read_lock:
        pass
    # The threads fill what they read ahead, each read an error at once, and rest.
    time.sleep(0.05)


atexit.register(_end)


@contextlib.contextmanager
def own_errors():
    """Raise what reading a batch raised as itself, not as TensorFlow's account of it."""
    _failures.clear()
    try:
        yield
    except tf.errors.OpError as error:
        if _failures:
            raise _failures[0] from error
        raise
    finally:
        _failures.clear()


def usable_patients(patients, window_size):
    """Divide patients into those a window fits in and those it does not, or whose files are damaged.

    Returns:
        usable: list of `StoredPatient`.
        left_out: list of (patient id, reason).

    Raises:
        DataError: if nobody is left.
    """
    usable, left_out = [], []
    for patient in patients:
        problem = patient.problem()
        if problem is None and not patient.frame_starts(window_size).any():
            problem = f"longest segment {max(patient.lengths)} samples, shorter than {window_size}"
        if problem is None:
            usable.append(patient)
        else:
            left_out.append((patient.patient, problem))
    if not usable:
        raise DataError(
            f"no patient can be used. Received: {len(left_out)}, the first: {left_out[0][1]}; "
            "mend the files, or take a smaller --frame-size"
        )
    return usable, left_out


def window_dataset(
    store, patients, task, options, normalization, batch_size, samples_per_patient, seed, steps, first_step=0
):
    """Return a stream of batches as they are drawn, before the task finishes them.

    Whole batches are gathered and standardised in numpy, in one thread ahead of
    the training step. Batch number `step` depends on the seed and the step
    alone, so a stream that starts at `first_step` goes on exactly where another
    stopped. Invalid samples become 0, the mean of standardised input.

    Args:
        store: `Store`.
        patients: list of `StoredPatient` that a window of the task fits in.
        task: `Task`.
        options: of the run, as the task wants them (`frame_size` and the task's own).
        normalization: `Normalization`.
        batch_size: windows in a batch.
        samples_per_patient: windows of one patient before the next ones are visited.
        seed: seed of the stream.
        steps: number of batches.
        first_step: number of the first batch.

    Returns:
        tf.data.Dataset of (dict input name -> float32 (batch, ..., time, leads), labels (batch, ...)).
    """
    sampling = Sampling(
        task.window_size(options), options.frame_size, task.others(options), batch_size, samples_per_patient, seed
    )
    sampler = FrameSampler(patients, sampling, store.sampling_rate_hz)
    has_gaps = any(p.invalid_samples for p in patients)
    reader = BatchReader(sampler, task, options, store.n_leads, normalization, has_gaps)
    types = [*(tf.float32 for _ in reader.shapes), tf.as_dtype(task.label_dtype)]

    def gather(step):
        with _reading():
            batch = reader.read(step)
        if step == first_step + steps - 1:
            # TensorFlow keeps a function that a graph calls, and all it refers to, to the end of the process.
            reader.close()
        return batch

    def read(step):
        *frames, labels = tf.numpy_function(gather, [step], types, stateful=False)
        for array, shape in zip(frames, reader.shapes.values()):
            array.set_shape(shape)
        labels.set_shape((batch_size, *task.label_shape(options)))
        return dict(zip(reader.shapes, frames)), labels

    numbers = tf.data.Dataset.range(first_step, first_step + steps)
    # Two threads would wait for each other, for Python runs one at a time, and spin meanwhile.
    return without_autotune(numbers.map(read).prefetch(2), threads=1)


def frame_dataset(store, patients, task, options, *arguments, **keywords):
    """Return a stream of batches for `model.fit`; the arguments are those of `window_dataset`.

    Returns:
        tf.data.Dataset of what the task's `finish` returns; for beat, rhythm and
        hr (frames float32 (batch, time, leads), labels int32 (batch,)).
    """
    windows = window_dataset(store, patients, task, options, *arguments, **keywords)
    return windows.map(lambda inputs, labels: task.finish(inputs, labels, options))
