"""The transport's commands: quantise, jumps, loops, cues, sync, hands on the record.

    kind 48 to 79 --> the deck holds a track? --> loops | cues | sync | motion | layers --> wishes, events

Owner: the kernel. Units: as `audio/commands.py` says for each kind.
"""

from typing import Any, Final

from audio.commands import CommandKind, EventKind
from audio.kernel.compiled import compiled
from audio.kernel.cues import (
    clear_hotcue,
    clear_memory,
    go_memory,
    press_cue,
    press_hotcue,
    put_hotcue,
    release_cue,
    release_hotcue,
    set_hotcue,
    set_memory,
)
from audio.kernel.events import report
from audio.kernel.grid import beat_at, has_grid, moved_by, wrapped
from audio.kernel.layers import set_layer
from audio.kernel.layout import NONE
from audio.kernel.loops import (
    forget_loop,
    leave_loop,
    loop_active,
    loop_again,
    loop_beats,
    loop_in,
    loop_move,
    loop_out,
    loop_roll,
    loop_scale,
    put_loop,
    tell_loop,
)
from audio.kernel.motion import follow_speed, hold_at, jog, touch, turn, wind
from audio.kernel.places import go_to, here, holds_track, track_frames
from audio.kernel.slip import end_slip
from audio.kernel.sync import set_sync, set_tempo
from audio.units import STEM_SLOTS

TEMPO_LIMITS: Final = (20.0, 400.0)
FIRST: Final = int(CommandKind.QUANTIZE)
LAST: Final = int(CommandKind.STEM_LOOP)
_QUANTIZE: Final = int(CommandKind.QUANTIZE)
_BEATJUMP: Final = int(CommandKind.BEATJUMP)
_LOOP_IN: Final = int(CommandKind.LOOP_IN)
_LOOP_OUT: Final = int(CommandKind.LOOP_OUT)
_LOOP_ACTIVE: Final = int(CommandKind.LOOP_ACTIVE)
_LOOP_BEATS: Final = int(CommandKind.LOOP_BEATS)
_LOOP_SCALE: Final = int(CommandKind.LOOP_SCALE)
_LOOP_MOVE: Final = int(CommandKind.LOOP_MOVE)
_LOOP_RELOOP: Final = int(CommandKind.LOOP_RELOOP)
_LOOP_ROLL: Final = int(CommandKind.LOOP_ROLL)
_LOOP_PUT: Final = int(CommandKind.LOOP_PUT)
_CUE: Final = int(CommandKind.CUE)
_CUE_PUT: Final = int(CommandKind.CUE_PUT)
_HOTCUE_GO: Final = int(CommandKind.HOTCUE_GO)
_HOTCUE_SET: Final = int(CommandKind.HOTCUE_SET)
_HOTCUE_CLEAR: Final = int(CommandKind.HOTCUE_CLEAR)
_HOTCUE_PUT: Final = int(CommandKind.HOTCUE_PUT)
_MEMORY_SET: Final = int(CommandKind.MEMORY_SET)
_MEMORY_GO: Final = int(CommandKind.MEMORY_GO)
_MEMORY_CLEAR: Final = int(CommandKind.MEMORY_CLEAR)
_PLACE_ASK: Final = int(CommandKind.PLACE_ASK)
_SYNC: Final = int(CommandKind.SYNC)
_LEADER: Final = int(CommandKind.LEADER)
_TEMPO: Final = int(CommandKind.TEMPO)
_BEND: Final = int(CommandKind.BEND)
_JOG: Final = int(CommandKind.JOG)
_TOUCH: Final = int(CommandKind.TOUCH)
_SCRATCH: Final = int(CommandKind.SCRATCH)
_SLIP: Final = int(CommandKind.SLIP)
_REVERSE: Final = int(CommandKind.REVERSE)
_WIND: Final = int(CommandKind.WIND)
_STEM_LOOP: Final = int(CommandKind.STEM_LOOP)
_PLACE_TOLD: Final = int(EventKind.PLACE_TOLD)


@compiled
def _clamp(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))


@compiled
def _set_switch(k: Any, address: int, number: int, deck: Any, kind: int, a: float) -> bool:
    """Set what a deck remembers without a track; False for another kind."""
    on = 1 if a >= 0.5 else 0
    if kind == _QUANTIZE:
        deck.quantize = on
    elif kind == _SYNC:
        set_sync(k, address, number, deck, on == 1)
    elif kind == _LEADER:
        if on:
            k.leader_asked = number
        elif k.leader_asked == number:
            k.leader_asked = NONE
    elif kind == _BEND:
        deck.bend = _clamp(a, -1.0, 1.0)
        follow_speed(k, deck)
    elif kind == _SLIP:
        deck.slip = on
        if not on and deck.slipping and not deck.loop_roll and end_slip(deck) and deck.loop_active:
            deck.loop_active = 0
            tell_loop(k, address, number, deck)
    elif kind == _REVERSE:
        turn(k, deck, on == 1)
    elif kind == _TOUCH and not on:
        touch(k, deck, False)
    elif kind == _WIND and a == 0.0:
        wind(k, deck, 0.0)
    else:
        return False
    return True


