"""The SQL of jobs: every statement on job rows, attempts, stems in the making and the queue, inside somebody's
transaction.

Owner: whoever holds the transaction; `JobService` and `StemReceiver` do.
Units: ranges in frames at the stem's rate.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from pipeline.jobs import QueueMessage
from pipeline.pcm import Ranges
from server.db import Queries, Transaction
from server.errors import NotFound
from server.jobs import results, transitions
from server.jobs.job import ATTEMPT_COLUMNS, COLUMNS, SOURCE, TABLES, Job, Kind

_STEM: Final = "id, stem_type, status, file_path, frames, sample_rate, ranges, options"
_FROM: Final = f"FROM {SOURCE}"


class DeadLetter(msgspec.Struct, frozen=True):
    """A message that nobody will deliver any more."""

    message_id: str
    subject: str | None
    reason: str
    deaths: int


class Sealed(msgspec.Struct, frozen=True):
    """A stem that lies whole in a FLAC while its job has not completed. `path` is relative to the data folder."""

    path: str
    size: int
    sha256: str
    gain: float


class StemRow(msgspec.Struct, frozen=True):
    """A stem of a job: arriving as raw PCM in `file_path`, or complete as FLAC."""

    id: UUID
    stem_type: str
    status: str
    file_path: str
    frames: int
    sample_rate: int
    ranges: list[tuple[int, int]]
    options: dict[str, Any]

    @property
    def sealed(self) -> "Sealed | None":
        """What the stem becomes when its job completes; None while it is still arriving."""
        found = self.options.get("sealed")
        return None if found is None else msgspec.convert(found, Sealed)


class ArrivingStem(msgspec.Struct, frozen=True):
    """What has come of a stem whose separation is not over."""

    track_id: UUID
    job_id: UUID
    stem_type: str
    ranges: list[tuple[int, int]]


async def find(db: Queries, job_id: UUID) -> Job:
    """Return a job. Raises NotFound."""
    return await db.one(Job, f"SELECT {COLUMNS} {_FROM} WHERE j.id = $1", job_id)


async def find_locked(tx: Transaction, job_id: UUID) -> Job:
    """Return a job that nobody else can change until the transaction ends. Raises NotFound."""
    for table in TABLES.values():
        if await tx.value(f"SELECT true FROM {table} WHERE id = $1 FOR UPDATE", job_id):
            return await find(tx, job_id)
    raise NotFound("There is no such job.")


async def select(
    db: Queries,
    user_id: int | None,
    track_id: UUID | None,
    kind: Kind | None,
    status: str | None,
    limit: int,
    offset: int,
    batch_id: UUID | None = None,
) -> list[Job]:
    """Return jobs that fit, newest first; None fits everything."""
    return await db.all(
        Job,
        f"SELECT {COLUMNS} {_FROM} WHERE ($1::bigint IS NULL OR t.user_id = $1) "
        "AND ($2::uuid IS NULL OR j.track_id = $2) "
        "AND ($3::text IS NULL OR j.kind = $3) AND ($4::text IS NULL OR j.status = $4) "
        "AND ($7::uuid IS NULL OR coalesce(p.batch_job_id, a.batch_job_id) = $7) "
        "ORDER BY j.inserted_at DESC, j.id LIMIT $5 OFFSET $6",
        user_id, track_id, kind, status, limit, offset, batch_id,
    )  # fmt: skip


async def lock_track(tx: Transaction, track_id: UUID, user_id: int) -> None:
    """Keep others from asking for work on the same track at the same time. Raises NotFound."""
    found = await tx.value(
        "SELECT true FROM tracks WHERE id = $1 AND user_id = $2 FOR NO KEY UPDATE", track_id, user_id
    )
    if not found:
        raise NotFound("There is no such track.")


async def move(tx: Transaction, job: Job, status: str, error: str | None = None, code: str | None = None) -> Job:
    """Take a job to another state. Raises IllegalMove, StaleVersion."""
    transitions.check(job.status, status)
    await tx.execute(
        f"UPDATE {TABLES[job.kind]} SET status = $2, lock_version = $3 + 1, error = $4, error_code = $5, stage = '' "
        "WHERE id = $1",
        job.id, status, job.lock_version, error, code,
    )  # fmt: skip
    return await find(tx, job.id)


async def note(db: Queries, job: Job, percent: int, stage: str) -> int:
    """Write progress, which never makes a version; return 0 when the job is not being worked on any more."""
    return await db.execute(
        f"UPDATE {TABLES[job.kind]} SET progress = $2, stage = $3 "
        "WHERE id = $1 AND status IN ('downloading', 'processing')",
        job.id, percent, stage,
    )  # fmt: skip


async def put(tx: Transaction, message: QueueMessage, priority: int, owner: int | None = None) -> None:
    """Put a message in the queue; users (`owner`) are served in turns."""
    await tx.execute(
        "SELECT queue.put($1, $2, $3, $4, $5, 0, $6, $7)",
        message.message_id, message.queue, message.actor, message.payload, priority, message.subject, owner,
    )  # fmt: skip


async def is_paused(tx: Transaction, batch_id: UUID) -> bool:
    """Say whether a batch is paused, which it or its going on then stays until the transaction ends."""
    return bool(await tx.value("SELECT status = 'paused' FROM batch_jobs WHERE id = $1 FOR SHARE", batch_id))


async def hurry(tx: Transaction, job: Job, priority: int) -> Job:
    """Let a job that waits be done sooner."""
    await tx.execute(f"UPDATE {TABLES[job.kind]} SET priority = $2 WHERE id = $1", job.id, priority)
    await tx.execute(
        "UPDATE queue.messages SET priority = $2 WHERE subject = $1 AND state = 'queued'", str(job.id), priority
    )
    return await find(tx, job.id)


async def unqueue(tx: Transaction, job_id: UUID) -> None:
    """Take away what waits in the queue for a job."""
    await tx.execute("SELECT queue.drop($1)", str(job_id))


async def holds(db: Queries, message: str, claim: int) -> bool:
    """Say whether a worker's receipt for a message is still good."""
    return bool(await db.value("SELECT queue.holds($1, $2)", message, claim))


