"""Slot memory: one track part as float32 at the engine rate, with a map that says which chunks are there.

    +----------------------+ 0
    | readiness, 1 byte    |  1 = the chunk's audio is there; written after the audio, cleared before it goes
    |   for each chunk     |
    +----------------------+ audio offset, a whole page
    | float32 (frames, 2)  |  sparse: only chunks that were written take memory
    +----------------------+ a whole number of chunks

Owner: the engine makes it; the filler child, which gets its descriptor, writes it; the kernel reads it.
Units: frames at the engine rate; a chunk is CHUNK_FRAMES = 4096 frames, 32 KiB.
"""

import ctypes
import ctypes.util
import functools
import os
import sys
import threading
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from audio import shm
from audio.commands import CHUNK_FRAMES

CHUNK_BYTES: Final = CHUNK_FRAMES * 8

_KEEP_SIZE_PUNCH_HOLE: Final = 0x01 | 0x02
_POPULATE_READ: Final = 22

_barrier: Final = threading.Lock()


def fence() -> None:
    """Keep stores before this call before those after it, on every processor: a lock's acquire and release do."""
    with _barrier:
        pass


def chunks_of(frames: int) -> int:
    """Return how many chunks hold `frames`."""
    return -(-frames // CHUNK_FRAMES)


class SlotStore:
    """Memory of one slot, in the process that made it or in one that was handed its descriptor.

    Thread-safe: writers take chunks of their own. Realtime-safe: reading `audio` and `ready`, yes.
    """

    def __init__(self, segment: shm.Segment, frames: int) -> None:
        self.segment, self.frames, self.chunks = segment, frames, chunks_of(frames)
        self._offset = _audio_offset(self.chunks)
        #: uint8 (chunks,): the readiness map.
        self.ready: npt.NDArray[np.uint8] = segment.bytes[: self.chunks]
        audio = segment.bytes[self._offset : self._offset + self.chunks * CHUNK_BYTES]
        #: float32 (chunks x 4096, 2); what lies past `frames` is silence.
        self.audio: npt.NDArray[np.float32] = audio.view(np.float32).reshape(-1, 2)
        self._locked = np.zeros(self.chunks, np.bool_)

    @classmethod
    def create(cls, frames: int, label: str) -> "SlotStore":
        """Make sparse memory for `frames`. Raises OutOfMemory."""
        chunks = chunks_of(frames)
        return cls(shm.create_nameless(_audio_offset(chunks) + chunks * CHUNK_BYTES, label), frames)

    @classmethod
    def from_descriptor(cls, descriptor: int, frames: int) -> "SlotStore":
        """Map memory that another process made; the descriptor belongs to the store from now on."""
        return cls(shm.Segment(descriptor, os.fstat(descriptor).st_size), frames)

    @property
    def address(self) -> int:
        """Address of the first frame in this process."""
        return self.segment.address + self._offset

    @property
    def resident_bytes(self) -> int:
        """Bytes of audio that are ready."""
        return int(np.count_nonzero(self.ready)) * CHUNK_BYTES

    def write(self, chunk: int, audio: npt.NDArray[np.float32]) -> None:
        """Put whole chunks from `chunk` on in place and publish them. The track's last chunk may be short."""
        start = chunk * CHUNK_FRAMES
        self.audio[start : start + len(audio)] = audio
        fence()
        self.ready[chunk : chunk + chunks_of(len(audio))] = 1

    def withdraw(self, start: int, stop: int) -> None:
        """Say that chunks [start, stop) are no longer there; nothing may start to play them from now on."""
        self.ready[start:stop] = 0
        fence()

    def punch(self, start: int, stop: int) -> bool:
        """Give the memory of withdrawn chunks [start, stop) back to the system. False where it cannot be done."""
        return _punch_hole(self.segment.descriptor, self._offset + start * CHUNK_BYTES, (stop - start) * CHUNK_BYTES)

    def prefault(self, start: int, stop: int) -> bool:
        """Map ready chunks [start, stop) into this process, so that the callback meets no page fault."""
        if sys.platform != "linux":
            return False
        return self.segment.advise(_POPULATE_READ, self._offset + start * CHUNK_BYTES, (stop - start) * CHUNK_BYTES)

    def lock(self, chunk: int) -> bool:
        """Lock a ready chunk in memory; False when the system refuses."""
        if not self._locked[chunk]:
            self._locked[chunk] = _memory_lock("mlock", self._address(chunk), CHUNK_BYTES)
        return bool(self._locked[chunk])

    def unlock_outside(self, start: int, stop: int) -> None:
        """Unlock every chunk that is not in [start, stop)."""
        for chunk in np.flatnonzero(self._locked):
            if not start <= chunk < stop:
                _memory_lock("munlock", self._address(int(chunk)), CHUNK_BYTES)
                self._locked[chunk] = False

    def close(self) -> None:
        """Let the memory go; it is freed when no process maps it."""
        if self.segment.descriptor >= 0:
            self.ready = self.audio = np.zeros(0, np.uint8)
            self.segment.close()

    def _address(self, chunk: int) -> int:
        return self.segment.address + self._offset + chunk * CHUNK_BYTES


def _audio_offset(chunks: int) -> int:
    return max(1, -(-chunks // shm.PAGE)) * shm.PAGE


@functools.lru_cache(maxsize=1)
def _libc() -> Any:
    return ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)


def _memory_lock(name: str, address: int, length: int) -> bool:
    try:
        return int(getattr(_libc(), name)(ctypes.c_void_p(address), ctypes.c_size_t(length))) == 0
    except (OSError, AttributeError):
        return False


def _punch_hole(descriptor: int, offset: int, length: int) -> bool:
    if sys.platform != "linux" or length <= 0:
        return False
    call = _libc().fallocate
    call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    return int(call(descriptor, _KEEP_SIZE_PUNCH_HOLE, offset, length)) == 0
