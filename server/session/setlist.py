"""What a setlist is: an ordered plan of tracks. `docs/setlists.md` describes the file, `setlist_file.py` reads it.

Owner: whoever read it; frozen. Pure.
Units: seconds of the set for `at`; places as in `setlist_places.py`; tempo in BPM; levels 0 to 1; a pass is one time
through a loop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from server.session.setlist_places import END, START, Place

TRANSITIONS: Final = ("cut", "fade", "echo-out", "stem-swap", "lanes")
SHAPES: Final = ("line", "smooth", "step")
UNITS: Final = ("seconds", "beats", "bars")
SWAP_ORDER: Final = ("drums", "bass", "other", "vocals")
"""In which order a stem swap goes through the stems; guitar and piano go with `other` unless they are named."""


@dataclass(frozen=True, slots=True)
class Length:
    """How long something takes: `unit` is seconds, beats or bars."""

    amount: float
    unit: str = "seconds"

    @property
    def is_musical(self) -> bool:
        """Whether it is counted in beats."""
        return self.unit != "seconds"


@dataclass(frozen=True, slots=True)
class Lane:
    """The automation of one control over a transition: `points` are (time, value), times in `unit` from its start.

    `control` may name the decks of the transition as `/deck/out/...` and `/deck/in/...`.
    """

    control: str
    points: tuple[tuple[float, float | str], ...]
    unit: str = "beats"
    shape: str = "line"


@dataclass(frozen=True, slots=True)
class Loop:
    """A stretch to be practised: `passes` times, 0 until the performer goes on; a bar count or a place ends it.

    The speed begins at `speed` and grows by `step` after every `every` passes, up to `speed_to`.
    """

    start: Place
    end: Place | None = None
    bars: float = 4.0
    passes: int = 4
    speed: float = 1.0
    speed_to: float = 1.0
    step: float = 0.05
    every: int = 1

    def speed_of(self, number: int) -> float:
        """Return the speed of a pass, counted from 0."""
        steps = number // self.every
        if self.speed_to >= self.speed:
            return min(self.speed_to, self.speed + steps * self.step)
        return max(self.speed_to, self.speed - steps * self.step)


@dataclass(frozen=True, slots=True)
class Entry:
    """One track of the set. `line` counts from 1; `deck` is where it plays unless that is taken, `fixed` if the file
    says so. `tempo` are (beats from its start, BPM), none for `rate`. The transition is the one into the entry."""

    line: int
    track: str
    deck: int
    fixed: bool = False
    start: Place = START
    end: Place = END
    at_s: float | None = None
    rate: float = 1.0
    tempo: tuple[tuple[float, float], ...] = ()
    keylock: bool = False
    key: float = 0.0
    volume: float = 1.0
    stems: Mapping[str, float] = field(default_factory=dict)
    transition: str = "cut"
    length: Length = Length(8.0)
    quantize: bool = False
    sync: bool | None = None
    order: tuple[str, ...] = SWAP_ORDER
    lanes: tuple[Lane, ...] = ()
    loops: tuple[Loop, ...] = ()
    notes: str = ""
    scene: str = ""


@dataclass(frozen=True, slots=True)
class Setlist:
    """A checked setlist. `crossfader` lets fades move the crossfader, with every deck on its own side."""

    title: str
    entries: tuple[Entry, ...]
    crossfader: bool = False
