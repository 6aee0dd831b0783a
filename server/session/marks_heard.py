"""What the kernel's word about cues, loops, speed and marks does to the show.

Owner: nobody; one table. Pure. A fact about a track that the deck no longer holds changes nothing.
Units: as in `server.session.facts`.
"""

from collections.abc import Callable
from typing import Any, Final

from audio.units import DECKS, STEMS
from server.marks import COLORS, HotCue
from server.session import facts
from server.session.draft import Draft
from server.session.marking import empty_hotcue, place_told, save_marks, show_hotcue, take_marks
from server.session.practising import loop_passed, note_loop, show_rate
from server.session.rehearsing import sections_found
from server.session.tapping import TEMPO_TAP, tapped

_SAME_S: Final = 1e-3
"""A loop that differs by less is the one that was asked for, on whole frames."""


def _holds(draft: Draft, fact: Any) -> bool:
    return bool(fact.token) and fact.token == draft.decks[fact.deck].token


def _track_marked(draft: Draft, fact: facts.TrackMarked) -> None:
    if _holds(draft, fact):
        take_marks(draft, fact.deck, fact.analysed, fact.marks, fresh=False)
        if fact.rehearsal is not None:
            sections_found(draft, fact.deck, fact.rehearsal)


def _place_told(draft: Draft, fact: facts.PlaceTold) -> None:
    if fact.what == TEMPO_TAP:
        tapped(draft, fact.frame)
    elif _holds(draft, fact):
        place_told(draft, fact.deck, fact.what, fact.position_s)


def _play_changed(draft: Draft, fact: facts.PlayChanged) -> None:
    if _holds(draft, fact):
        draft.set(f"/deck/{fact.deck + 1}/play", int(fact.playing))
        draft.remember(fact.deck, position_s=fact.position_s, at_end=False)


def _cue_moved(draft: Draft, fact: facts.CueMoved) -> None:
    if _holds(draft, fact):
        draft.set(f"/deck/{fact.deck + 1}/cue/position", fact.position_s)
        save_marks(draft, fact.deck)


def _hotcue_stored(draft: Draft, fact: facts.HotcueStored) -> None:
    if not _holds(draft, fact):
        return
    path = f"/deck/{fact.deck + 1}/hotcue/{fact.slot + 1}"
    name, color = str(draft.controls[f"{path}/name"]), str(draft.controls[f"{path}/color"]) or COLORS[fact.slot]
    show_hotcue(draft, fact.deck, HotCue(fact.slot + 1, fact.start_s, fact.end_s, name, color))
    save_marks(draft, fact.deck)


def _hotcue_cleared(draft: Draft, fact: facts.HotcueCleared) -> None:
    if _holds(draft, fact):
        empty_hotcue(draft, fact.deck, fact.slot)
        save_marks(draft, fact.deck)


def _loop_changed(draft: Draft, fact: facts.LoopChanged) -> None:
    if not _holds(draft, fact):
        return
    path = f"/deck/{fact.deck + 1}/loop"
    whole = fact.end_s > fact.start_s
    was = float(draft.controls[f"{path}/start"]), float(draft.controls[f"{path}/end"])
    draft.set(f"{path}/active", int(fact.active))
    draft.set(f"{path}/start", fact.start_s)
    draft.set(f"{path}/end", fact.end_s if whole else -1.0)
    if max(abs(was[0] - fact.start_s), abs(was[1] - float(draft.controls[f"{path}/end"]))) > _SAME_S:
        note_loop(draft, fact.deck)
    if not fact.rolling:
        draft.set(f"{path}/roll", 0.0)


def _loop_passed(draft: Draft, fact: facts.LoopPassed) -> None:
    if _holds(draft, fact):
        loop_passed(draft, fact.deck, stepped=fact.stepped)


def _memory_stored(draft: Draft, fact: facts.MemoryStored) -> None:
    if _holds(draft, fact):
        kept = {*draft.decks[fact.deck].memory, fact.position_s}
        draft.remember(fact.deck, memory=tuple(sorted(kept)))
        save_marks(draft, fact.deck)


def _memory_cleared(draft: Draft, fact: facts.MemoryCleared) -> None:
    if not _holds(draft, fact):
        return
    memory = draft.decks[fact.deck].memory
    if memory:
        # The kernel counts in frames, the library in seconds: the nearest is meant.
        gone = min(memory, key=lambda place_s: abs(place_s - fact.position_s))
        draft.remember(fact.deck, memory=tuple(place_s for place_s in memory if place_s != gone))
        save_marks(draft, fact.deck)


def _leader_changed(draft: Draft, fact: facts.LeaderChanged) -> None:
    for deck in range(DECKS):
        draft.set(f"/deck/{deck + 1}/leader", int(deck == fact.deck))


def _rate_followed(draft: Draft, fact: facts.RateFollowed) -> None:
    if _holds(draft, fact):
        show_rate(draft, fact.deck, fact.rate)


def _stem_loop_changed(draft: Draft, fact: facts.StemLoopChanged) -> None:
    if _holds(draft, fact) and fact.slot < len(STEMS):
        draft.set(f"/deck/{fact.deck + 1}/stem/{STEMS[fact.slot]}/loop/active", int(fact.active))


MARKS_HEARD: Final[dict[type, Callable[[Draft, Any], None]]] = {
    facts.TrackMarked: _track_marked,
    facts.PlaceTold: _place_told,
    facts.PlayChanged: _play_changed,
    facts.CueMoved: _cue_moved,
    facts.HotcueStored: _hotcue_stored,
    facts.HotcueCleared: _hotcue_cleared,
    facts.LoopChanged: _loop_changed,
    facts.LoopPassed: _loop_passed,
    facts.MemoryStored: _memory_stored,
    facts.MemoryCleared: _memory_cleared,
    facts.LeaderChanged: _leader_changed,
    facts.RateFollowed: _rate_followed,
    facts.StemLoopChanged: _stem_loop_changed,
}
"""What each kind of fact does."""
