"""Drum hits: kicks, snares and hats, from what begins in the low, the middle and the high range.

Owner: pure functions. Works on a mix, better on the drums alone.
Units: seconds; strength 0..1, 1 is the track's strongest of its kind.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.analysis.frames import Frames

Curve = npt.NDArray[np.float64]

KINDS: Final = ("kick", "snare", "hat")
_REACH: Final = 3
_AROUND_S: Final = 1.0
_ABOVE: Final = (5.0, 4.0, 3.0)
"""Decibels above the neighbourhood that make a hit in the low, the middle and the high range."""

_LEAST: Final = 0.12
_LATE_S: Final = 0.0075


@dataclass(frozen=True, slots=True)
class Hit:
    """One stroke."""

    time: float
    kind: str
    strength: float


def find(frames: Frames) -> tuple[Hit, ...]:
    """Find the hits, in order of time."""
    from scipy import ndimage

    low, middle, high = (_peaks(frames, n) for n in range(3))
    loud = [_grown(frames, n) for n in range(3)]
    # a snare is a drum and a hiss at once; a note has no hiss, a hat no drum
    snares = middle & ndimage.maximum_filter1d(high, 5)
    found = [(0, int(step), float(loud[0][step])) for step in np.flatnonzero(low)]
    found += [(1, int(step), float(np.sqrt(loud[1][step] * loud[2][step]))) for step in np.flatnonzero(snares)]
    found += [(2, int(step), float(loud[2][step])) for step in np.flatnonzero(high)]
    hits = []
    for kind in range(3):
        strengths = [strength for which, _, strength in found if which == kind]
        top = float(np.percentile(strengths, 95)) if strengths else 0.0
        for which, step, strength in found:
            if which == kind and top > 0.0 and strength > _LEAST * top:
                time = step * frames.step_s + _LATE_S
                hits.append(Hit(time, KINDS[kind], float(min(strength / top, 1.0))))
    return tuple(sorted(hits, key=lambda hit: (hit.time, hit.kind)))


def _peaks(frames: Frames, which: int) -> npt.NDArray[np.bool_]:
    """Steps at which something clearly begins in a range; neighbours within 35 ms count as one."""
    from scipy import ndimage

    rise = frames.flux[1 + which].astype(np.float64)
    smooth = np.convolve(rise, np.ones(3) / 3.0, "same")
    around = ndimage.median_filter(smooth, max(3, round(_AROUND_S / frames.step_s)), mode="nearest")
    top = smooth >= ndimage.maximum_filter1d(smooth, 2 * _REACH + 1)
    return np.asarray(top & (smooth > around + _ABOVE[which] / 3.0))


def _grown(frames: Frames, which: int) -> Curve:
    """How much louder a range is after each step than before it."""
    level = frames.bands[which].astype(np.float64)
    after = np.maximum.reduce([np.roll(level, -n) for n in range(4)])
    before = np.minimum.reduce([np.roll(level, n) for n in range(1, 3)])
    return np.asarray(np.maximum(after - before, 0.0))
