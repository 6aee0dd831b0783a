"""What the engine and its filler child say to each other; descriptors of slot memory travel beside the frames.

Owner: whoever built the message; frozen. `holding` is the engine's number for one load, never used twice.
Units: frames at the rate named; chunks of 4096 engine frames; decks and slots 0-based.
"""

import msgspec

from audio.source import PadSource, StemSource


class _Message(msgspec.Struct, frozen=True, tag_field="type"):
    """A message."""


class Hold(_Message, frozen=True, tag="hold"):
    """Fill the mix of a track; one descriptor comes along. The filler checks the file and answers."""

    holding: int
    path: str
    gain: float
    rate: int
    frames: int
    engine_rate: int
    engine_frames: int
    playhead: int


class HoldStems(_Message, frozen=True, tag="hold_stems"):
    """Fill this set of stems, replacing the one before; one descriptor for each stem, in order, comes along."""

    holding: int
    generation: int
    stems: tuple[StemSource, ...]


class MoreRanges(_Message, frozen=True, tag="more_ranges"):
    """More of a stem is there, or it lies in another file now."""

    holding: int
    generation: int
    stem: StemSource


class Drop(_Message, frozen=True, tag="drop"):
    """Forget a track and let its memory go."""

    holding: int


class FillPad(_Message, frozen=True, tag="fill_pad"):
    """Fill a pad's memory, whose descriptor comes along, with engine frames [first, first + frames) of the file."""

    number: int
    source: PadSource
    engine_rate: int
    first: int
    frames: int


class Playhead(_Message, frozen=True, tag="playhead"):
    """Where a track plays; `window` chunks around it may be resident, 0: all."""

    holding: int
    frame: int
    playing: bool
    window: int


class Playheads(_Message, frozen=True, tag="playheads"):
    """All tracks, several times a second."""

    playheads: tuple[Playhead, ...]


class Awake(_Message, frozen=True, tag="awake"):
    """The filler has loaded everything and listens."""


class Filled(_Message, frozen=True, tag="filled"):
    """Chunks [start, stop) are in memory: of the mix (generation 0) or of all stems of a generation."""

    holding: int
    generation: int
    start: int
    stop: int


class PadFilled(_Message, frozen=True, tag="pad_filled"):
    """A pad's memory is full, or cannot be filled: `fault` says why."""

    number: int
    fault: str = ""


class Unreadable(_Message, frozen=True, tag="unreadable"):
    """A file cannot be read, or not all of it. Slot -1 is the mix; `fatal`: nothing of the track can be played."""

    holding: int
    slot: int
    message: str
    fatal: bool = False


ToFiller = Hold | HoldStems | MoreRanges | Drop | FillPad | Playheads
ToEngine = Awake | Filled | PadFilled | Unreadable
