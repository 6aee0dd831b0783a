"""The form of a track: intro, verse, build, drop, break, outro, with boundaries on bars.

Owner: pure functions. How: the cut of the bars into sections that leaves the least variety inside them, where each cut
costs, and one that is not after a multiple of four bars costs more; then names from level, bass and place.
Units: seconds, bars, decibels; energy and confidence 0..1.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.analysis.barwise import Bars

Curve = npt.NDArray[np.float64]

LABELS: Final = ("intro", "verse", "build", "drop", "break", "outro")
_LONGEST: Final = 64
_CUT: Final = 0.55
"""What a cut costs, in mean squared distances of a bar from the track's mean."""

_UNEVEN: Final = (0.0, 1.0, 0.6, 1.0)
"""What a section costs more when it is 4n, 4n+1, 4n+2, 4n+3 bars long."""

_LEAP_DB: Final = 2.0
_NEAR_DB: Final = 3.0
_TAIL_BARS: Final = 2
_TAIL_DB: Final = 15.0
_BASS_GONE_DB: Final = 5.0
_SOFTER_DB: Final = 1.5
_RISE_DB: Final = 0.6
_SMALLEST: Final = 4


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the form, from bar `first` up to bar `last`. `energy` is relative to the track's loudest section."""

    start: float
    end: float
    label: str
    first: int
    last: int
    energy: float
    confidence: float


def find(bars: Bars) -> tuple[Section, ...]:
    """Cut a track into sections and name them; () where nothing sounds."""
    if not len(bars) or bars.level.max() <= -59.0:
        return ()
    rows = _rows(bars)
    cuts = _cuts(rows)
    if len(cuts) > 2 and cuts[-1] - cuts[-2] <= _TAIL_BARS:
        before, tail = _mean_db(bars.level[cuts[-3] : cuts[-2]]), _mean_db(bars.level[cuts[-2] :])
        if before - tail > _TAIL_DB:
            del cuts[-2]  # the last chord dying away is no section
    level = np.array([_mean_db(bars.level[a:b]) for a, b in pairwise(cuts)])
    bass = np.array([_mean_db(bars.bands[a:b, 0]) for a, b in pairwise(cuts)])
    labels = _labels(bars, cuts, level, bass)
    sure = [_clear(rows, cuts, n) for n in range(len(cuts) - 1)]
    loudest, quietest = float(level.max()), float(bars.level.min())
    span = max(loudest - quietest, 6.0)
    return tuple(
        Section(
            start=float(bars.edges[a]) if a else 0.0,
            end=float(bars.edges[b]),
            label=labels[n],
            first=a,
            last=b,
            energy=float(np.clip(1.0 - (loudest - level[n]) / span, 0.0, 1.0)),
            confidence=sure[n],
        )
        for n, (a, b) in enumerate(pairwise(cuts))
    )


def _rows(bars: Bars) -> Curve:
    """Bars as points whose mean squared distance from the track's mean is 1; level and timbre weigh most."""
    parts = [(bars.level[:, None], 2.0), (bars.bands, 2.0), (bars.timbre[:, 1:], 1.5), (bars.busy[:, None], 1.0)]
    parts.append((bars.chroma, 0.5))
    scaled = []
    for part, weight in parts:
        off = part - part.mean(axis=0)
        total = float(np.mean(np.sum(off**2, axis=1)))
        if total > 1e-9:
            scaled.append(off * np.sqrt(weight / total))
    if not scaled:
        return np.zeros((len(bars), 1))
    rows = np.concatenate(scaled, axis=1)
    return np.asarray(rows / np.sqrt(np.mean(np.sum(rows**2, axis=1))))


class _Variety:
    """Sum of squared distances of bars a..b from their mean, for any stretch in a few operations."""

    def __init__(self, rows: Curve) -> None:
        self._sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
        self._squares = np.concatenate([[0.0], np.cumsum(np.sum(rows**2, axis=1))])

    def __call__(self, a: npt.NDArray[np.int64] | int, b: int) -> Curve:
        """For one stretch or for many beginnings."""
        total = np.atleast_2d(self._sums[b] - self._sums[a])
        count = np.atleast_1d(b - np.asarray(a))
        return np.asarray(np.atleast_1d(self._squares[b] - self._squares[a]) - np.sum(total**2, axis=1) / count)


def _cuts(rows: Curve) -> list[int]:
    """The best boundaries, 0 and the number of bars among them, by dynamic programming."""
    variety, count = _Variety(rows), len(rows)
    best, back = np.full(count + 1, np.inf), np.zeros(count + 1, int)
    best[0] = -_CUT * 4.0
    uneven = np.array(_UNEVEN) * _CUT
    for b in range(1, count + 1):
        starts = np.arange(max(0, b - _LONGEST), b)
        length = b - starts
        cost = _CUT * 4.0 + (uneven[length % 4] * 4.0 if b < count else 0.0) + (length < _SMALLEST) * _CUT * 4.0
        total = best[starts] + variety(starts, b) + cost
        n = int(np.argmin(total))
        best[b], back[b] = total[n], starts[n]
    cuts = [count]
    while cuts[-1]:
        cuts.append(int(back[cuts[-1]]))
    return cuts[::-1]


def _clear(rows: Curve, cuts: list[int], n: int) -> float:
    """How clearly a section differs from the one before (the first: from the one after)."""
    if len(cuts) < 3:
        return 0.5
    one, two = (n - 1, n) if n else (0, 1)
    a, b, c = cuts[one], cuts[one + 1], cuts[two + 1]
    variety = _Variety(rows)
    apart, together = float((variety(a, b) + variety(b, c))[0]), float(variety(a, c)[0])
    return float(np.clip((together - apart) / max(together, 1e-9), 0.0, 1.0))


def _mean_db(values: Curve) -> float:
    return float(10.0 * np.log10(np.mean(10.0 ** (values / 10.0))))


def _labels(bars: Bars, cuts: list[int], level: Curve, bass: Curve) -> list[str]:
    """Names by level and bass against the loudest section, and by place."""
    count = len(level)
    loud, deep = float(level.max()), float(bass[int(np.argmax(level))])
    thin = [deep - bass[n] > _BASS_GONE_DB and loud - level[n] > _SOFTER_DB for n in range(count)]
    labels = ["verse"] * count
    for n in range(count):
        first, last = n == 0, n == count - 1
        a, b = cuts[n], cuts[n + 1]
        rising = b - a >= 2 and float(np.polyfit(np.arange(b - a), bars.level[a:b], 1)[0]) > _RISE_DB
        leaps = n > 1 and level[n] - level[n - 1] > _LEAP_DB and loud - level[n] < _NEAR_DB
        if first and count > 1 and loud - level[n] > _SOFTER_DB:
            labels[n] = "intro"
        elif last and count > 1 and loud - level[n] > _SOFTER_DB:
            labels[n] = "outro"
        elif leaps and thin[n - 1]:
            labels[n] = "drop"
        elif thin[n] and not last:
            labels[n] = "build" if rising and level[n + 1] - level[n] > _SOFTER_DB else "break"
    return labels
