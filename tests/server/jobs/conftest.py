"""Fixtures of the job tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from server.db import Database
from server.jobs.healer import Healer
from server.jobs.relay import Relay
from server.jobs.service import JobService
from server.jobs.worker_socket import WorkerHub
from tests.brokers import BrokerServer, serving
from tests.server.jobs.site import FakeAuth, Site


@pytest.fixture(scope="session")
def session_broker(request: pytest.FixtureRequest) -> Iterator[BrokerServer | None]:
    """The server that `--broker` names; None is the database."""
    kind = request.config.getoption("--broker")
    if kind == "embedded":
        yield None
        return
    with serving(kind) as server:
        yield server


@pytest.fixture
def broker(session_broker: BrokerServer | None) -> BrokerServer | None:
    """That server, without a message."""
    if session_broker is not None:
        session_broker.empty()
    return session_broker


@pytest.fixture
async def site(db: Database, database_url: str, tmp_path: Path, broker: BrokerServer | None) -> AsyncIterator[Site]:
    async with anyio.create_task_group() as tasks:
        user = await db.value("INSERT INTO users (email) VALUES ('a@b') RETURNING id")
        jobs = JobService(db, tmp_path)
        auth = FakeAuth()
        made = Site(db, database_url, tmp_path, jobs, WorkerHub(jobs, auth, "test"), auth, user, tasks, broker=broker)
        jobs.on_job = made.on_job
        jobs.receiver.on_stretch = made.on_stretch
        jobs.receiver.on_stem = made.on_stem
        made.start(Healer(db, jobs).run)
        if broker is not None:
            made.start(Relay(db, jobs, broker.url).run)
        await made.serve()
        try:
            yield made
        finally:
            await made.unplug()
            tasks.cancel_scope.cancel()
