"""A REAPER project: a track for each stem, the beat grid as a tempo map, sections and cues as markers and regions.

Owner: nobody; text out. The project names the files by path: it lies beside them, or in a ZIP with them.
Units: seconds of the project, which are those of the song; tempo in beats per minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

from pipeline.formats.song import Grid, Mark, Song, grid_of

_KINDS: Final = {".wav": "WAVE", ".flac": "FLAC", ".mp3": "MP3", ".ogg": "VORBIS", ".aif": "WAVE", ".aiff": "WAVE"}
_SQUARE: Final = 1
"""Shape of a tempo point: the tempo stays until the next one."""


def write_rpp(song: Song, files: Sequence[tuple[str, PurePosixPath]], length_s: float) -> str:
    """Return the project. `files` are names of tracks and paths as the project is to name them.

    Raises ValueError for no files, or a kind of file that REAPER has no source for here.
    """
    if not files:
        raise ValueError(f"{song.display} has no audio to put into a project")
    grid = grid_of(song)
    bpm = grid.stretches[0].bpm if grid.stretches else song.tempo or 120.0
    lines = ['<REAPER_PROJECT 0.1 "6.0" 0', f"  TEMPO {bpm:.6f} {grid.beats_per_bar} 4"]
    lines += ["  " + line for line in _tempo_map(grid)]
    lines += ["  " + line for line in _markers(song.marks)]
    for name, path in files:
        lines += ["  " + line for line in _track(name, path, length_s)]
    return "\n".join([*lines, ">"]) + "\n"


def _tempo_map(grid: Grid) -> Iterator[str]:
    """Yield the tempo envelope. The first stretch reaches back to 0: bars are counted from there."""
    if len(grid.stretches) < 2:
        return
    yield "<TEMPOENVEX"
    yield "  ACT 1 -1"
    for number, stretch in enumerate(grid.stretches):
        at = stretch.start_s if number else 0.0
        metre = f" {(4 << 16) + grid.beats_per_bar} 0 1" if number == 0 else ""
        yield f"  PT {at:.9f} {stretch.bpm:.9f} {_SQUARE}{metre}"
    yield ">"


def _markers(marks: Sequence[Mark]) -> Iterator[str]:
    for number, mark in enumerate(sorted(marks, key=lambda mark: mark.start_s), start=1):
        is_region = mark.end_s is not None
        yield f"MARKER {number} {mark.start_s:.9f} {_quoted(mark.name or mark.kind)} {int(is_region)}{_colour(mark)}"
        if mark.end_s is not None:
            yield f'MARKER {number} {mark.end_s:.9f} "" 1'


def _colour(mark: Mark) -> str:
    """Return the colour field: 0x1000000 says that it is set; blue, green, red from the top."""
    if not mark.colour:
        return ""
    red, green, blue = bytes.fromhex(mark.colour.removeprefix("#"))
    return f" {0x1000000 | blue << 16 | green << 8 | red}"


def _track(name: str, path: PurePosixPath, length_s: float) -> Iterator[str]:
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"REAPER is not told how to read {path.suffix} files")
    yield "<TRACK"
    yield f"  NAME {_quoted(name)}"
    yield "  VOLPAN 1 0 -1 -1 1"
    yield "  MUTESOLO 0 0 0"
    yield "  <ITEM"
    yield "    POSITION 0"
    yield f"    LENGTH {length_s:.9f}"
    yield "    LOOP 0"
    yield f"    NAME {_quoted(name)}"
    yield f"    <SOURCE {kind}"
    yield f"      FILE {_quoted(str(path))}"
    yield "    >"
    yield "  >"
    yield ">"


def _quoted(text: str) -> str:
    """Return the text in the quotation mark that it does not hold itself; one that holds all three loses the last."""
    text = " ".join(text.split())
    for mark in "\"'`":
        if mark not in text:
            return f"{mark}{text}{mark}"
    return "`" + text.replace("`", "'") + "`"
