"""Tracks whose stems have come are analysed again, once, with them; what the performer has set stays."""

from __future__ import annotations

from uuid import UUID

import pytest

from server import preferences
from server.second_look import SecondLook
from tests.server.jobs.site import Site

pytestmark = pytest.mark.anyio


async def analysis(site: Site, track: UUID, options: dict[str, object] | None = None) -> UUID:
    job: UUID = await site.db.value(
        "INSERT INTO analysis_jobs (track_id, features, options) VALUES ($1, '{tempo,chords}', $2) RETURNING id",
        track, options or {},
    )  # fmt: skip
    await site.db.execute("UPDATE analysis_results SET chosen = false WHERE track_id = $1", track)
    await site.db.execute(
        "INSERT INTO analysis_results (track_id, analysis_job_id, chosen, tempo) VALUES ($1, $2, true, 120)", track, job
    )
    return job


async def stems(site: Site, track: UUID, engine: str) -> UUID:
    job: UUID = await site.db.value(
        "INSERT INTO processing_jobs (track_id, engine) VALUES ($1, $2) RETURNING id", track, engine
    )
    await site.db.execute("UPDATE stems SET chosen = false WHERE track_id = $1", track)
    for kind in ("drums", "bass", "vocals"):
        await site.db.execute(
            "INSERT INTO stems (track_id, processing_job_id, stem_type, engine, chosen, status) "
            "VALUES ($1, $2, $3, $4, true, 'complete')", track, job, kind, engine,
        )  # fmt: skip
    return job


async def test_stems_that_came_are_listened_to_once(site: Site) -> None:
    look = SecondLook(site.db, site.jobs, wished=True)
    track = await site.add_track()
    assert await look.look(track, site.user) is None, "nothing is there"
    await analysis(site, track)
    assert await look.look(track, site.user) is None, "no stems"
    await stems(site, track, "spectral")
    assert await look.look(track, site.user) is None, "rough stems tell nothing new"
    good = await stems(site, track, "onnx")
    job = await look.look(track, site.user)
    assert job is not None and job.features == ["chords", "tempo"]
    assert job.options == {"stems": ["drums", "vocals"], "of": str(good)}
    again = await look.look(track, site.user)
    assert again is not None and again.id == job.id, "it waits already"
    await analysis(site, track, job.options)
    assert await look.look(track, site.user) is None, "it was done"
    better = await stems(site, track, "demucs")
    other = await look.look(track, site.user)
    assert other is not None and other.options["of"] == str(better)


async def test_who_wants_no_analysis_gets_none(site: Site) -> None:
    track = await site.add_track()
    await analysis(site, track)
    await stems(site, track, "onnx")
    assert await SecondLook(site.db, site.jobs, wished=False).look(track, site.user) is None
    assert await preferences.load(site.db, site.user) is not None


async def test_a_grid_set_by_hand_outlives_it(site: Site) -> None:
    track = await site.add_track()
    await analysis(site, track)
    await site.db.execute("INSERT INTO beat_grids (track_id, beats, origin) VALUES ($1, $2, 0)", track, [0.0, 0.5, 1.0])
    await stems(site, track, "onnx")
    site.start(site.keeper(queues=("analysis",)).run)
    job = await SecondLook(site.db, site.jobs, wished=True).look(track, site.user)
    assert job is not None
    done = await site.job_is(job.id, "completed", "failed")
    assert (done.status, done.error) == ("completed", None)
    assert await site.db.value("SELECT beats FROM beat_grids WHERE track_id = $1", track) == [0.0, 0.5, 1.0]
