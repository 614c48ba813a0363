"""Decode one Icentia11k patient into a file that can be memory-mapped; runs in worker processes, free of TensorFlow."""

import dataclasses
import multiprocessing
import os
import pathlib
import shutil
import signal
import threading

import numpy as np

from transplant.datasets.icentia11k_files import Icentia11kFiles, segment_rhythms
from transplant.datasets.icentia11k_signals import NumpyArray, open_signal
from transplant.tasks.annotations import SegmentAnnotations

# Bytes: just below what glibc learns from (32 MiB).
_LARGEST_KEPT = 31 << 20


@dataclasses.dataclass(frozen=True, eq=False)
class DecodedPatient:
    """Where a patient's signal lies, and its annotations.

    Attributes:
        file: path of the signal.
        offset: its first byte in the file.
        shape: (segments, samples), float32 mV.
        is_copy: whether the file was written for us, and may be deleted.
        annotations: list of `SegmentAnnotations`.
    """

    file: str
    offset: int
    shape: tuple
    is_copy: bool
    annotations: list

    def signal(self):
        """Return the memory-mapped signal, float32 (samples of all segments, 1)."""
        mapped = np.memmap(self.file, np.float32, "r", self.offset, self.shape)
        # As a plain array: slicing np.memmap costs four times as much, and a frame is one slice.
        return mapped.view(np.ndarray).reshape(-1, 1)


def decode_patient(folder, number, file):
    """Decode a patient.

    An .npy file of float32 is mapped where it lies; everything else is written
    to `file` as it is inflated, float32 as it comes: to make int16 of it would
    cost more than to write twice as much.

    Args:
        folder: folder of the patient's files.
        number: patient number.
        file: path that may be written to.

    Returns:
        `DecodedPatient`.

    Raises:
        DataError: if a file is missing, damaged or does not fit the other.
    """
    files = Icentia11kFiles(folder)
    labels = files.labels(number)
    path = files.signal_file(number)
    with open_signal(path) as opened:
        shape = opened.shape
        files.check_labels(number, labels, shape)
        offset = _offset_of_floats(opened)
        if offset is None:
            _write(opened, file)
    return DecodedPatient(
        file=str(path if offset is not None else file),
        offset=offset or 0,
        shape=shape,
        is_copy=offset is None,
        annotations=[_annotations(segment, shape[1]) for segment in labels],
    )


def _offset_of_floats(opened):
    """Return where the values of a memory-mapped float32 array begin in its file, None for all else."""
    if not isinstance(opened, NumpyArray):
        return None
    array = opened.read()
    return array.offset if array.dtype == np.float32 and array.flags.c_contiguous else None


def _write(opened, file):
    """Write signals as float32, whole or not at all."""
    try:
        with open(file, "wb") as target:
            if opened.dtype == np.float32 and not isinstance(opened, NumpyArray):
                for block in opened.blocks():
                    target.write(block)
            else:
                np.asarray(opened.read(), np.float32).tofile(target)
    except BaseException:
        pathlib.Path(file).unlink(missing_ok=True)
        raise


def _annotations(labels, length):
    starts, ends, classes, known_until = segment_rhythms(labels, length)
    return SegmentAnnotations(
        length=length,
        beat_positions=labels.beat_positions,
        beat_classes=labels.beat_classes,
        rhythm_starts=starts,
        rhythm_ends=ends,
        rhythm_classes=classes,
        rhythm_known_until=known_until,
    )


def start_worker(folder):
    """Make a worker leave Ctrl-C to its parent; when the parent is gone, delete the folder and end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # glibc gives the memory of every inflated block back to the system, unless a large one was freed before.
    bytearray(_LARGEST_KEPT)
    parent = multiprocessing.parent_process()

    def watch():
        parent.join()
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
