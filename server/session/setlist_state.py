"""What the show remembers of an open setlist: the plan, what plays, what comes, and the passage between the two.

Owner: the session task; every step makes a new one. Pure.
Units: engine frames for times, seconds of the track for places; decks count from 1 here, as in control paths; entries
from 0.
"""

from dataclasses import dataclass
from typing import Final

from control.control import Value
from server.session.setlist import Entry

NEVER: Final = -1
"""The frame of what nothing is known of."""

STEP_S: Final = 0.01
"""Between two moves of an automated control; the engine ramps between them."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An entry and the track that was found for it: `track_id` is what a deck loads, "" where nothing was found."""

    entry: Entry
    track_id: str
    title: str


@dataclass(frozen=True, slots=True)
class Standing:
    """An entry and the deck it is on. `asked` once the deck was told to load it, `ready` when it is there; `since` is
    the frame from which it was waited for, -1 for not yet."""

    index: int
    deck: int
    asked: bool = False
    ready: bool = False
    since: int = -1


@dataclass(frozen=True, slots=True)
class Ramp:
    """One control in motion: `points` are (frame, value), growing; `shape` is line, smooth, step or power."""

    path: str
    points: tuple[tuple[int, Value], ...]
    shape: str = "line"


@dataclass(frozen=True, slots=True)
class Move:
    """One control that takes a value at a frame."""

    frame: int
    path: str
    value: Value


@dataclass(frozen=True, slots=True)
class Passage:
    """A transition on its way: everything that is moved, in frames. From `swap` on the new entry is the one that
    plays; at `end` all is over. What lies up to `done` has been sent. `rate` is the speed at which the new deck follows
    the old one, 0 where it does not."""

    start: int
    swap: int
    end: int
    ramps: tuple[Ramp, ...] = ()
    moves: tuple[Move, ...] = ()
    done: int = -1
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Drill:
    """Practice on the loop `number` of the entry that plays: which `pass_` this is, from 0, where the playhead was last
    seen, from which frame on it is looked at, and up to which pass the speed was set."""

    number: int
    pass_: int = 0
    last_s: float = 0.0
    since: int = 0
    paced: int = 0


@dataclass(frozen=True, slots=True)
class Glide:
    """The way back from a speed that was followed to the entry's own: from frame `start`, `frames` long."""

    start: int
    frames: int
    rate: float


@dataclass(frozen=True, slots=True)
class SetlistMemory:
    """An open setlist. `go` is a wish to go on that waits for its moment, `over` set once the set has ended; `began` is
    the frame of its start, -1 before that, `frame` the latest that was heard of, `due` the one at which it will go on
    to the next entry, or end, NEVER where that is not known. `held` are controls that the performer
    has taken, for as long as the passage or the entry lasts; `sent` are (frame, path) on their way to the engine."""

    name: str
    title: str
    entries: tuple[Planned, ...]
    crossfader: bool = False
    now: Standing | None = None
    coming: Standing | None = None
    passage: Passage | None = None
    drill: Drill | None = None
    glide: Glide | None = None
    go: bool = False
    over: bool = False
    began: int = -1
    frame: int = 0
    due: int = NEVER
    held: frozenset[str] = frozenset()
    sent: tuple[tuple[int, str], ...] = ()
