"""What a setlist lacks to be played: tracks, stems, analysis, places in its tracks; and the jobs that bring them.

Owner: one request, or the keeper of the live setlist. The library is asked by name; no file is opened.
Units: lines count from 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec

from server.errors import NotFound
from server.library.records import Track
from server.marks import Grid, Marks
from server.practice import sections_of
from server.session.setlist import Entry, Setlist
from server.session.setlist_places import Place, TrackView, find_place
from server.session.setlist_state import Planned

OPEN = ("queued", "downloading", "processing")
"""States of a job that is not over."""


class Tracks(Protocol):
    """The library, as far as a setlist looks; `server.library.service.Library` is one."""

    async def find(self, user_id: int, name: str) -> UUID | None: ...
    async def track(self, track_id: UUID, user_id: int | None) -> Track: ...
    async def marks(self, track_id: UUID, user_id: int | None = None) -> tuple[Grid | None, Marks]: ...


class Jobs(Protocol):
    """The job service, as far as a setlist asks; `server.jobs.service.JobService` is one."""

    async def separate(self, track_id: UUID, user_id: int) -> Any: ...
    async def analyse(self, track_id: UUID, user_id: int) -> Any: ...


class Lack(msgspec.Struct, frozen=True):
    """Something an entry lacks. `what` is track, stems, analysis or place; `queued` says whether a job brings it."""

    line: int
    entry: int
    what: str
    message: str
    track_id: UUID | None = None
    queued: bool = False


async def planned(library: Tracks, user_id: int, setlist: Setlist) -> tuple[Planned, ...]:
    """Return the entries with the tracks that were found for them."""
    found = []
    for entry in setlist.entries:
        track_id = await library.find(user_id, entry.track)
        title = entry.track
        if track_id is not None:
            title = _title(await library.track(track_id, user_id))
        found.append(Planned(entry, "" if track_id is None else str(track_id), title))
    return tuple(found)


async def lacks(library: Tracks, jobs: Jobs | None, user_id: int, setlist: Setlist) -> list[Lack]:
    """Return what is missing, in the order of the set; with `jobs`, what a job can bring is queued, each once."""
    found: list[Lack] = []
    queued: set[tuple[UUID, str]] = set()
    for number, entry in enumerate(setlist.entries, start=1):
        track_id = await library.find(user_id, entry.track)
        if track_id is None:
            text = f"{entry.track!r} is not in the library: import it, or write its id or Artist - Title"
            found.append(Lack(entry.line, number, "track", text))
            continue
        try:
            track = await library.track(track_id, user_id)
            analysed, marks = await library.marks(track_id, user_id)
        except NotFound:
            continue  # it was deleted just now: the next check says so
        coming = {job.kind for job in track.jobs if job.status in OPEN}
        for what, kind, there in (
            ("stems", "processing", bool(track.stems)),
            ("analysis", "analysis", track.analysis is not None),
        ):
            if there:
                continue
            is_queued = kind in coming or (track_id, what) in queued
            if not is_queued and jobs is not None:
                await (jobs.separate if what == "stems" else jobs.analyse)(track_id, user_id)
                is_queued = True
            if is_queued:
                queued.add((track_id, what))
            text = f"{_title(track)} has no {what} yet"
            found.append(Lack(entry.line, number, what, text, track_id, is_queued))
        if track.analysis is not None:
            view = _view(track, analysed, marks)
            found += [
                Lack(entry.line, number, "place", f"{_title(track)} has no place {str(place)!r}", track_id)
                for place in _places(entry)
                if find_place(place, view) is None
            ]
    return found


def _title(track: Track) -> str:
    return f"{track.artist} - {track.title}" if track.artist else track.title


def _view(track: Track, analysed: Grid | None, marks: Marks) -> TrackView:
    features: Mapping[str, Any] = track.analysis.features if track.analysis is not None else {}
    grid = marks.grid if marks.grid is not None else analysed
    return TrackView(
        track.duration or 0.0, grid, marks.cue_s or 0.0, marks.hotcues, sections_of(features.get("sections"))
    )


def _places(entry: Entry) -> Sequence[Place]:
    ends = [loop.end for loop in entry.loops if loop.end is not None]
    return list(dict.fromkeys([entry.start, entry.end, *(loop.start for loop in entry.loops), *ends]))
