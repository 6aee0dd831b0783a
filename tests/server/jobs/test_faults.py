"""What goes wrong on the way: killed workers, a server that goes away, cancelling, failing, and trying again."""

from __future__ import annotations

import os
import signal
from collections import Counter
from uuid import UUID

import numpy as np
import pytest

from audio.flac import FlacReader
from server.db import Database
from server.errors import Conflict
from server.jobs.supervision import WorkerKeeper
from tests.server.jobs.fake_worker import STEMS, split
from tests.server.jobs.site import Site

pytestmark = pytest.mark.anyio


async def stems_are_right(site: Site, track: UUID, job: UUID) -> None:
    """Every stem of the job is on the disk as the engine makes it."""
    expected = split(site.audio[track])
    rows = await site.db.rows(
        "SELECT stem_type, file_path, options FROM stems "
        "WHERE processing_job_id = $1 AND status = 'complete' AND chosen",
        job,
    )
    assert {row["stem_type"] for row in rows} == set(STEMS)
    for row in rows:
        reader = FlacReader(site.data / row["file_path"], row["options"]["gain"])
        assert np.array_equal(reader.read(0, reader.frames).T, expected[row["stem_type"]])
        reader.close()


async def kill(site: Site, keeper: WorkerKeeper) -> None:
    """Kill the worker that separates, and wait until there is another."""
    pid = keeper.pids()["processing"]
    os.kill(pid, signal.SIGKILL)
    await site.until(lambda: keeper.pids().get("processing", pid) != pid)


async def attempts(db: Database, job: UUID) -> list[str]:
    rows = await db.rows("SELECT outcome FROM job_attempts WHERE job_id = $1 ORDER BY number", job)
    return [row["outcome"] for row in rows]


async def test_a_killed_worker_loses_nothing_and_makes_nothing_twice(site: Site) -> None:
    track = await site.add_track(seconds=4.0)
    keeper = site.keeper({"pace": 0.1, "made": str(site.data / "made")})
    site.start(keeper.run)
    job = await site.jobs.separate(track, site.user, "spectral")
    await site.until(lambda: len(site.stretches) >= 12)
    version = (await site.jobs.get(job.id)).lock_version
    await kill(site, keeper)
    done = await site.job_is(job.id, "completed", "failed")
    assert (done.status, done.attempts) == ("completed", 2)
    assert done.lock_version > version + 1
    assert await attempts(site.db, job.id) == ["lost", "completed"]
    await stems_are_right(site, track, job.id)
    made = Counter((site.data / "made").read_text().split())
    assert len(made) == 22 and sum(made.values()) <= 23, "only the stretch at hand may be made again"
    await site.until(lambda: _empty(site.db))
    assert not list((site.data / "spool" / "jobs").glob("*"))


async def test_the_server_can_go_away_in_the_middle(site: Site) -> None:
    track = await site.add_track(seconds=4.0)
    keeper = site.keeper({"pace": 0.05, "made": str(site.data / "made")})
    site.start(keeper.run)
    job = await site.jobs.separate(track, site.user, "spectral")
    for count in (8, 40):
        await site.until(lambda count=count: len(site.stretches) >= count)
        await site.unplug()
        made = (site.data / "made").read_text().count("\n")
        await site.until(lambda made=made: (site.data / "made").read_text().count("\n") > made)  # the worker works on
        await site.serve()
    done = await site.job_is(job.id, "completed", "failed")
    assert (done.status, done.attempts) == ("completed", 1)
    assert await attempts(site.db, job.id) == ["completed"]
    await stems_are_right(site, track, job.id)
    assert set(Counter((site.data / "made").read_text().split()).values()) == {1}


async def test_cancel_stops_the_worker_and_removes_what_came(site: Site) -> None:
    track = await site.add_track(seconds=6.0)
    keeper = site.keeper({"pace": 0.1, "made": str(site.data / "made")})
    site.start(keeper.run)
    job = await site.jobs.separate(track, site.user, "spectral")
    await site.until(lambda: len(site.stretches) >= 8)
    made = (site.data / "made").read_text().count("\n")
    assert (await site.jobs.cancel(job.id)).status == "cancelled"
    await site.until(lambda: _empty(site.db))
    assert (site.data / "made").read_text().count("\n") <= made + 1, "the engine stopped within the stretch at hand"
    assert not (site.data / "stems" / str(track)).exists()
    assert await site.db.value("SELECT count(*) FROM stems") == 0
    assert await site.db.value("SELECT count(*) FROM files") == 0
    assert await attempts(site.db, job.id) == ["cancelled"]
    with pytest.raises(Conflict):
        await site.jobs.cancel(job.id)
    again = await site.jobs.retry(job.id)
    assert (again.status, again.attempts) == ("queued", 0)
    site.heard.clear()
    await site.job_is(job.id, "completed")
    await stems_are_right(site, track, job.id)


