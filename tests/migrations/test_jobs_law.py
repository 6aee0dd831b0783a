"""The law of transitions, as the database itself enforces it on all three job tables."""

from __future__ import annotations

from uuid import UUID

import pytest

from server.db import Database, IllegalMove, JobOver, StaleVersion
from server.errors import Conflict

pytestmark = pytest.mark.anyio

TABLES = ("download_jobs", "processing_jobs", "analysis_jobs")
STATUSES = ("queued", "downloading", "processing", "completed", "failed", "cancelled")
LAWFUL = {
    "queued": {"downloading", "processing", "cancelled"},
    "downloading": {"processing", "completed", "failed", "cancelled"},
    "processing": {"completed", "failed", "cancelled"},
    "completed": set(),
    "failed": {"queued"},
    "cancelled": {"queued"},
}
WAY = {
    "queued": [],
    "downloading": ["downloading"],
    "processing": ["processing"],
    "completed": ["processing", "completed"],
    "failed": ["processing", "failed"],
    "cancelled": ["cancelled"],
}


async def _track(db: Database) -> UUID:
    user = await db.value("INSERT INTO users (email) VALUES ('a@b') ON CONFLICT DO NOTHING RETURNING id")
    user = user or await db.value("SELECT id FROM users")
    track: UUID = await db.value("INSERT INTO tracks (user_id, title) VALUES ($1, 'song') RETURNING id", user)
    return track


async def _job_at(db: Database, table: str, status: str) -> tuple[UUID, int]:
    job = await db.value(f"INSERT INTO {table} (track_id) VALUES ($1) RETURNING id", await _track(db))
    version = 1
    for step in WAY[status]:
        await _move(db, table, job, step, version)
        version += 1
    return job, version


async def _move(db: Database, table: str, job: UUID, status: str, version: int) -> None:
    await db.execute(
        f"UPDATE {table} SET status = $2, lock_version = $3 + 1, error = CASE WHEN $2 = 'failed' THEN 'why' END "
        "WHERE id = $1",
        job,
        status,
        version,
    )


@pytest.mark.parametrize("table", TABLES)
async def test_every_pair_of_statuses_is_allowed_or_refused_as_the_law_says(db: Database, table: str) -> None:
    for before in STATUSES:
        for after in STATUSES:
            if before == after:
                continue
            job, version = await _job_at(db, table, before)
            if after in LAWFUL[before]:
                await _move(db, table, job, after, version)
                expected = after
            else:
                with pytest.raises(IllegalMove):
                    await _move(db, table, job, after, version)
                expected = before
            assert await db.value(f"SELECT status FROM {table} WHERE id = $1", job) == expected


@pytest.mark.parametrize("table", TABLES)
async def test_a_move_that_has_not_seen_the_newest_version_is_refused(db: Database, table: str) -> None:
    job, version = await _job_at(db, table, "processing")
    for stale in (version - 1, version + 1):
        with pytest.raises(StaleVersion):
            await _move(db, table, job, "completed", stale)
    with pytest.raises(StaleVersion):
        await db.execute(f"UPDATE {table} SET status = 'completed' WHERE id = $1", job)
    assert await db.value(f"SELECT status FROM {table} WHERE id = $1", job) == "processing"


@pytest.mark.parametrize("table", TABLES)
async def test_a_job_can_only_be_born_queued(db: Database, table: str) -> None:
    track = await _track(db)
    for status in STATUSES[1:]:
        with pytest.raises(IllegalMove):
            await db.execute(f"INSERT INTO {table} (track_id, status, error) VALUES ($1, $2, 'x')", track, status)
    with pytest.raises(Conflict):
        job, _ = await _job_at(db, table, "queued")
        await db.execute(f"UPDATE {table} SET status = 'nonsense', lock_version = 2 WHERE id = $1", job)


@pytest.mark.parametrize("table", TABLES)
async def test_progress_moves_without_a_version_but_not_after_the_end(db: Database, table: str) -> None:
    job, version = await _job_at(db, table, "processing")
    await db.execute(f"UPDATE {table} SET progress = 40 WHERE id = $1", job)
    await db.execute(f"UPDATE {table} SET progress = 50, lock_version = lock_version + 1 WHERE id = $1", job)
    with pytest.raises(Conflict):
        await db.execute(f"UPDATE {table} SET progress = 101 WHERE id = $1", job)
    await _move(db, table, job, "cancelled", version + 1)
    with pytest.raises(JobOver):
        await db.execute(f"UPDATE {table} SET progress = 60 WHERE id = $1", job)


@pytest.mark.parametrize("table", TABLES)
async def test_a_failure_says_why_and_a_retry_starts_clean(db: Database, table: str) -> None:
    job, version = await _job_at(db, table, "processing")
    with pytest.raises(Conflict):
        await db.execute(f"UPDATE {table} SET status = 'failed', lock_version = $2 + 1 WHERE id = $1", job, version)
    await _move(db, table, job, "failed", version)
    [row] = await db.rows(f"SELECT error, started_at, finished_at FROM {table} WHERE id = $1", job)
    assert row["error"] == "why" and row["started_at"] is not None and row["finished_at"] is not None
    await _move(db, table, job, "queued", version + 1)
    [row] = await db.rows(f"SELECT error, progress, started_at, finished_at FROM {table} WHERE id = $1", job)
    assert row == {"error": None, "progress": 0, "started_at": None, "finished_at": None}


async def test_the_table_of_transitions_is_the_law(db: Database) -> None:
    rows = await db.rows("SELECT from_status, to_status FROM job_transitions")
    assert {(row["from_status"], row["to_status"]) for row in rows} == {
        (before, after) for before, afters in LAWFUL.items() for after in afters
    }