async def dead_letters(db: Queries) -> list[DeadLetter]:
    """Return the messages that have died and whose jobs do not know it yet."""
    return await db.all(
        DeadLetter,
        "SELECT m.message_id, m.subject, m.reason, m.deaths FROM queue.messages m "
        "JOIN jobs j ON j.id::text = m.subject "
        "WHERE m.state = 'dead' AND NOT (SELECT final FROM job_statuses s WHERE s.status = j.status) ORDER BY m.seq",
    )


async def orphans(db: Queries) -> list[Job]:
    """Return open jobs that no message is about. There should be none; a lost one would wait for ever."""
    return await db.all(
        Job,
        f"SELECT {COLUMNS} {_FROM} WHERE j.status IN ('queued', 'downloading', 'processing') "
        "AND j.updated_at < now() - interval '30 seconds' "
        "AND NOT EXISTS (SELECT FROM batch_jobs b WHERE b.id = coalesce(p.batch_job_id, a.batch_job_id) "
        "AND b.status = 'paused') "
        "AND NOT EXISTS (SELECT FROM queue.messages m WHERE m.subject = j.id::text)",
    )


# -- downloads --------------------------------------------------------------------------------------------------------


async def add_download(tx: Transaction, track_id: UUID, url: str, priority: int) -> Job:
    """Make the row of a download."""
    made = await tx.value(
        "INSERT INTO download_jobs (track_id, url, priority) VALUES ($1, $2, $3) RETURNING id", track_id, url, priority
    )
    return await find(tx, made)


async def newest_download(tx: Transaction, track_id: UUID, url: str) -> Job | None:
    """Return the newest download of a link for a track, held until the transaction ends."""
    found = await tx.value(
        "SELECT id FROM download_jobs WHERE track_id = $1 AND url = $2 ORDER BY inserted_at DESC LIMIT 1", track_id, url
    )
    return None if found is None else await find_locked(tx, found)


async def url_of(db: Queries, job: Job) -> str:
    """Return what a download fetches."""
    return str(await db.value("SELECT url FROM download_jobs WHERE id = $1", job.id) or "")


async def note_size(tx: Transaction, job: Job) -> bool:
    """Note the size of the file that a download brought; False when its track has none."""
    return bool(
        await tx.execute(
            "UPDATE download_jobs j SET file_size = t.file_size FROM tracks t "
            "WHERE j.id = $1 AND t.id = j.track_id AND t.reference_path IS NOT NULL",
            job.id,
        )
    )


