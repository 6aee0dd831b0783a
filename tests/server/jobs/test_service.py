"""Asking for work: rows and messages together, duplicates, engines, owners, analysis."""

from __future__ import annotations

from uuid import uuid4

import anyio
import dramatiq
import pytest

from pipeline import wire
from pipeline.settings import PipelineSettings
from server.errors import BadRequest, Conflict, NotFound
from server.jobs import results
from server.jobs.healer import Healer
from server.jobs.job import Job
from server.jobs.service import JobService
from tests.server.jobs.site import Site

pytestmark = pytest.mark.anyio


async def test_a_job_and_its_message_are_one(site: Site) -> None:
    track = await site.add_track()
    job = await site.jobs.separate(track, site.user, "spectral", options={"threads": 1}, priority=5)
    row = (await site.db.rows("SELECT queue, actor, subject, priority, state, payload FROM queue.messages"))[0]
    assert (row["queue"], row["actor"], row["subject"], row["priority"]) == ("processing", "separate", str(job.id), 5)
    argument = dramatiq.Message.decode(row["payload"]).args[0]
    assert (argument["job"], argument["track"], argument["options"]) == (str(job.id), str(track), {"threads": 1})
    with pytest.raises(RuntimeError):
        async with site.db.transaction() as tx:
            await tx.execute("INSERT INTO analysis_jobs (track_id) VALUES ($1)", track)
            await tx.execute("SELECT queue.put('m', 'analysis', 'analyse', '')")
            raise RuntimeError
    assert await site.db.value("SELECT count(*) FROM queue.messages") == 1
    assert await site.db.value("SELECT count(*) FROM analysis_jobs") == 0


async def test_the_same_work_is_not_done_twice_at_a_time(site: Site) -> None:
    track = await site.add_track()
    found: list[Job] = []

    async def ask() -> None:
        found.append(await site.jobs.separate(track, site.user, "spectral"))

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(ask)
    assert len({job.id for job in found}) == 1
    assert await site.db.value("SELECT count(*) FROM queue.messages") == 1
    first = await site.jobs.analyse(track, site.user, ["key", "tempo"])
    assert (await site.jobs.analyse(track, site.user, ["tempo", "key"])).id == first.id
    assert (await site.jobs.analyse(track, site.user)).id != first.id
    await site.jobs.cancel(found[0].id)
    assert (await site.jobs.separate(track, site.user, "spectral")).id != found[0].id


async def test_engines_are_resolved_when_the_job_is_made(site: Site) -> None:
    track = await site.add_track()
    with pytest.raises(BadRequest, match="No separation engine is called 'best'"):
        await site.jobs.separate(track, site.user, "best")
    with pytest.raises(BadRequest, match="has no model"):
        site.jobs.plans.offers = lambda: {"onnx": ("htdemucs",)}
        await site.jobs.separate(track, site.user, "onnx", "unheard")
    job = await site.jobs.separate(track, site.user, "auto")
    assert (job.engine, job.model) == ("onnx", "htdemucs"), "what a connected worker offers counts"
    await site.jobs.cancel(job.id)
    site.jobs.plans.offers = lambda: {"spectral": ("",), "onnx": ("htdemucs",)}
    job = await site.jobs.separate(track, site.user, "auto", "htdemucs")
    assert (job.engine, job.model) == ("onnx", "htdemucs"), "the best engine that has the model"
    site.jobs.plans.offers = lambda: {"spectral": ("",)}
    job = await site.jobs.separate(track, site.user, "auto", "htdemucs")
    assert (job.engine, job.model) == ("spectral", ""), "the model is a wish"
    assert (await site.jobs.separate(track, site.user, "spectral", "any")).id == job.id
    site.jobs.plans.offers = dict
    other = await site.add_track(seed=1)
    assert (await site.jobs.separate(other, site.user, "auto", "htdemucs")).engine in ("onnx", "demucs", "spectral")
    with pytest.raises(BadRequest, match=r"options do not fit.*quality"):
        await site.jobs.separate(track, site.user, "spectral", options={"quality": 3})
    with pytest.raises(BadRequest, match="No feature is called 'mood'; there are tempo"):
        await site.jobs.analyse(track, site.user, ["mood"])


async def test_the_settings_fill_in_what_a_request_leaves_open(site: Site) -> None:
    settings = PipelineSettings(engine="spectral", model="htdemucs", overlap=0.5, shifts=2, device="cuda")
    jobs = JobService(site.db, site.data, settings)
    track = await site.add_track()
    plain = await jobs.separate(track, site.user)
    assert (plain.engine, plain.model, plain.options) == ("spectral", "", {"overlap": 0.5, "shifts": 2})
    assert (await jobs.separate(track, site.user)).id == plain.id
    other = await jobs.separate(track, site.user, options={"shifts": 3})
    assert other.id != plain.id and other.options == {"overlap": 0.5, "shifts": 3}


