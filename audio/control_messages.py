"""What the engine's unix socket carries: requests with paths in them, and their answers.

Owner: whoever built the message; frozen. One MessagePack frame each way (`audio.wire`), answered in order.
Units: frames and rates as in `audio.source`; decks and slots 0-based; seconds.
"""

import msgspec

from audio.source import DeckSource, PadSource, Range, StemSource


class _Message(msgspec.Struct, frozen=True, tag_field="type"):
    """A message; unknown fields are ignored."""


class Load(_Message, frozen=True, tag="load"):
    """Load a track; answered with `Done` when it is swapped in and can sound, or `Refused`."""

    deck: int
    token: int
    source: DeckSource


class DeclareStems(_Message, frozen=True, tag="declare_stems"):
    """The whole set of stems of the track `token` on `deck`; replaces the set there was."""

    deck: int
    token: int
    stems: tuple[StemSource, ...]


class StemRanges(_Message, frozen=True, tag="stem_ranges"):
    """More of a stem is there: `ranges` are all stretches now ready, at 44.1 kHz; None: all of it."""

    deck: int
    token: int
    slot: int
    path: str
    ranges: tuple[Range, ...] | None
    gain: float = 1.0
    label: str = ""


class SetGrid(_Message, frozen=True, tag="set_grid"):
    """The beats of the track `token` on `deck`, in seconds, growing; `origin` is the number of the first downbeat.
    No beats: no grid."""

    deck: int
    token: int
    beats: tuple[float, ...]
    origin: int = 0


class Eject(_Message, frozen=True, tag="eject"):
    """Empty a deck. `token` of 0: whatever it holds."""

    deck: int
    token: int = 0


class LoadPad(_Message, frozen=True, tag="load_pad"):
    """Give a pad (both 0-based) a sample; answered when it can be hit. No source: empty it. A pad that holds the source
    already is left alone."""

    bank: int
    pad: int
    source: PadSource | None = None


class LoadTake(_Message, frozen=True, tag="load_take"):
    """Let a file that begins with the track play beside the track `token` on `deck`, up to `stop_s`; answered when it
    does. No source: nothing. Ignored when the deck holds another track by then."""

    deck: int
    token: int
    source: PadSource | None = None


class Status(_Message, frozen=True, tag="status"):
    """Ask for `StatusReport`."""


class Quit(_Message, frozen=True, tag="quit"):
    """End the engine."""


class Hello(_Message, frozen=True, tag="hello"):
    """First message: this connection is a server's, and its end means that the server is gone."""

    pid: int


class Done(_Message, frozen=True, tag="done"):
    """It is done."""


class Refused(_Message, frozen=True, tag="refused"):
    """It cannot be done; `kind` names a class of `audio.errors`."""

    kind: str
    message: str


class SlotReport(_Message, frozen=True, tag="slot"):
    """Residency of one slot: fractions of the track, 0 to 1. Slot -1 is the mix."""

    slot: int
    label: str
    ready: float
    resident_bytes: int
    bound: bool


class DeckReport(_Message, frozen=True, tag="deck"):
    """What a deck holds."""

    deck: int
    token: int
    frames: int
    slots: tuple[SlotReport, ...]
    windowed: bool


class StatusReport(_Message, frozen=True, tag="status_report"):
    """The engine as a whole. `messages`: the last 50 sentences, oldest first, of `message_count` since the start."""

    pid: int
    version: int
    device: str
    rate: int
    block: int
    realtime: bool
    latency_frames: int
    decks: tuple[DeckReport, ...]
    resident_bytes: int
    budget_bytes: int
    filler_pid: int
    filler_restarts: int
    lock_refusals: int
    prefault_refusals: int
    device_losses: int
    messages: tuple[str, ...]
    message_count: int


Request = Load | DeclareStems | StemRanges | SetGrid | Eject | LoadPad | LoadTake | Status | Quit | Hello
Answer = Done | Refused | StatusReport
