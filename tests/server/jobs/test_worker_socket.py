"""The worker socket against workers that lie, stammer and shout. The client here is the reference `msgpack` package."""

from __future__ import annotations

import hashlib
import random
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import anyio
import msgpack
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from audio.flac import FlacReader
from pipeline.pcm import from_bytes
from server.db import Database
from server.jobs import receiver, store
from tests.server.jobs.site import Site

pytestmark = pytest.mark.anyio

FRAMES = 30_000


class Peer:
    """A worker by hand."""

    def __init__(self, site: Site, socket: ClientConnection) -> None:
        self.site = site
        self.socket = socket
        self.seq = 0

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send(msgpack.packb({"type": kind, **fields}))

    async def hear(self) -> dict[str, Any]:
        with anyio.fail_after(10):
            answer: dict[str, Any] = msgpack.unpackb(await self.socket.recv())
        return answer

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Say something and return the answer to it."""
        self.seq += 1
        await self.say(kind, **{"seq": self.seq, **fields})
        while True:
            answer = await self.hear()
            if answer.get("seq") == self.seq:
                return answer

    async def begin(self, seconds: float = 1.0, kind: str = "processing") -> tuple[UUID, UUID]:
        """Make a job, claim it as the queue would give it, and begin it; return track and job."""
        track = await self.site.add_track(seconds)
        if kind == "processing":
            job = await self.site.jobs.separate(track, self.site.user, "spectral")
        else:
            job = await self.site.jobs.analyse(track, self.site.user)
        message = await claim(self.site.db)
        answer = await self.ask("begin", job=str(job.id), message=message, attempt=1)
        assert answer["type"] == "ack", answer
        return track, job.id


async def claim(db: Database) -> str:
    """Take the newest message as a worker that stays alive would (there is no reaper to see that it does not)."""
    message: str = await db.value(
        "UPDATE queue.messages SET state = 'running', worker = 1, claim = claim + 1 WHERE state = 'queued' "
        "RETURNING message_id"
    )
    return message


@asynccontextmanager
async def peer(site: Site) -> AsyncIterator[Peer]:
    token = await site.auth.issue_worker_token("by hand")
    async with connect(site.address.replace("http", "ws") + "/ws/worker", proxy=None) as socket:
        made = Peer(site, socket)
        await made.say("hello", protocol=1, token=token, worker="by hand", queues=["processing"])
        assert (await made.hear())["type"] == "welcome"
        yield made


@pytest.fixture
async def calm_site(site: Site) -> Site:
    """A site whose queue takes nobody for dead, since the worker by hand holds no lock."""
    await site.db.execute(
        "CREATE OR REPLACE FUNCTION queue.alive(who integer) RETURNS boolean LANGUAGE sql AS 'SELECT true'"
    )
    return site


def noise(frames: int, seed: int = 0, loud: float = 1.0) -> bytes:
    steps = np.random.default_rng(seed).integers(-int(loud * 2**21) + 1, int(loud * 2**21), (frames, 2))
    return (steps / 2.0**21).astype("<f4").tobytes()


def chunk(job: UUID, stem: str, pcm: bytes, offset: int = 0, **changed: Any) -> dict[str, Any]:
    return {
        "job": str(job),
        "stem": stem,
        "rate": 44100,
        "offset": offset,
        "checksum": zlib.crc32(pcm),
        "pcm": pcm,
        **changed,
    }


async def test_who_is_not_known_is_not_let_in(site: Site) -> None:
    token = await site.auth.issue_worker_token("other", ("analysis",))
    for first in (
        msgpack.packb({"type": "hello", "protocol": 1, "token": "wrong", "worker": "w"}),
        msgpack.packb({"type": "hello", "protocol": 99, "token": token, "worker": "w"}),
        msgpack.packb({"type": "hello", "protocol": 1, "token": token, "worker": "w", "queues": ["processing"]}),
        msgpack.packb({"type": "progress", "job": "x", "percent": 1}),
        b"garbage", b"", "text",
    ):  # fmt: skip
        async with connect(site.address.replace("http", "ws") + "/ws/worker", proxy=None) as socket:
            await socket.send(first)
            assert msgpack.unpackb(await socket.recv())["type"] == "error"
            with pytest.raises(ConnectionClosed):
                await socket.recv()
    assert site.hub.workers() == []


async def test_every_kind_of_bad_chunk_is_refused_and_nothing_is_written(calm_site: Site) -> None:
    site = calm_site
    async with peer(site) as worker:
        track, job = await worker.begin()
        assert (await worker.ask("stem_chunk", **chunk(job, "bass", noise(8))))["type"] == "error", "not begun"
        for stem, rate, frames in (
            ("kazoo", 44100, 9), ("../bass", 44100, 9), ("bass", 48000, 9), ("bass", 44100, 0), ("bass", 44100, -1),
            ("bass", 44100, 2**62),
        ):  # fmt: skip
            answer = await worker.ask("stem_begin", job=str(job), stem=stem, rate=rate, frames=frames)
            assert answer["type"] == "error", (stem, rate, frames)
        assert (await worker.ask("stem_begin", job=str(job), stem="bass", rate=44100, frames=FRAMES))["type"] == "ack"
        pcm = noise(100)
        off_grid = np.full((100, 2), 1e-9, "<f4").tobytes()
        bad = [
            chunk(job, "bass", pcm, checksum=1), chunk(job, "bass", pcm, offset=FRAMES - 99), chunk(job, "bass", pcm,
            offset=-1), chunk(job, "bass", pcm, offset=2**60), chunk(job, "bass", pcm[:-1]), chunk(job, "bass", b""),
            chunk(job, "bass", pcm, rate=48000), chunk(job, "drums", pcm), chunk(job, "bass", noise(131_073)),
            chunk(job, "bass", off_grid), chunk(job, "bass", np.full((9, 2), np.nan, "<f4").tobytes()), chunk(job,
            "bass", np.full((9, 2), np.inf, "<f4").tobytes()), chunk(job, "bass", np.full((9, 2), 4.0,
            "<f4").tobytes()),
        ]  # fmt: skip
        for fields in bad:
            answer = await worker.ask("stem_chunk", **fields)
            assert (answer["type"], answer["job"]) == ("error", str(job))
        folder = site.data / "stems" / str(track) / str(job)
        assert list(folder.iterdir()) == []
        for sha256 in ("", "0" * 64):
            answer = await worker.ask("stem_end", job=str(job), stem="bass", sha256=sha256)
            assert answer["type"] == "error" and "gaps" in answer["message"]
        assert (await worker.ask("result", job=str(job), data={"stems": ["bass"]}))["type"] == "error"
        assert site.stretches == []
        assert await site.db.value("SELECT ranges FROM stems") == []
        assert (await worker.ask("stem_chunk", **chunk(job, "bass", pcm, offset=FRAMES - 100)))["type"] == "ack"
        assert site.stretches == [("bass", FRAMES - 100, FRAMES)]
        assert await site.db.value("SELECT ranges FROM stems") == [[FRAMES - 100, FRAMES]]


async def test_garbage_changes_nothing_and_crashes_nothing(calm_site: Site) -> None:
    site = calm_site
    dice = random.Random(3)
    for round_ in range(12):
        async with peer(site) as worker:
            track, job = await worker.begin()
            await worker.ask("stem_begin", job=str(job), stem="bass", rate=44100, frames=FRAMES)
            good = msgpack.packb({"type": "stem_chunk", "seq": 9, **chunk(job, "bass", noise(50, round_))})
            try:
                for _ in range(25):
                    bent = bytearray(good if dice.random() < 0.7 else dice.randbytes(dice.randint(0, 300)))
                    for _ in range(dice.randint(1, 6)):
                        if bent:
                            bent[dice.randrange(len(bent))] = dice.randrange(256)
                    await worker.socket.send(bytes(bent[: dice.randint(0, len(bent))]))
            except ConnectionClosed:
                pass
            await site.jobs.cancel(job)
            await site.until(lambda track=track: not (site.data / "stems" / str(track)).exists())
    assert await site.db.value("SELECT count(*) FROM stems") == 0
    async with peer(site) as worker:
        await worker.begin()


async def test_a_worker_has_no_say_in_jobs_that_are_not_its_own(calm_site: Site) -> None:
    site = calm_site
    async with peer(site) as worker, peer(site) as thief:
        _, job = await worker.begin()
        await worker.ask("stem_begin", job=str(job), stem="bass", rate=44100, frames=FRAMES)
        for kind, fields in (
            ("stem_chunk", chunk(job, "bass", noise(9))), ("stem_begin", {"job": str(job), "stem": "bass", "rate":
            44100, "frames": 9}), ("stem_end", {"job": str(job), "stem": "bass", "sha256": ""}), ("result", {"job":
            str(job), "data": {}}), ("failed", {"job": str(job), "message": "no"}), ("begin", {"job": str(job),
            "message": f"{job}:1", "attempt": 7}), ("begin", {"job": "no uuid", "message": "m", "attempt": 1}),
        ):  # fmt: skip
            answer = await thief.ask(kind, **fields)
            assert answer["type"] == "cancel", (kind, answer)
        assert (await site.jobs.get(job)).status == "processing"
        assert (await worker.ask("stem_chunk", **chunk(job, "bass", noise(9))))["type"] == "ack"


async def test_what_arrived_is_told_to_a_worker_that_comes_back(calm_site: Site) -> None:
    site = calm_site
    pcm = noise(FRAMES, loud=3.5)
    async with peer(site) as worker:
        _, job = await worker.begin()
        await worker.ask("stem_begin", job=str(job), stem="bass", rate=44100, frames=FRAMES)
        for start, stop in ((10_000, 20_000), (25_000, FRAMES)):
            await worker.ask("stem_chunk", **chunk(job, "bass", pcm[start * 8 : stop * 8], start))
    site.jobs.receiver._open.clear()  # as a new server would be
    [stem] = await store.arriving(site.db)
    assert (stem.job_id, stem.stem_type) == (job, "bass")
    assert [list(stretch) for stretch in stem.ranges] == [[10_000, 20_000], [25_000, FRAMES]]
    async with peer(site) as worker:
        answer = await worker.ask("begin", job=str(job), message=f"{job}:1", attempt=1)
        assert answer["have"] == {"bass": [[10_000, 20_000], [25_000, FRAMES]]}
        for start, stop in ((0, 10_000), (20_000, 25_000)):
            await worker.ask("stem_chunk", **chunk(job, "bass", pcm[start * 8 : stop * 8], start))
        wrong = await worker.ask("stem_end", job=str(job), stem="bass", sha256="0" * 64)
        assert (wrong["type"], wrong["code"]) == ("error", "damaged")
        again = await worker.ask("stem_begin", job=str(job), stem="bass", rate=44100, frames=FRAMES)
        assert again["have"] == {"bass": []}, "what does not match is thrown away"
        assert await site.db.value("SELECT ranges FROM stems") == []
        await worker.ask("stem_chunk", **chunk(job, "bass", pcm))
        sha256 = hashlib.sha256(pcm).hexdigest()
        assert (await worker.ask("stem_end", job=str(job), stem="bass", sha256=sha256))["type"] == "ack"
        assert (await worker.ask("stem_end", job=str(job), stem="bass", sha256=sha256))["type"] == "ack", (
            "twice does no harm"
        )
        assert (await worker.ask("result", job=str(job), data={"stems": ["bass", "drums"]}))["type"] == "error"
        assert (await worker.ask("result", job=str(job), data={"stems": ["bass"]}))["type"] == "ack"
        late = await worker.ask("begin", job=str(job), message=f"{job}:1", attempt=1)
        assert late["type"] == "cancel" and "completed" in late["reason"]
    await site.job_is(job, "completed")
    path, gain = site.stems["bass"]
    reader = FlacReader(path, gain)
    assert gain == 4.0 and np.array_equal(reader.read(0, FRAMES).T, from_bytes(pcm))
    reader.close()


async def test_cancel_and_focus_reach_the_worker(calm_site: Site) -> None:
    site = calm_site
    async with peer(site) as worker:
        track, job = await worker.begin()
        site.jobs.focus(track, [2.0, 7.5])
        assert await worker.hear() == {"type": "focus", "job": str(job), "frames": [88_200, 330_750]}
        site.jobs.focus(track, [2.0, 7.5])
        site.jobs.focus(track, [])
        assert (await worker.hear())["frames"] == []
        await site.jobs.cancel(job)
        assert (await worker.hear())["type"] == "cancel"
        assert [info.jobs for info in site.hub.workers()] == [()]


async def test_a_full_disk_is_told_and_leaves_nothing(calm_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site = calm_site

    def full(file: object, message: object) -> None:
        raise OSError(28, "No space left on device")

    async with peer(site) as worker:
        track, job = await worker.begin()
        await worker.ask("stem_begin", job=str(job), stem="bass", rate=44100, frames=FRAMES)
        monkeypatch.setattr(receiver, "_store", full)
        answer = await worker.ask("stem_chunk", **chunk(job, "bass", noise(9)))
        assert (answer["type"], answer["code"]) == ("error", "storage_full")
        assert (await worker.ask("failed", job=str(job), message="The disk is full.", transient=False))["type"] == "ack"
    failed = await site.jobs.get(job)
    assert (failed.status, failed.error) == ("failed", "The disk is full.")
    await site.until(lambda: not (site.data / "stems" / str(track)).exists())


async def test_an_analysis_that_is_none_fails_the_attempt_not_the_server(calm_site: Site) -> None:
    site = calm_site
    async with peer(site) as worker:
        _, job = await worker.begin(kind="analysis")
        for data in ({"tempo": "fast"}, {"x": float("nan")}):
            assert (await worker.ask("result", job=str(job), data=data))["type"] == "error"
        assert (await worker.ask("stem_begin", job=str(job), stem="bass", rate=44100, frames=9))["type"] == "error"
        assert (await worker.ask("result", job=str(job), data={"tempo": 100.0}))["type"] == "ack"
    assert (await site.jobs.get(job)).status == "completed"