async def test_versions_lie_side_by_side_and_one_is_chosen(site: Site) -> None:
    track = await site.add_track(seconds=0.5)
    site.start(site.keeper({"pace": 0}).run)
    first = await site.jobs.separate(track, site.user, "spectral")
    await site.job_is(first.id, "completed")
    second = await site.jobs.separate(track, site.user, "spectral", options={"overlap": 0.5})
    await site.job_is(second.id, "completed")
    rows = await site.db.rows("SELECT id, processing_job_id AS job, stem_type, chosen FROM stems ORDER BY id")
    assert len(rows) == 8 and {row["job"] for row in rows if row["chosen"]} == {second.id}
    old = next(row["id"] for row in rows if row["job"] == first.id and row["stem_type"] == "bass")
    await site.db.execute("UPDATE stems SET chosen = true WHERE id = $1", old)
    chosen = await site.db.rows("SELECT id, stem_type FROM stems WHERE chosen ORDER BY stem_type")
    assert [row["stem_type"] for row in chosen] == ["bass", "drums", "other", "vocals"]
    assert old in [row["id"] for row in chosen]


async def test_jobs_belong_to_the_owner_of_the_track(site: Site) -> None:
    track = await site.add_track()
    stranger = await site.db.value("INSERT INTO users (email) VALUES ('c@d') RETURNING id")
    job = await site.jobs.separate(track, site.user, "spectral")
    for refused in (
        site.jobs.separate(track, stranger, "spectral"), site.jobs.analyse(track, stranger), site.jobs.get(job.id,
        stranger), site.jobs.cancel(job.id, stranger), site.jobs.retry(job.id, stranger), site.jobs.get(uuid4()),
        site.jobs.cancel(uuid4()), site.jobs.separate(uuid4(), site.user, "spectral"),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await refused
    assert (await site.jobs.get(job.id, site.user)).status == "queued"
    assert await site.jobs.list(stranger) == []
    assert [found.id for found in await site.jobs.list(site.user)] == [job.id]
    assert await site.jobs.list(site.user, kind="analysis") == []
    assert [found.id for found in await site.jobs.list(site.user, track_id=track, status="queued")] == [job.id]
    with pytest.raises(Conflict):
        await site.jobs.retry(job.id, site.user)


async def test_an_analysis_is_chosen_and_shown_on_the_track(site: Site) -> None:
    track = await site.add_track()
    site.start(site.keeper(queues=("analysis",)).run)
    job = await site.jobs.analyse(track, site.user)
    done = await site.job_is(job.id, "completed", "failed")
    assert (done.status, done.error) == ("completed", None)
    row = (await site.db.rows("SELECT tempo, key, chosen, features FROM analysis_results"))[0]
    assert (row["tempo"], row["key"], row["chosen"]) == (120.0, "A minor", True)
    assert row["features"]["nothing"] is None and row["features"]["rate"] == 44100
    assert await site.db.value("SELECT bpm FROM tracks WHERE id = $1", track) == 120.0
    again = await site.jobs.analyse(track, site.user)
    await site.job_is(again.id, "completed")
    rows = await site.db.rows("SELECT analysis_job_id FROM analysis_results WHERE chosen")
    assert [row["analysis_job_id"] for row in rows] == [again.id]


async def test_an_open_job_without_a_message_is_healed(site: Site) -> None:
    track = await site.add_track()
    job = await site.jobs.separate(track, site.user, "spectral")
    await site.db.execute("DELETE FROM queue.messages")
    await site.db.execute("ALTER TABLE processing_jobs DISABLE TRIGGER USER")
    await site.db.execute("UPDATE processing_jobs SET updated_at = now() - interval '1 hour'")
    await site.db.execute("ALTER TABLE processing_jobs ENABLE TRIGGER USER")
    with anyio.move_on_after(1.0):
        await Healer(site.db, site.jobs).run()
    assert await site.db.value("SELECT subject FROM queue.messages") == str(job.id)


@pytest.mark.parametrize(
    "bad",
    [
        {"tempo": "fast"}, {"tempo": float("nan")}, {"key": 5}, {"deep": [[[[[[[[[[[[[[1]]]]]]]]]]]]]]},
        {"text": "a\0b"}, {"bytes": b"1"}, {"list": [float("inf")]}, {"energy": True},
    ],
)  # fmt: skip
def test_an_analysis_that_is_none_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        results.checked(bad)


def test_the_wire_is_what_the_reference_package_reads() -> None:
    import msgpack

    messages = [
        wire.Hello(1, "token", "worker", ("processing",), (wire.EngineOffer("onnx", ("htdemucs",)),), 7),
        wire.Begin(1, "job", "job:1", 2), wire.Progress("job", 5, "loading"), wire.StemBegin(2, "job", "bass", 44100,
        9), wire.StemChunk(3, "job", "bass", 44100, 4, 99, b"\0" * 8), wire.StemEnd(4, "job", "bass", "ab"),
        wire.Result(5, "job", {"a": [1, 2.5, None]}), wire.Failed(6, "job", "why", True),
    ]  # fmt: skip
    for message in messages:
        plain = msgpack.unpackb(wire.encode(message))
        assert plain.pop("type") == type(message).__struct_config__.tag
        assert set(plain) == set(message.__struct_fields__)
        again = msgpack.packb({"type": type(message).__struct_config__.tag, "new field": 1, **plain})
        assert wire.decode_from_worker(again) == message
    answers = [
        wire.Welcome(1, "v"), wire.Ack(1, {"bass": ((0, 4), (6, 9))}, ("drums",), (5,)), wire.Cancel("job", "over", 3),
        wire.Focus("job", (1, 2)), wire.Error("code", "message", 4, "job"),
    ]  # fmt: skip
    for answer in answers:
        plain = msgpack.unpackb(wire.encode(answer))
        assert plain["type"] == type(answer).__struct_config__.tag
        assert wire.decode_from_server(msgpack.packb(plain)) == answer
