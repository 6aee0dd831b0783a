"""Jobs: asked for, looked at, cancelled, tried again. PostgreSQL is the truth; a row and its message are one
transaction.

Owner: the event loop; every method may be called from any task. What a request means is decided in `plans.py`, and
what crashes leave is healed by `healer.py`.
Units: positions in seconds of the track, progress 0 to 100.

Who moves a job: a user through `cancel` and `retry`, a worker through `WorkerHub` (which calls `started`, `progressed`,
`separated`, `analysed`, `downloaded`, `failed`, `stumbled`), and the healer for messages that have died in the queue.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

import anyio
import anyio.to_thread

from audio.units import MODEL_RATE
from pipeline import job_log
from pipeline.jobs import AnalyseJob, DownloadJob, SeparateJob, Work, message
from pipeline.settings import PipelineSettings
from server.db import Database, Transaction
from server.errors import BadRequest, DatabaseGone, NotFound, ServerError
from server.jobs import ledger, results, store, transitions
from server.jobs.job import Job, Kind
from server.jobs.plans import Plans
from server.jobs.receiver import OnStem, OnStretch, Reception, StemReceiver
from server.library import arrivals

log = logging.getLogger(__name__)

PROGRESS_S: Final = 0.25
"""How often a job's progress is written at most."""

GRACE_S: Final = 3.0
"""How long a worker whose connection has ended is not taken for dead: a server that was away is found again by then."""

PRIORITY_LIVE: Final = 100
"""Priority of work for a track that is on a deck: before everything that is only for the library."""

HELD_S: Final = 2.0
"""After how long a second copy of a message comes again while a worker is at the first."""

URGENT_S: Final = 0.5
"""After how long a message comes again for which something more urgent was waiting."""

_AT_WORK: Final[dict[Kind, str]] = {"download": "downloading", "processing": "processing", "analysis": "processing"}
"""The state of a job that a worker is at."""

OnJob = Callable[[Job], None]


class Unwanted(ServerError):
    """Nobody wants this work any more."""

    code = "unwanted"


class NotNow(ServerError):
    """This delivery of a message is to come again after a while, or when nothing runs beside it."""

    code = "not_now"

    def __init__(self, after_s: float, *, alone: bool = False) -> None:
        super().__init__(f"not for {after_s} s")
        self.after_s = after_s
        self.alone = alone


