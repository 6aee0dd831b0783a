"""Cleaning up: what is over and of no use any more goes, and files that rows have let go of.

Owner: whoever asks, at any moment and as often as they like. Only what is over is touched, each deletion looks at the
row again when it holds it, so a job that is tried again meanwhile stays.
Units: days; seconds where said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import anyio
import msgspec

from server.db import Database, Transaction

KEEP_DAYS: Final = 30
"""How long failed and cancelled jobs and batches that are over are kept."""

RETAIN_S: Final = 3600.0
"""Seconds between two cleanups of a program that is told how long to keep things."""

_OLD: Final = "finished_at < now() - make_interval(days => $1)"
_STATEMENTS: Final = {
    # A track that still waits is found again by the link of its download.
    "downloads": (
        "download_jobs",
        f"status IN ('failed', 'cancelled') AND {_OLD} AND EXISTS "
        "(SELECT FROM tracks t WHERE t.id = download_jobs.track_id AND t.reference_path IS NOT NULL)",
    ),
    "separations": (
        "processing_jobs",
        f"status IN ('failed', 'cancelled') AND {_OLD} AND NOT EXISTS "
        "(SELECT FROM stems s WHERE s.processing_job_id = processing_jobs.id)",
    ),
    "analyses": (
        "analysis_jobs",
        f"status IN ('failed', 'cancelled') AND {_OLD} AND NOT EXISTS "
        "(SELECT FROM analysis_results r WHERE r.analysis_job_id = analysis_jobs.id)",
    ),
    "batches": (
        "batch_jobs",
        "status IN ('completed', 'failed', 'cancelled') AND updated_at < now() - make_interval(days => $1)",
    ),
    "messages": (
        "queue.messages",
        "state = 'dead' AND $1::integer IS NOT NULL AND NOT EXISTS (SELECT FROM jobs j JOIN job_statuses s "
        "ON s.status = j.status WHERE j.id::text = messages.subject AND NOT s.final)",
    ),
}


class Cleaned(msgspec.Struct, frozen=True):
    """How many of each went, or would go."""

    dry_run: bool
    downloads: int
    separations: int
    analyses: int
    batches: int
    messages: int
    files: int


async def clean(db: Database, *, dry_run: bool, days: int = KEEP_DAYS) -> Cleaned:
    """Remove rows that are of no use any more, in one transaction, or only count them. `files` counts those that are
    let go of already; the library removes them (`Library.reconcile_files`)."""
    counts: dict[str, int] = {}
    async with db.transaction() as tx:
        for name, (table, where) in _STATEMENTS.items():
            counts[name] = await _one(tx, table, where, days, dry_run)
        files = int(await tx.value("SELECT count(*) FROM files WHERE doomed_at IS NOT NULL"))
    return Cleaned(dry_run=dry_run, files=files, **counts)


async def retain(db: Database, days: int, tidy: Callable[[], None]) -> None:
    """Until cancelled: clean up now and then, so that nothing of no use is kept longer than `days`; 0 keeps all."""
    while days:
        await clean(db, dry_run=False, days=days)
        tidy()
        await anyio.sleep(RETAIN_S)


async def _one(tx: Transaction, table: str, where: str, days: int, dry_run: bool) -> int:
    if dry_run:
        return int(await tx.value(f"SELECT count(*) FROM {table} WHERE {where}", days))
    return await tx.execute(f"DELETE FROM {table} WHERE {where}", days)
