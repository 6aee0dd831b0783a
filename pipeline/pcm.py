"""Raw stereo PCM on disk, written in any order: the frames that are there, and the file they lie in.

Owner: one writer per file; the worker keeps what it has made in such files until the server has it, and the server what
has arrived until it is encoded.
Units: frames; frame k lies at byte 8k as two float32, little-endian. Ranges are half-open, ascending and do not touch.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

FRAME_BYTES: Final = 8
"""Bytes of a stereo frame."""

GRID: Final = float(1 << 21)
"""Stem samples are whole multiples of 1 / GRID, so that 24 bits hold everything under 4 exactly."""

_LIMIT: Final = 4 * GRID
_BLOCK_FRAMES: Final = 1 << 16

Range = tuple[int, int]
Ranges = tuple[Range, ...]
Audio = npt.NDArray[np.float32]


def union(ranges: Iterable[Range]) -> Ranges:
    """Return the ranges in order, joined where they touch or overlap; empty ones fall away."""
    joined: list[Range] = []
    for start, stop in sorted(r for r in ranges if r[0] < r[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return tuple(joined)


def difference(ranges: Iterable[Range], without: Iterable[Range]) -> Ranges:
    """Return what of `ranges` is not in `without`."""
    left: list[Range] = []
    gaps = union(without)
    for start, stop in union(ranges):
        for low, high in gaps:
            if high <= start:
                continue
            if low >= stop:
                break
            if start < low:
                left.append((start, low))
            start = max(start, high)
        if start < stop:
            left.append((start, stop))
    return tuple(left)


def total(ranges: Iterable[Range]) -> int:
    """Return how many frames the (disjoint) ranges hold."""
    return sum(stop - start for start, stop in ranges)


def chunks(ranges: Iterable[Range], longest: int) -> Iterator[Range]:
    """Yield the ranges cut into pieces of at most `longest` frames."""
    for start, stop in ranges:
        for low in range(start, stop, longest):
            yield low, min(stop, low + longest)


def to_bytes(audio: Audio) -> bytes:
    """Return float32 (2, frames) as raw PCM."""
    return np.ascontiguousarray(audio.T, dtype="<f4").tobytes()


def from_bytes(raw: bytes | memoryview) -> Audio:
    """Return raw PCM as float32 (2, frames); a view where the machine's byte order allows it."""
    return np.frombuffer(raw, dtype="<f4").reshape(-1, 2).T.astype(np.float32, copy=False)


def on_grid(raw: bytes) -> bool:
    """Say whether every sample of raw PCM is finite, under 4 in size and on the grid."""
    scaled = np.frombuffer(raw, dtype="<f4") * np.float32(GRID)
    return bool(((scaled > -_LIMIT) & (scaled < _LIMIT) & (np.rint(scaled) == scaled)).all())


class RawFile:
    """A sparse file of raw PCM. Thread-safe: `write` and `read` at different frames may run at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, offset: int, raw: bytes) -> None:
        """Put `raw` at frame `offset`; the file is made when it is not there. Raises OSError."""
        self.write_bytes(offset * FRAME_BYTES, raw)

    def write_bytes(self, at: int, raw: bytes) -> None:
        """Put `raw` at byte `at`, which may lie within a frame. Raises OSError."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            view = memoryview(raw)
            while view:
                written = os.pwrite(descriptor, view, at)
                view, at = view[written:], at + written
        finally:
            os.close(descriptor)

    def read(self, start: int, stop: int) -> bytes:
        """Return frames [start, stop). Raises OSError, EOFError when the file ends before."""
        with self.path.open("rb", buffering=0) as file:
            wanted = (stop - start) * FRAME_BYTES
            raw = os.pread(file.fileno(), wanted, start * FRAME_BYTES)
            while len(raw) < wanted:
                more = os.pread(file.fileno(), wanted - len(raw), start * FRAME_BYTES + len(raw))
                if not more:
                    raise EOFError(f"{self.path.name} ends before frame {stop}")
                raw += more
        return raw

    def blocks(self, frames: int) -> Iterator[bytes]:
        """Yield the first `frames` frames in blocks. Raises OSError, EOFError."""
        for start, stop in chunks(((0, frames),), _BLOCK_FRAMES):
            yield self.read(start, stop)

    def sha256(self, frames: int) -> str:
        """Return the hex digest of the first `frames` frames. Raises OSError, EOFError."""
        digest = hashlib.sha256()
        for block in self.blocks(frames):
            digest.update(block)
        return digest.hexdigest()

    def peak(self, frames: int) -> float:
        """Return the largest magnitude within the first `frames` frames. Raises OSError, EOFError."""
        return max((float(np.abs(np.frombuffer(block, "<f4")).max()) for block in self.blocks(frames)), default=0.0)
