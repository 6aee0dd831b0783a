"""OSC packets: bytes in, messages out, and back. OSC 1.0 with every type tag in common use.

Owner: nobody; no I/O, no clock.
Units: `timetag` is the 64-bit NTP time of the bundle around the message (seconds since 1900 in the upper half), or
IMMEDIATELY.

    tag  argument           tag  argument            tag      argument
    i h  int                T F  bool                t        TimeTag
    f d  float              N    None                r        Colour (RGBA)
    s    str                I    Impulse.IMPULSE     m        MidiBytes (port, status, two data)
    S    Symbol             b    bytes               [ ]      tuple, may be nested
    c    Char

What is read can be sent again: the types that are no plain Python type carry their tag with them. An int that does not
fit 32 bits goes out as `h`, every float as `f`. The library python-osc is what the tests compare with; it is not used
here, as it skips tags it does not know and then reads the wrong bytes, and loops without end on a negative size.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from control.errors import BadMessage


class Impulse(Enum):
    """The argument that says only "now": a bang, tag I."""

    IMPULSE = "impulse"

    def __str__(self) -> str:
        return self.value


class TimeTag(int):
    """A 64-bit NTP time as an argument, tag t."""


class Colour(int):
    """32 bits of red, green, blue and alpha, tag r."""


class Char(str):
    """One ASCII character, tag c."""


class Symbol(str):
    """A text under the tag S."""


class MidiBytes(bytes):
    """Four bytes from the high end: port, status, two of data; tag m."""


Argument = bool | int | float | str | bytes | Impulse | None | tuple["Argument", ...]
"""What an argument may be once it is read; an array is a tuple."""

IMMEDIATELY: Final = 1
"""The time tag that means now."""

MAX_DEPTH: Final = 8
"""Bundles in bundles, and arrays in arrays, at most."""

MAX_MESSAGES: Final = 1024
"""Messages in one packet, at most."""

MAX_ARGUMENTS: Final = 64

NTP_EPOCH_S: Final = 2_208_988_800
"""Seconds from 1900, where NTP counts from, to 1970, where the system clock counts from."""

_BUNDLE: Final = b"#bundle\0"


@dataclass(frozen=True, slots=True)
class OscMessage:
    """One message: where to, what, and when."""

    address: str
    args: tuple[Argument, ...]
    timetag: int = IMMEDIATELY


# -- in --------------------------------------------------------------------------------------------------------------


def decode(data: bytes) -> list[OscMessage]:
    """Return the messages of a packet in their order.

    Raises BadMessage, and nothing else whatever the bytes are; a bundle with one bad element is bad as a whole.
    """
    head = data[:-4]
    known = _heads.get(head)
    if known is not None:
        address, number = known
        return [OscMessage(address, number.unpack_from(data, len(head)))]
    found: list[OscMessage] = []
    try:
        if data.startswith(_BUNDLE):
            _bundle(data, 1, found)
        else:
            found.append(_message(data, IMMEDIATELY))
    except BadMessage as error:
        raise BadMessage(str(error), data) from error.__cause__
    _remember(head, data, found)
    return found


_FLOAT: Final = struct.Struct(">f")
_INT: Final = struct.Struct(">i")
_NUMBERS: Final = {b",f\0\0": _FLOAT, b",i\0\0": _INT}
_heads: dict[bytes, tuple[str, struct.Struct]] = {}
"""Address and reader by everything but the last four bytes, for messages of one number: what surfaces send all day.
Reading one of these costs a third of reading it from scratch."""


def _remember(head: bytes, data: bytes, found: list[OscMessage]) -> None:
    number = _NUMBERS.get(head[-4:])
    if number is None or data.startswith(_BUNDLE):
        return
    address = found[0].address
    if len(address.encode()) // 4 * 4 + 8 == len(head):
        if len(_heads) >= 4096:
            _heads.clear()
        _heads[head] = (address, number)


def _bundle(data: bytes, depth: int, found: list[OscMessage]) -> None:
    if depth > MAX_DEPTH:
        raise BadMessage(f"bundles lie deeper than {MAX_DEPTH}")
    if len(data) < 16:
        raise BadMessage("the bundle ends inside its time tag")
    (timetag,) = struct.unpack_from(">Q", data, 8)
    index = 16
    while index < len(data):
        if index + 4 > len(data):
            raise BadMessage("the bundle ends inside an element's size")
        (size,) = _INT.unpack_from(data, index)
        index += 4
        if size <= 0 or size % 4 or index + size > len(data):
            raise BadMessage(f"a bundle element of {size} bytes does not fit")
        element = data[index : index + size]
        index += size
        if element.startswith(_BUNDLE):
            _bundle(element, depth + 1, found)
        else:
            found.append(_message(element, timetag))
        if len(found) > MAX_MESSAGES:
            raise BadMessage(f"a packet has at most {MAX_MESSAGES} messages")


def _message(data: bytes, timetag: int) -> OscMessage:
    if not data.startswith(b"/"):
        raise BadMessage("a message starts with / and a bundle with #bundle")
    address, index = _text(data, 0, "the address")
    if index >= len(data):  # senders of the first days leave the type tags out when there is no argument
        return OscMessage(address, (), timetag)
    if data[index] != ord(","):
        raise BadMessage("the type tags do not start with a comma")
    tags, index = _text(data, index, "the type tags")
    if len(tags) - 1 > MAX_ARGUMENTS:
        raise BadMessage(f"a message has at most {MAX_ARGUMENTS} arguments")
    arrays: list[list[Argument]] = [[]]
    for tag in tags[1:]:
        if tag == "[":
            if len(arrays) > MAX_DEPTH:
                raise BadMessage(f"arrays lie deeper than {MAX_DEPTH}")
            arrays.append([])
        elif tag == "]":
            if len(arrays) == 1:
                raise BadMessage("an array ends that did not begin")
            inner = tuple(arrays.pop())
            arrays[-1].append(inner)
        elif tag in _CONSTANTS:
            arrays[-1].append(_CONSTANTS[tag])
        elif tag in _READERS:
            value, index = _READERS[tag](data, index)
            arrays[-1].append(value)
        else:
            raise BadMessage(f"arguments of type {tag!r} are not known")
    if len(arrays) > 1:
        raise BadMessage("an array does not end")
    return OscMessage(address, tuple(arrays[0]), timetag)


def _text(data: bytes, index: int, what: str = "a text") -> tuple[str, int]:
    end = data.find(0, index)
    if end < 0:
        raise BadMessage(f"{what} does not end")
    try:
        text = data[index:end].decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadMessage(f"{what} is not UTF-8") from error
    return text, index + (end - index) // 4 * 4 + 4


def _blob(data: bytes, index: int) -> tuple[bytes, int]:
    size = int(_fixed(">i", data, index)[0])
    index += 4
    if size < 0 or index + size > len(data):
        raise BadMessage(f"a blob of {size} bytes does not fit")
    return data[index : index + size], index + (size + 3) // 4 * 4


def _fixed(form: str, data: bytes, index: int) -> tuple[int | float, ...] | tuple[int, ...]:
    try:
        return struct.unpack_from(form, data, index)
    except struct.error as error:
        raise BadMessage("the message ends before its arguments do") from error


def _number(form: str) -> "_Reader":
    size = struct.calcsize(form)
    return lambda data, index: (_fixed(form, data, index)[0], index + size)


def _char(data: bytes, index: int) -> tuple[Char, int]:
    (code,) = _fixed(">I", data, index)
    if code > 127:
        raise BadMessage("a character is not ASCII")
    return Char(chr(int(code))), index + 4


def _midi(data: bytes, index: int) -> tuple[MidiBytes, int]:
    _fixed(">I", data, index)
    return MidiBytes(data[index : index + 4]), index + 4


def _symbol(data: bytes, index: int) -> tuple[Symbol, int]:
    text, index = _text(data, index)
    return Symbol(text), index


_Reader = Callable[[bytes, int], tuple[Argument, int]]
_READERS: Final[dict[str, _Reader]] = {
    "i": _number(">i"),
    "h": _number(">q"),
    "f": _number(">f"),
    "d": _number(">d"),
    "s": _text,
    "S": _symbol,
    "b": _blob,
    "c": _char,
    "m": _midi,
    "t": lambda data, index: (TimeTag(_fixed(">Q", data, index)[0]), index + 8),
    "r": lambda data, index: (Colour(_fixed(">I", data, index)[0]), index + 4),
}
_CONSTANTS: Final[dict[str, Argument]] = {"T": True, "F": False, "N": None, "I": Impulse.IMPULSE}


# -- out -------------------------------------------------------------------------------------------------------------


def encode(address: str, *args: Argument) -> bytes:
    """Return one message as a packet. Raises BadMessage for what OSC cannot carry."""
    tags: list[str] = []
    body: list[bytes] = []
    try:
        for arg in args:
            _argument(arg, tags, body)
        return _head(address, "".join(tags)) + b"".join(body)
    except (struct.error, OverflowError, UnicodeEncodeError) as error:
        raise BadMessage(f"{address} cannot be sent with {args!r}") from error


@lru_cache(maxsize=4096)
def _head(address: str, tags: str) -> bytes:
    return _padded(address.encode()) + _padded(b"," + tags.encode())


def _padded(text: bytes) -> bytes:
    """Return a text with its end and padding."""
    return text + bytes(4 - len(text) % 4)


def _argument(arg: Argument, tags: list[str], body: list[bytes]) -> None:
    match arg:
        case True:
            tags.append("T")
        case False:
            tags.append("F")
        case None:
            tags.append("N")
        case Impulse():
            tags.append("I")
        case TimeTag():
            tags.append("t")
            body.append(struct.pack(">Q", arg))
        case Colour():
            tags.append("r")
            body.append(struct.pack(">I", arg))
        case int() if -(2**31) <= arg < 2**31:
            tags.append("i")
            body.append(_INT.pack(arg))
        case int():
            tags.append("h")
            body.append(struct.pack(">q", arg))
        case float():
            tags.append("f")
            body.append(_FLOAT.pack(arg))
        case Char():
            tags.append("c")
            body.append(struct.pack(">I", ord(arg)))
        case str():
            tags.append("S" if isinstance(arg, Symbol) else "s")
            body.append(_padded(arg.replace("\0", "").encode()))
        case MidiBytes():
            tags.append("m")
            body.append(struct.pack(">4s", arg))
        case bytes():
            tags.append("b")
            body.append(_INT.pack(len(arg)) + arg + bytes(-len(arg) % 4))
        case tuple():
            tags.append("[")
            for inner in arg:
                _argument(inner, tags, body)
            tags.append("]")
        case _:
            raise BadMessage(f"OSC cannot carry {type(arg).__name__}")


def encode_bundle(packets: Sequence[bytes], timetag: int = IMMEDIATELY) -> bytes:
    """Return a bundle of packets, all for `timetag`."""
    parts = [_BUNDLE, struct.pack(">Q", timetag)]
    for packet in packets:
        parts += (_INT.pack(len(packet)), packet)
    return b"".join(parts)


def timetag_of(unix_s: float) -> int:
    """Return the time tag of a moment of the system clock, in seconds since 1970."""
    return int((unix_s + NTP_EPOCH_S) * 2**32)


def unix_of(timetag: int) -> float:
    """Return the moment of the system clock, in seconds since 1970, that a time tag names."""
    return timetag / 2**32 - NTP_EPOCH_S
