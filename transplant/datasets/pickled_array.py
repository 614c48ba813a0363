"""A pickle of one large array, read in one pass while it is inflated."""

import io
import math

import numpy as np

from transplant.datasets.byte_stream import ByteStream
from transplant.datasets.pickle_opcodes import walk
from transplant.datasets.safe_pickle import DAMAGE, SafeUnpickler, damaged, load_safe_pickle
from transplant.errors import DataError

# An argument longer than this is an array's bytes, not a part of its description.
_DESCRIPTION = 1 << 16
# Opcode of a large argument -> the opcode of the same kind that introduces the mark in its place.
_BYTES = {"BINSTRING": b"T", "BINBYTES": b"B", "BINBYTES8": b"B"}
# Python 3 writes an array's bytes as text where the protocol is older than it, 2 or less.
_TEXT = {"BINUNICODE": b"X", "BINUNICODE8": b"X"}
_MARK = b"the bytes of the array"


class PickledArray:
    """An array in a pickle, gzipped or not; use as a context manager.

    What describes the array is unpickled by `SafeUnpickler`; its bytes never
    pass through the unpickler, and are handed over as they are inflated. A
    pickle that is built in another way (protocol 5 names type and shape behind
    the bytes) is loaded whole.

    Args:
        path: the file.

    Attributes:
        shape: tuple.
        dtype: numpy dtype of the file's values.

    Raises:
        UnsafeFileError: if the pickle asks for anything but arrays; nothing was run.
        DataError: if the file is missing, cut short or no pickle of one array.
    """

    def __init__(self, path):
        self._path = path
        try:
            self._stream = ByteStream.open(path)
        except OSError as error:
            raise damaged(path, error) from error
        try:
            self._open()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._stream.__exit__()

    def blocks(self):
        """Yield the array's bytes as memoryviews, C order, once from front to back.

        Raises:
            DataError: at the end, if the file is cut short or damaged.
        """
        if self._whole is not None:
            yield memoryview(np.ascontiguousarray(self._whole)).cast("B")
            return
        try:
            blocks = self._stream.blocks(self._payload.length)
            seen = 0
            for block in latin1_of_utf8(blocks) if self._payload.name in _TEXT else blocks:
                seen += len(block)
                yield block
            if seen != self._size:
                raise ValueError("an array whose bytes do not fill its shape")
            tail = _description(self._opcodes, self._stream)
            self._stream.finish()
            outline = _outline(self._head + self._marked() + tail, self._path)
            if not isinstance(outline, _Outline) or outline.state is None:
                raise ValueError("something else than one array")
        except DAMAGE as error:
            raise damaged(self._path, error) from error

    def read(self):
        """Return the whole array, of its own dtype."""
        if self._whole is not None:
            return self._whole
        array = np.empty(self.shape, self.dtype)
        target, filled = memoryview(array).cast("B") if array.size else memoryview(b""), 0
        for block in self.blocks():
            if filled + len(block) > len(target):
                raise damaged(self._path, ValueError("an array whose bytes do not fill its shape"))
            target[filled : filled + len(block)] = block
            filled += len(block)
        return array

    def _open(self):
        self._whole = None
        try:
            self._opcodes = walk(self._stream)
            self._head, self._payload = _head(self._opcodes, self._stream)
            outline = self._payload and self._outline_of_head()
        except DAMAGE as error:
            raise damaged(self._path, error) from error
        if outline is None:
            self._whole = load_safe_pickle(self._path)
            if not isinstance(self._whole, np.ndarray):
                raise DataError(
                    f"{self._path}: a pickle of one array is needed. Received: a {type(self._whole).__name__}; "
                    "fetch the file again"
                )
            self.shape, self.dtype = self._whole.shape, self._whole.dtype
            return
        self.shape, self.dtype = outline.shape, outline.dtype
        self._size = math.prod(self.shape) * self.dtype.itemsize
        if self._payload.name in _BYTES and self._payload.length != self._size:
            raise damaged(self._path, ValueError("an array whose bytes do not fill its shape"))

    def _outline_of_head(self):
        """Return the `_Outline` that the head describes, or None where it describes none yet."""
        try:
            # What follows the bytes: the end of the state, its setting, the end of the pickle.
            outline = _outline(self._head + self._marked() + b"tb.", self._path)
        except DAMAGE:
            return None
        streams = isinstance(outline, _Outline) and outline.state is not None and outline.streams()
        return outline if streams else None

    def _marked(self):
        """Return the opcode that stands for the array's bytes in the description."""
        code = (_BYTES | _TEXT)[self._payload.name]
        return code + len(_MARK).to_bytes(4, "little") + _MARK


def _head(opcodes, stream):
    """Return what comes before the array's bytes, and their opcode; None for it if there is none."""
    head = bytearray()
    for opcode in opcodes:
        if opcode.length > _DESCRIPTION:
            return head, opcode if opcode.name in _BYTES | _TEXT else None
        head += _part(opcode, stream)
    return head, None


def _description(opcodes, stream):
    """Return what is left of a pickle."""
    rest = bytearray()
    for opcode in opcodes:
        if opcode.length > _DESCRIPTION or len(rest) > _DESCRIPTION:
            raise ValueError("more than one array")
        rest += _part(opcode, stream)
    return rest


def _part(opcode, stream):
    # Frames only help to read ahead, and would have to be counted again.
    return b"" if opcode.name == "FRAME" else opcode.head + stream.read(opcode.length)


def _outline(description, path):
    return SafeUnpickler(io.BytesIO(description), path, _Outline).load()


class _Outline:
    """Stands in for an array whose bytes are elsewhere."""

    state = None

    def __setstate__(self, state):
        _version, self.shape, dtype, self._fortran, self.state = state[:5]
        self.dtype = dtype.dtype

    def streams(self):
        """Return whether the array's bytes can be handed over as they come."""
        shape = self.shape
        if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise ValueError("an array without a shape")
        return self.dtype.kind != "O" and (not self._fortran or len(shape) < 2)


def latin1_of_utf8(blocks):
    """Yield the bytes that UTF-8 text stands for whose characters lie below 256.

    Python's own decoder branches at every byte; bytes of floats have no order
    that a processor could foresee, and this takes half the time.

    Args:
        blocks: iterable of bytes-like.

    Raises:
        ValueError: if characters lie above 255, or first and second bytes do not come in pairs.
    """
    pending = b""
    for block in blocks:
        data = np.frombuffer(pending + bytes(block) if pending else block, np.uint8)
        # A character of two bytes begins with 0xC2 or 0xC3; the blocks cut some in two.
        pending = data[-1:].tobytes() if data[-1] >= 0xC0 else b""
        data = data[: len(data) - len(pending)]
        if not len(data):
            continue
        ends = np.flatnonzero(data < 0xC0)
        firsts = len(data) - len(ends)
        if np.count_nonzero(data >= 0x80) != 2 * firsts or data.max() > 0xC3:
            raise ValueError("text that holds no bytes")
        # 0xC2 leaves the second byte as it is, 0xC3 adds 0x40.
        added = (data == 0xC3).view(np.uint8) * np.uint8(0x40)
        values = np.empty_like(data)
        values[0] = data[0]
        np.bitwise_or(data[1:], added[:-1], out=values[1:])
        yield memoryview(values.take(ends, mode="clip"))
    if pending:
        raise ValueError("text that ends within a character")
