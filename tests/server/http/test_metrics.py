"""Metrics as Prometheus' own parser reads them, who may see them, and what a job tells of itself."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.gauges import Alive, Metric, text
from server.jobs.history import LOG_BYTES, LOG_LINES, log_of
from server.jobs.service import JobService
from server.jobs.worker_socket import WorkerInfo
from server.protocol import EngineStatus
from tests.server.http.conftest import Parts, client_of

pytestmark = pytest.mark.anyio


def _read(answer: httpx2.Response) -> dict[tuple[str, str], float]:
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_metrics_tell_engine_workers_jobs_and_queue(
    parts: Parts, api: httpx2.AsyncClient, tmp_path: Path
) -> None:
    empty = _read(await api.get("/metrics"))
    assert empty["alchemy_engine_up", ""] == 0 and ("alchemy_engine_load", "") not in empty
    parts.jobs = jobs = JobService(parts.db, parts.library.storage.data)
    for number in range(3):
        await jobs.download(1, f"https://a.example/{number}.wav", "x")
    last = (await jobs.list(1))[0]
    await jobs.cancel(last.id)
    workers = (WorkerInfo("w", ("download", "analysis"), (), 1, ()), WorkerInfo("v", ("analysis",), (), 2, ()))
    parts.seen = Alive(EngineStatus(True, "null", 48_000, 128, 0.25, 7, 12.5), workers, 3)
    told = _read(await api.get("/metrics"))
    wanted = {
        ("alchemy_info", "1.2.3"): 1, ("alchemy_engine_up", ""): 1, ("alchemy_engine_load", ""): 0.25,
        ("alchemy_engine_late_blocks_total", ""): 7, ("alchemy_engine_latency_seconds", ""): 0.0125,
        ("alchemy_pages", ""): 3, ("alchemy_workers", "analysis"): 2, ("alchemy_workers", "processing"): 0,
        ("alchemy_jobs", "download,queued"): 2, ("alchemy_jobs", "download,cancelled"): 1,
        ("alchemy_jobs", "processing,failed"): 0, ("alchemy_queue_messages", "download,queued"): 2,
        ("alchemy_tracks", ""): 3,
    }  # fmt: skip
    assert {name: told[name] for name in wanted} == wanted


async def test_metrics_are_for_this_machine_and_the_owners_token(parts: Parts) -> None:
    async with client_of(parts) as here:
        assert (await here.get("/metrics")).status_code == 200
    async with client_of(parts, address="192.168.1.9") as far:
        assert (await far.get("/metrics")).status_code == 401
        token = await parts.auth.issue_api_token("prometheus")
        answer = await far.get("/metrics", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200


def test_labels_are_escaped() -> None:
    (family,) = text_string_to_metric_families(text([Metric("x", "X.", {(("a", 'q"\\\n'),): 1.5})]))
    assert family.samples[0].labels == {"a": 'q"\\\n'} and family.samples[0].value == 1.5


async def test_a_job_tells_its_attempts_times_and_log(parts: Parts, api: httpx2.AsyncClient) -> None:
    parts.jobs = jobs = JobService(parts.db, parts.library.storage.data)
    _, job = await jobs.download(1, "https://a.example/x.wav", "x")
    assert job is not None
    fresh = (await api.get(f"/api/jobs/{job.id}")).json()
    assert (fresh["history"], fresh["log"], fresh["waited_s"], fresh["ran_s"]) == ([], [], None, None)
    for number, outcome in ((1, "lost"), (2, "failed"), (3, "running")):
        await parts.db.execute(
            "INSERT INTO job_attempts (download_job_id, number, worker, outcome, error, finished_at) "
            "VALUES ($1, $2, 'w', $3, $4, CASE WHEN $3 = 'running' THEN NULL ELSE now() + interval '2 seconds' END)",
            job.id, number, outcome, None if outcome == "running" else "why",
        )  # fmt: skip
    log = parts.library.storage.data / "logs" / "workers.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text(f"a line about {uuid4()}\n2026 WARNING Job {job.id} failed: why\n")
    await jobs.cancel(job.id)
    told = (await api.get(f"/api/jobs/{job.id}")).json()
    assert [(one["number"], one["outcome"], one["error"]) for one in told["history"]] == [
        (1, "lost", "why"), (2, "failed", "why"), (3, "cancelled", None),
    ]  # fmt: skip
    assert told["history"][0]["seconds"] == pytest.approx(2.0, abs=0.1) and told["history"][2]["seconds"] >= 0
    assert told["log"] == [f"2026 WARNING Job {job.id} failed: why"] and told["status"] == "cancelled"


async def test_strangers_see_no_history(parts: Parts, other: httpx2.AsyncClient) -> None:
    parts.jobs = jobs = JobService(parts.db, parts.library.storage.data)
    _, job = await jobs.download(1, "https://a.example/x.wav", "x")
    assert job is not None and (await other.get(f"/api/jobs/{job.id}")).status_code == 404


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    job = UUID(int=7)
    log = tmp_path / "log"
    log.write_text(f"old {job}\n" + "x" * LOG_BYTES + "\n" + "".join(f"{n} {job}\n" for n in range(LOG_LINES + 5)))
    lines = log_of(log, job)
    assert len(lines) == LOG_LINES and lines[-1] == f"{LOG_LINES + 4} {job}" and log_of(tmp_path / "no", job) == []
