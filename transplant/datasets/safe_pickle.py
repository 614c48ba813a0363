"""Read pickles of numpy arrays and plain containers without running anything they ask for.

The stream never gets hold of a real class or function. The names that numpy
writes for its arrays are answered with stand-ins made for this one file; they
take numbers apart and build the arrays themselves. Any other name is refused
before it is looked up.
"""

import io
import math
import pickle
import re
import zlib

import numpy as np

from transplant.datasets.byte_stream import ByteStream
from transplant.datasets.pickle_opcodes import walk
from transplant.errors import DataError, UnsafeFileError

_DTYPE_CODE = re.compile(r"^[<>|=]?(\?|[biufOSU]\d*|V0)$")
_PLAIN = (str, bytes, int, float, bool, type(None), np.generic)
# What unpickling damaged bytes may raise, by the documentation of pickle,
# gzip and numpy.
DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    OSError,
    zlib.error,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    MemoryError,
    RecursionError,
)


def load_safe_pickle(path, nested=False):
    """Load a pickle, gzipped or not, that holds numpy arrays and plain containers.

    Args:
        path: the file. Arrays of numbers or strings are read, and object arrays
            whose items are plain strings or numbers; pickles of Python 2 too.
        nested: whether the items of object arrays may be arrays and tuples,
            lists or dicts too. Defaults to False.

    Returns:
        What was pickled. Arrays of numbers are read-only views of the bytes.

    Raises:
        UnsafeFileError: if the pickle names anything else; nothing was run.
        DataError: if the file is missing, cut short or not a pickle.
    """
    try:
        with ByteStream.open(path) as stream:
            return _load(stream, path, nested)
    except DAMAGE as error:
        raise damaged(path, error) from error


def parse_safe_pickle(data, path, nested=False):
    """Load a pickle that lies in memory, as `load_safe_pickle` does a file.

    Args:
        data: the bytes.
        path: the file they come from, for the messages.
        nested: as for `load_safe_pickle`.
    """
    try:
        return _load(ByteStream([data]), path, nested)
    except DAMAGE as error:
        raise damaged(path, error) from error


def damaged(path, error):
    """Return the `DataError` for a pickle that raised `error` while it was read."""
    return DataError(
        f"{path}: a pickle of arrays is needed. Received: {type(error).__name__} ({error}); "
        "the file is missing, cut short or something else: fetch it again"
    )


def _load(stream, path, nested):
    data = _checked(stream)
    stream.finish()
    loaded = SafeUnpickler(data, path).load()
    return _finish(loaded, path, {}, nested)


def _checked(stream):
    """Return a pickle as a file in memory, refusing one that is cut short or asks for more memory than it can fill.

    One damaged byte in a length or a memo index makes the unpickler allocate
    gigabytes before it notices.
    """
    data = io.BytesIO()
    for count, opcode in enumerate(walk(stream)):
        if opcode.memo_index > count:
            raise ValueError(f"memo index {opcode.memo_index}")
        data.write(opcode.head)
        for block in stream.blocks(opcode.length):
            data.write(block)
    data.seek(0)
    return data


class SafeUnpickler(pickle.Unpickler):
    """Unpickles arrays and plain containers; what it returns still holds stand-ins.

    Args:
        stream: file object of a pickle whose lengths were checked.
        path: the file, for the messages.
        array: class of the stand-in that takes an array's state.
    """

    def __init__(self, stream, path, array=None):
        # latin1: what Python 2 wrote as bytes arrives as text and is encoded back.
        super().__init__(stream, encoding="latin1")
        self._path = path
        self._array = array or _Array

    def find_class(self, module, name):
        # A new stand-in each time: a stream can set attributes on what it is given.
        if (module, name) == ("_codecs", "encode"):
            return lambda text, encoding="latin1": _encode(text, encoding)
        if module in ("builtins", "__builtin__"):
            # Protocols before 4 spell sets, and before 3 empty bytes, as calls.
            if name in ("set", "frozenset"):
                return lambda items=(): _items(items, set if name == "set" else frozenset)
            if name == "bytes":
                return lambda: b""
        if module == "numpy" and name == "ndarray":
            return "numpy.ndarray"
        if module == "numpy" and name == "dtype":
            return lambda code, align=False, copy=True: _Dtype(code)
        if module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            if name == "_reconstruct":
                return lambda kind, shape, code: self._array()
            if name == "scalar":
                return lambda dtype, data: _scalar(dtype, data)
        if module in ("numpy.core.numeric", "numpy._core.numeric") and name == "_frombuffer":
            return lambda data, dtype, shape, order: _from_buffer(data, dtype, shape, order)
        raise UnsafeFileError(
            f"{self._path}: a data file holds arrays and plain containers only. Received: a pickle that asks for "
            f"{module}.{name}; nothing was run, do not open the file elsewhere, obtain it from its publisher again"
        )

    def persistent_load(self, pid):
        raise pickle.UnpicklingError("a reference to something outside the file")