async def _empty(db: Database) -> bool:
    return await db.value("SELECT count(*) FROM queue.messages") == 0


async def test_a_job_cancelled_before_it_began_never_runs(site: Site) -> None:
    track = await site.add_track()
    job = await site.jobs.separate(track, site.user, "spectral")
    await site.jobs.cancel(job.id)
    assert await _empty(site.db)


async def test_a_passing_failure_is_tried_again_and_a_lasting_one_is_told(site: Site) -> None:
    track = await site.add_track()
    (site.data / "faults").write_text("1")
    keeper = site.keeper({"faults": str(site.data / "faults")})
    site.start(keeper.run)
    job = await site.jobs.separate(track, site.user, "spectral")
    done = await site.job_is(job.id, "completed", "failed")
    assert done.status == "completed"
    assert await attempts(site.db, job.id) == ["failed", "completed"]
    assert any(heard.stage == "waiting to try again" for heard in site.heard)
    other = await site.add_track(seed=1)
    job = await site.jobs.separate(other, site.user, "spectral", options={"shifts": 9})
    failed = await site.job_is(job.id, "completed", "failed")
    assert (failed.status, failed.error) == ("failed", "The fake cannot do this track.")
    assert failed.error_code == "permanent_failure"
    assert await attempts(site.db, job.id) == ["failed"]
    await site.until(lambda: _empty(site.db))
    assert not (site.data / "stems" / str(other)).exists()


async def test_a_job_that_kills_its_worker_three_times_has_failed(site: Site) -> None:
    poison = site.data / "poison"
    poison.touch()
    track = await site.add_track()
    keeper = site.keeper({"poison": str(poison)})
    site.start(keeper.run)
    job = await site.jobs.separate(track, site.user, "spectral")
    failed = await site.job_is(job.id, "completed", "failed")
    assert failed.status == "failed" and failed.error is not None and "killed its worker three times" in failed.error
    assert (failed.error_code, failed.attempts) == ("worker_killed", 3)
    assert await attempts(site.db, job.id) == ["lost", "lost", "failed"]
    poison.unlink()
    site.heard.clear()
    await site.jobs.retry(job.id)
    await site.job_is(job.id, "completed")
    await stems_are_right(site, track, job.id)


async def test_a_removed_track_takes_its_jobs_and_files_along(site: Site) -> None:
    track = await site.add_track(seconds=6.0)
    keeper = site.keeper({"pace": 0.05})
    site.start(keeper.run)
    await site.jobs.separate(track, site.user, "spectral")
    await site.until(lambda: len(site.stretches) >= 8)
    await site.db.execute("DELETE FROM tracks WHERE id = $1", track)
    await site.until(lambda: _empty(site.db))
    await site.until(lambda: not (site.data / "stems" / str(track)).exists())


async def test_work_goes_where_the_playhead_is(site: Site) -> None:
    track = await site.add_track(seconds=12.0)
    site.jobs.focus(track, [6.0])
    keeper = site.keeper({"pace": 0.04})
    site.start(keeper.run)
    job = await site.jobs.separate(track, site.user, "spectral")
    await site.until(lambda: len(site.stretches) >= 4)
    first = site.stretches[0]
    assert first[1] <= 6 * 44100 < first[2]
    site.jobs.focus(track, [1.0])
    heard = len(site.stretches)
    await site.until(lambda: any(start <= 44100 < stop for _, start, stop in site.stretches))
    assert len(site.stretches) - heard < 40, "the work jumped with the playhead"
    await site.job_is(job.id, "completed")
    await stems_are_right(site, track, job.id)


async def test_every_database_connection_can_break_in_the_middle(site: Site) -> None:
    track = await site.add_track(seconds=5.0)
    site.start(site.keeper({"pace": 0.05}).run)
    job = await site.jobs.separate(track, site.user, "spectral")
    for count in (8, 30, 60):
        await site.until(lambda count=count: len(site.stretches) >= count)
        await site.db.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    done = await site.job_is(job.id, "completed", "failed")
    assert (done.status, done.error) == ("completed", None)
    await stems_are_right(site, track, job.id)
    await site.until(lambda: _empty(site.db))
