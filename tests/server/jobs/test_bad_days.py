"""Bad days: the database, the server and a worker gone in any order; a disk that is full while stems come."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import anyio
import pytest

from audio.flac import FlacWriter
from pipeline.pcm import RawFile
from server.db import Database
from server.jobs.healer import Healer
from server.jobs.relay import Relay
from server.jobs.service import JobService
from server.jobs.supervision import WorkerKeeper
from server.jobs.worker_socket import WorkerHub
from server.migrate import migrate
from server.postgres import EmbeddedPostgres, embedded_postgres
from tests.brokers import BrokerServer
from tests.server.jobs.site import FakeAuth, Site
from tests.server.jobs.test_faults import stems_are_right

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class House:
    """A site with a PostgreSQL of its own, which may die."""

    site: Site
    postgres: EmbeddedPostgres
    keeper: WorkerKeeper

    async def lose_database(self) -> None:
        """Kill PostgreSQL, and wait until it is back."""
        pid = self.postgres.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await self.site.until(lambda: self.postgres.pid not in (None, pid))
        await self.site.db.wait_ready(20)

    async def lose_broker(self) -> None:
        """Kill Redis or RabbitMQ, leave it away until the worker has missed it, and start it again."""
        broker = self.site.broker
        assert broker is not None
        await anyio.to_thread.run_sync(broker.stop)
        await anyio.sleep(1.0)
        await anyio.to_thread.run_sync(broker.start)

    async def lose_server(self) -> None:
        """Hang up on everybody, and come back."""
        await self.site.unplug()
        await self.site.serve()

    async def lose_worker(self) -> None:
        """Kill the worker, and wait until there is another."""
        pid = self.keeper.pids().get("processing")
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            await self.site.until(lambda: self.keeper.pids().get("processing", pid) != pid)


@pytest.fixture
def cluster() -> Iterator[Path]:
    """A folder that PostgreSQL may own, with a path short enough for its socket."""
    folder = Path(tempfile.mkdtemp(prefix="sfa-pg-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def house(tmp_path: Path, cluster: Path, broker: BrokerServer | None) -> AsyncIterator[House]:
    async with (
        embedded_postgres(cluster, cluster / "run", report=lambda _: None) as postgres,
        Database(postgres.url()) as db,
        anyio.create_task_group() as tasks,
    ):
        await migrate(db)
        user = await db.value("INSERT INTO users (email) VALUES ('a@b') RETURNING id")
        jobs = JobService(db, tmp_path)
        auth = FakeAuth()
        hub = WorkerHub(jobs, auth, "test")
        site = Site(db, postgres.url(), tmp_path, jobs, hub, auth, user, tasks, broker=broker)
        site.patience_s = 60.0
        jobs.on_job, jobs.receiver.on_stretch, jobs.receiver.on_stem = site.on_job, site.on_stretch, site.on_stem
        site.start(Healer(db, jobs).run)
        if broker is not None:
            site.start(Relay(db, jobs, broker.url).run)
        await site.serve()
        keeper = site.keeper({"pace": 0.05})
        site.start(keeper.run)
        try:
            yield House(site, postgres, keeper)
        finally:
            await site.unplug()
            tasks.cancel_scope.cancel()


async def test_everything_can_go_in_any_order(house: House, request: pytest.FixtureRequest) -> None:
    """One after another in each order (two orders, and all six with many `--kills`), then all at once."""
    site = house.site
    losses: dict[str, Callable[[], Awaitable[None]]] = {
        "database": house.lose_database, "server": house.lose_server, "worker": house.lose_worker,
    }  # fmt: skip
    if site.broker is not None:
        losses["broker"] = house.lose_broker
    orders = list(permutations(losses))
    if request.config.getoption("--kills") < 100:
        orders = [orders[0], orders[-1]]
    for number, order in enumerate(orders):
        track = await site.add_track(seconds=2.5, seed=number)
        job = await site.jobs.separate(track, site.user, "spectral")
        heard = len(site.stretches)
        for name in order:
            heard += 3
            await site.until(lambda heard=heard, job=job: len(site.stretches) >= heard or _over(site, job.id))
            await losses[name]()
        done = await site.job_is(job.id, "completed", "failed")
        assert (done.status, done.error) == ("completed", None), order
        await stems_are_right(site, track, job.id)
    track = await site.add_track(seconds=2.5, seed=99)
    job = await site.jobs.separate(track, site.user, "spectral")
    heard = len(site.stretches) + 3
    await site.until(lambda: len(site.stretches) >= heard)
    async with anyio.create_task_group() as at_once:
        for lose in losses.values():
            at_once.start_soon(lose)
    assert (await site.job_is(job.id, "completed", "failed")).status == "completed"
    await stems_are_right(site, track, job.id)
    await site.until(lambda: _no_message(site))


def _over(site: Site, job_id: object) -> bool:
    return any(job.id == job_id and job.status in ("completed", "failed") for job in site.heard)


async def _no_message(site: Site) -> bool:
    return await site.db.value("SELECT count(*) FROM queue.messages") == 0


@pytest.mark.parametrize("where", ["stretches", "encoding"])
async def test_a_disk_that_is_full_for_a_while_loses_no_job(
    site: Site, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's disk: what does not fit is said to the worker, which keeps it and sends it again."""
    site.patience_s = 60.0
    left = [7 if where == "stretches" else 2]
    write = RawFile.write if where == "stretches" else FlacWriter.write

    def full(self: object, *arguments: object) -> object:
        if left[0] > 0 and _is_servers(self, site.data):
            left[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(RawFile if where == "stretches" else FlacWriter, "write", full)
    track = await site.add_track(seconds=2.0)
    site.start(site.keeper().run)
    job = await site.jobs.separate(track, site.user, "spectral")
    done = await site.job_is(job.id, "completed", "failed")
    assert (done.status, done.error, left) == ("completed", None, [0])
    await stems_are_right(site, track, job.id)
    assert not list(site.data.rglob("*.making"))


def _is_servers(thing: object, data: Path) -> bool:
    return not isinstance(thing, RawFile) or thing.path.is_relative_to(data / "stems")
