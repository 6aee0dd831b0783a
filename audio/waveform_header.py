"""The head of `waveform.bin`, readable without what draws the rest: sizes, and the levels of the whole track.

Owner: written once, by `audio/waveform.py`, which describes the file. Numbers little-endian.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAGIC: Final = b"SFAW"
VERSION: Final = 1
SIZES: Final = struct.Struct("<4sHHIIQIIII")
LEVELS: Final = struct.Struct("<dd")
HEADER_BYTES: Final = SIZES.size + LEVELS.size


@dataclass(frozen=True, slots=True)
class Levels:
    """Mean and standard deviation of the mono sum (left + right) / 2 over a whole track, linear."""

    mean: float
    std: float


def read_levels(path: Path) -> Levels | None:
    """Return the levels kept in an overview; None for one from before they were, or one that cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
    except OSError:
        return None
    if len(head) < HEADER_BYTES:
        return None
    magic, version, size = SIZES.unpack_from(head)[:3]
    if magic != MAGIC or version != VERSION or size < HEADER_BYTES:
        return None
    levels = Levels(*LEVELS.unpack_from(head, SIZES.size))
    return levels if math.isfinite(levels.mean) and math.isfinite(levels.std) and levels.std >= 0 else None
