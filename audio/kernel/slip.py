"""Slip: the track runs on silently while a loop, a scratch, reverse or a held hot cue plays something else.

    begins: the shadow stands where the playhead is --> runs on at the deck's speed --> ends: the playhead goes there

Owner: the kernel. Units: track frames and 2^-56 frames, as the playhead's.
"""

from typing import Any, Final

from audio.kernel.compiled import compiled
from audio.kernel.heads import pace_of
from audio.kernel.places import go_to
from audio.kernel.sinc import FRACTION_BITS

_MASK: Final = (1 << FRACTION_BITS) - 1


@compiled
def start_slip(deck: Any, always: bool) -> None:
    """Let the shadow run from here, where the deck slips or `always`."""
    if deck.slipping or not deck.want_play or not (deck.slip or always):
        return
    deck.slipping = 1
    main = deck.heads[0]
    deck.slip_index = deck.seek_to if deck.want_seek else main.index
    deck.slip_fraction = 0 if deck.want_seek else main.fraction


@compiled
def end_slip(deck: Any) -> bool:
    """Send the playhead to its shadow; False where there is none."""
    if not deck.slipping:
        return False
    deck.slipping = 0
    go_to(deck, float(deck.slip_index + (deck.slip_fraction >> (FRACTION_BITS - 1))))
    return True


@compiled
def run_on(deck: Any, count: int) -> None:
    """Move the shadow by `count` frames of the engine."""
    pace = pace_of(deck.drive if deck.pace >= 0.0 else -deck.drive)
    index, fraction = deck.slip_index, deck.slip_fraction
    for _ in range(count):
        fraction += pace
        index += fraction >> FRACTION_BITS
        fraction &= _MASK
    deck.slip_index = index
    deck.slip_fraction = fraction
