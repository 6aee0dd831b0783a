"""What attempts tell of themselves: stages, versions, parameters, their own log; kept with each attempt."""

from __future__ import annotations

import logging
import os
import signal

import pytest

from pipeline import job_log
from pipeline.made_with import made_with
from server.jobs import history
from tests.server.jobs.site import Site

pytestmark = pytest.mark.anyio


async def test_each_attempt_tells_its_stages_its_making_and_its_log(site: Site) -> None:
    track = await site.add_track(seconds=4.0)
    keeper = site.keeper({"pace": 0.05})
    site.start(keeper.run)
    job = await site.jobs.separate(track, site.user, "spectral", options={"shifts": 2})
    await site.until(lambda: len(site.stretches) >= 8)
    os.kill(keeper.pids()["processing"], signal.SIGKILL)
    await site.job_is(job.id, "completed")
    lost, done = await history.attempts(site.db, job.id)
    assert (lost.outcome, done.outcome) == ("lost", "completed")
    assert [stage.stage for stage in done.stages] == ["loading", "separating", "storing"]
    times = [stage.at_s for stage in done.stages]
    assert times == sorted(times) and times[0] >= 0.0 and times[-1] <= done.seconds + 0.001
    assert [stage.stage for stage in lost.stages] == ["loading", "separating"], "kept of one that died, too"
    for attempt in (lost, done):
        assert attempt.about["engine"] == "spectral" and attempt.about["parameters"]["shifts"] == 2
        assert attempt.about["packages"]["scipy"] and attempt.about["python"]
        assert len(attempt.log) == 1 and f"{job.id}" in attempt.log[0] and "4.0 s of audio" in attempt.log[0]


async def test_a_failed_attempt_keeps_why_in_its_log(site: Site) -> None:
    track = await site.add_track()
    site.start(site.keeper().run)
    job = await site.jobs.separate(track, site.user, "spectral", options={"shifts": 9})
    await site.job_is(job.id, "failed")
    [attempt] = await history.attempts(site.db, job.id)
    assert attempt.outcome == "failed" and "The fake cannot do this track." in attempt.log[-1]


async def test_the_log_and_the_stages_have_an_end(site: Site) -> None:
    track = await site.add_track()
    job = await site.jobs.separate(track, site.user, "spectral")
    await site.db.execute("UPDATE queue.messages SET state = 'running', worker = 1, claim = 1")
    message = await site.db.value("SELECT message_id FROM queue.messages")

    class Here:
        def cancel(self, job_id: object, reason: str) -> None: ...
        def focus(self, job_id: object, frames: object) -> None: ...

    job = await site.jobs.started(job.id, message, 1, "w", Here())
    for number in range(0, 260, 20):
        await site.jobs.noted(job, {"n": number}, [f"line {one}\0" for one in range(number, number + 20)])
    for number in range(120):
        await site.jobs.progressed(job, 1, f"stage {number}")
    [attempt] = await history.attempts(site.db, job.id)
    assert len(attempt.log) == 200 and (attempt.log[0], attempt.log[-1]) == ("line 60", "line 259")
    assert len(attempt.stages) == 100 and attempt.about == {"n": 240}
    await site.jobs.noted(job, {}, ["x" * 9000])
    assert len((await history.attempts(site.db, job.id))[0].log[-1]) == 4000


def test_only_the_thread_of_a_job_writes_to_it_and_nothing_goes_round() -> None:
    log = logging.getLogger("tests.job_log")
    log.setLevel(logging.INFO)
    handler = job_log.JobLog()
    log.addHandler(handler)
    heard: list[str] = []

    def tell(line: str) -> None:
        log.warning("said while handing on")
        heard.append(line)

    try:
        log.info("before")
        with job_log.about(tell):
            log.info("inside")
            log.debug("too fine")
        log.info("after")
    finally:
        log.removeHandler(handler)
    assert len(heard) == 1 and heard[0].endswith("INFO inside")


def test_what_is_of_this_machine_alone_is_not_told() -> None:
    told = made_with("spectral", {"shifts": 1, "models_dir": "/home/somebody"})
    assert told["parameters"] == {"shifts": 1} and set(told["packages"]) == {"scipy", "numpy"}
