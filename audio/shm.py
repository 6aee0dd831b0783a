"""Shared memory: named POSIX segments for the block, nameless ones for audio. Never a file on a disk.

Owner: `Segment` owns its mapping; the creator of a named segment also owns its name.
Units: bytes. Python's `multiprocessing.shared_memory` is not used: its resource tracker would unlink a segment
that outlives the process that made it, and ours must.
"""

import _posixshmem
import contextlib
import fcntl
import mmap
import os
import secrets
import sys
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from audio.errors import OutOfMemory

PAGE: Final = mmap.PAGESIZE

_ADD_SEALS: Final = getattr(fcntl, "F_ADD_SEALS", None)
_SHRINK_GROW: Final = getattr(fcntl, "F_SEAL_SHRINK", 0) | getattr(fcntl, "F_SEAL_GROW", 0)
_posix: Final[Any] = _posixshmem


class Segment:
    """A mapping of shared memory. `bytes` views it as uint8; closing leaves the name alone.

    Thread-safe: yes, beyond `close`. Realtime-safe: reading and writing, yes.
    """

    def __init__(self, descriptor: int, size: int, name: str = "") -> None:
        """Map `size` bytes of `descriptor`, which this segment owns from now on."""
        self.descriptor, self.size, self.name = descriptor, size, name
        self._map = mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self.bytes: npt.NDArray[np.uint8] = np.frombuffer(self._map, np.uint8)

    @property
    def address(self) -> int:
        """Address of the first byte in this process."""
        return int(self.bytes.ctypes.data)

    def advise(self, advice: int, start: int, length: int) -> bool:
        """Give the system `advice` about whole pages from `start`; False when it refuses."""
        first = start // PAGE * PAGE
        stop = min(-(-(start + length) // PAGE) * PAGE, self.size)
        try:
            self._map.madvise(advice, first, stop - first)
        except (OSError, ValueError):
            return False
        return True

    def close(self) -> None:
        """Unmap. Views that are still held keep the mapping alive until they go."""
        if self.descriptor < 0:
            return
        del self.bytes
        with contextlib.suppress(BufferError):
            self._map.close()
        os.close(self.descriptor)
        self.descriptor = -1


def create_named(size: int) -> Segment:
    """Create a segment that other processes find by its `name`, readable by this user only."""
    name = f"/sfa-{secrets.token_hex(8)}"
    descriptor: int = _posix.shm_open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        os.ftruncate(descriptor, size)
        return Segment(descriptor, size, name)
    except OSError:
        os.close(descriptor)
        unlink(name)
        raise


def attach_named(name: str) -> Segment:
    """Map the segment `name`. Raises FileNotFoundError."""
    descriptor: int = _posix.shm_open(name, os.O_RDWR, 0o600)
    return Segment(descriptor, os.fstat(descriptor).st_size, name)


def unlink(name: str) -> None:
    """Remove a name; mappings stay."""
    with contextlib.suppress(FileNotFoundError):
        _posix.shm_unlink(name)


def create_nameless(size: int, label: str) -> Segment:
    """Create sparse memory that travels by descriptor only.

    On Linux a memfd sealed against growing and shrinking, so that nobody can cut it short under a reader;
    elsewhere a POSIX segment whose name is gone at once. Raises OutOfMemory.
    """
    size = -(-size // PAGE) * PAGE
    try:
        if sys.platform == "linux":
            descriptor = os.memfd_create(f"sfa-{label}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            os.ftruncate(descriptor, size)
            if _ADD_SEALS is not None:
                fcntl.fcntl(descriptor, _ADD_SEALS, _SHRINK_GROW)
            return Segment(descriptor, size)
        segment = create_named(size)
        unlink(segment.name)
        return segment
    except OSError as fault:
        raise OutOfMemory() from fault
