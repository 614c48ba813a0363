"""The opcodes of a pickle, walked over without keeping or decoding what they carry."""

import pickletools
import typing

_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
# Opcodes whose argument is two lines; all others of variable form have one.
_TWO_LINES = {"GLOBAL", "INST"}
# Bytes of the length before an argument, and whether it is signed, by pickletools' codes.
_PREFIXES = {
    pickletools.TAKEN_FROM_ARGUMENT1: (1, False),
    pickletools.TAKEN_FROM_ARGUMENT4: (4, True),
    pickletools.TAKEN_FROM_ARGUMENT4U: (4, False),
    pickletools.TAKEN_FROM_ARGUMENT8U: (8, False),
}


class Opcode(typing.NamedTuple):
    """One instruction of a pickle.

    Attributes:
        name: as in `pickletools`.
        head: its byte, with the argument or with the argument's length.
        length: bytes of argument that follow in the stream.
        memo_index: where in the memo it stores; -1 for one that does not say.
    """

    name: str
    head: bytes
    length: int
    memo_index: int


def _forms():
    """Return {opcode byte: (name, bytes of argument, bytes of length, whether signed, lines)}."""
    forms = {}
    for opcode in pickletools.opcodes:
        size = opcode.arg.n if opcode.arg else 0
        prefix, signed = _PREFIXES.get(size, (0, False))
        lines = 0
        if size == pickletools.UP_TO_NEWLINE:
            lines = 2 if opcode.name in _TWO_LINES else 1
        forms[opcode.code.encode("latin1")] = (opcode.name, max(size, 0), prefix, signed, lines)
    return forms


_FORMS = _forms()


def walk(stream):
    """Yield the `Opcode`s of a pickle, up to and with its STOP.

    The consumer takes `length` bytes from the stream before it asks for the next.

    Args:
        stream: `ByteStream` at the pickle's first byte.

    Raises:
        ValueError: at a byte that is no opcode, or a length below 0.
        EOFError: if the stream ends before the pickle does.
    """
    name = None
    while name != "STOP":
        code = stream.read(1)
        if code not in _FORMS:
            raise ValueError(f"no pickle: opcode {code!r}")
        name, size, prefix, signed, lines = _FORMS[code]
        length, index = 0, -1
        argument = stream.read(size + prefix) if size or prefix else b""
        for _ in range(lines):
            argument += stream.read_line()
        if prefix:
            length = int.from_bytes(argument, "little", signed=signed)
            if length < 0:
                raise ValueError(f"{name} of {length} bytes")
        elif name in _PUTS:
            index = int(argument) if lines else int.from_bytes(argument, "little")
        yield Opcode(name, code + argument, length, index)
