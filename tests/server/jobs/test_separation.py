"""From a request to stems on the disk, with real worker processes around a fake engine."""

from __future__ import annotations

import numpy as np
import pytest

from audio.flac import FlacReader
from tests.server.jobs.fake_worker import STEMS, split
from tests.server.jobs.site import Site

pytestmark = pytest.mark.anyio


async def test_stems_arrive_stretch_by_stretch_and_are_restored_bit_for_bit(site: Site) -> None:
    track = await site.add_track(seconds=3.0)
    keeper = site.keeper()
    site.start(keeper.run)
    job = await site.jobs.separate(track, site.user, "spectral")
    assert job.status == "queued"
    done = await site.job_is(job.id, "completed", "failed")
    assert (done.status, done.progress, done.error, done.attempts) == ("completed", 100, None, 1)
    await site.until(lambda: len(site.stems) == 4)
    expected = split(site.audio[track])
    for stem in STEMS:
        path, gain = site.stems[stem]
        reader = FlacReader(path, gain)
        assert reader.rate == 44100
        assert np.array_equal(reader.read(0, reader.frames).T, expected[stem]), stem
        reader.close()
    assert {gain for _, gain in site.stems.values()} == {1.0, 4.0}
    assert len(site.stretches) > 8
    rows = await site.db.rows(
        "SELECT stem_type, status, chosen, file_path, options, sha256 FROM stems WHERE processing_job_id = $1", job.id
    )
    assert {(row["status"], row["chosen"]) for row in rows} == {("complete", True)} and len(rows) == 4
    folder = site.data / "stems" / str(track) / str(job.id)
    files = await site.db.rows("SELECT path, doomed_at IS NOT NULL AS doomed FROM files")
    assert sorted(row["path"] for row in files if not row["doomed"]) == sorted(row["file_path"] for row in rows)
    on_disk = {path.relative_to(site.data).as_posix() for path in folder.iterdir()}
    assert on_disk == {row["path"] for row in files}, "every file has an owner or is doomed"
