"""Marks of the track on a deck: its grid and its cue points, in the show, in the engine and in the library.

    loaded:  marks of the library --> controls, kernel
    edited:  kernel's event or a control --> controls, library

Owner: nobody; pure functions over a draft.
Units: seconds of the track in controls and marks; decks and slots count from 0, hot cues in marks from 1.
"""

from collections.abc import Callable
from typing import Final

from audio.commands import NOW, CommandKind
from audio.units import DECKS, STEMS
from control.control import Value
from server.marks import COLORS, HOTCUES, MEMORIES, Grid, HotCue, Marks, tapped_grid
from server.session.draft import Draft, Handler, Refuse
from server.session.effects import SaveMarks, SetGrid

DOWNBEAT: Final = 1
ANCHOR: Final = 2
TAP: Final = 3
"""What the kernel was asked a place for: the slot of PLACE_ASK."""

TAP_GAP_S: Final = 2.5
"""Taps further apart than this, or backwards, begin anew."""


def forget_marks(draft: Draft, deck: int) -> None:
    """Begin a new track: no loop, no cue, no grid is known, nothing of it has been practised."""
    path = f"/deck/{deck + 1}"
    for name, value in (("loop/active", 0), ("loop/roll", 0.0), ("loop/start", -1.0), ("loop/end", -1.0),
                        ("cue/position", 0.0), ("grid/edited", 0), ("loop/section", 0.0), ("loop/passes", 0.0),
                        ("trainer/on", 0), ("trainer/passes", 0.0), ("trainer/next", 0.0)):  # fmt: skip
        draft.set(f"{path}/{name}", value)
    for slot in range(HOTCUES):
        empty_hotcue(draft, deck, slot)
    for stem in STEMS:
        draft.set(f"{path}/stem/{stem}/loop/active", 0)
        draft.set(f"{path}/stem/{stem}/mutes", "")


def empty_hotcue(draft: Draft, deck: int, slot: int) -> None:
    """Show a hot cue as empty."""
    cue = f"/deck/{deck + 1}/hotcue/{slot + 1}"
    for name, value in (("position", -1.0), ("end", -1.0), ("name", ""), ("color", "")):
        draft.set(f"{cue}/{name}", value)


def show_hotcue(draft: Draft, deck: int, cue: HotCue) -> None:
    """Show a hot cue that is set."""
    path = f"/deck/{deck + 1}/hotcue/{cue.slot}"
    draft.set(f"{path}/position", cue.start_s)
    draft.set(f"{path}/end", -1.0 if cue.end_s is None else cue.end_s)
    draft.set(f"{path}/name", cue.name)
    draft.set(f"{path}/color", cue.color or COLORS[cue.slot - 1])


def take_marks(draft: Draft, deck: int, analysed: Grid | None, marks: Marks, *, fresh: bool) -> None:
    """Give the track on a deck the marks that the library has of it, and tell the kernel; `fresh` when the deck has
    just got the track, so that neither knows of any."""
    memory = draft.remember(deck, analysed=analysed, grid=marks.grid, memory=marks.memory[:MEMORIES], taps=())
    path, rate = f"/deck/{deck + 1}", draft.engine_rate

    def send(kind: CommandKind, slot: int, start_s: float, end_s: float = 0.0) -> None:
        draft.send(kind, deck, slot, start_s * rate, NOW, memory.token, end_s * rate)

    if fresh:
        forget_marks(draft, deck)
    else:
        draft.send(CommandKind.MEMORY_CLEAR, deck, 0, 1.0, NOW, memory.token)
    draft.set(f"{path}/grid/edited", int(marks.grid is not None))
    if not fresh or grid_on(draft, deck) is not None:
        send_grid(draft, deck)
    if marks.cue_s is not None:
        draft.set(f"{path}/cue/position", marks.cue_s)
        send(CommandKind.CUE_PUT, 0, marks.cue_s)
    taken = {cue.slot: cue for cue in marks.hotcues if 1 <= cue.slot <= HOTCUES}
    for slot in range(HOTCUES):
        cue = taken.get(slot + 1)
        if cue is not None:
            show_hotcue(draft, deck, cue)
            send(CommandKind.HOTCUE_PUT, slot, cue.start_s, cue.start_s if cue.end_s is None else cue.end_s)
        elif float(draft.controls[f"{path}/hotcue/{slot + 1}/position"]) >= 0.0:
            empty_hotcue(draft, deck, slot)
            draft.send(CommandKind.HOTCUE_CLEAR, deck, slot, 0.0, NOW, memory.token)
    for place_s in memory.memory:
        send(CommandKind.MEMORY_SET, 0, place_s)


def marks_of(draft: Draft, deck: int) -> Marks:
    """Return the marks of a deck's track as they are shown."""
    path, memory = f"/deck/{deck + 1}", draft.decks[deck]
    cues = []
    for slot in range(1, HOTCUES + 1):
        cue = f"{path}/hotcue/{slot}"
        start_s, end_s = float(draft.controls[f"{cue}/position"]), float(draft.controls[f"{cue}/end"])
        if start_s >= 0.0:
            name, color = str(draft.controls[f"{cue}/name"]), str(draft.controls[f"{cue}/color"])
            cues.append(HotCue(slot, start_s, end_s if end_s > start_s else None, name, color))
    cue_s = float(draft.controls[f"{path}/cue/position"])
    return Marks(memory.grid, cue_s if cue_s > 0.0 else None, tuple(cues), memory.memory)


