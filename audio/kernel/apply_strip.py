"""What a command of the strip family does: isolator, filter, routing, headphones.

    kind, deck, slot, a --> checked, clamped --> targets of banks and ramps

Owner: the kernel. Where nothing of a deck is heard its knobs are there at once; else all of them glide.
Units: as `audio/commands.py` says for each kind.
"""

from typing import Any, Final

import numpy as np

from audio.commands import BAND_LIMITS, CommandKind
from audio.kernel.apply_fx import FIRST_FX, apply_fx
from audio.kernel.bank import BANDS, bus_pair, turn_band, turn_filter
from audio.kernel.compiled import compiled
from audio.kernel.input import PROBE_FRAMES
from audio.kernel.layout import OUTPUT_PAIRS
from audio.kernel.publish import record_bus
from audio.kernel.ramps import clamp, glide, snap
from audio.kernel.strip import cross_gain, was_heard
from audio.kernel.told_places import tell_places
from audio.units import BUSES, DECKS, STEM_SLOTS

FIRST_STRIP: Final = 96
LAST_STRIP: Final = 143
_DECK_EQ: Final = int(CommandKind.DECK_EQ)
_DECK_KILL: Final = int(CommandKind.DECK_KILL)
_DECK_FILTER: Final = int(CommandKind.DECK_FILTER)
_STEM_EQ_LOW: Final = int(CommandKind.STEM_EQ_LOW)
_STEM_EQ_HIGH: Final = int(CommandKind.STEM_EQ_HIGH)
_STEM_FILTER: Final = int(CommandKind.STEM_FILTER)
_STEM_SEND: Final = int(CommandKind.STEM_SEND)
_DECK_PFL: Final = int(CommandKind.DECK_PFL)
_DECK_OUTPUT: Final = int(CommandKind.DECK_OUTPUT)
_STEM_OUTPUT: Final = int(CommandKind.STEM_OUTPUT)
_DECK_AUTO_GAIN: Final = int(CommandKind.DECK_AUTO_GAIN)
_HEADPHONES: Final = int(CommandKind.HEADPHONES)
_CUE_MIX: Final = int(CommandKind.CUE_MIX)
_SPLIT_CUE: Final = int(CommandKind.SPLIT_CUE)
_BOOTH: Final = int(CommandKind.BOOTH)
_REVERSE: Final = int(CommandKind.CROSSFADER_REVERSE)
_INPUT_LEVEL: Final = int(CommandKind.INPUT_LEVEL)
_INPUT_OUTPUT: Final = int(CommandKind.INPUT_OUTPUT)
_INPUT_DELAY: Final = int(CommandKind.INPUT_DELAY)
_INPUT_PROBE: Final = int(CommandKind.INPUT_PROBE)
_INPUT_TAKE: Final = int(CommandKind.INPUT_TAKE)
_LATEST: Final = 2.0
"""Seconds by which an input may be late."""
_RECORD: Final = int(CommandKind.RECORD_BUS)
_HEADPHONES_OUTPUT: Final = int(CommandKind.HEADPHONES_OUTPUT)
_BOOTH_OUTPUT: Final = int(CommandKind.BOOTH_OUTPUT)
_BAND_LOW: Final = BAND_LIMITS[0]
_BAND_HIGH: Final = BAND_LIMITS[1]
_AUTO_HIGH: Final = 16.0


@compiled
def move(k: Any, deck: Any, ramp: Any, gain: float) -> None:
    """Send a gain of the deck to `gain`: at once while nothing of the deck is heard."""
    if was_heard(k, deck):
        glide(ramp, gain, k.fade_frames)
    else:
        snap(ramp, gain)


@compiled
def set_cross(k: Any) -> None:
    """Let every deck follow the crossfader."""
    position = -k.crossfader if k.reversed else k.crossfader
    for number in range(DECKS):
        deck = k.decks[number]
        move(k, deck, deck.cross, cross_gain(k.curve, position, deck.side))


@compiled
def set_trim(k: Any, deck: Any) -> None:
    """Let the deck follow its trim and its automatic gain."""
    move(k, deck, deck.trim_gain, deck.trim * deck.auto_gain)


@compiled
def _send_to(k: Any, route: Any, pair: int, heard: bool) -> None:
    """Send something to output `pair`: over silence, where it is heard."""
    route.wanted = pair
    if not heard:
        route.pair = pair
        snap(route.level, 1.0)
    elif pair != route.pair:
        glide(route.level, 0.0, k.fade_frames)
    else:
        glide(route.level, 1.0, k.fade_frames)


@compiled
def _turn_deck_band(k: Any, deck: Any, band: int) -> None:
    gain = 0.0 if deck.kill[band] else float(deck.band_gain[band])
    heard = was_heard(k, deck)
    for part in range(2):
        turn_band(k.deck_bank, bus_pair(deck.number, part), band, np.float32(gain), heard)


