"""Length-prefixed MessagePack frames, as every pipe and socket between audio processes carries them.

Owner: the caller of each side. Units: a frame is a little-endian uint32 length, then that many bytes.
"""

import struct
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

LARGEST_FRAME: Final = 1 << 30
"""Longer frames are a fault of the sender."""

_LENGTH: Final = struct.Struct("<I")


def framed(body: bytes) -> bytes:
    """Return `body` with its length in front."""
    return _LENGTH.pack(len(body)) + body


def write_frame(stream: BinaryIO, body: bytes) -> None:
    """Write one frame and flush. Raises OSError when the other side is gone."""
    stream.write(framed(body))
    stream.flush()


def read_frame(stream: BinaryIO) -> bytes | None:
    """Return the next frame, or None when the other side closed between or inside frames."""
    head = stream.read(_LENGTH.size)
    if head is None or len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > LARGEST_FRAME:
        return None
    body = stream.read(length)
    return body if body is not None and len(body) == length else None


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(type(value))


def _rich(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(kind)


_encoder: Final = msgspec.msgpack.Encoder(enc_hook=_plain)


def encode(message: msgspec.Struct) -> bytes:
    """Return `message` as MessagePack; paths travel as text."""
    return _encoder.encode(message)


def decoder(kind: Any) -> "msgspec.msgpack.Decoder[Any]":
    """Return a decoder of the tagged union `kind`; it raises `msgspec.DecodeError` on anything else."""
    return msgspec.msgpack.Decoder(kind, dec_hook=_rich)
