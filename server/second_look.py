"""The second look at a track: when its stems have come it is analysed again, with them, which tells more and better.

Owner: one task of the lifespan. It hears of jobs that are over and asks for work; it never waits for a job.
Nothing of the performer's is touched by it: grids, cues and names that were set by hand lie apart from analyses.
"""

import logging
from typing import Final
from uuid import UUID

import anyio
import msgspec

from server import preferences
from server.db import Database
from server.errors import ServerError
from server.jobs.job import Job
from server.jobs.service import JobService

_log = logging.getLogger(__name__)

ROUGH: Final = "spectral"
"""The engine whose stems tell nothing that the mix does not."""

HEARD: Final = ("drums", "vocals")
"""Stems that make an analysis better."""


class _Known(msgspec.Struct, frozen=True):
    """A track's chosen analysis: what it was to find, and whose stems it has heard."""

    features: list[str]
    heard: str | None


class _Whose(msgspec.Struct, frozen=True):
    """A track's chosen stems: the separation they come from (`own` for the performer's), and their types."""

    whose: str
    types: list[str]


class SecondLook:
    """`heard` is told of every change of a job; `run` asks for what follows from it."""

    def __init__(self, db: Database, jobs: JobService, wished: bool) -> None:
        self._db = db
        self._jobs = jobs
        self._wished = wished
        self._tracks: dict[UUID, int] = {}
        self._change = anyio.Event()

    def heard(self, job: Job) -> None:
        """A job has changed. Never blocks."""
        if job.status == "completed" and job.kind in ("processing", "analysis") and not job.options.get("preview"):
            self._tracks[job.track_id] = job.user_id
            self._change.set()

    async def run(self) -> None:
        """Look at tracks until cancelled."""
        while True:
            await self._change.wait()
            self._change = anyio.Event()
            tracks, self._tracks = self._tracks, {}
            for track_id, user_id in tracks.items():
                try:
                    await self.look(track_id, user_id)
                except ServerError as error:
                    _log.info("No second look at track %s: %s", track_id, error)

    async def look(self, track_id: UUID, user_id: int) -> Job | None:
        """Ask for an analysis with the stems, where there are such and the one that counts has not heard them."""
        wished = (await preferences.load(self._db, user_id)).analyze_on_import
        if not (self._wished if wished is None else wished):
            return None
        known = await self._db.first(
            _Known,
            "SELECT j.features, j.options->>'of' AS heard FROM analysis_results r "
            "JOIN analysis_jobs j ON j.id = r.analysis_job_id WHERE r.track_id = $1 AND r.chosen",
            track_id,
        )
        stems = await self._db.first(
            _Whose,
            "SELECT coalesce(processing_job_id::text, 'own') AS whose, "
            "array_agg(stem_type ORDER BY stem_type) AS types "
            "FROM stems WHERE track_id = $1 AND chosen AND status = 'complete' AND stem_type = ANY($2) "
            "AND engine IS DISTINCT FROM $3 GROUP BY 1 ORDER BY max(inserted_at) DESC LIMIT 1",
            track_id, list(HEARD), ROUGH,
        )  # fmt: skip
        if known is None or stems is None or known.heard == stems.whose:
            return None
        return await self._jobs.analyse(
            track_id, user_id, known.features, heard={"stems": stems.types, "of": stems.whose}
        )
