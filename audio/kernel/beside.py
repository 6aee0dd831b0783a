"""Beside: the take that a deck plays with its track, whether that is its mix or its stems.

    take's slot --at the playhead, from the tape or the stretcher's ring--> take bus --> x level, pan, mute --> deck bus

Nothing that decides between mix and stems knows of it. A stem's solo hushes it, as it does the other stems. Where a
deck is stretched and the ring has nothing of the take yet, the take waits.

Owner: the kernel. Units: gains linear, float32; pan -1 left to 1 right; frames at the engine rate.
"""

from typing import Any, Final

import numpy as np

from audio.kernel.compiled import compiled
from audio.kernel.layout import NONE
from audio.kernel.ramps import advance, glide, snap

_BEYOND: Final = 1024
"""Frames behind the end of a take in which interpolation may still find something of it."""


@compiled
def has_take(deck: Any, head: Any) -> bool:
    """Say whether a take lies where the head is, or ahead of it."""
    take = deck.tapes[head.tape].take
    return take.audio != 0 and head.index < take.frames + _BEYOND


@compiled
def level_take(k: Any, deck: Any, silent: bool) -> None:
    """Send the take to the level that is asked for: at once where nothing of the deck is heard."""
    gain = deck.take_volume
    if deck.take_mute or deck.take_hushed or not deck.take_here:
        gain = np.float32(0.0)
    to_left = gain * min(np.float32(1.0), np.float32(1.0) - deck.take_pan)
    to_right = gain * min(np.float32(1.0), np.float32(1.0) + deck.take_pan)
    if silent:
        snap(deck.take_left, to_left)
        snap(deck.take_right, to_right)
    else:
        glide(deck.take_left, to_left, k.fade_frames)
        glide(deck.take_right, to_right, k.fade_frames)


@compiled
def follow_take(k: Any, deck: Any) -> None:
    """Let the take wait while the deck plays from a ring that has nothing of it."""
    main = deck.heads[0]
    if main.tape == NONE or deck.tapes[main.tape].take.audio == 0:
        return
    here = 1 if main.stretch_to < 0.5 or deck.stretch.take_here else 0
    if here != deck.take_here:
        deck.take_here = here
        level_take(k, deck, False)


@compiled
def lay_take(deck: Any, left: Any, right: Any, to_left: Any, to_right: Any, count: int) -> None:
    """Add `count` frames of the take's bus to the deck's, at its level, and empty it."""
    for n in range(count):
        to_left[n] += left[n] * np.float32(advance(deck.take_left))
        to_right[n] += right[n] * np.float32(advance(deck.take_right))
        left[n] = np.float32(0.0)
        right[n] = np.float32(0.0)
