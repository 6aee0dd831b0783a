"""What a step asks of the world: frozen values, performed by whoever runs the session.

Owner: `step` makes them; `Show` and the offline renderer perform them.
Units: `deck` and `slot` count from 0 as the engine does; `frame` is the engine's frame counter, 0 for now; `a` and `b`
as the command's line in `audio.commands` says; positions in seconds of the track.
"""

from dataclasses import dataclass

from audio.commands import NOW, CommandKind
from control.control import Value
from server.marks import Marks
from server.pads import Pad
from server.practice import Pass, Practice
from server.session.intent import Refused


@dataclass(frozen=True, slots=True)
class EngineCommand:
    """One record for the engine's command ring. `token` of 0 addresses whatever the deck holds."""

    kind: CommandKind
    deck: int = 0
    slot: int = 0
    a: float = 0.0
    frame: int = NOW
    token: int = 0
    b: float = 0.0


@dataclass(frozen=True, slots=True)
class SetGrid:
    """Give the track `token` on a deck its beats, in seconds, and which of them is the first downbeat; none without."""

    deck: int
    token: int
    beats: tuple[float, ...]
    origin: int = 0


@dataclass(frozen=True, slots=True)
class SaveMarks:
    """Keep the marks of a track in the library."""

    track_id: str
    marks: Marks


@dataclass(frozen=True, slots=True)
class SavePractice:
    """Keep how the song `token` on a deck stands; where it is now is added by whoever hears it."""

    deck: int
    token: int
    track_id: str
    practice: Practice


@dataclass(frozen=True, slots=True)
class LogPass:
    """Write down that a loop of a track was played once."""

    track_id: str
    made: Pass


@dataclass(frozen=True, slots=True)
class LogClean:
    """Write down that the last pass of a track's loop, or the one that is being played, is clean."""

    track_id: str
    made: Pass


@dataclass(frozen=True, slots=True)
class LoadTrack:
    """Bring a track to a deck as `token`; answered by DeckLoaded or DeckLoadFailed."""

    deck: int
    token: int
    track_id: str
    position_s: float = 0.0


@dataclass(frozen=True, slots=True)
class AdoptDeck:
    """Look after a deck that the engine kept playing."""

    deck: int
    token: int
    track_id: str


@dataclass(frozen=True, slots=True)
class EjectDeck:
    """Take whatever a deck holds, or is about to hold, off it."""

    deck: int


@dataclass(frozen=True, slots=True)
class LoadPad:
    """Bring `source` (see `server.pads`) to a pad as `token`, answered by PadLoaded or PadLoadFailed; empty it where
    there is none."""

    bank: int
    pad: int
    token: int
    source: str


@dataclass(frozen=True, slots=True)
class SaveBank:
    """Keep a bank's pads and pattern."""

    bank: int
    pads: tuple[Pad, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the performer should know. `level` is info, warning or error."""

    level: str
    code: str
    message: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """Controls that have a new value, or whose value differs from the one asked for."""

    changes: dict[str, Value]


@dataclass(frozen=True, slots=True)
class LoadRefused:
    """The load asked for as `token` failed; whoever asked is told."""

    token: int
    refused: Refused


@dataclass(frozen=True, slots=True)
class OpenSetlist:
    """Read a setlist and look for its tracks; answered by SetlistOpened or SetlistFailed."""

    name: str


Effect = (
    EngineCommand
    | SetGrid
    | SaveMarks
    | SavePractice
    | LogPass
    | LogClean
    | LoadTrack
    | AdoptDeck
    | EjectDeck
    | Notice
    | Changed
    | Refused
    | LoadRefused
    | OpenSetlist
    | LoadPad
    | SaveBank
)
