"""Scalars of a run in a file that TensorBoard reads."""

import os
import pathlib
import time

import tensorflow as tf

FOLDER = "tensorboard"


class ScalarLog:
    """Writes named values per epoch to an event file of a folder.

    Opening it removes the event files of the folder and writes the epochs so far
    into a new one: after a resume every epoch is there once, with the values of
    the checkpoint, whatever a killed run had written after it. The times of
    those events are then the time of the resume.

    The file is written by TensorFlow alone; looking at it takes the package
    tensorboard (`tensorboard --logdir JOB`).

    Args:
        folder: folder of the event file.
        epochs: iterable of (epoch, dict of values) so far.
    """

    def __init__(self, folder, epochs=()):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        # TensorBoard recognises a file by "tfevents" and moves on to the next in alphabetical order.
        self._writer = tf.io.TFRecordWriter(str(folder / f"events.out.tfevents.{time.time_ns()}.{os.getpid()}"))
        self._write(tf.compat.v1.Event(wall_time=time.time(), file_version="brain.Event:2"))
        for epoch, values in epochs:
            self.write(epoch, values)
        self._writer.flush()

    def write(self, epoch, values):
        """Write the values of an epoch (from 1): dict name -> float."""
        summary = tf.compat.v1.Summary(
            value=[tf.compat.v1.Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        )
        self._write(tf.compat.v1.Event(wall_time=time.time(), step=epoch, summary=summary))
        self._writer.flush()

    def _write(self, event):
        self._writer.write(event.SerializeToString())

    def close(self):
        """Close the file."""
        self._writer.close()
