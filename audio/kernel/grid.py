"""Beat grids: a piecewise-linear map between track frames and beats.

    beats:   0        1       2         3        beat = number of the beat before + part of the way to the next;
    frames:  f0 ----- f1 ---- f2 ------ f3       beyond the ends the first and the last stretch go on

Owner: the numbers belong to KernelHost, which has checked that they grow; the kernel only reads them.
Units: track frames at the engine rate; beats counted from the first downbeat, which is beat 0.
"""

from math import floor
from typing import Any, Final

import numpy as np
from numba import from_dtype

from audio.kernel.atomics import record_at
from audio.kernel.compiled import compiled
from audio.kernel.layout import NONE

_Place: Any = from_dtype(np.dtype([("frame", "<f8")]))
_AROUND: Final = 4
"""Beats to either side that the tempo shown is an average of."""


@compiled
def _place(grid: Any, number: int) -> float:
    return record_at(grid.beats + 8 * number, _Place).frame


@compiled
def has_grid(deck: Any) -> bool:
    """Say whether the track that the playhead holds has a grid."""
    held = deck.heads[0].tape
    return held != NONE and deck.grid.count >= 2 and deck.grid.token == deck.tapes[held].token


@compiled
def _before(grid: Any, frame: float) -> int:
    """Return the number, from 0, of the stretch that `frame` lies in."""
    low, high = 0, grid.count - 2
    while low < high:
        middle = (low + high + 1) // 2
        if _place(grid, middle) <= frame:
            low = middle
        else:
            high = middle - 1
    return low


@compiled
def beat_at(grid: Any, frame: float) -> float:
    """Return the beat at `frame`. Pre: there is a grid."""
    number = _before(grid, frame)
    start = _place(grid, number)
    return number - grid.origin + (frame - start) / (_place(grid, number + 1) - start)


@compiled
def frame_of(grid: Any, beat: float) -> float:
    """Return where `beat` lies. Pre: there is a grid."""
    along = beat + grid.origin
    number = int(min(max(floor(along), 0.0), float(grid.count - 2)))
    start = _place(grid, number)
    return start + (along - number) * (_place(grid, number + 1) - start)


@compiled
def beats_a_frame(grid: Any, frame: float) -> float:
    """Return how many beats a track frame at `frame` is. Pre: there is a grid."""
    number = _before(grid, frame)
    return 1.0 / (_place(grid, number + 1) - _place(grid, number))


@compiled
def steady_beats_a_frame(grid: Any, frame: float) -> float:
    """Return the same, averaged over the beats around. Pre: there is a grid."""
    number = _before(grid, frame)
    first, last = max(0, number - _AROUND), min(grid.count - 1, number + _AROUND)
    return (last - first) / (_place(grid, last) - _place(grid, first))


@compiled
def moved_by(k: Any, deck: Any, frame: float, beats: float) -> float:
    """Return the place `beats` after `frame`; without a grid by the session's tempo."""
    if has_grid(deck):
        return frame_of(deck.grid, beat_at(deck.grid, frame) + beats)
    return frame + beats * 60.0 * k.rate / k.tempo


@compiled
def nearest(deck: Any, frame: float, unit: float) -> float:
    """Return the place nearest to `frame` that lies a multiple of `unit` beats on the grid; `frame` without a grid."""
    if not has_grid(deck):
        return frame
    return frame_of(deck.grid, np.rint(beat_at(deck.grid, frame) / unit) * unit)


@compiled
def wrapped(distance: float, period: float) -> float:
    """Return `distance` less the multiple of `period` that brings it nearest to 0."""
    return distance - np.rint(distance / period) * period
