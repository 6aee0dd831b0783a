"""Where a render goes: WAV (float32) or FLAC (24 bit), by the file's ending; the file appears when it is whole.

Owner: the offline renderer. Same audio, same bytes: no date, no peak chunk.
Units: float32 (frames, 2), full scale 1.0.
"""

import errno
import struct
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import numpy as np
import numpy.typing as npt

from server.errors import BadRequest, StorageFull

Float32 = npt.NDArray[np.float32]

BATCH_FRAMES: Final = 1 << 15
"""Frames gathered before they are written."""

SUFFIXES: Final = (".wav", ".flac")

_WAV_HEADER: Final = struct.Struct("<4sI4s 4sIHHIIHHH 4sII 4sI")
_LARGEST_WAV: Final = 0xFFFFFFFF - _WAV_HEADER.size


class _Writer(Protocol):
    def write(self, audio: Float32) -> None: ...
    def close(self) -> None: ...


class _Wav:
    """WAVE_FORMAT_IEEE_FLOAT with a fact chunk; libsndfile would add a chunk with the time of day."""

    def __init__(self, path: Path, rate: int) -> None:
        self._file = path.open("wb")
        self._rate = rate
        self._bytes = 0
        self._file.write(self._header())

    def _header(self) -> bytes:
        size = self._bytes
        form = (b"fmt ", 18, 3, 2, self._rate, self._rate * 8, 8, 32, 0)
        fact = (b"fact", 4, size // 8)
        return _WAV_HEADER.pack(b"RIFF", _WAV_HEADER.size - 8 + size, b"WAVE", *form, *fact, b"data", size)

    def write(self, audio: Float32) -> None:
        data = np.ascontiguousarray(audio, "<f4").tobytes()
        self._bytes += len(data)
        if self._bytes > _LARGEST_WAV:
            raise BadRequest("A WAV file ends at 4 GiB: render to .flac instead")
        self._file.write(data)

    def close(self) -> None:
        try:
            self._file.seek(0)
            self._file.write(self._header())
        finally:
            self._file.close()


class _Flac:
    """24-bit FLAC; what is beyond full scale is clipped."""

    def __init__(self, path: Path, rate: int) -> None:
        import soundfile

        self._file = soundfile.SoundFile(path, "w", rate, 2, "PCM_24", format="FLAC")

    def write(self, audio: Float32) -> None:
        self._file.write(audio)

    def close(self) -> None:
        self._file.close()


class Sink:
    """Write blocks inside `with`; the file takes its name at the end, and nothing is left behind by a failure."""

    def __init__(self, path: Path, rate: int) -> None:
        """Raises BadRequest for an ending that is neither .wav nor .flac, or a folder that is not there."""
        if path.suffix.lower() not in SUFFIXES:
            raise BadRequest(f"{path.name}: the output ends in .wav or .flac")
        if not path.parent.is_dir():
            raise BadRequest(f"There is no folder {path.parent} to write {path.name} to")
        if path.is_dir():
            raise BadRequest(f"{path} is a folder: name a file in it")
        self._path = path
        self._making = path.with_name(f".{path.stem}.making{path.suffix}")
        self._rate = rate
        self._writer: _Writer | None = None
        self._waiting: list[Float32] = []
        self._waiting_frames = 0
        self.frames = 0
        self.peak = 0.0

    def __enter__(self) -> Self:
        try:
            made = _Wav if self._path.suffix.lower() == ".wav" else _Flac
            self._writer = made(self._making, self._rate)
        except OSError as error:
            raise BadRequest(f"{self._path} cannot be written: {error.strerror}") from error
        return self

    def write(self, audio: Float32) -> None:
        """Add frames; the array is the sink's from now on. Raises StorageFull, OSError."""
        self.frames += len(audio)
        self._waiting.append(audio)
        self._waiting_frames += len(audio)
        if self._waiting_frames >= BATCH_FRAMES:
            self._write_out()

    def _write_out(self) -> None:
        assert self._writer is not None
        if not self._waiting_frames:
            return
        audio = np.concatenate(self._waiting)
        self._waiting, self._waiting_frames = [], 0
        self.peak = max(self.peak, float(np.abs(audio).max()))
        try:
            self._writer.write(audio)
        except OSError as error:
            raise _translated(error) from error

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        try:
            if kind is None:
                self._write_out()
            if self._writer is not None:
                writer, self._writer = self._writer, None
                writer.close()
            if kind is None:
                self._making.replace(self._path)
        except OSError as error:
            if kind is None:
                raise _translated(error) from error
        finally:
            if self._writer is not None:
                with suppress(OSError):
                    self._writer.close()
            self._making.unlink(missing_ok=True)


def _translated(error: OSError) -> Exception:
    return StorageFull() if error.errno in (errno.ENOSPC, errno.EDQUOT) else error
