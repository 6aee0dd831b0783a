"""From a link to a track: routes, library and jobs as they are, and the worker's part done by its own code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import httpx2
import pytest

from server.errors import ServerError
from server.jobs.job import Job
from server.jobs.service import Fetching, JobService
from server.library.arrivals import Arrival, DownloadOver
from tests.server.http.conftest import (  # fixtures among them
    FakeIdentity,
    Parts,
    api,
    client_of,
    clock,
    other,
    parts,
    upload,
)
from tests.server.library.conftest import importer, write_wav

__all__ = ["api", "clock", "importer", "other", "parts"]
pytestmark = pytest.mark.anyio

LINK = "https://music.example/songs/Somebody%20-%20A%20Song.wav"


class Here:
    """The connection to a worker that is at the job."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def cancel(self, job_id: UUID, reason: str) -> None:
        self.told.append(reason)

    def focus(self, job_id: UUID, frames: tuple[int, ...]) -> None:
        """Downloads have none."""


class Getting:
    """The parts, with real jobs, and a worker that takes a message off the queue as the broker does."""

    def __init__(self, parts: Parts, api: httpx2.AsyncClient, worker: httpx2.AsyncClient) -> None:
        self.parts, self.api, self.worker, self.db = parts, api, worker, parts.db
        self.jobs = JobService(parts.db, parts.library.storage.data)
        self.jobs.fetching = Fetching(limit=4 << 20)
        parts.jobs = self.jobs
        self.analysed: list[UUID] = []
        parts.library.set_hooks(on_import=self._on_import)

    async def _on_import(self, track_id: UUID, user_id: int) -> None:
        self.analysed.append(track_id)

    async def bring(self, url: str = LINK) -> dict[str, Any]:
        answer = await self.api.post("/api/links", json={"url": url})
        assert answer.status_code == 202, answer.text
        made: dict[str, Any] = answer.json()
        assert made["playlist_id"] is None and len(made["tracks"]) == 1
        track: dict[str, Any] = made["tracks"][0]
        return track

    async def begin(self, job: str, here: Here | None = None) -> Job:
        """Take the job's message and say so."""
        await self.db.execute(
            "UPDATE queue.messages SET state = 'running', worker = 1, claim = 7 "
            "WHERE subject = $1 AND state = 'queued'",
            job,
        )
        message = await self.db.value("SELECT message_id FROM queue.messages WHERE subject = $1 AND claim = 7", job)
        return await self.jobs.started(UUID(job), message, 7, "worker", here or Here())

    async def hand_over(self, job: str, path: Path, name: str = "Somebody - A Song.wav") -> httpx2.Response:
        content = await anyio.Path(path).read_bytes()
        return await self.worker.put(f"/api/worker/jobs/{job}/audio", params={"name": name}, content=content)

    async def track(self, track_id: object) -> dict[str, Any]:
        found: dict[str, Any] = (await self.api.get(f"/api/tracks/{track_id}")).json()
        return found

    async def tidy(self) -> set[str]:
        """Return every file of the library that no row names, once it has been tidied."""
        await self.parts.library.reconcile_files()
        rows = await self.db.rows("SELECT path FROM files")
        data = self.parts.library.storage.data
        on_disk = {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}
        return on_disk ^ {row["path"] for row in rows}


@pytest.fixture
async def getting(parts: Parts, api: httpx2.AsyncClient) -> AsyncIterator[Getting]:
    parts.workers.tokens["worker"] = FakeIdentity("worker", frozenset({"download"}))
    async with client_of(parts, headers={"Authorization": "Bearer worker"}) as worker:
        yield Getting(parts, api, worker)


async def test_a_link_becomes_a_track_with_audio(getting: Getting, tmp_path: Path) -> None:
    made = await getting.bring()
    job = made["job"]["id"]
    waiting = await getting.track(made["track_id"])
    assert (waiting["title"], waiting["artist"], waiting["status"]) == ("A Song", "Somebody", "queued")
    assert (await getting.begin(job)).status == "downloading"
    answer = await getting.hand_over(job, write_wav(tmp_path / "x.wav"))
    assert answer.json() == {"track_id": made["track_id"], "existing": False}
    done = await getting.jobs.downloaded(UUID(job))
    assert (done.status, done.progress, done.attempts) == ("completed", 100, 1)
    track = await getting.track(made["track_id"])
    assert (track["title"], track["artist"], track["codec"] is not None) == ("A Song", "Somebody", True)
    assert getting.analysed == [UUID(made["track_id"])] and not await getting.tidy()
    size = await getting.db.value("SELECT file_size FROM download_jobs WHERE id = $1", UUID(job))
    assert size == (tmp_path / "x.wav").stat().st_size
    old = (await getting.api.get(f"/api/download/job/{job}")).json()
    assert (old["success"], old["status"], old["progress"]) == (True, "completed", 100)
    assert (await getting.api.get(old["result"]["file_path"])).status_code == 200


