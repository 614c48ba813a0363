"""The bytes of a file, gunzipped where it is gzipped, taken once from front to back."""

import gzip
import zlib as _zlib

try:
    # Inflates three times as fast, to the same bytes.
    from isal import isal_zlib as zlib
except ImportError:
    zlib = _zlib

_READ = 1 << 16
# Inflated at once: what the second-level cache holds.
_BLOCK = 1 << 18
_LINE = 256
# Window bits of a gzip member with its header and check sum, for zlib.
_GZIP = 31


class ByteStream:
    """Bytes that can be read once, in order; use as a context manager.

    Args:
        blocks: iterable of bytes-like blocks.
        file: closed at the end of the `with` block. Defaults to none.
    """

    def __init__(self, blocks, file=None):
        self._blocks = iter(blocks)
        self._block = memoryview(b"")
        self._file = file

    @classmethod
    def open(cls, path):
        """Return the stream of a file; a gzipped file is known by its first two bytes.

        Raises:
            OSError: if the file is missing; while reading, if its gzip data are damaged.
            EOFError: while reading, if its gzip data are cut short.
        """
        file = open(path, "rb", buffering=0)  # noqa: SIM115 -- the stream closes it
        is_gzip = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        return cls(_inflate(file) if is_gzip else iter(lambda: file.read(_BLOCK), b""), file)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._block = memoryview(b"")
        if self._file:
            self._file.close()

    def blocks(self, size):
        """Yield the next `size` bytes as memoryviews.

        Raises:
            EOFError: if fewer are left.
        """
        while size:
            if not self._block:
                self._next()
            part = self._block[:size]
            self._block = self._block[len(part) :]
            size -= len(part)
            yield part

    def read(self, size):
        """Return the next `size` bytes; EOFError if fewer are left."""
        if len(self._block) >= size:
            part = bytes(self._block[:size])
            self._block = self._block[size:]
            return part
        return b"".join(self.blocks(size))

    def read_line(self):
        """Return the bytes up to the next newline and with it; EOFError if there is none."""
        line = bytearray()
        while not line.endswith(b"\n"):
            if not self._block:
                self._next()
            # Lines are short, and a memoryview cannot be searched.
            some = bytes(self._block[:_LINE])
            some = some[: some.find(b"\n") + 1 or _LINE]
            self._block = self._block[len(some) :]
            line += some
        return bytes(line)

    def finish(self):
        """Read on to the end, where a gzip file has its length and check sum."""
        self._block = memoryview(b"")
        for _ in self._blocks:
            pass

    def _next(self):
        for block in self._blocks:
            if block:
                self._block = memoryview(block)
                return
        raise EOFError("the data end too early")


def _inflate(file):
    """Yield what the members of a gzip file hold, checking each one's length and check sum."""
    inflate = zlib.decompressobj(_GZIP)
    try:
        while compressed := file.read(_READ):
            while compressed:
                if inflate.eof:
                    # Another member, or the zeros that pad a file on a tape.
                    compressed = compressed.lstrip(b"\0")
                    if not compressed:
                        break
                    inflate = zlib.decompressobj(_GZIP)
                yield inflate.decompress(compressed, _BLOCK)
                compressed = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        yield inflate.flush()
    except (_zlib.error, zlib.error) as error:
        raise gzip.BadGzipFile(str(error)) from error
    if not inflate.eof:
        raise EOFError("the gzip data end too early")
