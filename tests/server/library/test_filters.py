"""Which tracks are listed: by tempo, key and its neighbours, energy, stems, genre."""

from __future__ import annotations

from uuid import UUID

import pytest

from server.db import Database
from server.errors import BadRequest
from server.library.filters import Filter
from server.library.service import Library

pytestmark = pytest.mark.anyio

SONGS = {
    "one": (120.0, "A minor", 0.2, "House"),
    "two": (126.0, "E minor", 0.5, "house"),
    "three": (126.5, "C major", 0.8, "Techno"),
    "four": (174.0, "F# major", 0.9, None),
    "five": (None, None, None, "50% _Jazz"),
}


async def _fill(db: Database, owner: int) -> dict[str, UUID]:
    ids: dict[str, UUID] = {}
    for title, (tempo, key, energy, genre) in SONGS.items():
        ids[title] = await db.value(
            "INSERT INTO tracks (user_id, title, genre) VALUES ($1, $2, $3) RETURNING id", owner, title, genre
        )
        if tempo is None:
            continue
        job = await db.value("INSERT INTO analysis_jobs (track_id) VALUES ($1) RETURNING id", ids[title])
        await db.execute(
            "INSERT INTO analysis_results (track_id, analysis_job_id, chosen, tempo, key, energy) "
            "VALUES ($1, $2, true, $3, $4, $5)", ids[title], job, tempo, key, energy,
        )  # fmt: skip
    return ids


@pytest.mark.parametrize(
    ("only", "found"),
    [
        (Filter(), "one two three four five"),
        (Filter(tempo_min=120.0, tempo_max=126.0), "one two"),
        (Filter(tempo_max=126.0), "one two"),
        (Filter(tempo_min=127.0), "four"),
        (Filter(key="8A"), "one"),
        (Filter(key="8a", near=True), "one two three"),
        (Filter(key="A minor", near=True), "one two three"),
        (Filter(key="C major", near=True), "one three"),
        (Filter(key="Gb major"), "four"),
        (Filter(energy_min=0.5), "two three four"),
        (Filter(energy_min=0.5, energy_max=0.8), "two three"),
        (Filter(genre=" HOUSE "), "one two"),
        (Filter(genre="50% _Jazz"), "five"),
        (Filter(genre="%"), ""),
        (Filter(stems=True), ""),
        (Filter(stems=False, tempo_min=126.2, tempo_max=130.0), "three"),
    ],
)
async def test_only_what_was_asked_for_is_listed(
    library: Library, owner: int, db: Database, only: Filter, found: str
) -> None:
    await _fill(db, owner)
    page = await library.tracks(owner, sort="inserted_at", only=only)
    assert sorted(track.title for track in page.tracks) == sorted(found.split()) and page.total == len(page.tracks)


async def test_pages_of_a_filtered_list_hold_it_once(library: Library, owner: int, db: Database) -> None:
    await _fill(db, owner)
    titles, cursor = [], ""
    while True:
        page = await library.tracks(owner, sort="-energy", q="e", only=Filter(tempo_min=1.0), limit=1, cursor=cursor)
        titles += [track.title for track in page.tracks]
        if page.cursor is None:
            break
        cursor = page.cursor
    assert titles == ["three", "one"]


@pytest.mark.parametrize("only", [Filter(key="13A"), Filter(key="H dur"), Filter(tempo_min=float("nan"))])
async def test_what_cannot_be_asked_for_is_refused(library: Library, owner: int, only: Filter) -> None:
    with pytest.raises(BadRequest):
        await library.tracks(owner, only=only)


async def test_genres_are_counted_however_they_are_written(library: Library, owner: int, db: Database) -> None:
    await _fill(db, owner)
    genres = await library.genres(owner)
    assert [(genre.name.lower(), genre.tracks) for genre in genres] == [("house", 2), ("50% _jazz", 1), ("techno", 1)]
    assert await library.genres(owner + 1) == []