def save_marks(draft: Draft, deck: int) -> None:
    """Ask the library to keep the marks of a deck's track as they are now."""
    track_id = draft.decks[deck].track_id
    if track_id:
        draft.effects.append(SaveMarks(track_id, marks_of(draft, deck)))


# --- the grid --------------------------------------------------------------------------------------------------------


def grid_on(draft: Draft, deck: int) -> Grid | None:
    """Return the grid that the deck plays on: the performer's own, or the analysis'."""
    memory = draft.decks[deck]
    return memory.grid if memory.grid is not None else memory.analysed


def send_grid(draft: Draft, deck: int) -> None:
    """Give the engine the grid of the deck's track, or tell it that there is none."""
    grid = grid_on(draft, deck)
    if draft.connected and draft.decks[deck].token:
        beats, origin = (grid.beats, grid.origin) if grid is not None else ((), 0)
        draft.effects.append(SetGrid(deck, draft.decks[deck].token, beats, origin))


def put_grid(draft: Draft, deck: int, grid: Grid | None) -> None:
    """Make `grid` the performer's own; None goes back to the analysis."""
    draft.remember(deck, grid=grid)
    draft.set(f"/deck/{deck + 1}/grid/edited", int(grid is not None))
    send_grid(draft, deck)
    save_marks(draft, deck)


def place_told(draft: Draft, deck: int, what: int, position_s: float) -> None:
    """Go on with what the playhead's place was asked for."""
    memory, grid = draft.decks[deck], grid_on(draft, deck)
    if what == TAP:
        gap_s = position_s - memory.taps[-1] if memory.taps else -1.0
        taps = (*memory.taps, position_s) if 0.0 < gap_s < TAP_GAP_S else (position_s,)
        draft.remember(deck, taps=taps[-64:])
        made = tapped_grid(taps, float(draft.controls[f"/deck/{deck + 1}/duration"]))
        if made is not None:
            put_grid(draft, deck, made)
    elif grid is not None and what in (DOWNBEAT, ANCHOR):
        put_grid(draft, deck, grid.with_downbeat(position_s) if what == DOWNBEAT else grid.anchored(position_s))


def _grid_needed(draft: Draft, deck: int) -> Grid:
    grid = grid_on(draft, deck)
    if grid is None:
        raise Refuse("no_grid", f"Deck {deck + 1} has no beat grid yet: analyse its track, or tap one")
    return grid


def _edit(deck: int, change: Callable[[Grid, float], Grid | None], *, button: bool = True) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        if not button or value:
            put_grid(draft, deck, change(_grid_needed(draft, deck), float(value)))

    return handler


def _ask(deck: int, what: int) -> Handler:
    def handler(draft: Draft, value: Value, at: int) -> None:
        if not value:
            return
        if what == TAP and not draft.decks[deck].token:
            raise Refuse("deck_empty", f"Deck {deck + 1} is empty: load a track on it first")
        if what != TAP:
            _grid_needed(draft, deck)
        draft.send(CommandKind.PLACE_ASK, deck, what, 0.0, at, draft.decks[deck].token)

    return handler


def _word(deck: int, path: str, slot: int) -> Handler:
    """Name or colour a hot cue that is set."""

    def handler(draft: Draft, value: Value, at: int) -> None:
        if float(draft.controls[f"/deck/{deck + 1}/hotcue/{slot + 1}/position"]) < 0.0:
            raise Refuse("cue_empty", f"Hot cue {slot + 1} of deck {deck + 1} is empty: set it first")
        word = str(value).strip()[:120]
        if path.endswith("/color") and not _is_color(word):
            raise Refuse("bad_value", f"{path} takes a colour like #3b82f6")
        draft.set(path, word)
        save_marks(draft, deck)

    return handler


def _is_color(word: str) -> bool:
    return len(word) == 7 and word[0] == "#" and all(letter in "0123456789abcdefABCDEF" for letter in word[1:])


def _deck_handlers(deck: int) -> dict[str, Handler]:
    path = f"/deck/{deck + 1}"
    handlers = {
        f"{path}/grid/shift": _edit(deck, lambda grid, by_s: grid.shifted(by_s), button=False),
        f"{path}/grid/halve": _edit(deck, lambda grid, _: grid.halved()),
        f"{path}/grid/double": _edit(deck, lambda grid, _: grid.doubled()),
        f"{path}/grid/reset": _edit(deck, lambda grid, _: None),
        f"{path}/grid/downbeat": _ask(deck, DOWNBEAT),
        f"{path}/grid/anchor": _ask(deck, ANCHOR),
        f"{path}/grid/tap": _ask(deck, TAP),
    }
    for slot in range(HOTCUES):
        for word in ("name", "color"):
            cue = f"{path}/hotcue/{slot + 1}/{word}"
            handlers[cue] = _word(deck, cue, slot)
    return handlers


MARKING: Final[dict[str, Handler]] = {
    path: handler for deck in range(DECKS) for path, handler in _deck_handlers(deck).items()
}
"""What each control of the grid and of the cues' words does."""
