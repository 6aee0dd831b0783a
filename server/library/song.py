"""A track of the library as a song of `pipeline.formats`: the one place where columns and analysis become its words.

Owner: one export. Pure. What an analysis does not hold, or holds in another shape, is left out.
Units: seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from pipeline.formats.song import Chord, Drum, Hit, Mark, Song, StemFile
from server.library.records import Track
from server.practice import seconds_of

_DRUMS: Final[tuple[Drum, ...]] = get_args(Drum)


def song_of(track: Track, path: Path | None = None, stems: Sequence[StemFile] = (), marks: Sequence[Mark] = ()) -> Song:
    """Return the track with what its chosen analysis found. `marks` are the performer's own cues and loops; sections of
    the analysis come behind them."""
    found: Mapping[str, Any] = track.analysis.features if track.analysis is not None else {}
    return Song(
        title=track.title,
        artist=track.artist or "",
        album=track.album or "",
        genre=track.genre or "",
        year=track.year,
        duration_s=track.duration or 0.0,
        tempo=track.bpm,
        key=track.key or "",
        beats=_rising(found.get("beats")),
        downbeats=_rising(found.get("downbeats")),
        marks=(*marks, *_sections(found.get("sections"))),
        chords=tuple(_chords(found.get("chords"))),
        hits=tuple(_hits(found.get("drums"))),
        path=path,
        stems=tuple(stems),
    )


def _rising(value: object) -> tuple[float, ...]:
    """Return the seconds of a list that rise; one that does not, or is no number, is passed over."""
    kept: list[float] = []
    for item in value if isinstance(value, list) else ():
        at = seconds_of(item)
        if at is not None and (not kept or at > kept[-1]):
            kept.append(at)
    return tuple(kept)


def _sections(value: object) -> Iterator[Mark]:
    for item in _maps(value):
        start = seconds_of(item.get("start"))
        if start is not None:
            yield Mark("section", start, name=str(item.get("label", ""))[:120])


def _chords(value: object) -> Iterator[Chord]:
    for item in _maps(value):
        start, end = seconds_of(item.get("start")), seconds_of(item.get("end"))
        if start is not None and end is not None and end > start:
            yield Chord(start, end, str(item.get("chord", ""))[:40])


def _hits(value: object) -> Iterator[Hit]:
    for item in _maps(value):
        at, strength = seconds_of(item.get("time")), seconds_of(item.get("strength", 1.0))
        for drum in _DRUMS:
            if at is not None and item.get("drum") == drum:
                yield Hit(at, drum, 1.0 if strength is None else min(1.0, strength))


def _maps(value: object) -> Iterator[Mapping[str, Any]]:
    return (item for item in (value if isinstance(value, list) else ()) if isinstance(item, dict))
