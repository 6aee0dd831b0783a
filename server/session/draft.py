"""The next state while a step makes it, and the few moves every rule is made of.

Owner: one call of `step`, which throws it away; nothing here outlives it.
Units: as in `server.session.state`; frames in commands.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from audio.commands import NOW, CommandKind
from audio.units import STEMS
from control.control import Value
from server.session.effects import Changed, Effect, EngineCommand, LoadTrack, Notice
from server.session.state import DeckMemory, State


class Refuse(Exception):
    """The show's state does not allow it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Wish:
    """A control that a rule wants set, by the control's own rule, at engine frame `frame`."""

    path: str
    value: Value
    frame: int = NOW


class Draft:
    """The next state while a step makes it; copies only what is touched."""

    __slots__ = (
        "base", "changes", "connected", "controls", "decks", "effects", "engine_rate", "next_token", "pads", "setlist",
        "sounding", "taps", "wishes",
    )  # fmt: skip

    def __init__(self, base: State) -> None:
        self.base = base
        self.controls: Mapping[str, Value] = base.controls
        self.decks = base.decks
        self.next_token = base.next_token
        self.engine_rate = base.engine_rate
        self.connected = base.connected
        self.setlist = base.setlist
        self.wishes: list[Wish] = []
        self.pads = base.pads
        self.sounding = base.sounding
        self.taps = base.taps
        self.effects: list[Effect] = []
        self.changes: dict[str, Value] = {}

    def set(self, path: str, value: Value) -> None:
        if self.controls[path] != value:
            if self.controls is self.base.controls:
                self.controls = dict(self.controls)
            self.controls[path] = value  # type: ignore[index]  # a copy of our own since the line above
            self.changes[path] = value

    def echo(self, path: str) -> None:
        """Send the value out again although it did not change: the one who asked believes another."""
        self.changes[path] = self.controls[path]

    def remember(self, deck: int, **changes: Any) -> DeckMemory:
        return self.hold(deck, replace(self.decks[deck], **changes))

    def hold(self, deck: int, memory: DeckMemory) -> DeckMemory:
        self.decks = (*self.decks[:deck], memory, *self.decks[deck + 1 :])
        return memory

    def send(
        self, kind: CommandKind, deck: int, slot: int, a: float, frame: int = NOW, token: int = 0, b: float = 0.0
    ) -> None:
        if self.connected:
            self.effects.append(EngineCommand(kind, deck, slot, a, frame, token, b))

    def wish(self, path: str, value: Value, frame: int = NOW) -> None:
        """Have a control set, at a frame, when the rule that asks for it is done: as a surface would."""
        self.wishes.append(Wish(path, value, frame))

    def notice(self, level: str, code: str, message: str, path: str = "") -> None:
        self.effects.append(Notice(level, code, message, path))

    def load(self, deck: int, track_id: str, position_s: float = 0.0, plays: bool = False) -> None:
        """Ask for a track under a new token; whatever else was on its way to the deck is forgotten."""
        token = self.next_token
        self.next_token += 1
        self.remember(
            deck,
            loading=token,
            wanted=track_id,
            load_position_s=position_s,
            play_when_loaded=plays,
            play_at=NOW,
            seek_when_loaded=None,
        )
        self.set(f"/deck/{deck + 1}/load", track_id)
        self.set(f"/deck/{deck + 1}/status", "loading")
        if self.connected:
            self.effects.append(LoadTrack(deck, token, track_id, position_s))

    def result(self) -> tuple[State, tuple[Effect, ...]]:
        rev = self.base.rev
        if self.changes:
            rev += 1
            self.effects.append(Changed(self.changes))
        state = State(
            rev, self.controls, self.decks, self.next_token, self.engine_rate, self.connected, self.setlist, self.pads,
            self.sounding, self.taps,
        )  # fmt: skip
        return state, tuple(self.effects)


def clear(draft: Draft, deck: int) -> None:
    """Forget what was true of the track the deck held: gap, pending and readiness."""
    draft.set(f"/deck/{deck + 1}/gap", 0)
    for stem in STEMS:
        draft.set(f"/deck/{deck + 1}/stem/{stem}/pending", 0)
        draft.set(f"/deck/{deck + 1}/stem/{stem}/ready", 0.0)


Handler = Callable[[Draft, Value, int], None]
"""What a control does when it is written: the draft, the checked value, the engine frame to do it at."""
