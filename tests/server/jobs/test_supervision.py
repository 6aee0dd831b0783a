"""Workers as children of the server: restarted when they die, gone when it is gone. And the real thing, whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import anyio
import numpy as np
import psutil
import pytest

from audio.flac import FlacReader
from pipeline.jobs import Queue
from pipeline.worker import run_groups
from pipeline.worker_settings import WorkerSettings, settings_line
from tests.server.jobs.site import FAKE_WORKER, Site

pytestmark = pytest.mark.anyio


async def test_a_worker_that_dies_is_started_again_and_all_go_at_the_end(site: Site) -> None:
    keeper = site.keeper(queues=("processing", "analysis"))
    told: list[str] = []
    keeper._report = told.append
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keeper.run)
            await site.until(lambda: {info.queues for info in site.hub.workers()} == {("processing",), ("analysis",)})
            first = keeper.pids()
            os.kill(first["analysis"], signal.SIGKILL)
            await site.until(lambda: keeper.pids().get("analysis", first["analysis"]) != first["analysis"])
            assert keeper.pids()["processing"] == first["processing"]
            await site.until(lambda: len(site.hub.workers()) == 2)
            last = keeper.pids()
            scope.cancel()
    assert len(told) == 1 and "analysis" in told[0]
    assert not any(psutil.pid_exists(pid) for pid in (*first.values(), *last.values()))


async def test_a_worker_at_work_is_stopped_at_once_and_its_job_is_not_counted(site: Site) -> None:
    track = await site.add_track(seconds=10.0)
    job = await site.jobs.separate(track, site.user, "spectral")
    for _ in range(4):  # more often than a job may kill its worker
        heard = len(site.stretches)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(site.keeper({"pace": 0.05}).run)
                await site.until(lambda heard=heard: len(site.stretches) > heard)
                scope.cancel()
        row = (await site.db.rows("SELECT state, deaths FROM queue.messages"))[0]
        assert row == {"state": "queued", "deaths": 0}
    assert (await site.jobs.get(job.id)).status == "processing"
    site.start(site.keeper().run)
    await site.job_is(job.id, "completed")


async def test_a_worker_ends_when_its_parent_does(site: Site) -> None:
    token = await site.hub.issue("w", ("processing",))
    settings = WorkerSettings(site.address, token, site.broker_url, "processing", "w", str(site.data / "spool"))
    with (site.data / "workers.log").open("wb") as output:
        process = subprocess.Popen(FAKE_WORKER, stdin=subprocess.PIPE, stdout=output, stderr=output)  # noqa: ASYNC220
    assert process.stdin is not None
    process.stdin.write(settings_line(settings))
    process.stdin.flush()
    await site.until(lambda: len(site.hub.workers()) == 1)
    assert site.hub.offers() == {"spectral": ("",)}
    process.stdin.close()  # as the system does for a dead parent
    assert await anyio.to_thread.run_sync(process.wait) == 0


async def test_settings_that_cannot_be_read_are_said() -> None:
    found = await anyio.run_process([sys.executable, "-m", "pipeline.worker"], input=b"{}\n", check=False)
    assert found.returncode == 2 and b"settings cannot be read" in found.stderr


async def test_the_real_workers_with_the_real_engine(site: Site) -> None:
    """`spectral` in a real worker process; a machine of its own would run it by `run_groups`, as here."""
    track = await site.add_track(seconds=8.0)
    stop = threading.Event()
    queues: tuple[Queue, ...] = ("processing", "analysis")
    token = await site.hub.issue("elsewhere", queues)
    spool = site.data / "elsewhere"

    async def elsewhere() -> None:
        await anyio.to_thread.run_sync(
            run_groups,
            site.address,
            token,
            site.broker_url,
            spool,
            queues,
            {"threads": 1},
            stop,
            abandon_on_cancel=True,
        )

    site.start(elsewhere)
    try:
        job = await site.jobs.separate(track, site.user, "spectral")
        done = await site.job_is(job.id, "completed", "failed")
        assert (done.status, done.error) == ("completed", None)
        total = np.zeros((2, site.audio[track].shape[1]), np.float32)
        for path, gain in site.stems.values():
            reader = FlacReader(path, gain)
            total += reader.read(0, reader.frames).T
            reader.close()
        assert np.array_equal(total, site.audio[track]), "faders up, the stems are the mix"
        job = await site.jobs.analyse(track, site.user, ["energy"])
        done = await site.job_is(job.id, "completed", "failed")
        assert (done.status, done.error) == ("completed", None)
        assert "peak" in await site.db.value("SELECT features FROM analysis_results")
    finally:
        stop.set()
        await site.until(lambda: site.hub.workers() == [])


def test_the_server_s_side_loads_nothing_heavy() -> None:
    code = (
        "import sys, server.jobs.service, server.jobs.worker_socket, server.jobs.supervision\n"
        "print([m for m in ('torch', 'librosa', 'onnxruntime', 'openvino', 'numba', 'dramatiq', 'psycopg', 'scipy') "
        "if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[3]
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert found.stdout.strip() == "[]"
