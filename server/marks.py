"""What a performer marks in a track: its beat grid and its cue points. Values that the session and the library share.

Owner: whoever built them; frozen. Pure.
Units: seconds of the track; hot cues count from 1 as performers do.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

HOTCUES: Final = 8
MEMORIES: Final = 32
BEATS_A_BAR: Final = 4
SHORTEST_BEAT_S: Final = 0.1
"""No beat is shorter: 600 a minute."""
LONGEST_BEAT_S: Final = 4.0

COLORS: Final = ("#ef4444", "#3b82f6", "#22c55e", "#eab308", "#8b5cf6", "#06b6d4", "#f97316", "#e5e7eb")
"""Colours of the eight hot cues, until the performer gives another."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the beats are, growing, two or more, and which of them, from 0, is the first downbeat."""

    beats: tuple[float, ...]
    origin: int = 0

    def index_near(self, position_s: float) -> int:
        """Return the number of the beat nearest to a place."""
        after = min(max(bisect_right(self.beats, position_s), 1), len(self.beats) - 1)
        before = after - 1
        return before if position_s - self.beats[before] <= self.beats[after] - position_s else after

    def place_of(self, beat: int) -> float:
        """Return where a beat is, counted from the first downbeat; beyond the ends the first and last go on."""
        number = self.origin + beat
        inside = min(max(number, 0), len(self.beats) - 1)
        step = self.beats[1] - self.beats[0] if number < 0 else self.beats[-1] - self.beats[-2]
        return self.beats[inside] + (number - inside) * step

    def shifted(self, by_s: float) -> "Grid":
        """Return the grid moved by `by_s`."""
        return Grid(tuple(beat + by_s for beat in self.beats), self.origin)

    def halved(self) -> "Grid":
        """Return the grid at half its tempo, the downbeat kept; the grid itself where it would get too slow."""
        kept = self.beats[self.origin % 2 :: 2]
        if len(kept) < 2 or kept[1] - kept[0] > LONGEST_BEAT_S:
            return self
        return Grid(kept, self.origin // 2)

    def doubled(self) -> "Grid":
        """Return the grid at twice its tempo; the grid itself where it would get too fast."""
        if min(b - a for a, b in pairwise(self.beats)) < 2 * SHORTEST_BEAT_S:
            return self
        beats = [self.beats[0]]
        for a, b in pairwise(self.beats):
            beats += [(a + b) / 2.0, b]
        return Grid(tuple(beats), 2 * self.origin)

    def with_downbeat(self, position_s: float) -> "Grid":
        """Return the grid whose bars begin on the beat nearest to a place: the first such beat is beat 0."""
        return Grid(self.beats, self.index_near(position_s) % BEATS_A_BAR)

    def anchored(self, position_s: float) -> "Grid":
        """Return the grid moved so that the beat nearest to a place lies on it."""
        return self.shifted(position_s - self.beats[self.index_near(position_s)])


def grid_of(beats: Sequence[float], downbeats: Sequence[float] = ()) -> Grid | None:
    """Return the grid of an analysis; None where it has no pulse. Beats too close to the one before are left out."""
    kept: list[float] = []
    for beat in beats:
        if not kept or beat - kept[-1] >= SHORTEST_BEAT_S / 2:
            kept.append(float(beat))
    if len(kept) < 2:
        return None
    grid = Grid(tuple(kept))
    return Grid(grid.beats, grid.index_near(float(downbeats[0]))) if len(downbeats) else grid


def tapped_grid(taps: Sequence[float], duration_s: float) -> Grid | None:
    """Return an even grid through the places that were tapped (by least squares), over the whole track; None for
    fewer than four or for a tempo that cannot be."""
    count = len(taps)
    if count < 4:
        return None
    middle, mean = (count - 1) / 2.0, sum(taps) / count
    spread = sum((n - middle) ** 2 for n in range(count))
    step = sum((n - middle) * (tap - mean) for n, tap in enumerate(taps)) / spread
    if not SHORTEST_BEAT_S <= step <= LONGEST_BEAT_S:
        return None
    first = mean - middle * step
    before = int(first // step)
    start = first - before * step
    beats = tuple(start + n * step for n in range(max(2, int((duration_s - start) / step) + 2)))
    return Grid(beats, before % BEATS_A_BAR)


@dataclass(frozen=True, slots=True)
class HotCue:
    """One hot cue: `slot` 1 to 8; a loop where `end_s` is not None."""

    slot: int
    start_s: float
    end_s: float | None = None
    name: str = ""
    color: str = ""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is saved of a track's marks. `grid` is the performer's own, None while the analysis' is good enough."""

    grid: Grid | None = None
    cue_s: float | None = None
    hotcues: tuple[HotCue, ...] = ()
    memory: tuple[float, ...] = ()


NO_MARKS: Final = Marks()