# -- attempts ---------------------------------------------------------------------------------------------------------


async def begin_attempt(tx: Transaction, job: Job, worker: str, receipt: str) -> bool:
    """Note that a worker is at the job; False when this very attempt is noted already (a reconnect)."""
    column = ATTEMPT_COLUMNS[job.kind]
    known = await tx.execute(
        f"UPDATE job_attempts SET outcome = 'running', error = NULL, finished_at = NULL "
        f"WHERE {column} = $1 AND receipt = $2",
        job.id, receipt,
    )  # fmt: skip
    if known:
        return False
    await end_attempts(tx, job, "lost", "The worker went away.")
    await tx.execute(
        f"INSERT INTO job_attempts ({column}, number, worker, receipt) "
        f"SELECT $1, coalesce(max(number), 0) + 1, $2, $3 FROM job_attempts WHERE {column} = $1",
        job.id, worker, receipt,
    )  # fmt: skip
    await tx.execute(
        f"UPDATE {TABLES[job.kind]} SET attempts = attempts + 1, lock_version = lock_version + 1 WHERE id = $1", job.id
    )
    return True


async def end_attempts(tx: Transaction, job: Job, outcome: str, error: str | None = None) -> None:
    """Note how the running attempt ended."""
    await tx.execute(
        f"UPDATE job_attempts SET outcome = $2, error = $3, finished_at = now() "
        f"WHERE {ATTEMPT_COLUMNS[job.kind]} = $1 AND outcome = 'running'",
        job.id, outcome, error,
    )  # fmt: skip


async def add_stage(db: Queries, job: Job, stage: str) -> None:
    """Note that the running attempt has come to a stage, the first hundred of them."""
    await db.execute(
        "UPDATE job_attempts SET stages = stages || jsonb_build_array(jsonb_build_object('stage', $2::text, "
        "'at_s', round(extract(epoch FROM clock_timestamp() - inserted_at)::numeric, 3))) "
        f"WHERE {ATTEMPT_COLUMNS[job.kind]} = $1 AND outcome = 'running' AND jsonb_array_length(stages) < 100",
        job.id, stage,
    )  # fmt: skip


async def add_note(db: Queries, job: Job, about: Mapping[str, Any], lines: Sequence[str]) -> None:
    """Note what the running attempt is made with, and its newest lines, of which the last two hundred are kept."""
    await db.execute(
        "UPDATE job_attempts SET about = about || $2::jsonb, "
        "log = (log || $3::text[])[greatest(1, cardinality(log) + cardinality($3::text[]) - 199):] "
        f"WHERE {ATTEMPT_COLUMNS[job.kind]} = $1 AND outcome = 'running'",
        job.id, dict(about), list(lines),
    )  # fmt: skip


async def last_error(db: Queries, job: Job) -> str | None:
    """Return what the last attempt that said something failed of."""
    error: str | None = await db.value(
        f"SELECT error FROM job_attempts WHERE {ATTEMPT_COLUMNS[job.kind]} = $1 AND outcome = 'failed' "
        "ORDER BY number DESC LIMIT 1",
        job.id,
    )
    return error


# -- stems and results ------------------------------------------------------------------------------------------------


async def stems(db: Queries, job_id: UUID) -> list[StemRow]:
    """Return the stems of a job, whole or not."""
    return await db.all(
        StemRow,
        f"SELECT {_STEM} FROM stems WHERE processing_job_id = $1 "
        "AND file_path IS NOT NULL AND frames IS NOT NULL AND sample_rate IS NOT NULL",
        job_id,
    )


async def arriving(db: Queries) -> list[ArrivingStem]:
    """Return the stems of all separations that are not over, those of the newest separation last."""
    return await db.all(
        ArrivingStem,
        "SELECT s.track_id, s.processing_job_id AS job_id, s.stem_type, s.ranges "
        "FROM stems s JOIN processing_jobs j ON j.id = s.processing_job_id "
        "WHERE s.status = 'arriving' AND j.status IN ('queued', 'processing') ORDER BY j.inserted_at, s.stem_type",
    )


