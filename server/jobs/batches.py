"""Batches: one wish for many tracks, with one progress; paused, resumed, cancelled and tried again as one.

Owner: the event loop; every method may be called from any task. `run` is one task that tells how batches get on.
Units: progress 0 to 100.

The database counts (`refresh_batch` of the schema), whoever moves a job. A paused batch has its jobs and no messages:
what waits is not in the queue, what runs comes to its end, and what a deck needs is done all the same.
"""

import datetime
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal
from uuid import UUID

import anyio
import msgspec

from server.db import Database, Transaction
from server.errors import BadRequest, Conflict, NotFound, ServerError
from server.jobs import store
from server.jobs.job import TABLES, Job
from server.jobs.service import PRIORITY_LIVE, JobService

log = logging.getLogger(__name__)

LARGEST: Final = 1000
"""Tracks of one batch."""

TELL_S: Final = 0.25
"""How often a batch's progress is told at most."""

BatchKind = Literal["processing", "analysis"]

_SELECT: Final = (
    "SELECT b.id, b.user_id, b.title, b.status, b.total_count AS total, b.completed_count AS completed, "
    "b.failed_count AS failed, j.cancelled, j.running, j.progress, b.inserted_at, b.updated_at FROM batch_jobs b "
    "CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE m.status = 'cancelled') AS cancelled, "
    "count(*) FILTER (WHERE m.status IN ('downloading', 'processing')) AS running, "
    "coalesce(floor(avg(CASE WHEN m.status IN ('completed', 'failed', 'cancelled') THEN 100 ELSE m.progress END)), 100)"
    "::integer AS progress FROM batch_members m WHERE m.batch_job_id = b.id) j "
)


class Batch(msgspec.Struct, frozen=True):
    """Many jobs as one. `status`: pending, processing, paused, completed, failed (some did), cancelled (some were)."""

    id: UUID
    user_id: int
    title: str
    status: str
    total: int
    completed: int
    failed: int
    cancelled: int
    running: int
    progress: int
    inserted_at: datetime.datetime
    updated_at: datetime.datetime


OnBatch = Callable[[Batch], None]


