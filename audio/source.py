"""What a deck is to play: files, rates and ranges, as the server tells the engine.

Owner: the sender; frozen. Units: reference frames at `rate`; stem ranges in frames at 44.1 kHz (MODEL_RATE);
`gain` is the power of two by which stored samples are multiplied; slots are 0-based.
"""

from pathlib import Path
from typing import Literal

import msgspec

from audio.commands import FADE_S

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


class PadSource(msgspec.Struct, frozen=True):
    """What a pad plays: a stretch of a file, in seconds, of which all must be there; as long as LONGEST_SAMPLE_S."""

    path: Path
    start_s: float
    stop_s: float
    kind: StemKind = "flac"
    gain: float = 1.0


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
    #: What plays beside the track, if anything, and is brought to the deck after it: a file that begins with it.
    take: PadSource | None = None


def stretch_frames(start_s: float, stop_s: float, rate: int) -> tuple[int, int, int]:
    """Return the engine frames of a track that a pad's memory holds: the first, how many of them lie before the sample
    (what a loop fades over to), and the one after the last."""
    start, stop = round(start_s * rate), max(round(stop_s * rate), round(start_s * rate) + 1)
    lead = min(start, max(1, round(FADE_S * rate)))
    return start - lead, lead, stop
