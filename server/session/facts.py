"""What happened below the show: facts, in the past tense, that enter the same `step` as intents.

Owner: whoever built them; all are frozen. They come from the engine, the library and the job service.
Units: `deck` and `stem` count from 0 as the engine does; positions and durations in seconds of the track; `ready`
is 0 to 1. A fact that names a `token` other than the deck's is late and changes nothing.
"""

from dataclasses import dataclass

from server.marks import NO_MARKS, Grid, Marks
from server.practice import NO_REHEARSAL, Rehearsal
from server.session.setlist_state import Planned


@dataclass(frozen=True, slots=True)
class AudibleDeck:
    """A deck as it sounds: `token` is 0 when it holds nothing; `loop_s` are the ends of its loop, -1 for none."""

    token: int = 0
    position_s: float = 0.0
    playing: bool = False
    duration_s: float = 0.0
    loop_active: bool = False
    loop_s: tuple[float, float] = (-1.0, -1.0)


@dataclass(frozen=True, slots=True)
class Reported:
    """A surface reports what it found: values of controls that can only be read, by path."""

    values: tuple[tuple[str, int | float | str], ...]


@dataclass(frozen=True, slots=True)
class TempoChanged:
    """The session's tempo is another, in beats a minute: the leader's, where one leads."""

    tempo: float


@dataclass(frozen=True, slots=True)
class DeckLoaded:
    """The deck holds the track asked for as `token` and can sound at once."""

    deck: int
    token: int
    title: str = ""
    artist: str = ""
    duration_s: float = 0.0
    analysed: Grid | None = None
    marks: Marks = NO_MARKS
    rehearsal: Rehearsal = NO_REHEARSAL


@dataclass(frozen=True, slots=True)
class TrackMarked:
    """The library has these marks of the track that a deck holds: it was adopted, analysed, or marked elsewhere.

    `rehearsal` is None where it is as it was."""

    deck: int
    token: int
    analysed: Grid | None
    marks: Marks
    rehearsal: Rehearsal | None = None


@dataclass(frozen=True, slots=True)
class PlaceTold:
    """The playhead's place on the frame it was asked for, the engine's `frame`; `what` it was asked for."""

    deck: int
    token: int
    what: int
    position_s: float
    frame: int = 0


@dataclass(frozen=True, slots=True)
class PlayChanged:
    """The deck starts or stops by a cue, a brake or a spin-back."""

    deck: int
    token: int
    playing: bool
    position_s: float


@dataclass(frozen=True, slots=True)
class CueMoved:
    """The main cue was set."""

    deck: int
    token: int
    position_s: float


@dataclass(frozen=True, slots=True)
class HotcueStored:
    """Hot cue `slot` was set; a loop where `end_s` is not None."""

    deck: int
    token: int
    slot: int
    start_s: float
    end_s: float | None


@dataclass(frozen=True, slots=True)
class HotcueCleared:
    """Hot cue `slot` is empty."""

    deck: int
    token: int
    slot: int


@dataclass(frozen=True, slots=True)
class LoopChanged:
    """The deck's loop; `end_s` not above `start_s`: only a beginning."""

    deck: int
    token: int
    active: bool
    rolling: bool
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class LoopPassed:
    """The loop has come to its end; `stepped` where the next pass takes the speed that was asked for it."""

    deck: int
    token: int
    start_s: float
    end_s: float
    stepped: bool


@dataclass(frozen=True, slots=True)
class MemoryStored:
    """A memory point was set."""

    deck: int
    token: int
    position_s: float


@dataclass(frozen=True, slots=True)
class MemoryCleared:
    """A memory point is gone."""

    deck: int
    token: int
    position_s: float


@dataclass(frozen=True, slots=True)
class LeaderChanged:
    """Another deck leads, or none."""

    deck: int | None


@dataclass(frozen=True, slots=True)
class RateFollowed:
    """The deck's own speed was set by the leader or by the session's tempo."""

    deck: int
    token: int
    rate: float


@dataclass(frozen=True, slots=True)
class StemLoopChanged:
    """A loop of one stem began or ended."""

    deck: int
    token: int
    slot: int
    active: bool


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
class PadWanted:
    """Somebody wants a pad of any bank to play `source` (see `server.pads`), or nothing."""

    bank: int
    pad: int
    source: str


@dataclass(frozen=True, slots=True)
class PadLoaded:
    """The pad holds the source asked for as `token` and can be hit."""

    bank: int
    pad: int
    token: int
    source: str
    name: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class PadLoadFailed:
    """The source asked for as `token` will not come; the pad keeps what it had."""

    bank: int
    pad: int
    token: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class PadsSounding:
    """Which pads sound: a bit for each pad of each bank."""

    masks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EngineLost:
    """The engine is gone; `decks` is the last that was heard of each."""

    decks: tuple[AudibleDeck, ...]


@dataclass(frozen=True, slots=True)
class EngineRestored:
    """An engine is there, a new one (every token 0) or one that played on; `rate` is its frame rate in Hz."""

    decks: tuple[AudibleDeck, ...]
    rate: int


@dataclass(frozen=True, slots=True)
class SetlistOpened:
    """A setlist was read and its tracks were looked for. `name` is what it was asked for by; with `resumed` it was
    open when the program stopped, and goes on where it was."""

    name: str
    title: str
    entries: tuple[Planned, ...]
    crossfader: bool = False
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class SetlistFailed:
    """A setlist could not be opened; the one before stays as it is."""

    name: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SetlistTick:
    """Time has passed for the setlist: the engine's counter is at `frame`."""

    frame: int


Fact = (
    DeckLoaded | DeckLoadFailed | DeckEnded | StemsReady | GapChanged | PendingChanged | EngineLost | EngineRestored
    | TrackMarked | TrackMeasured | PlaceTold | PlayChanged | CueMoved | HotcueStored | HotcueCleared | LoopChanged
    | MemoryStored | MemoryCleared | LeaderChanged | RateFollowed | StemLoopChanged | TempoChanged | Reported
    | SetlistOpened | SetlistFailed | SetlistTick
    | LoopPassed
    | PadWanted | PadLoaded | PadLoadFailed | PadsSounding
)  # fmt: skip