class BatchService:
    """Makes and moves batches. `on_batch` hears every change; it must not block."""

    def __init__(self, db: Database, jobs: JobService, on_batch: OnBatch = lambda batch: None) -> None:
        self._db = db
        self._jobs = jobs
        self.on_batch = on_batch
        self._changed: set[UUID] = set()
        self._wake = anyio.Event()

    async def create(
        self,
        user_id: int,
        track_ids: Sequence[UUID],
        kinds: Sequence[BatchKind] = ("processing",),
        *,
        title: str = "",
        engine: str = "",
        model: str = "",
        options: Mapping[str, Any] | None = None,
        features: Sequence[str] = (),
    ) -> Batch:
        """Ask for the same work on many tracks. What waits or runs already becomes part of the batch.

        Raises NotFound (a track), BadRequest, Conflict when all of it is part of another batch, DatabaseGone.
        """
        wanted = list(dict.fromkeys(track_ids))
        if not 1 <= len(wanted) <= LARGEST or not kinds:
            raise BadRequest(f"A batch has 1 to {LARGEST} tracks and at least one kind of work.")
        columns: dict[str, dict[str, Any]] = {}
        if "processing" in kinds:
            chosen, model, asked = await self._jobs.plans.separation(user_id, engine, model, options or {})
            columns["processing"] = {"engine": chosen, "model": model, "options": asked}
        if "analysis" in kinds:
            columns["analysis"] = {"features": await self._jobs.plans.features(user_id, features)}
        async with self._db.transaction() as tx:
            owned = await tx.value("SELECT count(*) FROM tracks WHERE id = ANY($1) AND user_id = $2", wanted, user_id)
            if owned != len(wanted):
                raise NotFound("One of these tracks is not in your library.")
            batch_id = await tx.value(
                "INSERT INTO batch_jobs (user_id, title, total_count) VALUES ($1, $2, 1) RETURNING id",
                user_id, title[:200],
            )  # fmt: skip
            made: list[Job] = []
            for kind, values in columns.items():
                made += await self._fill(tx, batch_id, kind, wanted, values)
            await tx.execute("SELECT refresh_batch($1)", batch_id)
            if not await tx.value("SELECT true FROM batch_members WHERE batch_job_id = $1 LIMIT 1", batch_id):
                raise Conflict("All of this is part of another batch already.")
            batch = await self._find(tx, batch_id)
        for job in made:
            self._jobs.tell(job)
        self._tell(batch)
        return batch

    async def _fill(
        self, tx: Transaction, batch_id: UUID, kind: str, track_ids: Sequence[UUID], values: Mapping[str, Any]
    ) -> list[Job]:
        """Take in the jobs that are there and make those that are not; return those that were made."""
        table = TABLES["processing" if kind == "processing" else "analysis"]
        same = " AND ".join(f"{name} = ${number}" for number, name in enumerate(values, 2))
        is_open = f"track_id = ANY($1) AND {same} AND status IN ('queued', 'downloading', 'processing')"
        await tx.execute(
            f"UPDATE {table} SET batch_job_id = ${len(values) + 2} WHERE {is_open} AND batch_job_id IS NULL",
            track_ids, *values.values(), batch_id,
        )  # fmt: skip
        marks = ", ".join(f"${number}" for number in range(2, len(values) + 2))
        rows = await tx.rows(
            f"INSERT INTO {table} (track_id, {', '.join(values)}, batch_job_id) "
            f"SELECT id, {marks}, ${len(values) + 2} FROM unnest($1::uuid[]) WITH ORDINALITY AS t (id, place) "
            f"WHERE id NOT IN (SELECT track_id FROM {table} WHERE {is_open}) ORDER BY place RETURNING id",
            track_ids, *values.values(), batch_id,
        )  # fmt: skip
        return [await self._jobs.queue(tx, await store.find(tx, row["id"])) for row in rows]

    async def get(self, batch_id: UUID, user_id: int) -> Batch:
        """Return a batch of this user. Raises NotFound."""
        found = await self._find(self._db, batch_id)
        if found.user_id != user_id:
            raise NotFound("There is no such batch.")
        return found

    async def list(self, user_id: int, limit: int = 50) -> list[Batch]:
        """Return a user's batches, newest first."""
        return await self._db.all(
            Batch, _SELECT + "WHERE b.user_id = $1 ORDER BY b.inserted_at DESC, b.id LIMIT $2", user_id, limit
        )

    async def pause(self, batch_id: UUID, user_id: int) -> Batch:
        """Let what waits wait; what runs, and what a deck needs, goes on. Raises NotFound, Conflict when it is over."""
        async with self._db.transaction() as tx:
            await self._locked(tx, batch_id, user_id, "pending", "processing", "paused")
            await tx.execute("UPDATE batch_jobs SET status = 'paused', updated_at = now() WHERE id = $1", batch_id)
            await tx.execute(
                "DELETE FROM queue.messages q USING batch_members m WHERE m.batch_job_id = $1 "
                "AND q.subject = m.job_id::text AND m.status = 'queued' AND m.priority < $2 AND q.state = 'queued'",
                batch_id, PRIORITY_LIVE,
            )  # fmt: skip
        return await self._told(batch_id)

    async def resume(self, batch_id: UUID, user_id: int) -> Batch:
        """Go on with a paused batch. Raises NotFound, Conflict when it is not paused."""
        async with self._db.transaction() as tx:
            await self._locked(tx, batch_id, user_id, "paused")
            await tx.execute("UPDATE batch_jobs SET status = 'pending' WHERE id = $1", batch_id)
            await tx.execute("SELECT refresh_batch($1)", batch_id)
            for job_id in await self._members(tx, batch_id, "queued"):
                if not await tx.value("SELECT true FROM queue.messages WHERE subject = $1", str(job_id)):
                    await self._jobs.queue(tx, await store.find(tx, job_id))
        return await self._told(batch_id)

    async def cancel(self, batch_id: UUID, user_id: int) -> Batch:
        """Cancel every job that is not over. Raises NotFound, Conflict when none is left."""
        await self.get(batch_id, user_id)
        return await self._each(batch_id, user_id, self._jobs.cancel, "queued", "downloading", "processing")

    async def retry(self, batch_id: UUID, user_id: int) -> Batch:
        """Try again what failed; where nothing failed, what was cancelled. Raises NotFound, Conflict."""
        batch = await self.get(batch_id, user_id)
        return await self._each(batch_id, user_id, self._jobs.retry, "failed" if batch.failed else "cancelled")

    async def _each(self, batch_id: UUID, user_id: int, move: Callable[..., Any], *statuses: str) -> Batch:
        moved = 0
        for job_id in await self._members(self._db, batch_id, *statuses):
            try:
                await move(job_id, user_id)
                moved += 1
            except (Conflict, NotFound):
                continue  # it has moved by itself, or its track has gone
        if not moved:
            raise Conflict("No job of this batch is in a state for that.")
        return await self._told(batch_id)

    # -- telling -----------------------------------------------------------------------------------------------------

    def heard(self, job: Job) -> None:
        """A job has moved: tell soon how its batch gets on."""
        if job.batch_id is not None:
            self._changed.add(job.batch_id)
            self._wake.set()

    async def run(self) -> None:
        """Tell how batches get on, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            changed, self._changed = self._changed, set()
            for batch_id in changed:
                try:
                    self._tell(await self._find(self._db, batch_id))
                except NotFound:
                    continue
                except ServerError as error:  # the next job that moves tells it
                    log.debug("A batch's progress is told later: %s", error)
            await anyio.sleep(TELL_S)

    async def _told(self, batch_id: UUID) -> Batch:
        batch = await self._find(self._db, batch_id)
        self._tell(batch)
        return batch

    def _tell(self, batch: Batch) -> None:
        try:
            self.on_batch(batch)
        except Exception:
            log.exception("Somebody who listens to batches failed.")

    # -- within ------------------------------------------------------------------------------------------------------

    @staticmethod
    async def _find(db: Database | Transaction, batch_id: UUID) -> Batch:
        return await db.one(Batch, _SELECT + "WHERE b.id = $1", batch_id)

    @staticmethod
    async def _locked(tx: Transaction, batch_id: UUID, user_id: int, *statuses: str) -> None:
        status = await tx.value(
            "SELECT status FROM batch_jobs WHERE id = $1 AND user_id = $2 FOR UPDATE", batch_id, user_id
        )
        if status is None:
            raise NotFound("There is no such batch.")
        if status not in statuses:
            raise Conflict(f"The batch is {status}.")

    @staticmethod
    async def _members(db: Database | Transaction, batch_id: UUID, *statuses: str) -> Sequence[UUID]:
        rows = await db.rows(
            "SELECT job_id FROM batch_members WHERE batch_job_id = $1 AND status = ANY($2) ORDER BY job_id",
            batch_id, list(statuses),
        )  # fmt: skip
        return [row["job_id"] for row in rows]
