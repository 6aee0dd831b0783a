"""The show as a value: what every control holds, and what each deck remembers beyond its controls.

Owner: the session task; every step makes a new one. Pure: no I/O, no clock.
Units: positions in seconds of the track; tokens name one load of one track on one deck and are never used twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from audio.units import BANKS, DECKS, ENGINE_RATE
from control.control import Value
from control.registry import REGISTRY
from server.marks import Grid
from server.pads import PADS_AT_REST, Pad
from server.practice import NO_REHEARSAL, Rehearsal
from server.session.setlist_state import SetlistMemory


@dataclass(frozen=True, slots=True)
class DeckMemory:
    """What a deck holds and what is on its way to it.

    `token` and `track_id` are the track the deck holds (0 and "" for none); `loading` and `wanted` the one on its
    way, to start at `load_position_s`. `play_when_loaded`, `play_at` (engine frame) and `seek_when_loaded` were asked
    for meanwhile. `position_s` is the last place known without asking the engine; `at_end` is set when the track ran
    out there. `analysed` is the beat grid of the analysis, `grid` the performer's own in its place; `memory` are the
    memory points in order, `taps` the places tapped for a grid. `rehearsal` is what the library knows for
    practising it, and `practised` says whether the song was opened for that: how it is left is then kept.
    """

    token: int = 0
    track_id: str = ""
    loading: int = 0
    wanted: str = ""
    load_position_s: float = 0.0
    play_when_loaded: bool = False
    play_at: int = 0
    seek_when_loaded: float | None = None
    position_s: float = 0.0
    at_end: bool = False
    analysed: Grid | None = None
    grid: Grid | None = None
    memory: tuple[float, ...] = ()
    taps: tuple[float, ...] = ()
    rehearsal: Rehearsal = NO_REHEARSAL
    practised: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """The whole show. `connected` says whether an engine hears it; `engine_rate` is its rate in Hz; `setlist` is the
    one that is open; `pads` are those of all banks, bank by bank; `sounding` has a bit for each pad of a bank that
    sounds; `taps` are the engine's frames in which the session's tempo was tapped."""

    rev: int
    controls: Mapping[str, Value]
    decks: tuple[DeckMemory, ...]
    next_token: int = 1
    engine_rate: int = ENGINE_RATE
    connected: bool = False
    setlist: SetlistMemory | None = None
    pads: tuple[Pad, ...] = PADS_AT_REST
    sounding: tuple[int, ...] = (0,) * BANKS
    taps: tuple[int, ...] = ()


DEFAULTS: Final[Mapping[str, Value]] = MappingProxyType(
    {path: control.default for path, control in REGISTRY.items() if control.is_state and control.default is not None}
)
"""Every control the show remembers, as it is before anybody has touched it."""


def initial(first_token: int = 1) -> State:
    """Return a show nobody has touched. `first_token` must be above every token an engine that plays on may hold."""
    return State(rev=0, controls=dict(DEFAULTS), decks=(DeckMemory(),) * DECKS, next_token=first_token)
