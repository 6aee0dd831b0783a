"""Workers killed at any moment: nothing is lost, nothing is done twice, no file is left over.

The queue, the socket, the server's side and the worker processes are the real ones; what they do is cheap
(`fake_worker.py`). `--kills N` says how many die (`make kills`: 200), `--kill-seed N` repeats a run by the seed it
printed, as far as processes repeat.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import anyio
import pytest

from audio.importer import Importer
from server.jobs.job import Job
from server.jobs.supervision import WorkerKeeper
from server.library.service import Library
from tests.server.jobs.site import Site
from tests.server.jobs.test_faults import attempts, stems_are_right
from tests.server.library.conftest import files_under

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1800)]

AT_ONCE = 6
"""Jobs that are open at a time."""

LONGEST_S = 0.9
"""A kill comes at any moment of this long: from before a fresh worker is up to the middle of its second job."""

KILLED = "worker_killed"
"""The error of a job that has seen three workers die: it is for its user to try it again."""


@dataclass(slots=True)
class Rig:
    """Work that is always there, workers that always come back, and a book of it all."""

    site: Site
    dice: random.Random
    keepers: list[WorkerKeeper]
    asked: dict[UUID, UUID] = field(default_factory=dict)
    tries: Counter[UUID] = field(default_factory=Counter)
    seed: int = 0

    async def ask(self) -> None:
        """Have as many jobs open as there shall be: two separations for each analysis."""
        while sum(1 for job in await self.jobs() if job.status in ("queued", "processing")) < AT_ONCE:
            self.seed += 1
            track = await self.site.add_track(seconds=self.dice.uniform(0.3, 1.5), seed=self.seed)
            if self.seed % 3:
                job = await self.site.jobs.separate(track, self.site.user, "spectral")
            else:
                job = await self.site.jobs.analyse(track, self.site.user)
            self.asked[job.id] = track

    async def jobs(self) -> list[Job]:
        return await self.site.jobs.list(limit=10_000)

    async def retry(self) -> None:
        """Do what the user would do with jobs that have failed, which only three deaths may make them."""
        for job in await self.jobs():
            if job.status == "failed":
                assert job.error_code == KILLED, (job.error_code, job.error)
                await self.site.jobs.retry(job.id)
                self.tries[job.id] += 1

    async def kill(self) -> bool:
        """Kill one of the workers, whatever it is at; False when none lives at this moment."""
        living = [pid for keeper in self.keepers for pid in keeper.pids().values()]
        if not living:
            return False
        try:
            os.kill(self.dice.choice(living), signal.SIGKILL)
        except ProcessLookupError:  # its end was not yet known here
            return False
        return True

    async def state(self) -> str:
        """Say what is not over, with its messages and the workers there are."""
        left = [f"{job.kind} {job.id} {job.status} {job.stage!r} {await attempts(self.site.db, job.id)}"
                for job in await self.jobs() if job.status != "completed"]  # fmt: skip
        messages = await self.site.db.rows(
            "SELECT message_id, queue, state, deaths, claim, eta - now() AS due, queue.alive(worker) AS held "
            "FROM queue.messages"
        )
        return "\n".join(map(str, (*left, *messages, self.site.hub.workers())))

    async def all_done(self) -> bool:
        await self.retry()
        return all(job.status == "completed" for job in await self.jobs())


async def test_random_kills(site: Site, request: pytest.FixtureRequest) -> None:
    kills: int = request.config.getoption("--kills")
    seed = request.config.getoption("--kill-seed") or random.SystemRandom().randrange(1 << 32)
    print(f"--kills {kills} --kill-seed {seed}")
    fake: dict[str, object] = {"pace": 0.02, "stretch": 8192}
    keepers = [site.keeper(fake), site.keeper(fake), site.keeper(fake, queues=("analysis",))]
    rig = Rig(site, random.Random(seed), keepers)
    library = Library(site.db, site.data, Importer())
    await anyio.to_thread.run_sync(library.storage.open)
    for keeper in keepers:
        site.start(keeper.run)
    await site.until(lambda: len(site.hub.workers()) == len(keepers))
    began = time.monotonic()
    killed = 0
    while killed < kills:
        await rig.retry()
        await rig.ask()
        await anyio.sleep(rig.dice.uniform(0.0, LONGEST_S))  # any moment at all, not one that something is heard of
        if site.faults:
            raise site.faults.pop()
        killed += await rig.kill()
        if rig.dice.random() < 0.05:
            await library.reconcile_files()  # cleaning up is safe at any moment
    site.patience_s = 120.0
    try:
        await site.until(rig.all_done)
    except TimeoutError:
        pytest.fail(f"Work was lost: {await rig.state()}")
    print(f"{killed} kills, {len(rig.asked)} jobs, {sum(rig.tries.values())} of them tried again after three deaths, "
          f"{time.monotonic() - began:.0f} s")  # fmt: skip
    await each_is_done_once(rig)
    await nothing_is_left_over(site, library)


async def each_is_done_once(rig: Rig) -> None:
    site = rig.site
    jobs = {job.id: job for job in await rig.jobs()}
    assert jobs.keys() == rig.asked.keys()
    told = Counter(job.id for job in {(job.id, job.lock_version): job for job in site.heard}.values()
                   if job.status == "completed")  # fmt: skip
    for job_id, track in rig.asked.items():
        outcomes = await attempts(site.db, job_id)
        assert outcomes[-1:] == ["completed"] and outcomes.count("completed") == 1, outcomes
        assert set(outcomes) <= {"completed", "lost", "failed"}, outcomes
        assert told[job_id] == 1
        if jobs[job_id].kind == "processing":
            await stems_are_right(site, track, job_id)
        found = await site.db.value("SELECT count(*) FROM analysis_results WHERE track_id = $1 AND chosen", track)
        assert found == (jobs[job_id].kind == "analysis")


async def nothing_is_left_over(site: Site, library: Library) -> None:
    """Messages are gone, files and rows agree after one cleanup, and workers have kept nothing of jobs."""
    await site.until(lambda: _no_message(site))
    await library.reconcile_files()
    named = {row["file_path"] for row in await site.db.rows("SELECT file_path FROM stems")}
    assert {f"stems/{name}" for name in files_under(site.data / "stems")} == named
    assert {row["path"] for row in await site.db.rows("SELECT path FROM files")} == named
    assert _spooled(site.data / "spool") == set()


async def _no_message(site: Site) -> bool:
    return await site.db.value("SELECT count(*) FROM queue.messages") == 0


def _spooled(spool: Path) -> set[str]:
    return files_under(spool / "jobs")
