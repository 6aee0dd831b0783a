"""Practice in the database: how a song was left, and a log of passes that adds up."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from server.db import Database
from server.errors import BadRequest, NotFound
from server.library.service import Library
from server.practice import Pass, Practice, Rehearsal, Section

pytestmark = pytest.mark.anyio

LEFT = Practice({"rate": 0.8, "click": 1, "click/divide": "2", "stem/bass/mutes": "10-12"}, 33.25)
CHORUS = Pass(24.0, 40.0, 0.8, "chorus")


async def _track(db: Database, owner: int) -> UUID:
    found = await db.value("INSERT INTO tracks (user_id, title) VALUES ($1, 'song') RETURNING id", owner)
    assert isinstance(found, UUID)
    return found


async def test_a_song_is_given_back_as_it_was_left(library: Library, db: Database, owner: int) -> None:
    track = await _track(db, owner)
    assert await library.rehearsal(track) == Rehearsal() and await library.practice(track, owner) is None
    for left in (LEFT, Practice({}, 0.0), LEFT):
        await library.save_practice(track, left)
        assert (await library.rehearsal(track)).practice == left == await library.practice(track, owner)
    assert await db.value("SELECT count(*) FROM practice_states") == 1


async def test_the_sections_of_the_chosen_analysis_are_there(library: Library, db: Database, owner: int) -> None:
    track = await _track(db, owner)
    job = await db.value("INSERT INTO analysis_jobs (track_id) VALUES ($1) RETURNING id", track)
    sections = [{"start": 0.0, "end": 8.0, "label": "intro"}, {"start": "x"}, {"start": 8.0, "end": 2.0}]
    await db.execute(
        "INSERT INTO analysis_results (track_id, analysis_job_id, chosen, features) VALUES ($1, $2, true, $3)",
        track, job, {"sections": sections},
    )  # fmt: skip
    assert (await library.rehearsal(track)).sections == (Section(0.0, 8.0, "intro"),)


async def test_passes_of_one_loop_at_one_speed_are_one_entry(library: Library, db: Database, owner: int) -> None:
    track = await _track(db, owner)
    for made in (CHORUS, CHORUS, Pass(24.0, 40.0, 0.85, "chorus"), Pass(0.5, 4.5, 1.0)):
        await library.log_pass(track, made, clean=False)
    await library.log_pass(track, Pass(0.5, 4.5, 1.0), clean=True)
    await library.log_pass(track, Pass(0.5, 4.5, 1.0), clean=False)
    log, progress = await library.practice_log(track, owner, 100)
    assert [(e.section, e.start, e.rate, e.passes, e.clean) for e in log] == [
        ("", 0.5, 1.0, 2, 1), ("chorus", 24.0, 0.85, 1, 0), ("chorus", 24.0, 0.8, 2, 0),
    ]  # fmt: skip
    assert all(entry.began_at <= entry.ended_at for entry in log)
    assert [(p.section, p.passes, p.clean, p.fastest, p.fastest_clean, p.last) for p in progress] == [
        ("", 2, 1, 1.0, 1.0, 1.0), ("chorus", 3, 0, 0.85, None, 0.85),
    ]  # fmt: skip
    assert progress[1].seconds == pytest.approx(2 * 16 / 0.8 + 16 / 0.85)
    assert len((await library.practice_log(track, owner, 1))[0]) == 1


async def test_after_a_break_passes_are_another_entry(library: Library, db: Database, owner: int) -> None:
    track = await _track(db, owner)
    await library.log_pass(track, CHORUS, clean=False)
    await db.execute("UPDATE practice_log SET ended_at = now() - interval '11 minutes'")
    await library.log_pass(track, CHORUS, clean=False)
    assert [entry.passes for entry in (await library.practice_log(track, owner, 9))[0]] == [1, 1]


async def test_practice_goes_with_its_track_and_is_nobody_elses(library: Library, db: Database, owner: int) -> None:
    track = await _track(db, owner)
    await library.save_practice(track, LEFT)
    await library.log_pass(track, CHORUS, clean=False)
    other = await db.value("INSERT INTO users (email) VALUES ('b@example.com') RETURNING id")
    for asked in (library.practice(track, other), library.practice_log(track, other, 9)):
        with pytest.raises(NotFound):
            await asked
    await library.delete(track, owner)
    assert (
        await db.value("SELECT count(*) FROM practice_states")
        == await db.value("SELECT count(*) FROM practice_log")
        == 0
    )


@pytest.mark.parametrize(
    "bad", [Pass(4.0, 4.0, 1.0), Pass(-1.0, 4.0, 1.0), Pass(1.0, 4.0, 0.0), Pass(1.0, float("inf"), 1.0)]
)
async def test_a_pass_that_cannot_be_is_refused(library: Library, db: Database, owner: int, bad: Pass) -> None:
    track = await _track(db, owner)
    with pytest.raises(BadRequest):
        await library.log_pass(track, bad, clean=False)
    with pytest.raises(BadRequest):
        await library.save_practice(track, Practice({}, float("nan")))
    with pytest.raises(NotFound):
        await library.log_pass(uuid4(), CHORUS, clean=False)
    assert (await library.practice_log(track, owner, 9)) == ([], [])
