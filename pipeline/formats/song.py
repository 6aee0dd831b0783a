"""A song as other programs know it: words, a beat grid, marks in time, stems. Every format here is made of it.

Owner: whoever made it; frozen. Pure.
Units: seconds from frame 0 of the reference decode; tempo in beats per minute; colours as `#RRGGBB`.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

MarkKind = Literal["cue", "loop", "section", "memory"]
"""A hot cue, a saved loop, the start of a part of the song, a point to load or stop at."""

Drum = Literal["kick", "snare", "hat", "tom", "cymbal"]

GRID_TOLERANCE_S: Final = 0.002
"""How far a beat may lie off the straight stretch of grid it is written with."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A named place. `end_s` is where a loop ends; `number` is that of the hot cue, from 1."""

    kind: MarkKind
    start_s: float
    end_s: float | None = None
    name: str = ""
    colour: str | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord that sounds from `start_s` to `end_s`, by name, like `Am` or `F#m7`."""

    start_s: float
    end_s: float
    name: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One stroke of a drum, `strength` 0 to 1."""

    at_s: float
    drum: Drum
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class StemFile:
    """One part of the song as a stored file: its name in our words (`vocals`, `drums`, ..., `mix`), where it lies, and
    what its samples are to be multiplied by (a file that cannot hold peaks above 1 holds them divided by it). `title`
    and `colour` (#RRGGBB) are what it was called where it came from, empty for ours."""

    name: str
    path: Path
    gain: float = 1.0
    title: str = ""
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Song:
    """One track with what is known of it. `beats` rises; `downbeats` are those of `beats` that begin a bar. `path` is
    the file as it was imported, `mix` its canonical decode."""

    title: str
    artist: str = ""
    album: str = ""
    genre: str = ""
    year: int | None = None
    duration_s: float = 0.0
    tempo: float | None = None
    key: str = ""
    beats: tuple[float, ...] = ()
    downbeats: tuple[float, ...] = ()
    marks: tuple[Mark, ...] = ()
    chords: tuple[Chord, ...] = ()
    hits: tuple[Hit, ...] = ()
    path: Path | None = None
    mix: StemFile | None = None
    stems: tuple[StemFile, ...] = ()

    @property
    def display(self) -> str:
        """How a list shows it."""
        return f"{self.artist} - {self.title}" if self.artist else self.title


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a beat grid with one tempo, from the beat at `start_s` on. `beat` is that beat's index in the grid,
    `in_bar` its place in the bar, from 1."""

    start_s: float
    bpm: float
    beat: int
    in_bar: int


@dataclass(frozen=True, slots=True)
class Grid:
    """A beat grid as stretches of steady tempo: what formats with tempo changes can hold."""

    stretches: tuple[Stretch, ...] = ()
    beats_per_bar: int = 4
    first_downbeat: int = field(default=0)

    def beat_at(self, seconds: float) -> float:
        """Return the place of `seconds` in beats since beat 0; the first and last stretch go on beyond the grid.

        Raises ValueError for a grid without stretches.
        """
        if not self.stretches:
            raise ValueError("the song has no beat grid")
        starts = [stretch.start_s for stretch in self.stretches]
        stretch = self.stretches[max(0, bisect_left(starts, seconds + 1e-9) - 1)]
        return stretch.beat + (seconds - stretch.start_s) * stretch.bpm / 60.0

    @property
    def bar_shift(self) -> int:
        """How many beats a session has to move the grid so that downbeats fall on its bar lines and frame 0 is not
        before its start. Raises ValueError for a grid without stretches."""
        first = self.beat_at(0.0) - self.first_downbeat
        return max(0, -int(first // self.beats_per_bar)) * self.beats_per_bar - self.first_downbeat


def grid_of(song: Song, tolerance_s: float = GRID_TOLERANCE_S) -> Grid:
    """Return the song's grid in as few straight stretches as keep every beat within `tolerance_s`.

    Each stretch begins on a beat and ends where the next begins, so the map has no steps. The stretch is grown while a
    line from its first beat passes all beats within tolerance (the cone of allowed slopes is not empty).
    """
    beats = song.beats
    if len(beats) < 2:
        if song.tempo:
            return Grid((Stretch(beats[0] if beats else 0.0, song.tempo, 0, 1),))
        return Grid()
    per_bar, first = _bars(song)
    stretches = []
    start = 0
    while start < len(beats) - 1:
        low, high, end = 0.0, float("inf"), start
        for index in range(start + 1, len(beats)):
            steps = index - start
            rise = beats[index] - beats[start]
            at_least, at_most = (rise - tolerance_s) / steps, (rise + tolerance_s) / steps
            # The stretch must end on a beat exactly, so its own slope has to lie in the cone of those before it.
            if low <= rise / steps <= high:
                end = index
            low, high = max(low, at_least), min(high, at_most)
            if low > high:
                break
        period = (beats[end] - beats[start]) / (end - start)
        stretches.append(Stretch(beats[start], 60.0 / period, start, (start - first) % per_bar + 1))
        start = end
    return Grid(tuple(stretches), per_bar, first)


def _bars(song: Song) -> tuple[int, int]:
    """Return how many beats a bar has and the index of the first downbeat: the commonest distance between downbeats."""
    places = [bisect_left(song.beats, at - 1e-4) for at in song.downbeats]
    places = [place for place in places if place < len(song.beats)]
    if not places:
        return 4, 0
    distances = [b - a for a, b in pairwise(places) if 1 < b - a <= 12]
    per_bar = max(set(distances), key=distances.count) if distances else 4
    return per_bar, places[0]
