"""What a job did: its attempts with their times, and the lines that workers of this machine have logged about it.

Owner: whoever asks. The log is read from its end and never as a whole.
Units: seconds.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec

from server.db import Queries

LOG_BYTES: Final = 1 << 20
"""How much of the end of the log is looked through."""

LOG_LINES: Final = 50


class Stage(msgspec.Struct, frozen=True):
    """What an attempt came to do, `at_s` seconds after it began."""

    stage: str
    at_s: float


class Attempt(msgspec.Struct, frozen=True):
    """One try of a worker. `outcome` is running, completed, failed, cancelled or lost (the worker went away); `about`
    is what it was made with: engine, versions, parameters; `log` the newest lines it logged."""

    number: int
    worker: str
    outcome: str
    error: str | None
    started_at: datetime.datetime
    finished_at: datetime.datetime | None
    seconds: float
    stages: list[Stage] = []
    about: dict[str, Any] = {}
    log: list[str] = []


async def attempts(db: Queries, job_id: UUID) -> list[Attempt]:
    """Return every attempt at a job, first to last; one that runs has taken `seconds` until now."""
    return await db.all(
        Attempt,
        "SELECT number, worker, outcome, error, stages, about, log, inserted_at AS started_at, finished_at, "
        "extract(epoch FROM coalesce(finished_at, clock_timestamp()) - inserted_at)::double precision AS seconds "
        "FROM job_attempts WHERE job_id = $1 ORDER BY number",
        job_id,
    )


def log_of(file: Path, job_id: UUID) -> list[str]:
    """Return the newest lines about a job; none where the log is away."""
    try:
        with file.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - LOG_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [line[:500] for line in lines if str(job_id) in line][-LOG_LINES:]
