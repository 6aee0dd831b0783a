"""The shape of a stem to draw: peaks and level, in the form of a track's overview (`audio/waveform.py` describes it).

Owner: the library, in threads; the newest shapes are kept in memory, since a stem never changes.
Units: frames at the stem's rate. A stem has no bands: its level stands in the low and the middle one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from audio.waveform_header import HEADER_BYTES, LEVELS, MAGIC, SIZES, VERSION

_BINS_PER_SECOND: Final = 150
_COARSE_BINS: Final = 2000
_BINS_AT_ONCE: Final = 2048
_KEPT_BYTES: Final = 32 << 20

_Floats = npt.NDArray[np.float32]


class StemShapes:
    """Shapes by the checksum of the stem. Safe from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, path: Path, checksum: str) -> bytes:
        """Return the shape of a stem's file; blocks while it is read. Raises OSError, RuntimeError for one that cannot
        be read."""
        with self._lock:
            found = self._kept.get(checksum)
            if found is not None:
                self._kept.move_to_end(checksum)
                return found
        made = shape(path)
        with self._lock:
            self._kept[checksum] = made
            while sum(map(len, self._kept.values())) > _KEPT_BYTES and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return made


def shape(path: Path) -> bytes:
    """Return the overview of an audio file. Raises OSError, RuntimeError."""
    import soundfile

    with soundfile.SoundFile(path) as file:
        rate, frames = int(file.samplerate), int(file.frames)
        size = max(1, rate // _BINS_PER_SECOND)
        fine = [_bins(block, size) for block in file.blocks(size * _BINS_AT_ONCE, dtype="float32", always_2d=True)]
    bins = np.concatenate(fine) if fine else np.zeros((0, 3), np.float32)
    group = max(1, -(-len(bins) // _COARSE_BINS))
    starts = np.arange(0, len(bins), group)
    coarse = bins
    if len(starts):
        counts = np.diff(np.append(starts, len(bins)))
        low, high = np.minimum.reduceat(bins[:, 0], starts), np.maximum.reduceat(bins[:, 1], starts)
        coarse = np.stack((low, high, np.add.reduceat(bins[:, 2], starts) / counts), axis=1)
    head = SIZES.pack(MAGIC, VERSION, HEADER_BYTES, rate, size, frames, len(bins), group, len(coarse), 0)
    return head + LEVELS.pack(0.0, 0.0) + _records(coarse) + _records(bins)


def _bins(block: _Floats, size: int) -> _Floats:
    """Return lowest, highest and mean square of each stretch of `size` frames; the last may be shorter."""
    starts = np.arange(0, len(block), size)
    if not len(starts):
        return np.zeros((0, 3), np.float32)
    low = np.minimum.reduceat(block.min(axis=1), starts)
    high = np.maximum.reduceat(block.max(axis=1), starts)
    counts = np.diff(np.append(starts, len(block)))
    power = np.add.reduceat(np.square(block.mean(axis=1)), starts) / counts
    return np.stack((low, high, power), axis=1).astype(np.float32)


def _records(bins: _Floats) -> bytes:
    records = np.zeros((len(bins), 5), np.uint8)
    records[:, 0] = np.clip(np.floor(bins[:, 0] * 127), -127, 127).astype(np.int8).view(np.uint8)
    records[:, 1] = np.clip(np.ceil(bins[:, 1] * 127), -127, 127).astype(np.int8).view(np.uint8)
    level = np.rint(255 * np.minimum(1.0, bins[:, 2]) ** 0.25).astype(np.uint8)
    records[:, 2], records[:, 3] = level, level
    return records.tobytes()
