"""Fixtures of the job tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from server.db import Database
from server.jobs.healer import Healer
from server.jobs.service import JobService
from server.jobs.worker_socket import WorkerHub
from tests.server.jobs.site import FakeAuth, Site


@pytest.fixture
async def site(db: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with anyio.create_task_group() as tasks:
        user = await db.value("INSERT INTO users (email) VALUES ('a@b') RETURNING id")
        jobs = JobService(db, tmp_path)
        auth = FakeAuth()
        made = Site(db, database_url, tmp_path, jobs, WorkerHub(jobs, auth, "test"), auth, user, tasks)
        jobs.on_job = made.on_job
        jobs.receiver.on_stretch = made.on_stretch
        jobs.receiver.on_stem = made.on_stem
        made.start(Healer(db, jobs).run)
        await made.serve()
        try:
            yield made
        finally:
            await made.unplug()
            tasks.cancel_scope.cancel()
