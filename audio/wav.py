"""WAV that may be cut off at any moment: stereo, 24-bit or 32-bit float, whose header is true after every checkpoint.

    "RIFF"/"RF64" size "WAVE" | "JUNK"/"ds64" 28 bytes | "fmt " 16 bytes | "data" size | frames of 6 or 8 bytes

Owner: `WavWriter` while it is written. Units: frames; bytes. Beyond 4 GiB, four hours at 48 kHz, the file becomes RF64,
for which the place is kept from the start (EBU Tech 3306).
"""

import contextlib
import os
import struct
from pathlib import Path
from typing import Final

import numpy as np

from audio.errors import AudioError, StorageFull
from audio.files import is_full
from audio.flac import Float32, stored_24

FRAME_BYTES: Final = 6
FLOAT_FRAME_BYTES: Final = 8
HEADER_BYTES: Final = 80
_LARGEST_RIFF: Final = (1 << 32) - 1


def length_of(head: bytes) -> float | None:
    """Return the seconds that a header of `header` tells of; None for the header of another program."""
    if len(head) < HEADER_BYTES or head[12:16] not in (b"JUNK", b"ds64") or head[72:76] != b"data":
        return None
    rate = int.from_bytes(head[60:64], "little")
    size = int.from_bytes(head[28:36] if head[:4] == b"RF64" else head[76:80], "little")
    frame_bytes = int.from_bytes(head[68:70], "little")
    return size / frame_bytes / rate if rate and frame_bytes else None


def header(rate: int, frames: int, *, floats: bool = False) -> bytes:
    """Return the 80 bytes before the first frame of a file of `frames` frames."""
    code, bits, frame_bytes = (3, 32, FLOAT_FRAME_BYTES) if floats else (1, 24, FRAME_BYTES)
    data = frames * frame_bytes
    riff = HEADER_BYTES - 8 + data
    huge = riff > _LARGEST_RIFF
    fourcc, size, audio = (b"RF64", _LARGEST_RIFF, _LARGEST_RIFF) if huge else (b"RIFF", riff, data)
    room = struct.pack("<4sIQQQI", b"ds64", 28, riff, data, frames, 0) if huge else struct.pack("<4sI28x", b"JUNK", 28)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, code, 2, rate, rate * frame_bytes, frame_bytes, bits)
    return struct.pack("<4sI4s", fourcc, size, b"WAVE") + room + form + struct.pack("<4sI", b"data", audio)


class WavWriter:
    """Write float32 (frames, 2) into a WAV: of 24 bits, or with `floats` bit for bit as it is.

    Raises StorageFull, AudioError from every method but `give_up`. Not thread-safe.
    """

    def __init__(self, path: Path, rate: int, *, floats: bool = False) -> None:
        self.path, self.rate, self.frames, self._floats = path, rate, 0, floats
        self._whole = 0
        try:
            self._file = path.open("w+b", buffering=1 << 20)
            self._file.write(self._header(0))
        except OSError as fault:
            raise _translated(fault) from fault

    def write(self, block: Float32) -> None:
        """Append `block`; what lies beyond full scale is clipped in 24 bits."""
        if self._floats:
            stored = block.astype("<f4").tobytes()
        else:
            stored = stored_24(block).view(np.uint8).reshape(len(block), 2, 4)[:, :, :3].tobytes()
        try:
            self._file.write(stored)
        except OSError as fault:
            raise _translated(fault) from fault
        self.frames += len(block)

    def checkpoint(self) -> None:
        """Make what was written so far a whole file, whatever happens next."""
        try:
            self._file.flush()
            os.pwrite(self._file.fileno(), self._header(self.frames), 0)
        except OSError as fault:
            raise _translated(fault) from fault
        self._whole = self.frames

    def give_up(self) -> None:
        """Close after a failed write, leaving the file as it was at the last checkpoint."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError), self.path.open("r+b") as file:
            file.truncate(HEADER_BYTES + self._whole * (FLOAT_FRAME_BYTES if self._floats else FRAME_BYTES))
            file.write(self._header(self._whole))

    def close(self) -> None:
        """Finish the file and put it on the disk."""
        self.checkpoint()
        try:
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as fault:
            raise _translated(fault) from fault

    def _header(self, frames: int) -> bytes:
        return header(self.rate, frames, floats=self._floats)


def _translated(fault: OSError) -> AudioError:
    return StorageFull() if is_full(fault) else AudioError(f"the recording could not be stored: {fault.strerror}")