async def test_a_link_that_comes_again_is_linked_not_fetched(getting: Getting, tmp_path: Path) -> None:
    first = await getting.bring()
    again = await getting.bring(LINK.replace("https://music.example", "HTTPS://Music.Example:443") + "#x")
    assert (again["track_id"], again["job"]["id"]) == (first["track_id"], first["job"]["id"])
    assert await getting.db.value("SELECT count(*) FROM queue.messages") == 1
    await getting.begin(first["job"]["id"])
    await getting.hand_over(first["job"]["id"], write_wav(tmp_path / "x.wav"))
    await getting.jobs.downloaded(UUID(first["job"]["id"]))
    there = await getting.bring()
    assert (there["track_id"], there["existing"], there["job"]) == (first["track_id"], True, None)
    old = await getting.api.post("/api/download/track", json={"url": LINK})
    assert (old.status_code, old.json()) == (
        201, {"success": True, "job_id": None, "status": "completed", "track_id": first["track_id"]},
    )  # fmt: skip


async def test_two_pastes_at_once_make_one_track(getting: Getting) -> None:
    made: list[dict[str, Any]] = []

    async def one() -> None:
        made.append(await getting.bring())

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(one)
    assert len({one["track_id"] for one in made}) == 1 and len({one["job"]["id"] for one in made}) == 1


async def test_links_belong_to_those_who_pasted_them(getting: Getting, other: httpx2.AsyncClient) -> None:
    mine = await getting.bring()
    theirs = (await other.post("/api/links", json={"url": LINK})).json()["tracks"][0]
    assert theirs["track_id"] != mine["track_id"]
    assert (await other.get(f"/api/download/job/{mine['job']['id']}")).status_code == 404


async def test_the_same_audio_behind_another_link_joins_what_is_there(getting: Getting, tmp_path: Path) -> None:
    there = (await upload(getting.api, write_wav(tmp_path / "mine.wav"))).json()
    made = await getting.bring()
    lists = []
    for name, members in (("one", [made["track_id"]]), ("both", [there["id"], made["track_id"]])):
        lists.append((await getting.api.post("/api/playlists", json={"name": name})).json()["id"])
        await getting.api.put(f"/api/playlists/{lists[-1]}/tracks", json={"track_ids": members})
    job = made["job"]["id"]
    await getting.begin(job)
    answer = await getting.hand_over(job, tmp_path / "mine.wav")
    assert answer.json() == {"track_id": there["id"], "existing": True}
    done = await getting.jobs.downloaded(UUID(job))
    assert (done.status, str(done.track_id), done.attempts) == ("completed", there["id"], 1)
    outcomes = await getting.db.rows("SELECT number, outcome FROM job_attempts WHERE job_id = $1", UUID(job))
    assert outcomes == [{"number": 1, "outcome": "completed"}]
    assert (await getting.api.get(f"/api/tracks/{made['track_id']}")).status_code == 404
    for playlist in lists:
        tracks = (await getting.api.get(f"/api/playlists/{playlist}")).json()["tracks"]
        assert [entry["track"]["id"] for entry in tracks] == [there["id"]]
    assert (await getting.bring())["track_id"] == there["id"] and not await getting.tidy()


async def test_handing_over_twice_is_once(getting: Getting, tmp_path: Path) -> None:
    made = await getting.bring()
    await getting.begin(made["job"]["id"])
    first = await getting.hand_over(made["job"]["id"], write_wav(tmp_path / "x.wav"))
    second = await getting.hand_over(made["job"]["id"], tmp_path / "x.wav")
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json()["track_id"] == made["track_id"] and not await getting.tidy()
    assert getting.analysed == [UUID(made["track_id"])]


async def test_words_that_somebody_wrote_meanwhile_stay(getting: Getting, tmp_path: Path) -> None:
    made = await getting.bring()
    await getting.api.patch(f"/api/tracks/{made['track_id']}", json={"title": "Mine", "genre": "Dub"})
    await getting.begin(made["job"]["id"])
    await getting.hand_over(made["job"]["id"], write_wav(tmp_path / "x.wav"), "Else - Other.wav")
    track = await getting.track(made["track_id"])
    assert (track["title"], track["genre"], track["original_name"]) == ("Mine", "Dub", "Else - Other.wav")


