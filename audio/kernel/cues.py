"""Cues: the main cue, hot cues and memory points of the track on a deck.

    cue pressed   playing:            back to the cue, and stand
                  standing elsewhere: the cue is here
                  standing on it:     play while it is held; play pressed meanwhile goes on
    hot cue       empty: here, or the loop that is on; else: go there and play, a loop turned on

Owner: the kernel. Points are set on the nearest beat when the deck is quantised; jumps of a deck that plays keep its
beat then. Units: track frames at the engine rate.
"""

from typing import Any, Final

import numpy as np

from audio.commands import EventKind
from audio.kernel.compiled import compiled
from audio.kernel.events import report
from audio.kernel.layout import HOTCUES, MEMORIES
from audio.kernel.loops import activate, leave_loop, put_loop, tell_loop
from audio.kernel.motion import follow_speed
from audio.kernel.places import go_to, here, in_phase, set_here, track_frames
from audio.kernel.slip import end_slip, start_slip
from audio.kernel.wheel import WHEEL, leave_wheel

NO_MARK: Final = 0
POINT: Final = 1
LOOP: Final = 2
_NEAR: Final = 1.0
"""Frames by which a playhead that stands on a cue may be off it."""
_PASSED: Final = 24_000
"""Frames after a memory point within which a deck that plays goes back to the one before it."""
_PLAY_CHANGED: Final = int(EventKind.PLAY_CHANGED)
_CUE_MOVED: Final = int(EventKind.CUE_MOVED)
_STORED: Final = int(EventKind.HOTCUE_STORED)
_CLEARED: Final = int(EventKind.HOTCUE_CLEARED)
_MEMORY_STORED: Final = int(EventKind.MEMORY_STORED)
_MEMORY_CLEARED: Final = int(EventKind.MEMORY_CLEARED)


@compiled
def forget_cues(deck: Any) -> None:
    """Begin a new track: the main cue is its start, nothing else is set."""
    deck.cue = 0
    deck.preview = 0
    deck.memory_count = 0
    for number in range(HOTCUES):
        deck.hotcues[number].kind = NO_MARK


@compiled
def stop_playing(deck: Any) -> None:
    """Stand, and end whatever moved the deck besides."""
    deck.want_play = 0
    deck.preview = 0
    deck.slipping = 0
    deck.hand_started = 0
    deck.winding = 0
    deck.locked = 0
    if deck.hand == WHEEL:
        deck.hand = 0


@compiled
def stop_wheel(k: Any, deck: Any) -> None:
    """Let a deck whose wheel is turned be one that stands."""
    if deck.hand == WHEEL:
        leave_wheel(deck)
        follow_speed(k, deck)


@compiled
def press_cue(k: Any, address: int, number: int, deck: Any) -> None:
    """Press the main cue."""
    stop_wheel(k, deck)
    if deck.preview:
        return
    if deck.want_play:
        stop_playing(deck)
        leave_loop(deck)
        go_to(deck, float(deck.cue))
        report(k, address, _PLAY_CHANGED, number, 0, 0.0, deck.seek_to, deck.token)
        return
    if abs(here(deck) - deck.cue) > _NEAR:
        place = set_here(deck)
        go_to(deck, place)
        deck.cue = deck.seek_to
        report(k, address, _CUE_MOVED, number, 0, deck.cue, 0.0, deck.token)
        return
    deck.preview = 1
    deck.want_play = 1


@compiled
def release_cue(k: Any, deck: Any) -> None:
    """Let the main cue go: a preview goes back to it."""
    if not deck.preview:
        return
    stop_playing(deck)
    leave_loop(deck)
    go_to(deck, float(deck.cue))
    follow_speed(k, deck)


@compiled
def put_hotcue(deck: Any, slot: int, start: float, end: float) -> bool:
    """Give a hot cue its place, cut to the track."""
    if slot >= HOTCUES:
        return False
    frames = float(track_frames(deck))
    mark = deck.hotcues[slot]
    mark.start = int(np.rint(min(max(start, 0.0), frames)))
    mark.end = int(np.rint(min(max(end, 0.0), frames)))
    mark.kind = LOOP if mark.end > mark.start else POINT
    return True


