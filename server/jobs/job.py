"""A job as the rest of the server sees it: one frozen record, whatever table it lies in.

Owner: `JobService` makes them from rows; each is true as of its `lock_version`.
Units: `progress` 0 to 100.
"""

import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

Kind = Literal["download", "processing", "analysis"]

KINDS: Final[tuple[Kind, ...]] = ("download", "processing", "analysis")
"""The three kinds of jobs; each has its own table and its own queue of the same name."""

TABLES: Final[dict[Kind, str]] = {kind: f"{kind}_jobs" for kind in KINDS}
"""The table of each kind."""

ATTEMPT_COLUMNS: Final[dict[Kind, str]] = {kind: f"{kind}_job_id" for kind in KINDS}
"""The column of `job_attempts` that names a job of each kind."""


class Job(msgspec.Struct, frozen=True):
    """One piece of work on one track."""

    id: UUID
    kind: Kind
    track_id: UUID
    user_id: int
    status: str
    stage: str
    progress: int
    attempts: int
    lock_version: int
    engine: str | None = None
    model: str | None = None
    features: list[str] | None = None
    #: Higher is sooner.
    priority: int = 0
    batch_id: UUID | None = None
    options: dict[str, Any] = {}
    #: What went wrong, in a sentence for the performer; None unless the job failed.
    error: str | None = None
    error_code: str | None = None
    started_at: datetime.datetime | None = None
    finished_at: datetime.datetime | None = None
    inserted_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None


COLUMNS: Final = (
    "j.id, j.kind, j.track_id, t.user_id, j.status, j.stage, j.progress, j.attempts, j.lock_version, j.engine, "
    "j.model, j.features, j.priority, coalesce(p.batch_job_id, a.batch_job_id) AS batch_id, j.options, j.error, "
    "j.error_code, j.started_at, j.finished_at, j.inserted_at, j.updated_at"
)
"""What a `Job` is made of, from `SOURCE`."""

SOURCE: Final = (
    "jobs j JOIN tracks t ON t.id = j.track_id LEFT JOIN processing_jobs p ON p.id = j.id "
    "LEFT JOIN analysis_jobs a ON a.id = j.id"
)
