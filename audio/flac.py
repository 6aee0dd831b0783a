"""Stored audio: 24-bit stereo FLAC with a power-of-two gain beside it, written once and read in stretches.

Owner: `FlacWriter` while it is written; afterwards the file never changes.
Units: frames at the file's rate; sample value = stored value x gain.
"""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import soundfile

from audio.errors import AudioError, StorageFull
from audio.files import is_full

Float32 = npt.NDArray[np.float32]

_FULL_SCALE: Final = float(1 << 23)
_LARGEST: Final = (1 << 23) - 1

_HEADER_BYTES: Final = 26
"""Up to and with the number of frames in STREAMINFO (RFC 9639, 8.2)."""


def gain_for(peak: float) -> float:
    """Return the smallest power of two, at least 1, that keeps `peak` within 24-bit full scale."""
    gain = 1.0
    while peak > gain * (_LARGEST / _FULL_SCALE):
        gain *= 2.0
    return gain


def stored_24(block: Float32, gain: float = 1.0) -> npt.NDArray[np.int32]:
    """Return `block` as 24-bit integers, rounded; what lies beyond +-`gain` is clipped."""
    scaled = np.rint(block.astype(np.float64) * (_FULL_SCALE / gain))
    return np.clip(scaled, -_LARGEST - 1, _LARGEST).astype("<i4")


class _Sink:
    """A file for libsndfile that remembers why a write failed; exceptions do not pass through its callbacks."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.fault: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self.file.write(data)
        except OSError as fault:
            self.fault = self.fault or fault
            return 0

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self.file.seek(offset, whence)
        except OSError as fault:
            self.fault = self.fault or fault
            return -1

    def tell(self) -> int:
        return self.file.tell()

    def read(self, size: int) -> bytes:
        return self.file.read(size)


class FlacWriter:
    """Write float32 (frames, 2) into a 24-bit FLAC, hashing what is stored.

    Raises `StorageFull` from `write` and `close`. Not thread-safe.
    """

    def __init__(self, path: Path, rate: int, gain: float) -> None:
        self.path, self.rate, self.gain, self.frames = path, rate, gain, 0
        #: First bytes and size of the file at the last checkpoint.
        self._whole = (b"", 0)
        self._hash = hashlib.sha256(b"reference 1 %d %r " % (rate, gain))
        try:
            self._sink = _Sink(path.open("w+b", buffering=1 << 20))
        except OSError as fault:
            raise self._translated(fault) from fault
        self._flac = soundfile.SoundFile(
            self._sink, "w", rate, 2, format="FLAC", subtype="PCM_24", compression_level=0.25
        )

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, block: Float32) -> None:
        """Append `block`, whose samples lie within +-`gain`."""
        stored = stored_24(block, self.gain)
        self._hash.update(stored.tobytes())
        try:
            self._flac.write(stored << 8)
        except (soundfile.SoundFileError, AssertionError) as fault:
            self._check(fault)
            raise AudioError(f"the audio could not be stored: {fault}") from fault
        self._check(None)
        self.frames += len(stored)

    def checkpoint(self) -> None:
        """Make what was written so far a whole file, whatever happens next.

        The header then names the frames of finished FLAC blocks: the last 26 ms are not among them until `close`, and
        no reader looks at what lies behind them. Raises StorageFull.
        """
        file = self._sink.file
        try:
            file.flush()
            head = bytearray(os.pread(file.fileno(), _HEADER_BYTES, 0))
            block = int.from_bytes(head[10:12], "big")
            # The encoder keeps one frame back before it finishes a block.
            whole = max(0, self.frames - 1) // block * block
            head[18:26] = (int.from_bytes(head[18:26], "big") >> 36 << 36 | whole).to_bytes(8, "big")
            os.pwrite(file.fileno(), head, 0)
            self._whole = bytes(head), file.seek(0, os.SEEK_END)
        except OSError as fault:
            raise self._translated(fault) from fault

    def give_up(self) -> None:
        """Close after a failed write, leaving the file as it was at the last checkpoint."""
        self.abandon()
        head, size = self._whole
        if size:
            with contextlib.suppress(OSError), self.path.open("r+b") as file:
                file.truncate(size)
                file.write(head)

    def close(self) -> None:
        """Finish the file and put it on the disk."""
        try:
            self._flac.close()
            self._check(None)
            self._sink.file.flush()
            os.fsync(self._sink.file.fileno())
        except OSError as fault:
            raise self._translated(fault) from fault
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close without looking at what is in the file."""
        try:
            self._flac.close()
            self._sink.file.close()
        except (OSError, soundfile.SoundFileError):
            pass

    def _check(self, cause: BaseException | None) -> None:
        if self._sink.fault is not None:
            raise self._translated(self._sink.fault) from cause

    @staticmethod
    def _translated(fault: OSError) -> AudioError:
        return StorageFull() if is_full(fault) else AudioError(f"the audio could not be stored: {fault.strerror}")


class FlacReader:
    """Read stretches of a stored FLAC (reference or stem) as float32 (frames, 2), gain applied.

    Not thread-safe. Raises `AudioError` when the file is missing or unreadable.
    """

    def __init__(self, path: Path, gain: float) -> None:
        self.path, self.gain = path, np.float32(gain)
        try:
            self._file = soundfile.SoundFile(str(path))
        except (soundfile.SoundFileError, OSError, TypeError) as fault:
            raise AudioError(f"{path.name} cannot be read: {fault}") from fault
        if self._file.channels != 2:
            self._file.close()
            raise AudioError(f"{path.name} has {self._file.channels} channels where two are expected")
        self.rate: int = self._file.samplerate
        self.frames: int = self._file.frames

    def read(self, start: int, stop: int) -> Float32:
        """Return frames [start, stop), shorter when the file ends or breaks before."""
        stop = min(stop, self.frames)
        if stop <= start:
            return np.zeros((0, 2), np.float32)
        try:
            if self._file.tell() != start:
                self._file.seek(start)
            got: Float32 = self._file.read(stop - start, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, OSError) as fault:
            raise AudioError(f"{self.path.name} cannot be read at frame {start}: {fault}") from fault
        return got * self.gain if self.gain != 1 else got

    def close(self) -> None:
        self._file.close()
