"""What happened below the show: facts, in the past tense, that enter the same `step` as intents.

Owner: whoever built them; all are frozen. They come from the engine, the library and the job service.
Units: `deck` and `stem` count from 0 as the engine does; positions and durations in seconds of the track; `ready`
is 0 to 1. A fact that names a `token` other than the deck's is late and changes nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AudibleDeck:
    """A deck as it sounds: `token` is 0 when it holds nothing."""

    token: int = 0
    position_s: float = 0.0
    playing: bool = False
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class DeckLoaded:
    """The deck holds the track asked for as `token` and can sound at once."""

    deck: int
    token: int
    title: str = ""
    artist: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class DeckLoadFailed:
    """The track asked for as `token` will not come; the deck keeps what it had."""

    deck: int
    token: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class TrackMeasured:
    """How loud the track on the deck is, in LUFS over all of it; None where nobody has measured it."""

    deck: int
    token: int
    loudness: float | None


@dataclass(frozen=True, slots=True)
class DeckEnded:
    """Playback reached the end of the track."""

    deck: int
    token: int
    position_s: float


@dataclass(frozen=True, slots=True)
class StemsReady:
    """More of a stem is there; `stem` is its slot, `ready` the part of the whole track."""

    deck: int
    token: int
    stem: int
    ready: float


@dataclass(frozen=True, slots=True)
class GapChanged:
    """The mix stands in for stems that are not ready here (`gap`), or no longer does."""

    deck: int
    gap: bool


@dataclass(frozen=True, slots=True)
class PendingChanged:
    """Mutes and solos wait for a ready stretch; bit k of `mask` is stem slot k."""

    deck: int
    mask: int


@dataclass(frozen=True, slots=True)
class EngineLost:
    """The engine is gone; `decks` is the last that was heard of each."""

    decks: tuple[AudibleDeck, ...]


@dataclass(frozen=True, slots=True)
class EngineRestored:
    """An engine is there, a new one (every token 0) or one that played on; `rate` is its frame rate in Hz."""

    decks: tuple[AudibleDeck, ...]
    rate: int


Fact = (
    DeckLoaded
    | DeckLoadFailed
    | TrackMeasured
    | DeckEnded
    | StemsReady
    | GapChanged
    | PendingChanged
    | EngineLost
    | EngineRestored
)
