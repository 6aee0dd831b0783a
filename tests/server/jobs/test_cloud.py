"""Jobs at lalal.ai with the real worker, from asking to stems: beside our own work, and paid for once."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from uuid import UUID

import numpy as np
import pytest

from audio.flac import FlacReader
from tests.pipeline.lalalai_site import KEY, LalalaiSite
from tests.server.jobs.site import Site
from tests.server.jobs.test_faults import attempts

pytestmark = pytest.mark.anyio


@pytest.fixture
async def cloud(site: Site) -> AsyncIterator[LalalaiSite]:
    async def paid(user_id: int) -> bool:
        return user_id == site.user

    site.jobs.plans.has_account = paid
    with LalalaiSite(steps=0) as running:
        site.secrets = {"key": KEY, "url": running.base}
        yield running


async def chosen(site: Site, track: UUID) -> dict[str, UUID]:
    rows = await site.db.rows("SELECT stem_type, processing_job_id FROM stems WHERE track_id = $1 AND chosen", track)
    return {row["stem_type"]: row["processing_job_id"] for row in rows}


async def test_stems_come_and_a_preview_takes_nobody_s_place(site: Site, cloud: LalalaiSite) -> None:
    track = await site.add_track(seconds=2.0)
    site.start(site.real_keeper(("download",)).run)
    job = await site.jobs.separate(track, site.user, "lalalai", "vocals")
    done = await site.job_is(job.id, "completed", "failed")
    assert (done.status, done.error) == ("completed", None)
    total = np.zeros_like(site.audio[track])
    for path, gain in site.stems.values():
        reader = FlacReader(path, gain)
        total += reader.read(0, reader.frames).T
        reader.close()
    assert np.array_equal(total, site.audio[track]), "faders up, the stems are the mix"
    preview = await site.jobs.separate(track, site.user, "lalalai", "drum", {"preview": True})
    await site.job_is(preview.id, "completed")
    assert await chosen(site, track) == {"vocals": job.id, "other": job.id}


async def test_a_worker_killed_while_the_service_works_pays_once(site: Site, cloud: LalalaiSite) -> None:
    cloud.steps = 1
    track = await site.add_track(seconds=1.0)
    keeper = site.real_keeper(("download",))
    site.start(keeper.run)
    job = await site.jobs.separate(track, site.user, "lalalai", "bass")

    await site.until(lambda: bool(cloud.called("check/")))
    os.kill(keeper.pids()["download"], signal.SIGKILL)
    done = await site.job_is(job.id, "completed", "failed")
    assert (done.status, await attempts(site.db, job.id)) == ("completed", ["lost", "completed"])
    assert (len(cloud.uploads), len(cloud.tasks)) == (1, 1)


async def test_a_refused_key_fails_the_job_in_words_and_a_cancel_reaches_the_service(
    site: Site, cloud: LalalaiSite
) -> None:
    cloud.steps = 1000
    track = await site.add_track(seconds=1.0)
    site.start(site.real_keeper(("download",)).run)
    job = await site.jobs.separate(track, site.user, "lalalai", "bass")
    await site.until(lambda: bool(cloud.called("check/")))
    await site.jobs.cancel(job.id)
    await site.until(lambda: cloud.cancelled == {"task-0"})
    site.secrets = {**site.secrets, "key": "wrong"}
    job = await site.jobs.separate(track, site.user, "lalalai", "drum")
    failed = await site.job_is(job.id, "completed", "failed")
    assert (failed.error_code, "licence key" in str(failed.error)) == ("lalalai_key_refused", True)
    assert await site.db.value("SELECT count(*) FROM stems") == 0
