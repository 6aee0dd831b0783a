"""OSC packets: bytes in, messages out, and back. OSC 1.0 with every type tag in common use. The one file that knows
python-osc.

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
fit 32 bits goes out as `h`, every float as `f`. python-osc reads and writes the arguments; bundles, type tags and sizes
are gone through here, since its own parser skips tags it does not know and then reads the wrong bytes, makes up what is
missing of a float, takes a blob of negative size, and loops without end on a negative element size.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from pythonosc.parsing import osc_types

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
    try:
        text, index = osc_types.get_string(data, index)
    except osc_types.ParseError as error:
        raise BadMessage(f"{what} does not end") from error
    except UnicodeDecodeError as error:
        raise BadMessage(f"{what} is not UTF-8") from error
    return text, index


def _blob(data: bytes, index: int) -> tuple[bytes, int]:
    _need(data, index, 4)
    size, start = osc_types.get_int(data, index)
    if size < 0 or start + size > len(data):
        raise BadMessage(f"a blob of {size} bytes does not fit")
    blob, index = osc_types.get_blob(data, index)
    return blob, index


def _need(data: bytes, index: int, size: int) -> None:
    if index + size > len(data):
        raise BadMessage("the message ends before its arguments do")


def _fixed(size: int, get: Callable[[bytes, int], tuple[Any, int]], kind: Callable[[Any], Argument]) -> "_Reader":
    """Return a reader of `size` bytes through one of python-osc's."""

    def read(data: bytes, index: int) -> tuple[Argument, int]:
        _need(data, index, size)
        value, index = get(data, index)
        return kind(value), index

    return read


def _ascii(code: int) -> Char:
    if not 0 <= code <= 127:
        raise BadMessage("a character is not ASCII")
    return Char(chr(code))


def _symbol(data: bytes, index: int) -> tuple[Symbol, int]:
    text, index = _text(data, index)
    return Symbol(text), index


_Reader = Callable[[bytes, int], tuple[Argument, int]]
_READERS: Final[dict[str, _Reader]] = {
    "i": _fixed(4, osc_types.get_int, int),
    "h": _fixed(8, osc_types.get_int64, int),
    "f": _fixed(4, osc_types.get_float, float),
    "d": _fixed(8, osc_types.get_double, float),
    "s": _text,
    "S": _symbol,
    "b": _blob,
    "c": _fixed(4, osc_types.get_int, _ascii),
    "m": _fixed(4, osc_types.get_midi, MidiBytes),
    "t": _fixed(8, osc_types.get_uint64, TimeTag),
    "r": _fixed(4, osc_types.get_rgba, Colour),
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
    except (osc_types.BuildError, struct.error, OverflowError, UnicodeEncodeError) as error:
        raise BadMessage(f"{address} cannot be sent with {args!r}") from error


@lru_cache(maxsize=4096)
def _head(address: str, tags: str) -> bytes:
    head: bytes = osc_types.write_string(address) + osc_types.write_string("," + tags)
    return head


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
            body.append(osc_types.write_int(arg))
        case int():
            tags.append("h")
            body.append(osc_types.write_int64(arg))
        case float():
            tags.append("f")
            body.append(osc_types.write_float(arg))
        case Char():
            tags.append("c")
            body.append(osc_types.write_int(ord(arg)))
        case str():
            tags.append("S" if isinstance(arg, Symbol) else "s")
            body.append(osc_types.write_string(arg.replace("\0", "")))
        case MidiBytes():
            tags.append("m")
            body.append(struct.pack(">4s", arg))
        case bytes():
            tags.append("b")
            body.append(osc_types.write_blob(arg) if arg else bytes(4))
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
