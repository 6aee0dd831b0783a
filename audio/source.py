"""What a deck is to play: files, rates and ranges, as the server tells the engine.

Owner: the sender; frozen. Units: reference frames at `rate`; stem ranges in frames at 44.1 kHz (MODEL_RATE);
`gain` is the power of two by which stored samples are multiplied; slots are 0-based.
"""

from pathlib import Path
from typing import Literal

import msgspec

StemKind = Literal["flac", "part"]
Range = tuple[int, int]


class StemSource(msgspec.Struct, frozen=True):
    """One separated part of a track: a FLAC, or a growing `.part` file (raw float32 LE stereo, frame k at byte 8k)."""

    slot: int
    label: str
    path: Path
    kind: StemKind = "flac"
    gain: float = 1.0
    #: Half-open stretches in frames at 44.1 kHz that are there; None: all of it.
    ranges: tuple[Range, ...] | None = None


class DeckSource(msgspec.Struct, frozen=True):
    """A track to load: its reference decode, where to start, and the stems there are or will be.

    Declare every stem of a separation at once, with `ranges=()` for what has not arrived: the deck plays stems
    only where all that are declared are ready.
    """

    reference: Path
    gain: float
    rate: int
    frames: int
    position_s: float = 0.0
    stems: tuple[StemSource, ...] = ()
