"""Requests: mutes, mute regions and solos that wait for stems, and the gains that follow from what applies.

    asked for (mute, solo, region) --> applies? --> on (mute_on, solo_on) --> gains of each stem, left and right
                                          |                             '---> stand-in: level of the mix in a gap
                                          '-- no: pending

A mix cannot be muted in part. Where stems are asked for and not ready, a new mute waits and shows; one that applied
before stays, and the mix stands in at the level of what is left.

Owner: the kernel. Units: gains linear, float32; pan -1 left to 1 right.
"""

from math import sqrt
from typing import Any

import numpy as np

from audio.kernel.beside import level_take
from audio.kernel.compiled import compiled
from audio.kernel.lanes import LANES
from audio.kernel.layout import HEADS, NONE
from audio.kernel.ramps import glide, snap
from audio.units import STEM_SLOTS


@compiled
def is_heard(deck: Any) -> bool:
    """Say whether the playhead sounds now."""
    return deck.heads[0].sounding != 0 and deck.heads[0].fade.value > 0.0


@compiled
def others_heard(deck: Any) -> bool:
    """Say whether a head that was left behind still sounds."""
    for which in range(1, HEADS):  # noqa: SIM110 - compiled code has no generators
        if deck.heads[which].sounding:
            return True
    return False


@compiled
def forget_stems(k: Any, deck: Any) -> None:
    """Begin a new track: nothing is known of its stems, and nothing asked for applies before they are there."""
    for slot in range(STEM_SLOTS):
        deck.energy[slot] = 0.0
        for lane in range(LANES):
            deck.energy_sum[slot, lane] = 0.0
        deck.mute_on[slot] = 0
        deck.solo_on[slot] = 0
        deck.mutes[slot].on = 0


@compiled
def stem_mask(deck: Any) -> int:
    """Return a bit for each stem slot that is bound."""
    if deck.heads[0].tape == NONE:
        return 0
    return deck.tapes[deck.heads[0].tape].mask


@compiled
def pending_mask(deck: Any) -> int:
    """Return a bit for each stem whose mute or solo waits for a ready stretch."""
    mask = stem_mask(deck)
    pending = 0
    for slot in range(STEM_SLOTS):
        differs = deck.mute[slot] != deck.mute_on[slot] or deck.solo[slot] != deck.solo_on[slot]
        if (differs or deck.mutes[slot].wanted != deck.mutes[slot].on) and (mask == 0 or mask >> slot & 1):
            pending |= 1 << slot
    return pending


@compiled
def _asks_for_nothing(deck: Any) -> bool:
    mask = stem_mask(deck)
    for slot in range(STEM_SLOTS):
        asked = deck.mute[slot] or deck.solo[slot] or deck.mutes[slot].wanted
        if (mask == 0 or mask >> slot & 1) and asked:
            return False
    return True


@compiled
def follow_requests(k: Any, deck: Any) -> None:
    """Apply mutes and solos where they can be heard or do no harm, and set the gains that follow from them.

    They wait while the mix plays for want of stems: it cannot be muted in part. They do not wait when the stems are
    heard or coming, when the deck plays the mix by choice or holds nothing, and when all of them are off, which the
    mix is.
    """
    main = deck.heads[0]
    applies = main.tape == NONE or deck.source == 0 or main.blend_to > 0.5 or _asks_for_nothing(deck)
    if applies:
        for slot in range(STEM_SLOTS):
            deck.mute_on[slot] = deck.mute[slot]
            deck.solo_on[slot] = deck.solo[slot]
            deck.mutes[slot].on = deck.mutes[slot].wanted
    quiet = not others_heard(deck)
    stems_silent = quiet and (main.blend == 0.0 or not is_heard(deck))
    mix_silent = quiet and (main.blend == 1.0 or not is_heard(deck))
    mask = stem_mask(deck)
    soloed = False
    for slot in range(STEM_SLOTS):
        if deck.solo_on[slot] and (mask == 0 or mask >> slot & 1):
            soloed = True
    hushed = 1 if soloed else 0
    if hushed != deck.take_hushed:
        deck.take_hushed = hushed
        level_take(k, deck, quiet and not is_heard(deck))
    asked, left = np.float32(0.0), np.float32(0.0)
    for slot in range(STEM_SLOTS):
        gain = deck.stem_volume[slot]
        if deck.mute_on[slot] or deck.mutes[slot].on or (soloed and not deck.solo_on[slot]):
            gain = np.float32(0.0)
        to_left = gain * min(np.float32(1.0), np.float32(1.0) - deck.stem_pan[slot])
        to_right = gain * min(np.float32(1.0), np.float32(1.0) + deck.stem_pan[slot])
        if stems_silent:
            snap(deck.left[slot], to_left)
            snap(deck.right[slot], to_right)
        else:
            glide(deck.left[slot], to_left, k.fade_frames)
            glide(deck.right[slot], to_right, k.fade_frames)
        if mask >> slot & 1:
            asked += deck.energy[slot]
            left += deck.energy[slot] * (to_left * to_left + to_right * to_right) * np.float32(0.5)
    level = np.float32(1.0)
    if deck.source == 1 and mask != 0 and asked > 0.0:
        level = np.float32(min(1.0, sqrt(left / asked)))
    if _asks_for_nothing(deck) and _all_up(deck):
        level = np.float32(1.0)
    if mix_silent:
        snap(deck.stand_in, level)
    else:
        glide(deck.stand_in, level, k.fade_frames)


@compiled
def _all_up(deck: Any) -> bool:
    mask = stem_mask(deck)
    for slot in range(STEM_SLOTS):  # noqa: SIM110 - compiled code has no generators
        if mask >> slot & 1 and deck.stem_volume[slot] != 1.0:
            return False
    return True
