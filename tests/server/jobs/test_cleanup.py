"""Cleaning up, run against jobs in every state, twice: what is open or has a result stays, whatever its age."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import anyio
import httpx2
import pytest

from server.jobs import cleanup
from server.jobs.job import TABLES, Kind
from server.jobs.transitions import FINAL, OPEN
from tests.server.http.conftest import Parts, api, clock, other, parts, upload
from tests.server.library.conftest import importer, write_wav

__all__ = ["api", "clock", "importer", "other", "parts"]
pytestmark = pytest.mark.anyio

STATES = (*OPEN, *FINAL)
KINDS: tuple[Kind, ...] = ("download", "processing", "analysis")


async def _job(parts: Parts, kind: Kind, track: UUID, status: str, days: int) -> UUID:
    """Make a job that came to a state the way jobs do, and is so many days old."""
    table = TABLES[kind]
    made: UUID = await parts.db.value(f"INSERT INTO {table} (track_id) VALUES ($1) RETURNING id", track)
    at_work = "downloading" if kind == "download" else "processing"
    way = {"queued": [], "cancelled": ["cancelled"], "failed": [at_work, "failed"], "completed": [at_work, "completed"]}
    for step in way.get(status, [status]):
        await parts.db.execute(
            f"UPDATE {table} SET status = $2, lock_version = lock_version + 1, error = CASE WHEN $2 = 'failed' "
            "THEN 'why' END WHERE id = $1", made, step,
        )  # fmt: skip
    await parts.db.execute(
        f"UPDATE {table} SET finished_at = finished_at - make_interval(days => $2) WHERE id = $1", made, days
    )
    return made


async def _jobs(parts: Parts) -> set[UUID]:
    return {row["id"] for row in await parts.db.rows("SELECT id FROM jobs")}


async def test_only_old_jobs_without_a_result_go(parts: Parts, api: httpx2.AsyncClient, tmp_path: Path) -> None:
    track = UUID((await upload(api, write_wav(tmp_path / "a.wav"))).json()["id"])
    waits: UUID = await parts.db.value("INSERT INTO tracks (user_id, title) VALUES (1, 'Waits') RETURNING id")
    stay, go = set(), set()
    for kind in KINDS:
        for status in STATES:
            if kind != "download" and status == "downloading":
                continue
            for days in (1, 40):
                made = await _job(parts, kind, track, status, days)
                (go if days == 40 and status in ("failed", "cancelled") else stay).add(made)
    stay.add(await _job(parts, "download", waits, "failed", 40))
    looked = (await api.post("/api/cleanup", json={"dry_run": True})).json()
    assert await _jobs(parts) == stay | go
    done = (await api.post("/api/cleanup", json={})).json()
    assert {**looked, "dry_run": False} == done
    assert (done["downloads"], done["separations"], done["analyses"]) == (2, 2, 2)
    assert await _jobs(parts) == stay
    again = (await api.post("/api/cleanup", json={})).json()
    assert sum(again[name] for name in ("downloads", "separations", "analyses", "batches", "messages", "files")) == 0
    assert (await api.get(f"/api/tracks/{track}/audio")).status_code == 200


async def test_dead_messages_of_jobs_that_wait_stay(parts: Parts, api: httpx2.AsyncClient, tmp_path: Path) -> None:
    track = UUID((await upload(api, write_wav(tmp_path / "a.wav"))).json()["id"])
    for status in ("queued", "failed"):
        job = await _job(parts, "analysis", track, status, 1)
        await parts.db.execute(
            "INSERT INTO queue.messages (message_id, queue, actor, subject, state, reason, payload) "
            "VALUES ($1, 'analysis', 'analyse', $1, 'dead', 'why', '')", str(job),
        )  # fmt: skip
    assert (await api.post("/api/cleanup", json={})).json()["messages"] == 1
    assert await parts.db.value("SELECT count(*) FROM queue.messages") == 1


async def test_files_that_rows_have_let_go_of_go(parts: Parts, api: httpx2.AsyncClient, tmp_path: Path) -> None:
    track = UUID((await upload(api, write_wav(tmp_path / "a.wav"))).json()["id"])
    await parts.db.execute("DELETE FROM tracks WHERE id = $1", track)
    held = await parts.db.value("SELECT count(*) FROM files")
    assert held > 0 and (await api.post("/api/cleanup", json={"dry_run": True})).json()["files"] == held
    assert (await api.post("/api/cleanup", json={})).json()["files"] == held
    assert await parts.db.value("SELECT count(*) FROM files") == 0
    assert not [path for path in (parts.library.storage.data / "library" / "tracks").rglob("*") if path.is_file()]


async def test_only_the_owner_cleans_up(parts: Parts, api: httpx2.AsyncClient, other: httpx2.AsyncClient) -> None:
    assert (await other.post("/api/cleanup", json={})).status_code == 403
    assert (await api.post("/api/cleanup", json={"days": -1})).status_code == 422


async def test_a_program_told_how_long_to_keep_jobs_cleans_up_by_itself(
    parts: Parts, api: httpx2.AsyncClient, tmp_path: Path
) -> None:
    track = UUID((await upload(api, write_wav(tmp_path / "a.wav"))).json()["id"])
    await _job(parts, "analysis", track, "failed", 40)
    young = await _job(parts, "analysis", track, "failed", 5)
    tidied = anyio.Event()
    await cleanup.retain(parts.db, 0, tidied.set)
    assert len(await _jobs(parts)) == 2, "0 keeps all, and is over at once"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cleanup.retain, parts.db, 10, tidied.set)
        with anyio.fail_after(30):
            await tidied.wait()
        tasks.cancel_scope.cancel()
    assert await _jobs(parts) == {young}