class Worker(Protocol):
    """A connection to the worker that runs a job. Calls never block."""

    def cancel(self, job_id: UUID, reason: str) -> None:
        """Tell it to stop."""

    def focus(self, job_id: UUID, frames: tuple[int, ...]) -> None:
        """Tell it where the playheads are."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """What downloads may do: `limit` bytes at most, whether links may lead into private networks, and what audio of
    Spotify's and video sites' links becomes (`form`, `quality`)."""

    limit: int = 2 << 30
    private: bool = False
    form: str = "best"
    quality: str = "best"


class JobService:
    """Creates and moves jobs. `on_job` hears every change, also of progress; it must not block."""

    def __init__(
        self,
        db: Database,
        data: Path,
        settings: PipelineSettings | None = None,
        *,
        on_job: OnJob | None = None,
        on_stretch: OnStretch | None = None,
        on_stem: OnStem | None = None,
    ) -> None:
        self._db = db
        self.on_job: OnJob = on_job or (lambda job: None)
        self.receiver = StemReceiver(db, data)
        if on_stretch is not None:
            self.receiver.on_stretch = on_stretch
        if on_stem is not None:
            self.receiver.on_stem = on_stem
        self.fetching = Fetching()
        self.plans = Plans(db, settings or PipelineSettings())
        self._running: dict[UUID, tuple[Job, Worker]] = {}
        self._left_at: dict[UUID, float] = {}
        self._began_at = time.monotonic()
        self._focus: dict[UUID, tuple[int, ...]] = {}
        self._told: dict[UUID, float] = {}
        self._stages: dict[UUID, str] = {}

    # -- asked for ---------------------------------------------------------------------------------------------------

    async def separate(
        self,
        track_id: UUID,
        user_id: int,
        engine: str = "",
        model: str = "",
        options: Mapping[str, Any] | None = None,
        *,
        priority: int = 0,
    ) -> Job:
        """Return a job that separates the track; one that waits or runs for the same is returned as is.

        Without an engine those of the settings are taken, and of the `options` (`pipeline.engines.choices`) those that
        are not named. Raises NotFound, BadRequest (an engine, model or option that is unknown, or runs nowhere here),
        DatabaseGone.
        """
        chosen, model, asked = await self.plans.separation(user_id, engine, model, options or {})
        async with self._db.transaction() as tx:
            await store.lock_track(tx, track_id, user_id)
            known = await tx.value(
                "SELECT id FROM processing_jobs WHERE track_id = $1 AND engine = $2 AND model = $3 AND NOT preview "
                "AND options = $4 AND status IN ('queued', 'downloading', 'processing') ORDER BY inserted_at LIMIT 1",
                track_id, chosen, model, asked,
            )  # fmt: skip
            if known is not None:
                return await self._sooner(tx, await store.find(tx, known), priority)
            job_id = await tx.value(
                "INSERT INTO processing_jobs (track_id, engine, model, options, priority) VALUES ($1, $2, $3, $4, $5) "
                "RETURNING id",
                track_id, chosen, model, asked, priority,
            )  # fmt: skip
            job = await self.queue(tx, await store.find(tx, job_id))
        self.tell(job)
        return job

    async def analyse(
        self,
        track_id: UUID,
        user_id: int,
        features: Sequence[str] = (),
        *,
        priority: int = 0,
        heard: Mapping[str, Any] | None = None,
    ) -> Job:
        """Return a job that analyses the track (everything when no feature is named). Raises like `separate`.

        `heard` says which stems to listen to and whose they are (`server/second_look.py`).
        """
        wanted = await self.plans.features(user_id, features)
        async with self._db.transaction() as tx:
            await store.lock_track(tx, track_id, user_id)
            known = await tx.value(
                "SELECT id FROM analysis_jobs WHERE track_id = $1 AND features = $2 AND options = $3 "
                "AND status IN ('queued', 'downloading', 'processing') ORDER BY inserted_at LIMIT 1",
                track_id, wanted, dict(heard or {}),
            )  # fmt: skip
            if known is not None:
                return await self._sooner(tx, await store.find(tx, known), priority)
            job_id = await tx.value(
                "INSERT INTO analysis_jobs (track_id, features, priority, options) VALUES ($1, $2, $3, $4) "
                "RETURNING id",
                track_id, wanted, priority, dict(heard or {}),
            )  # fmt: skip
            job = await self.queue(tx, await store.find(tx, job_id))
        self.tell(job)
        return job

    async def download(
        self, user_id: int, url: str, name: str, *, track_id: UUID | None = None, priority: int = 0
    ) -> tuple[UUID, Job | None]:
        """Return the track that a link makes, and the job that fetches its audio: None when the library has it.

        A link that comes again is the same track; its open job is returned as is, one that failed or was cancelled is
        tried again. `name` is what to call a new track until its file has come; with `track_id` it is for that one,
        which waits. Raises NotFound, DatabaseGone.
        """
        async with self._db.transaction() as tx:
            found = await arrivals.hold_link(tx, user_id, url)
            track_id = track_id or found
            if track_id is None:
                track_id = await arrivals.add_waiting(tx, user_id, name)
            elif await arrivals.has_audio(tx, track_id):
                return track_id, None
            await store.lock_track(tx, track_id, user_id)
            known = await store.newest_download(tx, track_id, url)
            if known is None or known.status == "completed":
                job = await self.queue(tx, await store.add_download(tx, track_id, url, priority))
            elif known.status in transitions.OPEN:
                return track_id, known
            else:
                await store.unqueue(tx, known.id)
                job = await self.queue(tx, await store.move(tx, known, "queued"))
        self.tell(job)
        return track_id, job

    async def get(self, job_id: UUID, user_id: int | None = None) -> Job:
        """Return a job; with `user_id` only one of that user's. Raises NotFound."""
        return _of_user(await store.find(self._db, job_id), user_id)

    async def list(
        self,
        user_id: int | None = None,
        *,
        track_id: UUID | None = None,
        kind: Kind | None = None,
        status: str | None = None,
        batch_id: UUID | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Job]:
        """Return jobs that fit, newest first."""
        return await store.select(self._db, user_id, track_id, kind, status, limit, offset, batch_id)

    async def cancel(self, job_id: UUID, user_id: int | None = None) -> Job:
        """Cancel a job that waits or runs; its partial output goes. Raises NotFound, Conflict when it is over."""
        async with self._db.transaction() as tx:
            job = _of_user(await store.find_locked(tx, job_id), user_id)
            job = await store.move(tx, job, "cancelled")
            await self._close(tx, job, "cancelled", None)
        await self._over(job, "cancelled")
        return job

    async def retry(self, job_id: UUID, user_id: int | None = None) -> Job:
        """Queue a failed or cancelled job again. Raises NotFound, Conflict."""
        async with self._db.transaction() as tx:
            job = _of_user(await store.find_locked(tx, job_id), user_id)
            await store.unqueue(tx, job.id)
            job = await self.queue(tx, await store.move(tx, job, "queued"))
        self.tell(job)
        return job

    def focus(self, track_id: UUID, positions_s: Sequence[float]) -> None:
        """Tell workers where the playheads of the decks that hold this track are (empty: no deck). Never blocks."""
        frames = tuple(max(0, int(position * MODEL_RATE)) for position in positions_s)
        if self._focus.get(track_id, ()) == frames:
            return
        if frames:
            self._focus[track_id] = frames
        else:
            self._focus.pop(track_id, None)
        for job, worker in self._running.values():
            if job.track_id == track_id:
                worker.focus(job.id, frames)

    def focus_of(self, track_id: UUID) -> tuple[int, ...]:
        """Return where the playheads on a track are, in frames at 44.1 kHz."""
        return self._focus.get(track_id, ())

    # -- done by workers ---------------------------------------------------------------------------------------------

    async def started(
        self, job_id: UUID, receipt: str, claim: int, name: str, worker: Worker, *, handed: bool = False,
        alone: bool = False,
    ) -> Job:  # fmt: skip
        """A worker is at the job, by the receipt of the queue, or by a message that another broker has `handed` to it.

        Raises Unwanted with the reason, NotNow, DatabaseGone.
        """
        try:
            async with self._db.transaction() as tx:
                job = await store.find_locked(tx, job_id)
                if job.status in transitions.FINAL:
                    raise Unwanted(f"The job is {job.status}.")
                verdict = await self._taken(tx, job, receipt, claim, handed, alone)
                if verdict == "go":
                    job = await self._begin(tx, job, name, f"{receipt}#{claim}")
        except NotFound:
            await self.forget(job_id)
            raise Unwanted("The track is gone.") from None
        if verdict in ("held", "urgent"):
            raise NotNow(HELD_S if verdict == "held" else URGENT_S)
        if verdict == "alone":
            raise NotNow(0.0, alone=True)
        if verdict != "go":
            raise Unwanted("The queue has given this job to somebody else, or up.")
        before = self._running.get(job_id)
        if before is not None and before[1] is not worker:
            before[1].cancel(job_id, "Another worker is at it now.")
        self._running[job_id] = (job, worker)
        self._stages.pop(job_id, None)
        self.tell(job)
        return job

    async def _taken(
        self, tx: Transaction, job: Job, receipt: str, claim: int, handed: bool, alone: bool
    ) -> ledger.Verdict:
        """Say whether whoever comes with a receipt may begin."""
        if not handed:
            return "go" if await store.holds(tx, receipt, claim) else "lost"
        lost_at = self._left_at.get(job.id, self._began_at)
        lives = job.id in self._running or time.monotonic() - lost_at < GRACE_S
        return await ledger.take(tx, job, receipt, claim, lives=lives, alone=alone)

    async def _begin(self, tx: Transaction, job: Job, name: str, receipt: str) -> Job:
        if job.status == "queued":
            job = await store.move(tx, job, _AT_WORK[job.kind])
        await store.begin_attempt(tx, job, name, receipt)
        return await store.find(tx, job.id)

    async def gave_back(self, job_id: UUID) -> None:
        """A worker that stops has given a job back to its broker. Raises DatabaseGone."""
        async with self._db.transaction() as tx:
            await ledger.release(tx, job_id)
        self._running.pop(job_id, None)

    def at_work(self) -> Sequence[str]:
        """Return the jobs that connected workers are at."""
        return [str(job_id) for job_id in self._running]

    def left(self, worker: Worker) -> None:
        """A worker's connection is gone. Its jobs wait for it, or for the queue to find that it is dead."""
        for job_id in [job_id for job_id, entry in self._running.items() if entry[1] is worker]:
            del self._running[job_id]
            self._left_at[job_id] = time.monotonic()

    def runs(self, job_id: UUID, worker: Worker) -> bool:
        """Say whether this worker is the one that runs the job."""
        entry = self._running.get(job_id)
        return entry is not None and entry[1] is worker

    async def exists(self, job_id: UUID) -> bool:
        """Say whether a job is in its table. A track that was removed has taken its jobs along."""
        try:
            await store.find(self._db, job_id)
        except NotFound:
            return False
        except DatabaseGone:
            return True
        return True

    async def forget(self, job_id: UUID) -> None:
        """Take away what a job that is in no table any more has left in the queue. Raises DatabaseGone."""
        async with self._db.transaction() as tx:
            await store.unqueue(tx, job_id)

    async def progressed(self, job: Job, percent: int, stage: str) -> None:
        """Note how far a job is, now and then. Raises DatabaseGone."""
        if stage and self._stages.get(job.id) != stage:
            self._stages[job.id] = stage
            await store.add_stage(self._db, job, stage[:100])
        now = time.monotonic()
        if now - self._told.get(job.id, 0.0) < PROGRESS_S:
            return
        self._told[job.id] = now
        if await store.note(self._db, job, percent, stage[:100]):
            self.tell(await store.find(self._db, job.id))

    async def noted(self, job: Job, about: Mapping[str, Any], lines: Sequence[str]) -> None:
        """Keep what a worker says of its attempt. Raises DatabaseGone."""
        await store.add_note(self._db, job, about, [line.replace("\0", "")[: job_log.LONGEST] for line in lines])

    async def separated(self, job_id: UUID, reception: Reception, data: Mapping[str, Any]) -> Job:
        """All stems are here: choose them and complete the job. Raises BadRequest when one is missing, IllegalMove."""
        async with self._db.transaction() as tx:
            job = await store.find_locked(tx, job_id)
            if job.status == "completed":
                return job
            named, rows = data.get("stems"), await store.stems(tx, job_id)
            whole = {row.stem_type: row.sealed for row in rows if row.sealed is not None}
            if not isinstance(named, list) or set(named) != set(whole) or len(rows) != len(whole) or not whole:
                raise BadRequest(
                    f"The stems that came ({', '.join(sorted(whole)) or 'none'}) are not those of the result."
                )
            for row in rows:
                await store.complete_stem(tx, row.id, whole[row.stem_type])
            if not (job.options.get("preview") and await store.has_chosen(tx, job)):
                await store.choose_stems(tx, job)
            job = await store.move(tx, job, "completed")
            await store.end_attempts(tx, job, "completed")
            await store.unqueue(tx, job.id)
        self.receiver.completed(reception)
        await self._over(job, None)
        return job

    async def analysed(self, job_id: UUID, data: Mapping[str, Any]) -> Job:
        """Write what was found and complete the job. Raises BadRequest for what is no analysis, IllegalMove."""
        scalars, features = await anyio.to_thread.run_sync(results.checked, data)
        async with self._db.transaction() as tx:
            job = await store.find_locked(tx, job_id)
            if job.status == "completed":
                return job
            await store.add_analysis(tx, job, scalars, features)
            job = await store.move(tx, await store.find(tx, job_id), "completed")
            await store.end_attempts(tx, job, "completed")
            await store.unqueue(tx, job.id)
        await self._over(job, None)
        return job

    async def downloaded(self, job_id: UUID) -> Job:
        """Complete a download whose audio the library has. Raises BadRequest when it has none, IllegalMove."""
        async with self._db.transaction() as tx:
            job = await store.find_locked(tx, job_id)
            if job.status == "completed":
                return job
            if not await store.note_size(tx, job):
                raise BadRequest("The audio of this download was not handed over.")
            job = await store.move(tx, job, "completed")
            await store.end_attempts(tx, job, "completed")
            await store.unqueue(tx, job.id)
        await self._over(job, None)
        return job

    async def failed(self, job_id: UUID, why: str, code: str = "failed") -> Job:
        """The job has failed for good. One that is over already stays as it is."""
        async with self._db.transaction() as tx:
            job = await store.find_locked(tx, job_id)
            if job.status in transitions.FINAL:
                return job
            if job.status == "queued":  # it died before anybody could say that it had begun
                job = await store.move(tx, job, _AT_WORK[job.kind])
            job = await store.move(tx, job, "failed", why[:2000], code)
            await self._close(tx, job, "failed", why[:2000])
        await self._over(job, why)
        return job

    async def stumbled(self, job_id: UUID, why: str) -> None:
        """An attempt failed of something that may pass; the queue brings the job back, or gives up on it."""
        async with self._db.transaction() as tx:
            job = await store.find_locked(tx, job_id)
            if job.status in transitions.FINAL:
                return
            await store.end_attempts(tx, job, "failed", why[:2000])
            await ledger.release(tx, job_id)
            await store.note(tx, job, job.progress, "waiting to try again")
            job = await store.find(tx, job_id)
        self._running.pop(job_id, None)
        self._stages.pop(job_id, None)
        self.tell(job)

    # -- within ------------------------------------------------------------------------------------------------------

    async def queue(self, tx: Transaction, job: Job) -> Job:
        """Put the message of a job that is queued; its number is the job's version, so that each is another one.

        One of a paused batch waits without a message, unless a deck needs it.
        """
        waits = job.batch_id is not None and job.priority < PRIORITY_LIVE and await store.is_paused(tx, job.batch_id)
        if not waits:
            url = await store.url_of(tx, job) if job.kind == "download" else ""
            work = _work(job, url, self.fetching)
            await store.put(tx, message(work, job.lock_version), job.priority, job.user_id)
        return job

    async def _sooner(self, tx: Transaction, job: Job, priority: int) -> Job:
        """Return a job that is there already, done sooner where it is asked for more urgently now."""
        if priority <= job.priority:
            return job
        job = await store.hurry(tx, job, priority)
        return await self.queue(tx, job) if job.status == "queued" else job

    async def _close(self, tx: Transaction, job: Job, outcome: str, error: str | None) -> None:
        """Take away what a job that ends without a result has left in the database."""
        await store.unqueue(tx, job.id)
        await store.end_attempts(tx, job, outcome, error)
        if job.kind == "processing":
            await store.drop_stems(tx, job.id)

    async def _over(self, job: Job, cancelled: str | None) -> None:
        """Tell everybody that a job is over, and remove the files of one that gave no result."""
        entry = self._running.pop(job.id, None)
        self._left_at.pop(job.id, None)
        self._told.pop(job.id, None)
        self._stages.pop(job.id, None)
        if entry is not None and job.status == "cancelled":
            entry[1].cancel(job.id, cancelled or "cancelled")
        self.tell(job)
        if job.kind == "processing" and job.status != "completed":
            await self.receiver.discard(job)

    def tell(self, job: Job) -> None:
        """Let everybody know how a job is now."""
        try:
            self.on_job(job)
        except Exception:
            log.exception("Somebody who listens to jobs failed.")


def _of_user(job: Job, user_id: int | None) -> Job:
    if user_id is not None and job.user_id != user_id:
        raise NotFound("There is no such job.")
    return job


def _work(job: Job, url: str, fetching: Fetching) -> Work:
    if job.kind == "processing":
        assert job.engine is not None
        return SeparateJob(str(job.id), str(job.track_id), job.engine, job.model or "", job.options)
    if job.kind == "analysis":
        return AnalyseJob(
            str(job.id), str(job.track_id), tuple(job.features or ()), tuple(job.options.get("stems", ()))
        )
    how = fetching.limit, fetching.private, fetching.form, fetching.quality
    return DownloadJob(str(job.id), str(job.track_id), url, *how)