@compiled
def _apply_deck(k: Any, deck: Any, slot: int, kind: int, a: float) -> bool:
    heard = was_heard(k, deck)
    if kind in (_DECK_EQ, _DECK_KILL):
        if slot >= BANDS:
            return False
        if kind == _DECK_EQ:
            deck.band_gain[slot] = clamp(a, _BAND_LOW, _BAND_HIGH)
        else:
            deck.kill[slot] = 1 if a >= 0.5 else 0
        _turn_deck_band(k, deck, slot)
    elif kind == _DECK_FILTER:
        for part in range(2):
            turn_filter(k, k.deck_bank, bus_pair(deck.number, part), np.float32(clamp(a, -1.0, 1.0)), heard)
    elif kind == _DECK_PFL:
        move(k, deck, deck.pfl, 1.0 if a >= 0.5 else 0.0)
    elif kind == _DECK_OUTPUT:
        _send_to(k, deck.output, int(clamp(np.rint(a), 0.0, OUTPUT_PAIRS - 1.0)), heard)
    elif kind == _DECK_AUTO_GAIN:
        deck.auto_gain = clamp(a, 0.0, _AUTO_HIGH)
        set_trim(k, deck)
    else:
        return _apply_stem(k, deck, slot, kind, a, heard)
    return True


@compiled
def _apply_stem(k: Any, deck: Any, slot: int, kind: int, a: float, heard: bool) -> bool:
    if slot >= STEM_SLOTS:
        return False
    if _STEM_EQ_LOW <= kind <= _STEM_EQ_HIGH:
        gain = np.float32(clamp(a, _BAND_LOW, _BAND_HIGH))
        turn_band(deck.stem_bank, slot, kind - _STEM_EQ_LOW, gain, heard)
    elif kind == _STEM_FILTER:
        turn_filter(k, deck.stem_bank, slot, np.float32(clamp(a, -1.0, 1.0)), heard)
    elif kind == _STEM_SEND:
        move(k, deck, deck.send[slot], clamp(a, 0.0, 1.0))
        deck.splits |= 1 << slot
    elif kind == _STEM_OUTPUT:
        _send_to(k, deck.stem_output[slot], int(clamp(np.rint(a), 0.0, OUTPUT_PAIRS - 1.0)), heard)
        deck.splits |= 1 << slot
    else:
        return False
    return True


@compiled
def _apply_mixer(k: Any, slot: int, kind: int, a: float) -> bool:
    if kind == _HEADPHONES:
        glide(k.phones_level, clamp(a, 0.0, 1.0), k.fade_frames)
    elif kind == _CUE_MIX:
        glide(k.cue_mix, clamp(a, 0.0, 1.0), k.fade_frames)
    elif kind == _SPLIT_CUE:
        glide(k.split_cue, 1.0 if a >= 0.5 else 0.0, k.fade_frames)
    elif kind == _BOOTH:
        glide(k.booth_level, clamp(a, 0.0, 1.0), k.fade_frames)
    elif kind == _REVERSE:
        k.reversed = 1 if a >= 0.5 else 0
        set_cross(k)
    elif kind == _HEADPHONES_OUTPUT:
        _send_to(k, k.phones, int(clamp(np.rint(a), 0.0, OUTPUT_PAIRS - 1.0)), True)
    elif kind == _BOOTH_OUTPUT:
        _send_to(k, k.booth, int(clamp(np.rint(a), 0.0, OUTPUT_PAIRS - 1.0)), True)
    elif kind == _INPUT_LEVEL:
        glide(k.input_level, clamp(a, 0.0, 1.0), k.fade_frames)
    elif kind == _INPUT_OUTPUT:
        k.input_output = int(clamp(np.rint(a), 0.0, 1.0))
    elif kind == _INPUT_DELAY:
        k.input_asked = int(np.rint(clamp(a, 0.0, _LATEST) * k.rate))
    elif kind == _INPUT_PROBE:
        k.probe_left = PROBE_FRAMES
    elif kind == _INPUT_TAKE:
        tell_places(k, int(clamp(np.rint(a), 0.0, float(DECKS))))
    elif kind == _RECORD and slot < len(BUSES):
        record_bus(k, slot, a >= 0.5)
    else:
        return False
    return True


@compiled
def apply_strip(k: Any, number: int, slot: int, kind: int, a: float) -> bool:
    """Carry out one command of the strip family; return False to refuse it."""
    if kind >= FIRST_FX:
        return apply_fx(k, number, slot, kind, a)
    if kind >= _HEADPHONES:
        return _apply_mixer(k, slot, kind, a)
    return number < DECKS and _apply_deck(k, k.decks[number], slot, kind, a)
