"""What a command of practising does: click, count-in, passes, mute regions.

    kind, deck, slot, a, b --> checked, clamped --> settings of the deck; what is heard follows over a fade

Owner: the kernel. Units: as `audio/commands.py` says for each kind.
"""

from typing import Any, Final

import numpy as np

from audio.commands import CommandKind
from audio.kernel.beside import level_take
from audio.kernel.compiled import compiled
from audio.kernel.count_in import MOST
from audio.kernel.loops import tell_loop
from audio.kernel.mute_regions import add_region, clear_regions, look_at_regions
from audio.kernel.passes import begin_again, loop_bars
from audio.kernel.places import holds_track
from audio.kernel.ramps import clamp, glide
from audio.kernel.requests import follow_requests, is_heard, others_heard
from audio.units import STEM_SLOTS

FIRST_PRACTICE: Final = int(CommandKind.CLICK)
LAST_PRACTICE: Final = 199
_CLICK: Final = int(CommandKind.CLICK)
_VOLUME: Final = int(CommandKind.CLICK_VOLUME)
_ACCENT: Final = int(CommandKind.CLICK_ACCENT)
_DIVIDE: Final = int(CommandKind.CLICK_DIVIDE)
_BAR: Final = int(CommandKind.CLICK_BAR)
_OUTPUT: Final = int(CommandKind.CLICK_OUTPUT)
_COUNT_IN: Final = int(CommandKind.COUNT_IN)
_COUNT_PASSES: Final = int(CommandKind.COUNT_PASSES)
_PRE_ROLL: Final = int(CommandKind.LOOP_PRE_ROLL)
_PASS_RATE: Final = int(CommandKind.PASS_RATE)
_LOOP_BARS: Final = int(CommandKind.LOOP_BARS)
_AGAIN: Final = int(CommandKind.LOOP_AGAIN)
_MUTE_ADD: Final = int(CommandKind.MUTE_ADD)
_TAKE_VOLUME: Final = int(CommandKind.TAKE_VOLUME)
_TAKE_MUTE: Final = int(CommandKind.TAKE_MUTE)
_TAKE_PAN: Final = int(CommandKind.TAKE_PAN)
_MUTES_CLEAR: Final = int(CommandKind.MUTES_CLEAR)


@compiled
def _set(k: Any, deck: Any, kind: int, a: float) -> bool:
    """Set what a deck remembers without a track; False for another kind."""
    on = 1 if a >= 0.5 else 0
    if kind == _CLICK:
        deck.click.on = on
    elif kind == _VOLUME:
        glide(deck.click.volume, clamp(a, 0.0, 1.0), k.fade_frames)
    elif kind == _ACCENT:
        deck.click.accent = on
    elif kind == _DIVIDE:
        deck.click.divide = int(clamp(np.rint(a), 1.0, 4.0))
    elif kind == _BAR:
        deck.click.bar = int(clamp(np.rint(a), 1.0, 16.0))
    elif kind == _OUTPUT:
        deck.click.output = on
    elif kind == _COUNT_IN:
        deck.count.beats = int(clamp(np.rint(a), 0.0, float(MOST)))
    elif kind == _COUNT_PASSES:
        deck.count.passes = on
    elif kind == _PRE_ROLL:
        deck.pre_roll = clamp(a, 0.0, 64.0)
    else:
        return _set_take(k, deck, kind, a)
    return True


@compiled
def _set_take(k: Any, deck: Any, kind: int, a: float) -> bool:
    if kind == _TAKE_VOLUME:
        deck.take_volume = np.float32(clamp(a, 0.0, 1.0))
    elif kind == _TAKE_MUTE:
        deck.take_mute = 1 if a >= 0.5 else 0
    elif kind == _TAKE_PAN:
        deck.take_pan = np.float32(clamp(a, -1.0, 1.0))
    else:
        return False
    level_take(k, deck, not is_heard(deck) and not others_heard(deck))
    return True


@compiled
def apply_practice(
    k: Any, address: int, number: int, deck: Any, slot: int, kind: int, a: float, b: float
) -> bool:  # fmt: skip
    """Carry out one command of practising; False where it cannot be."""
    if _set(k, deck, kind, a):
        return True
    if not holds_track(deck):
        return False
    if kind == _PASS_RATE:
        deck.pass_rate = max(0.0, a)
        return True
    if kind in (_LOOP_BARS, _AGAIN):
        done = loop_bars(deck, a) if kind == _LOOP_BARS else begin_again(k, deck)
        if done:
            tell_loop(k, address, number, deck)
        return done
    if slot >= STEM_SLOTS or kind not in (_MUTE_ADD, _MUTES_CLEAR):
        return False
    if kind == _MUTES_CLEAR:
        clear_regions(deck, slot)
    elif not add_region(deck, slot, int(np.rint(clamp(a, 0.0, 1e15))), int(np.rint(clamp(b, 0.0, 1e15)))):
        return False
    look_at_regions(deck)
    follow_requests(k, deck)
    return True
