"""Bad days of Redis, where its server is installed. `make test-brokers` runs all job tests on each broker."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import pytest

from tests.brokers import BrokerServer, serving
from tests.server.jobs.site import Site
from tests.server.jobs.test_faults import (
    stems_are_right,
    test_a_killed_worker_loses_nothing_and_makes_nothing_twice,
    test_a_passing_failure_is_tried_again_and_a_lasting_one_is_told,
    test_a_removed_track_takes_its_jobs_and_files_along,
)

__all__ = [
    "test_a_killed_worker_loses_nothing_and_makes_nothing_twice",
    "test_a_passing_failure_is_tried_again_and_a_lasting_one_is_told",
    "test_a_removed_track_takes_its_jobs_and_files_along",
]

pytestmark = pytest.mark.anyio


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[BrokerServer]:
    """Redis, unless `--broker` says something else."""
    named = request.config.getoption("--broker")
    kind = "redis" if named == "embedded" else named
    with serving(kind) as server:
        yield server


async def test_a_broker_that_is_gone_for_a_while_loses_nothing(site: Site, broker: BrokerServer) -> None:
    """What runs runs on, what is asked for meanwhile waits."""
    site.patience_s = 60.0
    site.start(site.keeper({"pace": 0.05}).run)
    first = await site.add_track(seconds=3.0)
    job = await site.jobs.separate(first, site.user, "spectral")
    await site.until(lambda: len(site.stretches) >= 8)
    await anyio.to_thread.run_sync(broker.stop)
    heard = len(site.stretches)
    await site.until(lambda: len(site.stretches) > heard)
    second = await site.add_track(seconds=0.5, seed=1)
    other = await site.jobs.separate(second, site.user, "spectral")
    await site.job_is(job.id, "completed")
    assert (await site.jobs.get(other.id)).status == "queued"
    await anyio.to_thread.run_sync(broker.start)
    await site.job_is(other.id, "completed")
    await stems_are_right(site, first, job.id)
    await stems_are_right(site, second, other.id)


async def test_a_broker_that_has_forgotten_everything_is_told_again(site: Site, broker: BrokerServer) -> None:
    """A Redis without a disk that begins anew: what waited there is handed over once more."""
    site.patience_s = 60.0
    track = await site.add_track(seconds=0.5)
    job = await site.jobs.separate(track, site.user, "spectral")
    await site.until(lambda: _handed(site))
    await anyio.to_thread.run_sync(broker.empty)
    await anyio.to_thread.run_sync(broker.stop)
    await anyio.to_thread.run_sync(broker.start)
    if broker.kind == "rabbitmq":  # it forgets nothing by itself; what somebody took out is handed over in time
        await site.db.execute("UPDATE queue.messages SET handed_at = now() - interval '61 seconds'")
    site.start(site.keeper({"pace": 0}).run)
    assert (await site.job_is(job.id, "completed", "failed")).status == "completed"
    await stems_are_right(site, track, job.id)


async def _handed(site: Site) -> bool:
    return bool(await site.db.value("SELECT handed > 0 FROM queue.messages"))
