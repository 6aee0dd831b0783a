"""Loop suggestions: stretches of whole bars whose end leads back to their beginning as if it went on.

Owner: pure functions. Units: seconds, bars; score 0..1.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.analysis.barwise import Bars
from pipeline.analysis.sections import Section

Curve = npt.NDArray[np.float64]

LENGTHS: Final = (1, 2, 4, 8, 16)
_MOST: Final = 12
_LEAST: Final = 0.6
_FAR_DB: Final = 12.0


@dataclass(frozen=True, slots=True)
class Loop:
    """From `start` to `end`, `bars` long; `label` is the section it lies in."""

    start: float
    end: float
    bars: int
    label: str
    score: float


def find(bars: Bars, sections: tuple[Section, ...]) -> tuple[Loop, ...]:
    """The best loops, the best first: at most a dozen, and none that starts where a better one of its length does."""
    found: list[Loop] = []
    timbre = _units(bars.timbre[:, 1:] - bars.timbre[:, 1:].mean(axis=0)) if len(bars) else bars.timbre
    chroma = _units(bars.chroma)
    for section in sections:
        for length in LENGTHS:
            for a in range(section.first, section.last - length + 1):
                if length > 1 and (a - section.first) % min(length, 4):
                    continue  # a loop of four begins where fours are counted from
                found.append(_judged(bars, chroma, timbre, section, a, length))
    best: dict[tuple[int, int], Loop] = {}
    for loop in found:
        place = (loop.bars, int(loop.start // 16.0))
        if loop.score >= _LEAST and (place not in best or loop.score > best[place].score):
            best[place] = loop
    return tuple(sorted(best.values(), key=lambda loop: (-loop.score, loop.start))[:_MOST])


def _judged(bars: Bars, chroma: Curve, timbre: Curve, section: Section, a: int, length: int) -> Loop:
    """What follows the loop should be what it begins with, and what leads to its end what led to its start."""
    b = a + length
    after = b if b < section.last else a
    before = a - 1 if a > section.first else b - 1
    alike = 0.0
    for one, two in ((a, after), (before, b - 1)):
        harmony = float(chroma[one] @ chroma[two])
        colour = 0.5 + 0.5 * float(timbre[one] @ timbre[two])
        level = 1.0 - min(abs(float(bars.level[one] - bars.level[two])) / _FAR_DB, 1.0)
        alike += (0.5 * harmony + 0.2 * colour + 0.3 * level) / 2.0
    known = 1.0 if b < section.last else 0.85  # at a section's end nobody knows what would have followed
    sounding = float(np.clip((bars.level[a:b].mean() + 50.0) / 20.0, 0.0, 1.0))
    whole = 1.0 if length >= 4 else 0.9
    return Loop(
        float(bars.edges[a]), float(bars.edges[b]), length, section.label, float(alike * known * sounding * whole)
    )


def _units(rows: Curve) -> Curve:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))