@compiled
def set_hotcue(k: Any, address: int, number: int, deck: Any, slot: int) -> bool:
    """Set a hot cue here, or on the loop that is on."""
    if deck.loop_active and not deck.loop_roll:
        done = put_hotcue(deck, slot, float(deck.loop_in), float(deck.loop_out))
    else:
        place = set_here(deck)
        done = put_hotcue(deck, slot, place, place)
    if done:
        mark = deck.hotcues[slot]
        end = mark.end if mark.kind == LOOP else mark.start
        report(k, address, _STORED, number, slot, mark.start, end, deck.token)
    return done


@compiled
def clear_hotcue(k: Any, address: int, number: int, deck: Any, slot: int) -> bool:
    if slot >= HOTCUES:
        return False
    deck.hotcues[slot].kind = NO_MARK
    report(k, address, _CLEARED, number, slot, 0.0, 0.0, deck.token)
    return True


@compiled
def press_hotcue(k: Any, address: int, number: int, deck: Any, slot: int) -> bool:
    """Go to a hot cue and play; an empty one is set."""
    if slot >= HOTCUES:
        return False
    mark = deck.hotcues[slot]
    if mark.kind == NO_MARK:
        return set_hotcue(k, address, number, deck, slot)
    stop_wheel(k, deck)
    start_slip(deck, False)
    # Without a way back that slip keeps, a loop that is on is left behind.
    if deck.loop_active:
        slipping = deck.slipping
        deck.slipping = 0
        leave_loop(deck)
        deck.slipping = slipping
        tell_loop(k, address, number, deck)
    go_to(deck, in_phase(deck, float(mark.start)))
    deck.slip_back = deck.slipping
    if mark.kind == LOOP and put_loop(deck, float(mark.start), float(mark.end - mark.start)):
        activate(deck)
        deck.loop_inside = 1
        tell_loop(k, address, number, deck)
    if not deck.want_play or deck.preview:
        deck.preview = 0
        deck.want_play = 1
        report(k, address, _PLAY_CHANGED, number, 0, 1.0, deck.seek_to, deck.token)
    return True


@compiled
def release_hotcue(k: Any, address: int, number: int, deck: Any) -> None:
    """Let a hot cue go: a deck that slips goes back to where it would be."""
    if deck.slip_back and deck.slipping:
        if deck.loop_active:
            leave_loop(deck)
            tell_loop(k, address, number, deck)
        end_slip(deck)
    deck.slip_back = 0


@compiled
def set_memory(k: Any, address: int, number: int, deck: Any, at: float) -> bool:
    """Keep a memory point, in order, once; at the playhead for a negative `at`. False when there are too many."""
    asked = at >= 0.0
    place = int(np.rint(min(at, float(track_frames(deck))) if asked else set_here(deck)))
    count = deck.memory_count
    spot = 0
    while spot < count and deck.memory[spot] < place:
        spot += 1
    if spot < count and deck.memory[spot] == place:
        return True
    if count >= MEMORIES:
        return False
    for later in range(count, spot, -1):
        deck.memory[later] = deck.memory[later - 1]
    deck.memory[spot] = place
    deck.memory_count = count + 1
    if not asked:
        report(k, address, _MEMORY_STORED, number, 0, place, 0.0, deck.token)
    return True


@compiled
def go_memory(deck: Any, way: float) -> bool:
    """Go to the next memory point, or the one before; while playing, one just passed counts as here."""
    place = here(deck)
    chosen = -1
    for spot in range(deck.memory_count):
        at = deck.memory[spot]
        if way > 0.0 and at > place + _NEAR:
            chosen = at
            break
        if way < 0.0 and at < place - _NEAR - (_PASSED if deck.want_play else 0):
            chosen = at
    if chosen < 0:
        return False
    leave_loop(deck)
    deck.slipping = 0
    go_to(deck, in_phase(deck, float(chosen)))
    return True


@compiled
def clear_memory(k: Any, address: int, number: int, deck: Any, every: bool) -> bool:
    """Forget the memory point nearest to the playhead, or all."""
    if every:
        deck.memory_count = 0
        return True
    if deck.memory_count == 0:
        return False
    place = here(deck)
    best = 0
    for spot in range(1, deck.memory_count):
        if abs(deck.memory[spot] - place) < abs(deck.memory[best] - place):
            best = spot
    at = deck.memory[best]
    for spot in range(best, deck.memory_count - 1):
        deck.memory[spot] = deck.memory[spot + 1]
    deck.memory_count -= 1
    report(k, address, _MEMORY_CLEARED, number, 0, at, 0.0, deck.token)
    return True
