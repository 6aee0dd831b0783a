"""What a performer does to a deck beyond play and faders: cues, loops, sync, hands on the record.

    control --> one command to the kernel, which knows where the playhead is --> event --> `marking` sets the controls

Owner: nobody; one table of rows. Pure. Nothing here knows a position: whatever depends on the playhead is worked out in
the kernel on the command's frame.
Units: seconds of the track in controls, as `audio.commands` says in commands; decks and slots count from 0.
"""

from collections.abc import Callable
from typing import Final

from audio.commands import CommandKind
from audio.units import DECKS, STEMS
from control.control import Value
from server.marks import HOTCUES
from server.session.draft import Draft, Handler, Refuse

_LEAST_BEATS: Final = 1 / 32
_MOST_BEATS: Final = 64.0


def token_of(draft: Draft, deck: int) -> int:
    """Return the token of the track a deck holds. Raises Refuse."""
    token = draft.decks[deck].token
    if not token:
        raise Refuse("deck_empty", f"Deck {deck + 1} is empty: load a track on it first")
    return token


def press(kind: CommandKind, deck: int, slot: int = 0, a: float = 1.0) -> Handler:
    """Return a button that acts when it is pressed."""

    def handler(draft: Draft, value: Value, at: int) -> None:
        if value:
            draft.send(kind, deck, slot, a, at, token_of(draft, deck))

    return handler


def hold(kind: CommandKind, deck: int, slot: int = 0, pressed: float = 1.0) -> Handler:
    """Return a button that is pressed and let go; letting go of an empty deck is nothing."""

    def handler(draft: Draft, value: Value, at: int) -> None:
        if value:
            draft.send(kind, deck, slot, pressed, at, token_of(draft, deck))
        elif draft.decks[deck].token:
            draft.send(kind, deck, slot, 0.0, at, draft.decks[deck].token)

    return handler


def amount(kind: CommandKind, deck: int, scale: Callable[[Draft, float], float] = lambda _, value: value) -> Handler:
    """Return a number that acts each time it is written; `scale` turns it into the command's."""

    def handler(draft: Draft, value: Value, at: int) -> None:
        draft.send(kind, deck, 0, scale(draft, float(value)), at, token_of(draft, deck))

    return handler


def kept(path: str, kind: CommandKind, deck: int, slot: int = 0) -> Handler:
    """Return a control of the deck's track that shows what was asked for, until the kernel says otherwise."""

    def handler(draft: Draft, value: Value, at: int) -> None:
        token = token_of(draft, deck)
        draft.set(path, value)
        draft.send(kind, deck, slot, float(value), at, token)

    return handler


def _scaled_loop(deck: int, factor: float) -> Handler:
    """Halve or double: the beats shown follow, within what a loop may have."""
    path = f"/deck/{deck + 1}/loop/beats"

    def handler(draft: Draft, value: Value, at: int) -> None:
        if not value:
            return
        token = token_of(draft, deck)
        beats = float(draft.controls[path]) * factor
        if _LEAST_BEATS <= beats <= _MOST_BEATS:
            draft.set(path, beats)
            draft.send(CommandKind.LOOP_SCALE, deck, 0, factor, at, token)

    return handler


def _loop_active(deck: int) -> Handler:
    """On without a loop: the beats shown are what it gets."""
    path = f"/deck/{deck + 1}/loop"

    def handler(draft: Draft, value: Value, at: int) -> None:
        token = token_of(draft, deck)
        draft.set(f"{path}/active", value)
        if value and float(draft.controls[f"{path}/end"]) < 0.0:
            draft.send(CommandKind.LOOP_BEATS, deck, 0, float(draft.controls[f"{path}/beats"]), at, token)
        else:
            draft.send(CommandKind.LOOP_ACTIVE, deck, 0, float(value), at, token)

    return handler


def _leader(deck: int) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        draft.set(f"/deck/{deck + 1}/leader", value)
        draft.send(CommandKind.LEADER, deck, 0, float(value), at)

    return handler


def _stem_loop(deck: int, slot: int, path: str, *, switch: bool) -> Handler:
    """Turn the loop of one stem on or off, or make one that is on another length."""

    def handler(draft: Draft, value: Value, at: int) -> None:
        token = token_of(draft, deck)
        draft.set(f"{path}/{'active' if switch else 'beats'}", value)
        on = bool(draft.controls[f"{path}/active"])
        if switch or on:
            beats = float(draft.controls[f"{path}/beats"]) if on else 0.0
            draft.send(CommandKind.STEM_LOOP, deck, slot, beats, at, token)

    return handler


def _tempo(draft: Draft, value: Value, at: int) -> None:
    draft.set("/session/tempo", value)
    draft.send(CommandKind.TEMPO, 0, 0, float(value), at)


def _frames(draft: Draft, seconds: float) -> float:
    return seconds * draft.engine_rate


def _deck_handlers(deck: int) -> dict[str, Handler]:
    kinds, path = CommandKind, f"/deck/{deck + 1}"
    handlers = {
        f"{path}/cue": hold(kinds.CUE, deck),
        f"{path}/beatjump": amount(kinds.BEATJUMP, deck),
        f"{path}/jog": amount(kinds.JOG, deck),
        f"{path}/touch": hold(kinds.TOUCH, deck),
        f"{path}/scratch": amount(kinds.SCRATCH, deck, _frames),
        f"{path}/brake": hold(kinds.WIND, deck),
        f"{path}/spinback": hold(kinds.WIND, deck, 0, -1.0),
        f"{path}/leader": _leader(deck),
        f"{path}/loop/in": press(kinds.LOOP_IN, deck),
        f"{path}/loop/out": press(kinds.LOOP_OUT, deck),
        f"{path}/loop/active": _loop_active(deck),
        f"{path}/loop/beats": kept(f"{path}/loop/beats", kinds.LOOP_BEATS, deck),
        f"{path}/loop/halve": _scaled_loop(deck, 0.5),
        f"{path}/loop/double": _scaled_loop(deck, 2.0),
        f"{path}/loop/move": amount(kinds.LOOP_MOVE, deck),
        f"{path}/loop/reloop": press(kinds.LOOP_RELOOP, deck),
        f"{path}/loop/roll": kept(f"{path}/loop/roll", kinds.LOOP_ROLL, deck),
        f"{path}/memory/set": press(kinds.MEMORY_SET, deck, 0, -1.0),
        f"{path}/memory/next": press(kinds.MEMORY_GO, deck, 0, 1.0),
        f"{path}/memory/previous": press(kinds.MEMORY_GO, deck, 0, -1.0),
        f"{path}/memory/clear": press(kinds.MEMORY_CLEAR, deck, 0, 0.0),
    }
    for slot in range(HOTCUES):
        cue = f"{path}/hotcue/{slot + 1}"
        handlers[f"{cue}/go"] = hold(kinds.HOTCUE_GO, deck, slot)
        handlers[f"{cue}/set"] = press(kinds.HOTCUE_SET, deck, slot)
        handlers[f"{cue}/clear"] = press(kinds.HOTCUE_CLEAR, deck, slot)
    for slot, stem in enumerate(STEMS):
        loop = f"{path}/stem/{stem}/loop"
        handlers[f"{loop}/active"] = _stem_loop(deck, slot, loop, switch=True)
        handlers[f"{loop}/beats"] = _stem_loop(deck, slot, loop, switch=False)
    return handlers


PERFORMING: Final[dict[str, Handler]] = {
    **{path: handler for deck in range(DECKS) for path, handler in _deck_handlers(deck).items()},
    "/session/tempo": _tempo,
}
"""What each of these controls does."""