async def open_stem(db: Queries, job: Job, stem: str, path: str, frames: int, rate: int) -> StemRow:
    """Make the row of a stem that is coming."""
    return await db.one(
        StemRow,
        "INSERT INTO stems (track_id, processing_job_id, stem_type, engine, model, status, file_path, frames, "
        "sample_rate) "
        "VALUES ($1, $2, $3, $4, $5, 'arriving', $6, $7, $8) "
        f"RETURNING {_STEM}",
        job.track_id, job.id, stem, job.engine, job.model, path, frames, rate,
    )  # fmt: skip


async def hold(tx: Transaction, job: Job) -> None:
    """Keep whoever ends a separation from taking its stems away until the transaction ends; the job comes before its
    stems, as for them, so that neither waits for the other."""
    await tx.value("SELECT true FROM processing_jobs WHERE id = $1 FOR KEY SHARE", job.id)


async def set_ranges(tx: Transaction, stem_id: UUID, ranges: Ranges) -> bool:
    """Write down what has arrived of a stem; False when its row is gone."""
    return bool(await tx.execute("UPDATE stems SET ranges = $2 WHERE id = $1 AND status = 'arriving'", stem_id, ranges))


async def seal_stem(tx: Transaction, stem_id: UUID, sealed: Sealed) -> bool:
    """Write down that a stem is whole and encoded; decks play the raw file until the job completes."""
    return bool(
        await tx.execute(
            "UPDATE stems SET options = options || jsonb_build_object('sealed', $2::jsonb) WHERE id = $1",
            stem_id, msgspec.to_builtins(sealed),
        )
    )  # fmt: skip


async def complete_stem(tx: Transaction, stem_id: UUID, sealed: Sealed) -> None:
    """Make the FLAC what the row names; the raw file is doomed by the table's trigger."""
    await tx.execute(
        "UPDATE stems SET status = 'complete', file_path = $2, file_size = $3, sha256 = $4, ranges = '[]', "
        "options = options - 'sealed' || jsonb_build_object('gain', $5::double precision) WHERE id = $1",
        stem_id, sealed.path, sealed.size, sealed.sha256, sealed.gain,
    )  # fmt: skip


async def has_chosen(tx: Transaction, job: Job) -> bool:
    """Say whether decks have stems of another job to play."""
    found = await tx.value(
        "SELECT true FROM stems WHERE track_id = $1 AND chosen AND processing_job_id IS DISTINCT FROM $2 LIMIT 1",
        job.track_id, job.id,
    )  # fmt: skip
    return bool(found)


async def choose_stems(tx: Transaction, job: Job) -> None:
    """Let decks play this job's stems and none of another job's: versions do not add up with each other."""
    await tx.execute(
        "UPDATE stems SET chosen = false WHERE track_id = $1 AND chosen AND processing_job_id IS DISTINCT FROM $2",
        job.track_id, job.id,
    )  # fmt: skip
    await tx.execute("UPDATE stems SET chosen = true WHERE processing_job_id = $1", job.id)


async def drop_stems(tx: Transaction, job_id: UUID) -> None:
    """Remove the rows of a job's stems; their files are doomed by the table's trigger."""
    await tx.execute("DELETE FROM stems WHERE processing_job_id = $1", job_id)


async def forget_doomed(db: Queries, prefix: str) -> None:
    """Forget doomed files below a folder that was removed."""
    await db.execute("DELETE FROM files WHERE doomed_at IS NOT NULL AND starts_with(path, $1)", prefix)


async def add_analysis(
    tx: Transaction, job: Job, scalars: dict[str, float | str | None], features: dict[str, Any]
) -> None:
    """Write what an analysis found and make it the one that counts."""
    await tx.execute(
        "INSERT INTO analysis_results (track_id, analysis_job_id, chosen, tempo, key, energy, spectral_centroid, "
        "spectral_rolloff, zero_crossing_rate, features) VALUES ($1, $2, true, $3, $4, $5, $6, $7, $8, $9)",
        job.track_id, job.id, scalars["tempo"], scalars["key"], scalars["energy"], scalars["spectral_centroid"],
        scalars["spectral_rolloff"], scalars["zero_crossing_rate"], features,
    )  # fmt: skip
    short = {**scalars, "timbre": results.timbre(features)}
    await tx.execute(f"UPDATE {TABLES[job.kind]} SET results = $2 WHERE id = $1", job.id, short)