async def test_what_is_no_audio_is_refused_and_nothing_stays(getting: Getting, tmp_path: Path) -> None:
    made = await getting.bring()
    job = made["job"]["id"]
    await getting.begin(job)
    (tmp_path / "x.wav").write_bytes(b"not audio at all" * 100)
    answer = await getting.hand_over(job, tmp_path / "x.wav", "x.wav")
    assert answer.status_code == 422 and "x.wav" in answer.json()["error"]["message"]
    (tmp_path / "large.wav").write_bytes(bytes((4 << 20) + 1))
    assert (await getting.hand_over(job, tmp_path / "large.wav")).status_code == 413
    with pytest.raises(ServerError, match="not handed over"):
        await getting.jobs.downloaded(UUID(job))
    failed = await getting.jobs.failed(UUID(job), "It is no audio.")
    assert (failed.status, failed.error) == ("failed", "It is no audio.") and not await getting.tidy()
    again = await getting.bring()
    assert (again["job"]["id"], again["job"]["status"], again["job"]["error"]) == (job, "queued", None)


async def test_a_cancelled_download_takes_nothing(getting: Getting, tmp_path: Path) -> None:
    here, made = Here(), await getting.bring()
    job = made["job"]["id"]
    running = await getting.begin(job, here)
    assert (await getting.api.post(f"/api/jobs/{job}/cancel")).status_code == 200 and here.told
    answer = await getting.hand_over(job, write_wav(tmp_path / "x.wav"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "download_over")
    path = getting.parts.library.workplace.new_upload()
    path.write_bytes((tmp_path / "x.wav").read_bytes())
    with pytest.raises(DownloadOver):  # cancelled while the file was being decoded
        await getting.parts.library.receive(
            path, running.user_id, "x.wav", move=True, into=Arrival(running.track_id, running.id)
        )
    assert not await getting.tidy()
    assert (await getting.api.post(f"/api/jobs/{job}/retry")).json()["status"] == "queued"


async def test_what_an_interrupted_hand_over_left_is_no_obstacle(getting: Getting, tmp_path: Path) -> None:
    made = await getting.bring()
    storage = getting.parts.library.storage
    folder = storage.stage("interrupted")
    (folder / "original.wav").write_bytes(b"half")
    storage.publish(folder, UUID(made["track_id"]))
    await getting.begin(made["job"]["id"])
    assert (await getting.hand_over(made["job"]["id"], write_wav(tmp_path / "x.wav"))).status_code == 200
    assert not await getting.tidy()
    other_one = await getting.bring("https://music.example/other.wav")
    storage.publish(storage.stage("again"), UUID(other_one["track_id"]))
    assert not await getting.tidy(), "a marked folder of a track that still waits goes"


async def test_deleting_a_track_that_waits_ends_its_download(getting: Getting, tmp_path: Path) -> None:
    here, made = Here(), await getting.bring()
    await getting.begin(made["job"]["id"], here)
    assert (await getting.api.delete(f"/api/tracks/{made['track_id']}")).status_code == 204
    assert here.told
    answer = await getting.hand_over(made["job"]["id"], write_wav(tmp_path / "x.wav"))
    assert answer.status_code == 404 and not await getting.tidy()


async def test_who_may_hand_over(getting: Getting, parts: Parts, tmp_path: Path) -> None:
    made = await getting.bring()
    await getting.begin(made["job"]["id"])
    parts.workers.tokens["analyst"] = FakeIdentity("analyst", frozenset({"analysis"}))
    where = f"/api/worker/jobs/{made['job']['id']}/audio"
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer nobody"}, 403),
        ({"Authorization": "Bearer analyst"}, 403),
    ):
        async with client_of(parts, headers=headers) as client:
            assert (await client.put(where, content=b"x")).status_code == status
    assert (await getting.worker.put(f"/api/worker/jobs/{made['track_id']}/audio", content=b"x")).status_code == 404


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "bad_link"), ("file:///etc/passwd", "bad_link"), ("spotify:artist:6rqhFgbbKwnb9MLmUQDhG6", "bad_link"),
        ("https://youtu.be/dQw4w9WgXcQ", "fetcher_missing"),
        ("https://www.youtube.com/playlist?list=PLx", "bad_link"),
    ],
)  # fmt: skip
async def test_links_that_are_not_taken(getting: Getting, url: str, code: str) -> None:
    answer = await getting.api.post("/api/links", json={"url": url})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
    assert await getting.db.value("SELECT count(*) FROM tracks") == 0