class _Dtype:
    """Stands in for a numpy dtype of numbers, strings or objects."""

    def __init__(self, code):
        if not isinstance(code, str) or not _DTYPE_CODE.match(code):
            raise ValueError(f"array of type {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state):
        _version, order, subtype, names, fields = state[:5]
        if subtype is not None or names is not None or fields is not None:
            raise ValueError("an array of structures")
        if self.dtype.kind == "U" and self.dtype.itemsize == 0:
            self.dtype = np.dtype(f"U{state[5] // 4}")
        elif self.dtype.kind == "S" and self.dtype.itemsize == 0:
            self.dtype = np.dtype(f"S{state[5]}")
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Stands in for an array until its bytes are known."""

    array = None

    def __setstate__(self, state):
        _version, shape, dtype, fortran, data = state
        _fill(self, data, dtype, shape, "F" if fortran else "C")


def _fill(target, data, dtype, shape, order):
    if not isinstance(dtype, _Dtype) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError("an array without a type or a shape")
    if dtype.dtype.kind == "O":
        if not isinstance(data, list) or len(data) != math.prod(shape):
            raise ValueError("an array of objects without its items")
        flat = np.empty(len(data), object)
        for i, item in enumerate(data):
            flat[i] = item
        target.array = flat.reshape(shape, order=order)
        return
    if isinstance(data, str):
        data = data.encode("latin1")
    if not isinstance(data, (bytes, bytearray)) or len(data) != math.prod(shape) * dtype.dtype.itemsize:
        raise ValueError("an array whose bytes do not fill its shape")
    target.array = np.frombuffer(data, dtype.dtype).reshape(shape, order=order)
    target.array.flags.writeable = False


def _from_buffer(data, dtype, shape, order):
    array = _Array()
    _fill(array, data, dtype, shape, order)
    return array


def _scalar(dtype, data):
    array = _Array()
    _fill(array, [data] if dtype.dtype.kind == "O" else data, dtype, (1,), "C")
    return array.array[0]


def _encode(text, encoding):
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"text in {encoding}")
    return text.encode("latin1")


def _items(items, kind):
    if not isinstance(items, list):
        raise ValueError("a set made of something else than a list")
    return kind(items)


def _finish(value, path, done, nested):
    """Return `value` with stand-ins replaced by arrays, refusing whatever is not data.

    `done` maps the id of a container to its result, None while it is worked on:
    what is shared stays shared, and a container inside itself is refused.
    """
    if isinstance(value, (*_PLAIN, bytearray)):
        return value
    if not isinstance(value, (_Array, dict, list, tuple, set, frozenset)):
        raise UnsafeFileError(
            f"{path}: a data file holds arrays and plain containers only. Received: "
            f"{type(value).__name__.lstrip('_')}; obtain the file from its publisher again"
        )
    if id(value) in done:
        if done[id(value)] is None:
            raise ValueError("a container that holds itself")
        return done[id(value)]
    done[id(value)] = None
    if isinstance(value, _Array):
        finished = _finish_array(value.array, path, done, nested)
    elif isinstance(value, dict):
        finished = {_finish(k, path, done, nested): _finish(item, path, done, nested) for k, item in value.items()}
    else:
        finished = type(value)(_finish(item, path, done, nested) for item in value)
    done[id(value)] = finished
    return finished


def _finish_array(array, path, done, nested):
    if array is None:
        raise ValueError("an array without its bytes")
    if array.dtype.kind != "O":
        return array
    finished = np.empty(array.size, object)
    for i, item in enumerate(array.flat):
        if not nested and not isinstance(item, _PLAIN):
            raise UnsafeFileError(
                f"{path}: an array of objects holds strings or numbers only. Received: an item of type "
                f"{type(item).__name__.lstrip('_')}; obtain the file from its publisher again"
            )
        finished[i] = _finish(item, path, done, nested)
    return finished.reshape(array.shape)
