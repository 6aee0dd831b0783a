"""Layers: one stem loops on the grid while the others go on.

    playhead:   p0 -------------------------------------> p
    the stem:   reads at p - shift; at the end of its loop shift grows by the loop's length, over a cross-fade

Ended, the stem goes back to the playhead the same way: it is in time, since a shift is a whole number of loops.

Owner: the kernel. Units: track frames at the engine rate.
"""

from typing import Any, Final

import numpy as np

from audio.commands import EventKind
from audio.kernel.compiled import compiled
from audio.kernel.events import report
from audio.kernel.grid import moved_by, nearest
from audio.kernel.heads import place_of
from audio.kernel.loops import FEWEST_BEATS, MOST_BEATS, SHORTEST
from audio.kernel.places import here, track_frames
from audio.kernel.ramps import advance, glide, snap
from audio.units import STEM_SLOTS

_CHANGED: Final = int(EventKind.STEM_LOOP_CHANGED)


@compiled
def forget_layers(deck: Any) -> None:
    """Begin a new track: every stem is where the playhead is."""
    for slot in range(STEM_SLOTS):
        layer = deck.layers[slot]
        layer.active = 0
        layer.shift = 0
        layer.old_shift = 0
        snap(layer.fade, 1.0)


@compiled
def set_layer(k: Any, address: int, number: int, deck: Any, slot: int, beats: float) -> bool:
    """Loop the last `beats` of a stem's grid from here on, or end that with 0."""
    layer = deck.layers[slot]
    if beats <= 0.0:
        layer.active = 0
        report(k, address, _CHANGED, number, slot, 0.0, 0.0, deck.token)
        return True
    beats = min(max(beats, FEWEST_BEATS), MOST_BEATS)
    start = here(deck)
    if deck.quantize:
        start = max(0.0, nearest(deck, start, min(beats, 1.0)))
    first = int(np.rint(start))
    end = int(np.rint(moved_by(k, deck, start, beats)))
    if end - first < SHORTEST or end > track_frames(deck):
        return False
    layer.active = 1
    layer.start = first
    layer.end = end
    report(k, address, _CHANGED, number, slot, first, end, deck.token)
    return True


@compiled
def turn_layers(k: Any, deck: Any) -> bool:
    """Move the layers' cross-fades by one frame and begin those that are due; say whether any is on its way."""
    moving = False
    place = place_of(deck.heads[0])
    travel = k.fade_frames * abs(deck.rate.value)
    for slot in range(STEM_SLOTS):
        layer = deck.layers[slot]
        if layer.fade.left > 0:
            advance(layer.fade)
            moving = True
            continue
        shift = _shift_wanted(layer, place, travel)
        if shift == layer.shift:
            continue
        layer.old_shift = layer.shift
        layer.shift = shift
        snap(layer.fade, 0.0)
        glide(layer.fade, 1.0, k.fade_frames)
        advance(layer.fade)
        moving = True
    return moving


@compiled
def _shift_wanted(layer: Any, place: float, travel: float) -> int:
    """Return how far behind the playhead the stem is to be read, once it has faded there."""
    if not layer.active or place + travel < layer.start:
        return 0
    length = layer.end - layer.start
    return int(np.floor((place + travel - layer.start) / length)) * length


@compiled
def frames_to_turn(k: Any, deck: Any, limit: int) -> int:
    """Return how many output frames, 1 to `limit`, surely lie before the next cross-fade of a layer.

    Pre: the speed is steady and not 0, and no cross-fade is on its way.
    """
    place = place_of(deck.heads[0])
    speed = abs(deck.rate.value)
    travel = k.fade_frames * speed
    run = limit
    for slot in range(STEM_SLOTS):
        layer = deck.layers[slot]
        if not layer.active:
            continue
        length = layer.end - layer.start
        along = place + travel - layer.start
        if deck.rate.value >= 0.0:
            ahead = -along if along < 0.0 else length - along % length
        elif along < 0.0:
            continue
        else:
            ahead = along % length
        run = max(1, min(run, int(ahead / speed)))
    return run
