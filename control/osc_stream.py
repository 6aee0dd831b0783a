"""OSC over a stream: where one packet ends and the next begins.

Owner: one connection. Pure: no I/O.
Units: bytes.

OSC 1.1 packets are framed by SLIP (RFC 1055) with an END at both ends; OSC 1.0 ones have their length in front, four
bytes from the high end. The first byte tells which it is: a length below 16 MiB begins with a zero, which no OSC packet
and no SLIP frame begins with. What a sender uses is also what it is answered in.
"""

import struct
from typing import Final, Protocol

from control.errors import BadMessage

MAX_PACKET: Final = 65_536
"""Bytes of one packet, at most; a stream that asks for more is closed."""

_END: Final = b"\xc0"
_ESC: Final = b"\xdb"
_ESCAPED: Final = {b"\xdc": _END, b"\xdd": _ESC}


class Framing(Protocol):
    """How packets lie in a stream."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived and return the packets it completes. Raises BadMessage when the stream is lost."""

    def frame(self, packet: bytes) -> bytes:
        """Return a packet as it is sent."""


class Slip:
    """RFC 1055, one END before and one after each packet."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[bytes]:
        *frames, self._held = (self._held + data).split(_END)
        if len(self._held) > 2 * MAX_PACKET:
            raise BadMessage(f"a packet has at most {MAX_PACKET} bytes", self._held[:64])
        return [_unescaped(frame) for frame in frames if frame]

    def frame(self, packet: bytes) -> bytes:
        inside = packet.replace(_ESC, _ESC + b"\xdd").replace(_END, _ESC + b"\xdc")
        return _END + inside + _END


def _unescaped(frame: bytes) -> bytes:
    start, *pieces = frame.split(_ESC)
    out = [start]
    for piece in pieces:
        if piece[:1] not in _ESCAPED:
            raise BadMessage("the SLIP stream has an escape that means nothing", frame[:64])
        out += (_ESCAPED[piece[:1]], piece[1:])
    return b"".join(out)


class LengthPrefix:
    """OSC 1.0: the size of the packet as int32, then the packet."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        held = self._held
        held += data
        found: list[bytes] = []
        index = 0
        while len(held) - index >= 4:
            (size,) = struct.unpack_from(">i", held, index)
            if not 0 < size <= MAX_PACKET:
                raise BadMessage(f"a packet of {size} bytes is announced", bytes(held[index : index + 64]))
            if len(held) - index - 4 < size:
                break
            found.append(bytes(held[index + 4 : index + 4 + size]))
            index += 4 + size
        del held[:index]
        return found

    def frame(self, packet: bytes) -> bytes:
        return struct.pack(">i", len(packet)) + packet


def framing_of(first: bytes) -> Framing:
    """Return the framing of a stream that begins with `first`, which is not empty."""
    return LengthPrefix() if first[0] == 0 else Slip()
