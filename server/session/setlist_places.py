"""Places in a track as a setlist names them: seconds, a bar, a cue point, a section.

    12.5  "1:02.5"  "bar 17"  "bar 17.3"  "cue"  "cue 3"  "cue Drop"  "section chorus"  "section chorus #2 end"  "end"
    and after each of them  "+ 4 bars"  "- 2 beats"  "+ 0.5 s"

Owner: nobody. Pure: a place is read once and found anew whenever it is asked for, since grids and cues are edited
while they play.
Units: seconds of the track; bars and beats count from 1 as performers do, bar 1 begins on the first downbeat.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from server.marks import BEATS_A_BAR, Grid, HotCue
from server.practice import Section

LONGEST_S: Final = 24 * 3600.0

_TEXT: Final = re.compile(
    r"""\s*(?:
        (?P<minutes>\d{1,4}):(?P<seconds>[0-5]?\d(?:\.\d+)?)
      | (?P<plain>\d{1,5}(?:\.\d+)?)(?:\s*s)?
      | bar\s+(?P<bar>[1-9]\d{0,4})(?:\.(?P<beat>[1-9]))?
      | cue(?:\s+(?P<cue>[^+\s](?:[^+]*[^+\s])?))?
      | section\s+(?P<section>[^+\s](?:[^+]*?[^+\s])?)(?:\s+\#(?P<nth>[1-9]\d?))?(?P<edge>\s+end)?
      | (?P<end>end)
    )(?:\s+(?P<sign>[+-])\s*(?P<by>\d{1,4}(?:\.\d+)?)\s*(?P<unit>bars?|beats?|s|seconds?))?\s*""",
    re.VERBOSE,
)

WANTS: Final = 'takes seconds, or a place like "1:02.5", "bar 17", "cue 3", "section chorus + 4 bars" or "end"'


@dataclass(frozen=True, slots=True)
class Place:
    """A place by name. `kind` is seconds, bar, cue, section or end; `number` the seconds, the bar (with its beats as
    quarters) or which of several sections of one name; `by` is added, in `unit` s, beats or bars."""

    kind: str
    number: float = 0.0
    name: str = ""
    at_end: bool = False
    by: float = 0.0
    unit: str = "s"

    def __str__(self) -> str:
        """Return the place as a performer would write it."""
        words = {
            "seconds": f"{self.number:g} s",
            "bar": f"bar {self.number:g}",
            "cue": f"cue {self.name}".strip(),
            "section": f"section {self.name}" + (f" #{self.number:g}" if self.number > 1 else ""),
            "end": "end",
        }[self.kind]
        return words + (f" {'+' if self.by > 0 else '-'} {abs(self.by):g} {self.unit}" if self.by else "")


START: Final = Place("seconds", 0.0)
END: Final = Place("end")


@dataclass(frozen=True, slots=True)
class TrackView:
    """What a place is looked for in."""

    duration_s: float
    grid: Grid | None = None
    cue_s: float = 0.0
    hotcues: tuple[HotCue, ...] = ()
    sections: tuple[Section, ...] = ()


def read_place(value: object) -> Place | None:
    """Return the place that a value of a setlist names; None for one that names none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return Place("seconds", float(value)) if 0.0 <= value <= LONGEST_S else None
    found = _TEXT.fullmatch(value) if isinstance(value, str) and len(value) <= 200 else None
    if found is None:
        return None
    by = float(found["by"] or 0.0) * (-1.0 if found["sign"] == "-" else 1.0)
    unit = "s" if found["unit"] is None or found["unit"].startswith("s") else found["unit"].rstrip("s") + "s"
    if found["minutes"] is not None:
        return Place("seconds", 60.0 * int(found["minutes"]) + float(found["seconds"]), by=by, unit=unit)
    if found["plain"] is not None:
        return Place("seconds", float(found["plain"]), by=by, unit=unit)
    if found["bar"] is not None:
        quarter = (int(found["beat"] or 1) - 1) / BEATS_A_BAR
        return Place("bar", int(found["bar"]) + quarter, by=by, unit=unit)
    if found["section"] is not None:
        nth = float(found["nth"] or 1)
        return Place("section", nth, found["section"], found["edge"] is not None, by, unit)
    if found["end"] is not None:
        return Place("end", by=by, unit=unit)
    return Place("cue", name=found["cue"] or "", by=by, unit=unit)


def find_place(place: Place, track: TrackView) -> float | None:
    """Return where a place is, in seconds, within the track; None where the track does not have it."""
    found = _find(place, track)
    if found is None:
        return None
    if place.by and place.unit == "s":
        found += place.by
    elif place.by:
        if track.grid is None:
            return None
        beats = place.by * (BEATS_A_BAR if place.unit == "bars" else 1)
        found = time_of_beat(track.grid, beat_at(track.grid, found) + beats)
    return min(max(found, 0.0), track.duration_s)


def _find(place: Place, track: TrackView) -> float | None:
    if place.kind == "seconds":
        return place.number
    if place.kind == "end":
        return track.duration_s
    if place.kind == "bar":
        if track.grid is None:
            return None
        return time_of_beat(track.grid, track.grid.origin + BEATS_A_BAR * (place.number - 1.0))
    if place.kind == "section":
        wanted = place.name.casefold()
        named = [one for one in track.sections if one.label.casefold() == wanted]
        if len(named) < place.number:
            return None
        section = named[int(place.number) - 1]
        return section.end_s if place.at_end else section.start_s
    return _cue(place.name, track)


def _cue(name: str, track: TrackView) -> float | None:
    if not name:
        return track.cue_s
    for cue in track.hotcues:
        if cue.name.casefold() == name.casefold() or str(cue.slot) == name:
            return cue.start_s
    return None


def beat_at(grid: Grid, position_s: float) -> float:
    """Return how many beats of the grid lie before a place, as a fraction; the grid goes on evenly at both ends."""
    beats = grid.beats
    before = min(max(bisect_right(beats, position_s) - 1, 0), len(beats) - 2)
    return before + (position_s - beats[before]) / (beats[before + 1] - beats[before])


def time_of_beat(grid: Grid, beat: float) -> float:
    """Return where a beat, counted from the first of the grid, lies, in seconds. The inverse of `beat_at`."""
    beats = grid.beats
    before = min(max(int(beat // 1), 0), len(beats) - 2)
    return beats[before] + (beat - before) * (beats[before + 1] - beats[before])


def bar_line(grid: Grid, position_s: float, *, after: bool = False) -> float:
    """Return the bar line nearest to a place, or the first one not before it; never before the grid's first."""
    bars = (beat_at(grid, position_s) - grid.origin) / BEATS_A_BAR
    whole = -(-(bars - 1e-6) // 1) if after else (bars + 0.5) // 1
    line = time_of_beat(grid, grid.origin + BEATS_A_BAR * whole)
    return line if line >= 0.0 else time_of_beat(grid, grid.origin + BEATS_A_BAR * max(0.0, whole + 1))


def tempo_of(grid: Grid) -> float:
    """Return the mean tempo of a grid in beats a minute."""
    return 60.0 * (len(grid.beats) - 1) / (grid.beats[-1] - grid.beats[0])
