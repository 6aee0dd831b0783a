"""The count-in: clicks in the song's tempo before a deck starts, and the start on the beat after the last of them.

    play pressed, or the loop's end:  click . click . click . click . |song from its beat on, sample-exact

A start that does not lie on a beat keeps its place in the bar: the last click is the beat before it, and the song comes
in as much after that beat as it was recorded.

Owner: the kernel. Units: engine frames; beats from the first downbeat; without a grid the session's tempo counts.
"""

from math import ceil
from typing import Any, Final

import numpy as np

from audio.kernel.click import kind_of, strike
from audio.kernel.compiled import compiled
from audio.kernel.grid import beat_at, has_grid, steady_beats_a_frame
from audio.kernel.motion import direction, find_drive

MOST: Final = 16
"""Most clicks of a count-in."""
_NEAR: Final = 0.02
"""Beats by which a start may be off a beat and still be on it: places are whole frames, grids are not."""
_SLOWEST: Final = 0.05
_FAR: Final = 1 << 60


@compiled
def begin_count(k: Any, deck: Any, frame: int, place: float) -> None:
    """Count in from engine frame `frame` on, to start at track frame `place`. Pre: `deck.count.beats` is not 0."""
    count = deck.count
    speed = max(find_drive(deck), _SLOWEST)
    if has_grid(deck):
        beat = beat_at(deck.grid, place)
        count.period = 1.0 / (steady_beats_a_frame(deck.grid, place) * speed)
    else:
        beat = 0.0
        count.period = 60.0 * k.rate / (k.tempo * speed)
    if abs(beat - np.rint(beat)) < _NEAR:
        beat = np.rint(beat)
    count.beat = beat
    count.place = place
    count.next = ceil(beat) - count.beats
    count.starts = frame + int(np.rint((beat - count.next) * count.period))
    count.active = 1


@compiled
def counts_passes(deck: Any) -> bool:
    """Say whether the deck counts in before each pass of its loop."""
    return deck.count.passes != 0 and deck.count.beats != 0 and not deck.loop_roll


@compiled
def cancel_count(deck: Any) -> None:
    """Count no further."""
    deck.count.active = 0


@compiled
def frames_to_start(k: Any, deck: Any) -> int:
    """Start the deck if its frame has come; return how many frames lie before that, many where it does not count."""
    count = deck.count
    if not count.active:
        return _FAR
    if deck.want_play:
        # Something else has started it.
        cancel_count(deck)
        return _FAR
    if k.frame >= count.starts:
        count.active = 0
        deck.want_play = 1
        deck.preview = 0
        return _FAR
    count.speed = find_drive(deck) * direction(deck)
    return count.starts - k.frame


@compiled
def click_count(k: Any, deck: Any, count: int) -> None:
    """Strike the click of the count-in that falls into the next `count` frames (at most SEGMENT)."""
    counting = deck.count
    if not counting.active or counting.next >= counting.beat:
        return
    frame = counting.starts - int(np.rint((counting.beat - counting.next) * counting.period))
    if frame < k.frame + count:
        strike(deck, max(frame, k.frame), kind_of(deck.click, counting.next, 1))
        counting.next += 1
