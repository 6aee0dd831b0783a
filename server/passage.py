"""How a setlist goes over from one entry to the next, to be listened to before the show.

    the two entries --> played from their beginning --seek--> some seconds before the transition --> FLAC, WAV

Owner: one call. The same session, player of setlists and kernel as live; only what lies between the beginning and the
transition is left out. Repetitions of a loop in the entry that leaves, and the times of `at`, are not waited for.
Units: seconds; frames at the rendered rate; entries count from 1.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from audio.units import ENGINE_RATE
from server.errors import BadRequest
from server.render import LARGEST_BLOCK, Rendered, _House, _Player
from server.session.intent import Intent
from server.session.script import Problem, ScriptRejected
from server.session.setlist import Entry, Setlist
from server.session.setlist_state import NEVER, SetlistMemory
from server.session.sink import Float32, Sink

if TYPE_CHECKING:
    from server.session.material import Resolver

LEAD_S: Final = 8.0
"""Heard before a transition."""

TAIL_S: Final = 8.0
"""Heard after it."""

PATIENCE_S: Final = 5.0
"""A set that does not know by then when it goes over does not go over."""

LONGEST_S: Final = 600.0

_SETTLED_S: Final = 0.25
"""After a seek everything that was ahead of it has been played."""

_STEP_S: Final = 0.04


def render_transition(
    script: Path,
    out: Path,
    entry: int,
    *,
    rate: int = ENGINE_RATE,
    block: int = 512,
    resolver: "Resolver | None" = None,
) -> Rendered:
    """Render the seconds around going over into `entry` of the setlist `script` to `out` (`.wav` or `.flac`).

    Raises ScriptRejected (with lines), BadRequest, StorageFull; then `out` is untouched.
    """
    if script.suffix.lower() != ".toml":
        raise BadRequest("Only a setlist has transitions")
    if not 1 <= block <= LARGEST_BLOCK:
        raise BadRequest(f"a block has 1 to {LARGEST_BLOCK} frames, not {block}")
    gate = _Gate(out, rate)
    house = _Pair(script, rate, resolver, entry)
    with gate:
        around = _Around(house, rate, block, "master", gate, lambda seconds: None)
        around.listen(script.name, gate)
    return Rendered(out, gate.frames, rate, gate.peak, tuple(around.warnings), dict(around.state.controls))


class _Gate(Sink):
    """A sink that lets nothing through before it is opened."""

    shut = True

    def write(self, audio: Float32) -> None:
        if not self.shut:
            super().write(audio)


class _Pair(_House):
    """A house that knows the two entries of one transition alone."""

    def __init__(self, script: Path, rate: int, resolver: "Resolver | None", entry: int) -> None:
        super().__init__(script, rate, resolver)
        self._path, self._entry = script, entry

    def entries(self, setlist: Setlist) -> tuple[Entry, ...]:
        if not 2 <= self._entry <= len(setlist.entries):
            text = f"there is no transition into entry {self._entry}: it has {len(setlist.entries)}, the first begins"
            raise ScriptRejected(self._path, [Problem(0, text, "entry")])
        before, after = setlist.entries[self._entry - 2 : self._entry]
        return replace(before, at_s=None, loops=()), replace(after, at_s=None)


class _Around(_Player):
    """Plays two entries, and of the first only its end."""

    def listen(self, name: str, gate: _Gate) -> None:
        """Play the setlist `name` around its one transition; what is to be heard goes through `gate`."""
        self._endless = True
        for path, value in (("/setlist/load", name), ("/setlist/autopilot", 1)):
            self._take(Intent(path, value, "script"))
        while self._memory.due == NEVER or self._memory.now is None:
            self._go_on(PATIENCE_S, "The setlist does not begin")
        self._skip_to(self._memory.due - round(LEAD_S * self._rate))
        gate.shut = False
        while self._memory.now is None or self._memory.now.index == 0 or self._memory.passage is not None:
            self._go_on(LONGEST_S, "The transition takes too long to be listened to")
        self._render_to(self._host.frame + round(TAIL_S * self._rate) + self._delay)

    @property
    def _memory(self) -> SetlistMemory:
        assert self.state.setlist is not None
        return self.state.setlist

    def _go_on(self, longest_s: float, otherwise: str) -> None:
        if self._host.frame > longest_s * self._rate:
            raise BadRequest(otherwise)
        self._render_to(self._host.frame + round(_STEP_S * self._rate))

    def _skip_to(self, frame: int) -> None:
        """Put the deck that plays where it would be at `frame`; nothing, where that is about to come."""
        settled = round(_SETTLED_S * self._rate)
        ahead = frame - self._host.frame - settled
        if ahead <= 0:
            return
        assert self._memory.now is not None
        deck = self._memory.now.deck
        place = float(self._host.snapshot()["decks"]["position"][deck - 1])
        speed = float(self.state.controls[f"/deck/{deck}/rate"])
        self._take(Intent(f"/deck/{deck}/position", (place + ahead * speed) / self._rate, "script"))
        self._render_to(self._host.frame + settled)