@compiled
def _loop(k: Any, deck: Any, kind: int, a: float, b: float) -> bool:
    done = False
    if kind == _LOOP_IN:
        done = loop_in(deck)
    elif kind == _LOOP_OUT:
        done = loop_out(k, deck)
    elif kind == _LOOP_ACTIVE:
        done = loop_active(k, deck, a >= 0.5)
    elif kind == _LOOP_BEATS:
        done = loop_beats(k, deck, a)
    elif kind == _LOOP_SCALE:
        done = loop_scale(k, deck, a)
    elif kind == _LOOP_MOVE:
        done = loop_move(k, deck, _clamp(a, -256.0, 256.0))
    elif kind == _LOOP_RELOOP:
        done = loop_again(deck)
    elif kind == _LOOP_ROLL:
        done = loop_roll(k, deck, a)
    elif kind == _LOOP_PUT:
        leave_loop(deck)
        forget_loop(deck)
        done = True if b <= a else put_loop(deck, a, b - a)
    return done


@compiled
def _hotcue(k: Any, address: int, number: int, deck: Any, slot: int, kind: int, a: float, b: float) -> bool:
    done = False
    if kind == _HOTCUE_GO:
        if a >= 0.5:
            return press_hotcue(k, address, number, deck, slot)
        release_hotcue(k, address, number, deck)
        done = True
    elif kind == _HOTCUE_SET:
        done = set_hotcue(k, address, number, deck, slot)
    elif kind == _HOTCUE_CLEAR:
        done = clear_hotcue(k, address, number, deck, slot)
    elif kind == _HOTCUE_PUT:
        done = put_hotcue(deck, slot, a, b)
    return done


@compiled
def _move(k: Any, address: int, number: int, deck: Any, slot: int, kind: int, a: float) -> bool:
    """What moves the playhead of a deck, or asks for it; False for another kind."""
    if kind == _BEATJUMP:
        inside = deck.loop_inside
        start = here(deck)
        go_to(deck, moved_by(k, deck, start, _clamp(a, -1024.0, 1024.0)))
        deck.loop_inside = 1 if inside and deck.loop_in <= deck.seek_to <= deck.loop_out else 0
        if deck.locked:
            deck.offset = wrapped(deck.offset + a * deck.multiple, min(1.0, deck.multiple))
        if deck.slipping and not deck.loop_active:
            deck.slipping = 0
    elif kind == _CUE:
        if a >= 0.5:
            press_cue(k, address, number, deck)
        else:
            release_cue(k, deck)
    elif kind == _CUE_PUT:
        deck.cue = int(_clamp(a, 0.0, float(track_frames(deck))))
    elif kind == _MEMORY_SET:
        return set_memory(k, address, number, deck, a)
    elif kind == _MEMORY_GO:
        return go_memory(deck, a)
    elif kind == _MEMORY_CLEAR:
        return clear_memory(k, address, number, deck, a >= 0.5)
    elif kind == _JOG:
        jog(k, deck, a)
    elif kind == _TOUCH:
        touch(k, deck, True)
    elif kind == _SCRATCH:
        hold_at(k, deck, _clamp(a, -1e12, 1e12))
    elif kind == _WIND:
        wind(k, deck, a)
    elif kind == _STEM_LOOP:
        return slot < STEM_SLOTS and set_layer(k, address, number, deck, slot, a)
    else:
        return False
    return True


@compiled
def apply_transport(
    k: Any, address: int, number: int, deck: Any, slot: int, kind: int, a: float, b: float
) -> bool:  # fmt: skip
    """Carry out one command of the transport; False where it cannot be."""
    if kind == _TEMPO:
        set_tempo(k, address, _clamp(a, TEMPO_LIMITS[0], TEMPO_LIMITS[1]))
        return True
    if _set_switch(k, address, number, deck, kind, a):
        return True
    if kind == _PLACE_ASK:
        # An empty deck answers too: the frame of the answer is what a tapped tempo is made of.
        place = here(deck)
        beat = beat_at(deck.grid, place) if has_grid(deck) else 0.0
        report(k, address, _PLACE_TOLD, number, slot, place, beat, deck.token)
        return True
    if not holds_track(deck):
        return False
    if _LOOP_IN <= kind <= _LOOP_PUT:
        if not _loop(k, deck, kind, a, b):
            return False
        if kind != _LOOP_PUT:
            tell_loop(k, address, number, deck)
        return True
    if _HOTCUE_GO <= kind <= _HOTCUE_PUT:
        return _hotcue(k, address, number, deck, slot, kind, a, b)
    return _move(k, address, number, deck, slot, kind, a)
