"""OSC 1.0 packets: bytes in, messages out, and back. The one file that knows python-osc.

Owner: nobody; no I/O, no clock. Bundles are unwrapped here and not by python-osc, which loops without end on a negative
element size; single messages are read by python-osc after their type tags have been looked at, since it skips unknown
tags and then reads the wrong bytes.
Units: `timetag` is the 64-bit NTP time of the bundle around the message (seconds since 1900 in the upper half), or
IMMEDIATELY.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pythonosc.osc_message import OscMessage as _Parsed
from pythonosc.parsing import osc_types

from control.errors import BadMessage

Argument = bool | int | float | str | bytes | None
"""What an argument may be once it is read; arrays are laid out flat."""

IMMEDIATELY: Final = 1
"""The time tag that means now."""

MAX_DEPTH: Final = 8
"""Bundles in bundles, at most."""

MAX_MESSAGES: Final = 1024
"""Messages in one packet, at most."""

MAX_ARGUMENTS: Final = 64

NTP_EPOCH_S: Final = 2_208_988_800
"""Seconds from 1900, where NTP counts from, to 1970, where the system clock counts from."""

_KNOWN_TAGS: Final = frozenset("ifsbhdTFN[]")
_BUNDLE: Final = b"#bundle\0"


@dataclass(frozen=True, slots=True)
class OscMessage:
    """One message: where to, what, and when."""

    address: str
    args: tuple[Argument, ...]
    timetag: int = IMMEDIATELY


def decode(data: bytes) -> list[OscMessage]:
    """Return the messages of a packet in their order.

    Raises BadMessage, and nothing else whatever the bytes are; a bundle with one bad element is bad as a whole.
    """
    head = data[:-4]
    known = _heads.get(head)
    if known is not None:
        return [OscMessage(known[0], (known[1](data, len(head))[0],))]
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


_Reader = Callable[[bytes, int], tuple[int | float, int]]
_READERS: Final[dict[bytes, _Reader]] = {b",f\0\0": osc_types.get_float, b",i\0\0": osc_types.get_int}
_heads: dict[bytes, tuple[str, _Reader]] = {}
"""Address and reader by everything but the last four bytes, for messages of one number: what surfaces send all day.
Reading one of these costs a third of reading it from scratch."""


def _remember(head: bytes, data: bytes, found: list[OscMessage]) -> None:
    reader = _READERS.get(head[-4:])
    if reader is None or data.startswith(_BUNDLE):
        return
    address = found[0].address
    if len(address.encode()) // 4 * 4 + 8 == len(head):
        if len(_heads) >= 4096:
            _heads.clear()
        _heads[head] = (address, reader)


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
        (size,) = struct.unpack_from(">i", data, index)
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
    _check_tags(data)
    try:
        parsed = _Parsed(data)
        args = parsed.params
        address = parsed.address
    except Exception as error:
        # python-osc leaks several kinds (its own, UnicodeDecodeError, struct.error); any of them means the same
        raise BadMessage(f"the message cannot be read: {error}") from error
    if any(isinstance(arg, list) for arg in args):
        args = _flat(args)
    return OscMessage(address, tuple(args), timetag)


def _check_tags(data: bytes) -> None:
    end = data.find(0)
    if end < 0:
        raise BadMessage("the address does not end")
    start = end // 4 * 4 + 4
    if start >= len(data):
        return
    if data[start] != ord(","):
        raise BadMessage("the type tags do not start with a comma")
    stop = data.find(0, start)
    if stop < 0:
        raise BadMessage("the type tags do not end")
    tags = data[start + 1 : stop].decode("latin-1")
    if len(tags) > MAX_ARGUMENTS:
        raise BadMessage(f"a message has at most {MAX_ARGUMENTS} arguments")
    for tag in tags:
        if tag not in _KNOWN_TAGS:
            raise BadMessage(f"arguments of type {tag!r} are not known")
    _check_sizes(data, tags, stop // 4 * 4 + 4)


def _check_sizes(data: bytes, tags: str, index: int) -> None:
    """Walk the arguments: python-osc makes up what is missing of a float, and takes a blob of negative size."""
    for tag in tags:
        if tag in "ifhd":
            index += 8 if tag in "hd" else 4
        elif tag == "s":
            end = data.find(0, index)
            if end < 0:
                raise BadMessage("a text does not end")
            index += (end - index) // 4 * 4 + 4
        elif tag == "b":
            if index + 4 > len(data):
                raise BadMessage("the message ends before a blob")
            (size,) = struct.unpack_from(">i", data, index)
            index += 4
            if size < 0 or index + size > len(data):
                raise BadMessage(f"a blob of {size} bytes does not fit")
            index += (size + 3) // 4 * 4
    if index > len(data) + 3:  # the padding after a last blob may be left out
        raise BadMessage("the message ends before its arguments do")


def _flat(args: Sequence[object]) -> list[Argument]:
    """Return arrays laid out flat. The nesting is bounded by MAX_ARGUMENTS."""
    out: list[Argument] = []
    for arg in args:
        if isinstance(arg, list):
            out.extend(_flat(arg))
        elif arg is None or isinstance(arg, bool | int | float | str | bytes):
            out.append(arg)
    return out


def encode(address: str, *args: Argument) -> bytes:
    """Return one message as a packet: bool as T or F, int as i (h where it is large), float as f, str as s, bytes as b.

    Raises BadMessage for what OSC cannot carry.
    """
    tags = ""
    body = b""
    try:
        for arg in args:
            tag, data = _argument(arg)
            tags += tag
            body += data
        return _head(address, tags) + body
    except (osc_types.BuildError, struct.error, OverflowError) as error:
        raise BadMessage(f"{address} cannot be sent with {args!r}") from error


@lru_cache(maxsize=4096)
def _head(address: str, tags: str) -> bytes:
    return osc_types.write_string(address) + osc_types.write_string("," + tags)


def _argument(arg: Argument) -> tuple[str, bytes]:
    match arg:
        case True:
            return "T", b""
        case False:
            return "F", b""
        case None:
            return "N", b""
        case int():
            if -(2**31) <= arg < 2**31:
                return "i", osc_types.write_int(arg)
            return "h", osc_types.write_int64(arg)
        case float():
            return "f", osc_types.write_float(arg)
        case str():
            return "s", osc_types.write_string(arg.replace("\0", ""))
        case bytes():
            return "b", osc_types.write_blob(arg)
    raise BadMessage(f"OSC cannot carry {type(arg).__name__}")


def encode_bundle(packets: Sequence[bytes], timetag: int = IMMEDIATELY) -> bytes:
    """Return a bundle of packets, all for `timetag`."""
    parts = [_BUNDLE, struct.pack(">Q", timetag)]
    for packet in packets:
        parts += (struct.pack(">i", len(packet)), packet)
    return b"".join(parts)


def timetag_of(unix_s: float) -> int:
    """Return the time tag of a moment of the system clock, in seconds since 1970."""
    return int((unix_s + NTP_EPOCH_S) * 2**32)


def unix_of(timetag: int) -> float:
    """Return the moment of the system clock, in seconds since 1970, that a time tag names."""
    return timetag / 2**32 - NTP_EPOCH_S
