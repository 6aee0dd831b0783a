"""Passes: what happens when a loop comes round for somebody who practises.

    end of the loop --> told --> next speed? --> count-in? --> pre-roll? --> beginning

A speed that was asked for the next pass is taken at the seam: the beginning of the loop falls on the frame on which it
would have, and goes on at the new speed. With a count-in the deck falls silent at the end of the loop and the clicks
begin there. A pre-roll lets every pass begin some beats before the loop.

Owner: the kernel. Units: track frames; engine frames; speed as ratio.
"""

from math import floor
from typing import Any, Final

import numpy as np

from audio.commands import RATE_LIMITS, EventKind
from audio.kernel.compiled import compiled
from audio.kernel.count_in import begin_count, counts_passes
from audio.kernel.events import report
from audio.kernel.grid import beat_at, frame_of, has_grid
from audio.kernel.heads import place_of
from audio.kernel.loops import SHORTEST, activate, find_pre_roll, put_loop
from audio.kernel.motion import direction, find_drive
from audio.kernel.places import go_to, here
from audio.kernel.ramps import snap_rate
from audio.kernel.sinc import FRACTION_BITS

_PASSED: Final = int(EventKind.LOOP_PASSED)
_RATE: Final = int(EventKind.RATE_FOLLOWED)
_SLOWEST: Final = RATE_LIMITS[0]
_FASTEST: Final = RATE_LIMITS[1]
_TOLD_S: Final = 0.25
"""Loops shorter than this are an effect, not practice: their passes are not told."""
_STEPPED: Final = 1
_ONE: Final = float(1 << FRACTION_BITS)


@compiled
def tell_pass(k: Any, address: int, number: int, deck: Any) -> None:
    """Report that the loop has come to its end."""
    if not deck.loop_roll and deck.loop_out - deck.loop_in >= _TOLD_S * k.rate:
        stepped = _STEPPED if deck.pass_rate > 0.0 else 0
        report(k, address, _PASSED, number, stepped, deck.loop_in, deck.loop_out, deck.token)


@compiled
def is_plain(deck: Any) -> bool:
    """Say whether the next pass begins as every loop does."""
    return deck.pass_rate <= 0.0 and not counts_passes(deck)


@compiled
def _take_speed(k: Any, address: int, number: int, deck: Any) -> None:
    """Go on at the speed that was asked for the next pass, if any."""
    if deck.pass_rate <= 0.0:
        return
    speed = min(max(deck.pass_rate, _SLOWEST), _FASTEST)
    deck.pass_rate = 0.0
    deck.pace = -speed if deck.pace < 0.0 else speed
    snap_rate(deck.rate, find_drive(deck) * direction(deck))
    report(k, address, _RATE, number, 0, deck.follow if deck.locked else speed, 0.0, deck.token)


@compiled
def turn_pass(k: Any, address: int, number: int, deck: Any) -> bool:
    """Bring the playhead to the beginning of its loop at the speed of the next pass; say whether it plays on there.

    Pre: the seam is due, and what the playhead leaves has been left behind. Post: the playhead does not sound.
    """
    main = deck.heads[0]
    place = place_of(main)
    forwards = deck.rate.value >= 0.0
    beyond = deck.loop_out - place if forwards else place - deck.loop_in
    late = max(0.0, beyond / max(abs(deck.rate.value), 1e-3))
    _take_speed(k, address, number, deck)
    start = deck.loop_in - find_pre_roll(k, deck) if forwards else float(deck.loop_out)
    main.sounding = 0
    deck.loop_debt = 0.0
    if counts_passes(deck):
        main.index = int(np.rint(start))
        main.fraction = 0
        deck.play = 0
        deck.want_play = 0
        begin_count(k, deck, k.frame + k.cursor + int(np.rint(late)), float(main.index))
        return False
    # What is left until the end of the loop is played before its beginning.
    start -= late * deck.rate.value
    if start < 0.0:
        start = 0.0
    main.index = floor(start)
    main.fraction = int((start - floor(start)) * _ONE)
    return True


@compiled
def loop_bars(deck: Any, bars: float) -> bool:
    """Loop `bars` from the beginning of the bar that the playhead is in; False without a grid."""
    if not has_grid(deck):
        return False
    bar = float(deck.click.bar)
    bars = min(max(np.rint(bars), 1.0), 64.0)
    # A playhead that stands on a downbeat, to the frame, is in the bar that begins there.
    first = floor(beat_at(deck.grid, here(deck) + 1.0) / bar) * bar
    start = max(0.0, frame_of(deck.grid, first))
    if not put_loop(deck, start, frame_of(deck.grid, first + bars * bar) - start):
        return False
    deck.loop_beats = min(bars * bar, 64.0)
    activate(deck)
    return True


@compiled
def begin_again(k: Any, deck: Any) -> bool:
    """Go to the beginning of the loop, or of its pre-roll, and turn it on; to the start of the track without a loop.

    A deck that plays counts in first, where it counts in at all."""
    if deck.loop_out - deck.loop_in >= SHORTEST:
        if not deck.loop_active:
            activate(deck)
        go_to(deck, deck.loop_in - find_pre_roll(k, deck))
        deck.loop_inside = 1
    else:
        go_to(deck, 0.0)
    if deck.want_play and deck.count.beats:
        deck.want_play = 0
        begin_count(k, deck, k.frame, here(deck))
    return True
