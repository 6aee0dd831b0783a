"""Batches: one progress whoever moves a job, pause and resume, cancel, retry, decks first, users in turns."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from server.errors import BadRequest, Conflict, NotFound
from server.jobs import store
from server.jobs.batches import Batch, BatchService
from server.jobs.service import PRIORITY_LIVE
from tests.server.jobs.site import Site

pytestmark = pytest.mark.anyio


async def tracks(site: Site, count: int, user: int | None = None) -> list[UUID]:
    rows = await site.db.rows(
        "INSERT INTO tracks (user_id, title) SELECT $1, 'song ' || n FROM generate_series(1, $2::int) n RETURNING id",
        user or site.user, count,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def waiting(site: Site) -> list[str]:
    """What the queue would give out, in order."""
    rows = await site.db.rows("SELECT subject FROM queue.messages WHERE state = 'queued' ORDER BY seq")
    return [row["subject"] for row in rows]


async def claim(site: Site, queue: str = "processing") -> UUID:
    """Take the next message, as a worker does; return the job it is about."""
    async with site.db.transaction() as tx:
        await tx.value("SELECT set_config('queue.worker', '1', true)")
        found = await tx.value("SELECT message_id FROM queue.claim($1, true)", queue)
        subject = await tx.value("DELETE FROM queue.messages WHERE message_id = $1 RETURNING subject", found)
    return UUID(subject)


async def finish(site: Site, job_id: UUID, status: str = "completed") -> None:
    async with site.db.transaction() as tx:
        job = await store.find_locked(tx, job_id)
        if job.status == "queued":
            job = await store.move(tx, job, "processing")
        await store.move(tx, job, status, "why" if status == "failed" else None)


async def members(site: Site, batch: Batch) -> list[UUID]:
    return [job.id for job in await site.jobs.list(site.user, batch_id=batch.id, limit=500)]


async def test_a_batch_counts_its_jobs_whoever_moves_them(site: Site) -> None:
    told: list[Batch] = []
    batches = BatchService(site.db, site.jobs, told.append)
    batch = await batches.create(site.user, await tracks(site, 4), title="Set one", engine="spectral")
    assert (batch.status, batch.total, batch.progress, batch.title) == ("pending", 4, 0, "Set one")
    jobs = await members(site, batch)
    assert sorted(await waiting(site)) == sorted(map(str, jobs))
    await finish(site, jobs[0])
    await finish(site, jobs[1], "failed")
    now = await batches.get(batch.id, site.user)
    assert (now.status, now.completed, now.failed, now.progress) == ("processing", 1, 1, 50)
    await site.db.execute("DELETE FROM tracks WHERE id = (SELECT track_id FROM jobs WHERE id = $1)", jobs[2])
    await finish(site, jobs[3])
    over = await batches.get(batch.id, site.user)
    assert (over.status, over.total, over.completed, over.failed, over.progress) == ("failed", 3, 2, 1, 100)
    again = await batches.retry(batch.id, site.user)
    assert (again.status, again.failed) == ("processing", 0)
    await finish(site, jobs[1])
    assert (await batches.get(batch.id, site.user)).status == "completed"
    with pytest.raises(Conflict):
        await batches.retry(batch.id, site.user)
    assert [one.id for one in await batches.list(site.user)] == [batch.id]
    assert told[-1].status == "processing"


async def test_a_paused_batch_waits_outside_the_queue_but_for_what_a_deck_needs(site: Site) -> None:
    batches = BatchService(site.db, site.jobs)
    made = await tracks(site, 4)
    batch = await batches.create(site.user, made, engine="spectral")
    running = await claim(site)
    async with site.db.transaction() as tx:
        await store.move(tx, await store.find_locked(tx, running), "processing")
    assert (await batches.pause(batch.id, site.user)).status == "paused"
    assert await waiting(site) == []
    await finish(site, running)
    assert (await batches.get(batch.id, site.user)).status == "paused"
    others = [job for job in await members(site, batch) if job != running]
    job = await site.jobs.cancel(others[0])
    await site.jobs.retry(job.id, site.user)
    assert await waiting(site) == [], "tried again, it waits with the others"
    await site.db.execute("ALTER TABLE processing_jobs DISABLE TRIGGER USER")
    await site.db.execute("UPDATE processing_jobs SET updated_at = now() - interval '1 hour'")
    await site.db.execute("ALTER TABLE processing_jobs ENABLE TRIGGER USER")
    assert await store.orphans(site.db) == [], "and nobody takes it for lost"
    on_deck = next(one.track_id for one in await site.jobs.list(site.user) if one.status == "queued")
    urgent = await site.jobs.separate(on_deck, site.user, "spectral", priority=PRIORITY_LIVE)
    assert urgent.batch_id == batch.id and await waiting(site) == [str(urgent.id)]
    assert (await batches.pause(batch.id, site.user)).status == "paused"
    assert await waiting(site) == [str(urgent.id)]
    resumed = await batches.resume(batch.id, site.user)
    assert resumed.status == "processing" and len(await waiting(site)) == 3
    assert await claim(site) == urgent.id, "what is on a deck comes first"
    with pytest.raises(Conflict, match="The batch is processing"):
        await batches.resume(batch.id, site.user)


@pytest.mark.parametrize("paused", [False, True])
async def test_cancelling_ends_what_is_left_at_any_point(site: Site, paused: bool) -> None:
    batches = BatchService(site.db, site.jobs)
    batch = await batches.create(site.user, await tracks(site, 3), ("processing", "analysis"), engine="spectral")
    assert batch.total == 6
    await finish(site, await claim(site))
    if paused:
        await batches.pause(batch.id, site.user)
    over = await batches.cancel(batch.id, site.user)
    assert (over.status, over.completed, over.cancelled, over.progress) == ("cancelled", 1, 5, 100)
    assert await waiting(site) == []
    for move in (batches.cancel, batches.pause, batches.resume):
        with pytest.raises(Conflict):
            await move(batch.id, site.user)
    assert (await batches.retry(batch.id, site.user)).status == "processing"
    assert len(await waiting(site)) == 5


async def test_what_waits_already_becomes_part_of_the_batch_and_nothing_is_done_twice(site: Site) -> None:
    batches = BatchService(site.db, site.jobs)
    made = await tracks(site, 3)
    single = await site.jobs.separate(made[1], site.user, "spectral")
    batch = await batches.create(site.user, [*made, made[0]], engine="spectral")
    assert batch.total == 3 and single.id in await members(site, batch)
    assert len(await waiting(site)) == 3
    with pytest.raises(Conflict, match="another batch"):
        await batches.create(site.user, made, engine="spectral")
    assert len(await batches.list(site.user)) == 1
    other = await batches.create(site.user, made, engine="spectral", options={"overlap": 0.5})
    assert other.total == 3 and len(await waiting(site)) == 6


async def test_users_are_served_in_turns_and_decks_before_all(site: Site) -> None:
    batches = BatchService(site.db, site.jobs)
    second = await site.db.value("INSERT INTO users (email) VALUES ('c@d') RETURNING id")
    many = await batches.create(site.user, await tracks(site, 6), engine="spectral")
    first = [await claim(site), await claim(site)]
    theirs = await batches.create(second, await tracks(site, 2, second), engine="spectral")
    live = await site.jobs.separate((await tracks(site, 1))[0], site.user, "spectral", priority=PRIORITY_LIVE)
    assert await claim(site) == live.id
    order = [(await site.jobs.get(await claim(site))).user_id for _ in range(6)]
    assert order == [site.user, second, site.user, second, site.user, site.user]
    assert len(first) == 2 and (many.total, theirs.total) == (6, 2)


async def test_a_batch_is_refused_whole(site: Site) -> None:
    batches = BatchService(site.db, site.jobs)
    second = await site.db.value("INSERT INTO users (email) VALUES ('c@d') RETURNING id")
    made = await tracks(site, 2)
    for refused, error in (
        (batches.create(second, made), NotFound), (batches.create(site.user, [*made, uuid4()]), NotFound),
        (batches.create(site.user, []), BadRequest), (batches.create(site.user, made, ()), BadRequest),
        (batches.create(site.user, made, engine="best"), BadRequest),
        (batches.create(site.user, made, options={"loud": True}), BadRequest),
        (batches.create(site.user, made, ("analysis",), features=["mood"]), BadRequest),
        (batches.create(site.user, [uuid4() for _ in range(1001)]), BadRequest),
    ):  # fmt: skip
        with pytest.raises(error):
            await refused
    assert await site.db.value("SELECT count(*) FROM batch_jobs") == 0 and await waiting(site) == []
    batch = await batches.create(site.user, made, engine="spectral")
    for stranger in (batches.get, batches.pause, batches.resume, batches.cancel, batches.retry):
        with pytest.raises(NotFound):
            await stranger(batch.id, second)


async def test_workers_work_a_batch_off_and_its_progress_is_told(site: Site) -> None:
    told: list[Batch] = []
    batches = BatchService(site.db, site.jobs, told.append)
    heard = site.jobs.on_job
    site.jobs.on_job = lambda job: (heard(job), batches.heard(job))[0]
    site.start(batches.run)
    made = [await site.add_track(seconds=0.3, seed=seed) for seed in range(3)]
    site.start(site.keeper({"pace": 0}).run)
    batch = await batches.create(site.user, made, engine="spectral")
    await site.until(lambda: told[-1].status == "completed")
    assert (told[-1].id, told[-1].completed, told[-1].progress) == (batch.id, 3, 100)
    assert [one.progress for one in told] == sorted(one.progress for one in told)
