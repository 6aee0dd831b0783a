"""A server with nothing but jobs in it: the real service, socket, queue and workers around a library of arrays."""

from __future__ import annotations

import re
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import anyio
import numpy as np
import numpy.typing as npt
import uvicorn
from anyio.abc import TaskGroup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from pipeline.jobs import Queue
from pipeline.pcm import to_bytes
from pipeline.wire import QUEUE_PATH
from server.db import Database
from server.errors import NotAllowed
from server.jobs.job import Job
from server.jobs.queue_door import QueueDoor
from server.jobs.service import JobService
from server.jobs.supervision import WorkerKeeper
from server.jobs.worker_socket import WorkerHub
from tests.brokers import BrokerServer

FAKE_WORKER = (sys.executable, str(Path(__file__).with_name("fake_worker.py")))
PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class FakeWorker:
    name: str
    queues: tuple[str, ...]


class FakeAuth:
    """Knows the tokens it gave out."""

    def __init__(self) -> None:
        self.tokens: dict[str, FakeWorker] = {}

    async def worker(self, token: str) -> FakeWorker:
        if token not in self.tokens:
            raise NotAllowed
        return self.tokens[token]

    async def issue_worker_token(
        self, name: str, queues: tuple[str, ...] = ("processing", "analysis"), *, local: bool = False
    ) -> str:
        token = secrets.token_hex(8)
        self.tokens[token] = FakeWorker(name, tuple(queues))
        return token


@dataclass(slots=True)
class Site:
    """The server under test. `audio` is its library: float32 (2, frames) at 44.1 kHz by track."""

    db: Database
    url: str
    data: Path
    jobs: JobService
    hub: WorkerHub
    auth: FakeAuth
    user: int
    tasks: TaskGroup
    audio: dict[UUID, npt.NDArray[np.float32]] = field(default_factory=dict)
    heard: list[Job] = field(default_factory=list)
    stretches: list[tuple[str, int, int]] = field(default_factory=list)
    stems: dict[str, tuple[Path, float]] = field(default_factory=dict)
    #: What workers get for jobs at other services.
    secrets: dict[str, str] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)
    #: Another message broker than the database.
    broker: BrokerServer | None = None
    port: int = 0
    patience_s: float = PATIENCE_S
    changed: anyio.Event = field(default_factory=anyio.Event)
    _server: uvicorn.Server | None = None
    _stopped: anyio.Event = field(default_factory=anyio.Event)

    @property
    def broker_url(self) -> str:
        return self.url if self.broker is None else self.broker.url

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Run a task beside the test; what it raises fails the next `until`."""

        async def guarded() -> None:
            try:
                await function(*arguments)
            except Exception as error:
                self.faults.append(error)
                self._touch()

        self.tasks.start_soon(guarded)

    async def add_track(self, seconds: float = 2.0, seed: int = 0, title: str = "song") -> UUID:
        """Put a track of noise on the 2^-21 grid into the library."""
        track: UUID = await self.db.value(
            "INSERT INTO tracks (user_id, title) VALUES ($1, $2) RETURNING id", self.user, title
        )
        steps = np.random.default_rng(seed).integers(-(2**21), 2**21, (2, int(seconds * 44100)))
        self.audio[track] = (steps / 2.0**21).astype(np.float32)
        return track

    async def serve(self) -> None:
        """Take connections; on the same port again after `unplug`."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        app = Starlette(
            routes=[
                Route("/api/worker/tracks/{track}/pcm", self._pcm),
                Route("/api/worker/jobs/{job}/secrets", self._secrets),
                WebSocketRoute("/ws/worker", self.hub.endpoint),
                WebSocketRoute(QUEUE_PATH, QueueDoor(self.hub, self.url).endpoint),
            ]
        )
        config = uvicorn.Config(
            app, log_level="error", lifespan="off", timeout_graceful_shutdown=1, ws="websockets-sansio"
        )
        self._server, self._stopped = uvicorn.Server(config), anyio.Event()
        self.start(self._run, self._server, listener, self._stopped)
        await self.until(lambda: bool(self._server and self._server.started))

    @staticmethod
    async def _run(server: uvicorn.Server, listener: socket.socket, stopped: anyio.Event) -> None:
        try:
            await server._serve([listener])
        finally:
            listener.close()
            stopped.set()

    async def unplug(self) -> None:
        """Drop every connection and take no new ones."""
        assert self._server is not None
        self._server.should_exit = True
        await self._stopped.wait()

    async def _secrets(self, request: Request) -> Response:
        await self.auth.worker(request.headers["Authorization"].removeprefix("Bearer "))
        return JSONResponse(self.secrets)

    async def _pcm(self, request: Request) -> Response:
        await self.auth.worker(request.headers["Authorization"].removeprefix("Bearer "))
        pcm = self.audio.get(UUID(request.path_params["track"]))
        if pcm is None:
            return Response(status_code=404)
        raw = to_bytes(pcm)
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers["Range"])
        assert match is not None
        start, stop = int(match[1]), min(int(match[2]) + 1, len(raw))
        headers = {"Content-Range": f"bytes {start}-{stop - 1}/{len(raw)}", "ETag": '"fake"'}
        return Response(raw[start:stop], 206, headers, "application/octet-stream")

    def real_keeper(self, queues: tuple[Queue, ...]) -> WorkerKeeper:
        """Return a supervisor of real workers."""
        return WorkerKeeper(
            self.hub, self.address, self.broker_url, self.data / "spool", queues=queues,
            log_file=self.data / "workers.log", report=lambda _: None, longest_pause_s=0.2,
        )  # fmt: skip

    def keeper(
        self, fake: dict[str, object] | None = None, queues: tuple[Queue, ...] = ("processing",)
    ) -> WorkerKeeper:
        """Return a supervisor of fake workers."""
        return WorkerKeeper(
            self.hub, self.address, self.broker_url, self.data / "spool", options={"fake": fake or {}}, queues=queues,
            command=FAKE_WORKER, log_file=self.data / "workers.log", report=lambda _: None,
            longest_pause_s=0.2,
        )  # fmt: skip

    def on_job(self, job: Job) -> None:
        self.heard.append(job)
        self._touch()

    def on_stretch(self, track_id: UUID, job_id: UUID, stem_type: str, path: Path, start: int, stop: int) -> None:
        self.stretches.append((stem_type, start, stop))
        self._touch()

    def on_stem(self, track_id: UUID, job_id: UUID, stem_type: str, path: Path, gain: float) -> None:
        self.stems[stem_type] = (path, gain)
        self._touch()

    def _touch(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()

    async def until(self, condition: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
        """Wait until something is so that the site hears of; the database is looked at again and again."""
        with anyio.fail_after(self.patience_s):
            while True:
                if self.faults:
                    raise self.faults.pop()
                holds = condition()
                if not isinstance(holds, bool):
                    holds = await holds
                if holds:
                    return
                with anyio.move_on_after(0.05):
                    await self.changed.wait()

    async def job_is(self, job_id: UUID, *statuses: str) -> Job:
        """Wait until a job is in one of the states."""
        await self.until(lambda: any(job.id == job_id and job.status in statuses for job in self.heard))
        return await self.jobs.get(job_id)
