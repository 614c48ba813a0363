"""Signals of an Icentia11k patient: a pickle, gzipped or not, or a numpy file."""

import numpy as np

from transplant.datasets.pickled_array import PickledArray
from transplant.errors import DataError


class NumpyArray:
    """The signals of an .npy file, memory-mapped; has what `PickledArray` has of an array that was loaded."""

    def __init__(self, path):
        try:
            self._array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(
                f"{path}: signals as an array are needed. Received: {type(error).__name__} ({error}); "
                "the file is cut short or something else: fetch or unzip it again"
            ) from error
        self.shape, self.dtype = self._array.shape, self._array.dtype

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._array = None

    def read(self):
        """Return the memory-mapped array."""
        return self._array


def first_values(signal, count):
    """Return the first `count` values of a patient's first segment, float32, as they are in every layout.

    Args:
        signal: what `open_signal` returned; a pickle is of no more use afterwards.
        count: values, no more than are there.
    """
    if isinstance(signal, NumpyArray):
        return np.array(signal.read()[0, :count], np.float32)
    data, size = bytearray(), count * signal.dtype.itemsize
    for block in signal.blocks():
        data += block[: size - len(data)]
        if len(data) == size:
            break
    return np.frombuffer(bytes(data), signal.dtype).astype(np.float32)


def open_signal(path):
    """Open a patient's signals without reading them.

    Returns:
        `NumpyArray` or `PickledArray` of floats, shape (segments, samples).

    Raises:
        DataError: if the file is cut short or holds something else.
    """
    try:
        with open(path, "rb") as file:
            is_numpy = file.read(6) == b"\x93NUMPY"
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); check the file") from error
    signal = NumpyArray(path) if is_numpy else PickledArray(path)
    if len(signal.shape) != 2 or 0 in signal.shape or signal.dtype.kind != "f":
        signal.__exit__()
        raise DataError(
            f"{path}: signals are floats of shape (segments, samples). Received: {signal.dtype} "
            f"{signal.shape}; fetch the file again or leave the patient out (--skip-bad)"
        )
    return signal
