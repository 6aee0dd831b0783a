"""A track's marks in the database: kept whole, given back, gone with the track, and nobody else's."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from server.db import Database
from server.errors import BadRequest, NotFound
from server.library.service import Library
from server.marks import NO_MARKS, Grid, HotCue, Marks

pytestmark = pytest.mark.anyio

MARKS = Marks(
    Grid((0.25, 0.75, 1.25), 2), 1.5, (HotCue(1, 2.0, None, "in", "#ff0000"), HotCue(8, 3.0, 5.5)), (0.0, 9.25)
)


async def _track(db: Database, owner: int) -> object:
    return await db.value("INSERT INTO tracks (user_id, title) VALUES ($1, 'song') RETURNING id", owner)


async def test_marks_come_back_as_they_were(library: Library, db: Database, owner: int) -> None:
    track = await _track(db, owner)
    assert await library.marks(track) == (None, NO_MARKS)
    for wanted in (MARKS, Marks(None, 0.5), NO_MARKS, MARKS):
        await library.save_marks(track, wanted)
        assert await library.marks(track) == (None, wanted)


async def test_the_grid_of_the_analysis_is_there_beside_them(library: Library, db: Database, owner: int) -> None:
    track = await _track(db, owner)
    job = await db.value("INSERT INTO analysis_jobs (track_id) VALUES ($1) RETURNING id", track)
    await db.execute(
        "INSERT INTO analysis_results (track_id, analysis_job_id, chosen, features) VALUES ($1, $2, true, $3)",
        track, job, {"beats": [0.5, 1.0, 1.5], "downbeats": [1.0]},
    )  # fmt: skip
    assert (await library.marks(track))[0] == Grid((0.5, 1.0, 1.5), 1)


async def test_marks_go_with_their_track(library: Library, db: Database, owner: int, tmp_path: Path) -> None:
    track = await _track(db, owner)
    await library.save_marks(track, MARKS)
    await library.delete(track, owner)
    assert await db.value("SELECT count(*) FROM cue_points") == await db.value("SELECT count(*) FROM beat_grids") == 0


@pytest.mark.parametrize(
    "bad",
    [
        Marks(cue_s=-1.0), Marks(cue_s=float("nan")), Marks(hotcues=(HotCue(9, 1.0),)),
        Marks(hotcues=(HotCue(1, 1.0), HotCue(1, 2.0))), Marks(hotcues=(HotCue(1, 2.0, 1.0),)),
        Marks(memory=tuple(map(float, range(40)))), Marks(Grid((1.0,))), Marks(Grid((2.0, 1.0))),
    ],
)  # fmt: skip
async def test_marks_that_cannot_be_are_refused_and_change_nothing(
    library: Library, db: Database, owner: int, bad: Marks
) -> None:
    track = await _track(db, owner)
    await library.save_marks(track, MARKS)
    with pytest.raises(BadRequest):
        await library.save_marks(track, bad)
    assert await library.marks(track) == (None, MARKS)


async def test_nobody_marks_what_is_not_theirs(library: Library, db: Database, owner: int) -> None:
    track = await _track(db, owner)
    with pytest.raises(NotFound):
        await library.put_marks(track, owner + 1, MARKS)
    with pytest.raises(NotFound):
        await library.save_marks(uuid4(), MARKS)
