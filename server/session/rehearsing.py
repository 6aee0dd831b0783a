"""How a song was left, in practice mode: kept while it is practised, and put back when it is opened again.

    opened:   library's Practice --> controls, kernel          left, stopped, changed:  controls --> library

Owner: nobody; pure functions over a draft. In DJ mode nothing of this is read or written.
Units: seconds of the track; decks and slots count from 0.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from audio.commands import NOW
from audio.units import DECKS, STEMS
from control.control import ControlError, Value, check
from control.registry import REGISTRY
from server.practice import BadRegion, Practice, Rehearsal, read_regions
from server.session.draft import Draft, Handler
from server.session.effects import SavePractice
from server.session.muting import put_mutes
from server.session.practising import put_loop, show_section
from server.session.rows import ROWS
from server.session.state import DEFAULTS
from server.session.transport import Transport

MODE: Final = "/session/mode"

_SONG: Final = (
    "keylock", "pitch", "tuning", "source", "loop/preroll", "take/volume", "take/mute", "take/pan",
    *(f"stem/{stem}/{name}" for stem in STEMS for name in ("volume", "mute", "solo", "pan")),
)  # fmt: skip
"""Rows of the engine that belong to the song."""
_HABITS: Final = (
    "countin", "countin/passes",
    *(f"click{name}" for name in ("", "/volume", "/accent", "/divide", "/bar", "/output")),
)  # fmt: skip
"""Rows of the engine that a song never practised before takes over as they are."""
_TRAINER: Final = tuple(f"trainer/{name}" for name in ("start", "stop", "step", "every", "by"))
_LOOP: Final = ("loop/start", "loop/end", "loop/active", "loop/bars")
_MUTES: Final = tuple(f"stem/{stem}/mutes" for stem in STEMS)
KEPT: Final = ("pitch_range", "zoom", "rate", *_SONG, *_HABITS, *_TRAINER, *_LOOP, *_MUTES)
"""What is kept of a deck, by its path below the deck."""
_WATCHED: Final = tuple(
    frozenset(f"/deck/{deck + 1}/{name}" for name in (*KEPT, "play", "loop/passes")) for deck in range(DECKS)
)


def practice_of(controls: Mapping[str, Value], deck: int, position_s: float) -> Practice:
    """Return how the song on a deck stands by what the show's controls are."""
    path = f"/deck/{deck + 1}"
    values = {name: controls[f"{path}/{name}"] for name in KEPT}
    changed = {name: value for name, value in values.items() if value != DEFAULTS[f"{path}/{name}"]}
    return Practice(changed, position_s)


def keep_practice(draft: Draft, deck: int) -> None:
    """Ask the library to keep how the song on a deck stands."""
    memory = draft.decks[deck]
    if memory.practised and memory.token and memory.track_id:
        left = practice_of(draft.controls, deck, memory.position_s)
        draft.effects.append(SavePractice(deck, memory.token, memory.track_id, left))


def keep_changed(draft: Draft) -> None:
    """Keep every practised song of which something has changed, or which its deck lets go of. Call it when a step is
    done."""
    for deck, memory in enumerate(draft.decks):
        before = draft.base.decks[deck]
        if not before.practised or not before.track_id:
            continue
        if not memory.token:
            # It was taken off: what it was like is in the show before this step, and is kept before the deck is empty.
            left = practice_of(draft.base.controls, deck, before.position_s)
            draft.effects.insert(0, SavePractice(deck, before.token, before.track_id, left))
        elif memory.practised and memory.token == before.token:
            changed = any(path in _WATCHED[deck] for path in draft.changes)
            if changed or memory.loading != before.loading:
                keep_practice(draft, deck)


def take_rehearsal(draft: Draft, deck: int, rehearsal: Rehearsal) -> None:
    """Open the song on a deck: put back how it was left, where the session practises. Pre: its marks are there."""
    draft.remember(deck, rehearsal=rehearsal)
    if draft.controls[MODE] == "practice":
        open_practice(draft, deck)


def place_left(draft: Draft, rehearsal: Rehearsal) -> float | None:
    """Return where a song that is opened now goes on; None for where it is."""
    if draft.controls[MODE] != "practice" or rehearsal.practice is None:
        return None
    return rehearsal.practice.position_s


def open_practice(draft: Draft, deck: int) -> None:
    """Begin to practise the song on a deck."""
    memory = draft.remember(deck, practised=True)
    path = f"/deck/{deck + 1}"
    left = memory.rehearsal.practice
    names = KEPT if left is not None else tuple(name for name in KEPT if name not in (*_HABITS, *_TRAINER))
    values = {name: _valid(f"{path}/{name}", left.controls.get(name) if left is not None else None) for name in names}
    for name in ("pitch_range", "zoom", *_TRAINER, "loop/bars"):
        if name in values:
            draft.set(f"{path}/{name}", values[name])
    for name in (*_SONG, *_HABITS):
        if name in values:
            ROWS[f"{path}/{name}"].apply(draft, values[name], NOW)
    Transport(deck).rate(draft, values["rate"], NOW)
    put_loop(draft, deck, float(values["loop/start"]), float(values["loop/end"]), NOW, on=bool(values["loop/active"]))
    for slot, name in enumerate(_MUTES):
        try:
            put_mutes(draft, deck, slot, read_regions(str(values[name])))
        except BadRegion:
            put_mutes(draft, deck, slot, ())


def _valid(path: str, value: object) -> Value:
    """Return a value that was kept, or what the control is made with where it is none."""
    if value is not None:
        try:
            return check(REGISTRY[path], value)
        except ControlError:
            pass
    return DEFAULTS[path]


def _mode(draft: Draft, value: Value, at: int) -> None:
    """Practise what the decks hold: a deck that plays takes over all but the place."""
    was = draft.controls[MODE]
    draft.set(MODE, value)
    for deck, memory in enumerate(draft.decks):
        if was == value or not memory.token:
            continue
        if value == "practice":
            open_practice(draft, deck)
            place_s = place_left(draft, memory.rehearsal)
            if place_s is not None and not draft.controls[f"/deck/{deck + 1}/play"] and not memory.loading:
                Transport(deck).position(draft, place_s, at)
        else:
            keep_practice(draft, deck)
            draft.remember(deck, practised=False)


MODES: Final[dict[str, Handler]] = {MODE: _mode}
"""What the session's mode does."""


def sections_found(draft: Draft, deck: int, rehearsal: Rehearsal) -> None:
    """Take the sections of an analysis that has come since the song was opened, or of a song that was playing before
    the show knew; how it stands is the show's to say."""
    known = replace(draft.decks[deck].rehearsal, sections=rehearsal.sections)
    draft.remember(deck, rehearsal=known, practised=draft.controls[MODE] == "practice")
    show_section(draft, deck)
