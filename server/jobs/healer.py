"""Healing: brings back what dead workers had, ends jobs whose messages have died, queues what has no message.

Owner: one task, `Healer.run`. Nothing here is needed while all goes well.
Units: seconds.
"""

from __future__ import annotations

import logging
import time
from typing import Final

import anyio

from server.db import Database, key
from server.errors import ServerError
from server.jobs import store
from server.jobs.job import Job
from server.jobs.service import JobService

log = logging.getLogger(__name__)

HEAL_S: Final = 1.0
"""How often dead workers and dead messages are looked for, beside the notifications."""

ORPHANS_S: Final = 60.0
"""How often open jobs without a message are looked for."""

MAX_DEATHS: Final = 3


class Healer:
    """Heals the jobs of `jobs`."""

    def __init__(self, db: Database, jobs: JobService) -> None:
        self._db = db
        self._jobs = jobs

    async def run(self) -> None:
        """Until cancelled: bring back what dead workers had, fail jobs of dead messages, heal what has no message."""
        looked = 0.0
        while True:
            try:
                await self._db.execute("SELECT queue.reap($1)", MAX_DEATHS)
                for letter in await store.dead_letters(self._db):
                    await self._bury(letter)
                if time.monotonic() - looked > ORPHANS_S:
                    looked = time.monotonic()
                    for job in await store.orphans(self._db):
                        await self._requeue(job)
            except ServerError as error:  # the database is away, or its disk is full: the show goes on, jobs wait
                log.debug("Jobs wait: %s", error)
            await anyio.sleep(HEAL_S)

    async def _bury(self, letter: store.DeadLetter) -> None:
        assert letter.subject is not None
        job = await store.find(self._db, key(letter.subject))
        if letter.deaths >= MAX_DEATHS:
            why = (
                f"This job {letter.reason}, so it is not tried again. The track, or too little memory, may be "
                "the cause; try another engine, or try again."
            )
            await self._jobs.failed(job.id, why, "worker_killed")
        else:
            await self._jobs.failed(job.id, await store.last_error(self._db, job) or letter.reason, "gave_up")

    async def _requeue(self, job: Job) -> None:
        async with self._db.transaction() as tx:
            log.warning("Job %s had no message; it is queued again.", job.id)
            await self._jobs.queue(tx, await store.find_locked(tx, job.id))
