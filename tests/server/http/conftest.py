"""The HTTP application on the real database and library, with fakes for the show, the jobs and the surfaces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from audio.importer import Importer
from audio.units import PADS
from control.registry import REGISTRY
from server.accounts import Accounts
from server.auth import Authentication
from server.db import Database, IllegalMove
from server.errors import NotFound
from server.gauges import Alive
from server.http.guard import Hosts
from server.http.limits import Limits
from server.http.routes import middleware, routes
from server.jobs.batches import BatchService
from server.jobs.job import Job, Kind
from server.jobs.service import JobService
from server.library.service import Library
from server.pads import PADS_AT_REST, Pad
from server.protocol import Peer, Value
from server.secrets import Vault
from server.session.facts import PadWanted
from server.session.intent import Intent, Refused
from server.setlists import Shelf
from server.spotify import Spotify
from server.spotify_account import SpotifyAccounts
from tests.server.library.conftest import importer as importer  # the fixture

TOKEN = "the-owners-token"
BASE = "http://localhost:4000"


@dataclass(frozen=True)
class FakeSettings:
    host: str = "127.0.0.1"
    port: int = 4000
    lan: bool = False
    max_upload_mb: int = 4
    stem_format: str = "flac"


class FakeJobs:
    """Makes real rows, so that what the library tells of jobs is true."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def _get(self, job_id: UUID, user_id: int | None) -> Job:
        return await self._db.one(
            Job,
            "SELECT j.*, t.user_id FROM jobs j JOIN tracks t ON t.id = j.track_id "
            "WHERE j.id = $1 AND ($2::bigint IS NULL OR t.user_id = $2)", job_id, user_id,
        )  # fmt: skip

    async def _own(self, track_id: UUID, user_id: int) -> None:
        if not await self._db.value("SELECT true FROM tracks WHERE id = $1 AND user_id = $2", track_id, user_id):
            raise NotFound

    async def separate(
        self,
        track_id: UUID,
        user_id: int,
        engine: str = "auto",
        model: str = "",
        options: Mapping[str, Any] | None = None,
        *,
        priority: int = 0,
    ) -> Job:
        await self._own(track_id, user_id)
        made = await self._db.value(
            "INSERT INTO processing_jobs (track_id, engine, model, options) VALUES ($1, $2, $3, $4) RETURNING id",
            track_id, "spectral" if engine == "auto" else engine, model or "default", dict(options or {}),
        )  # fmt: skip
        return await self._get(made, user_id)

    async def analyse(self, track_id: UUID, user_id: int, features: Sequence[str] = (), *, priority: int = 0) -> Job:
        await self._own(track_id, user_id)
        made = await self._db.value(
            "INSERT INTO analysis_jobs (track_id, features) VALUES ($1, $2) RETURNING id", track_id, list(features)
        )
        return await self._get(made, user_id)

    async def download(self, user_id: int, url: str, name: str, *, priority: int = 0) -> tuple[UUID, Job | None]:
        raise NotImplementedError("tests of links use the real service")

    async def get(self, job_id: UUID, user_id: int | None = None) -> Job:
        return await self._get(job_id, user_id)

    async def list(
        self,
        user_id: int | None = None,
        *,
        track_id: UUID | None = None,
        kind: Kind | None = None,
        status: str | None = None,
        batch_id: UUID | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Job]:
        return await self._db.all(
            Job,
            "SELECT j.*, t.user_id FROM jobs j JOIN tracks t ON t.id = j.track_id WHERE t.user_id = $1 "
            "AND ($2::uuid IS NULL OR j.track_id = $2) AND ($3::text IS NULL OR j.kind = $3) "
            "AND ($4::text IS NULL OR j.status = $4) ORDER BY j.inserted_at DESC LIMIT $5 OFFSET $6",
            user_id, track_id, kind, status, limit, offset,
        )  # fmt: skip

    async def _move(self, job_id: UUID, user_id: int | None, status: str) -> Job:
        job = await self._get(job_id, user_id)
        if job.status == status:
            raise IllegalMove
        await self._db.execute(
            f"UPDATE {job.kind}_jobs SET status = $2, lock_version = $3 + 1 WHERE id = $1",
            job.id, status, job.lock_version,
        )  # fmt: skip
        return await self._get(job_id, user_id)

    async def cancel(self, job_id: UUID, user_id: int | None = None) -> Job:
        return await self._move(job_id, user_id, "cancelled")

    async def retry(self, job_id: UUID, user_id: int | None = None) -> Job:
        return await self._move(job_id, user_id, "queued")


@dataclass
class FakeShow:
    """Takes what it is given at once; `refuse` names a path that is refused late."""

    values: dict[str, Value] = field(default_factory=dict)
    rev: int = 0
    refuse: str = ""
    held: list[Pad] = field(default_factory=lambda: list(PADS_AT_REST))

    @property
    def controls(self) -> Mapping[str, Value]:
        return dict(self.values)

    def session(self) -> tuple[int, dict[str, Value]]:
        return self.rev, dict(self.values)

    def submit(self, intent: Intent) -> None:
        assert intent.path in REGISTRY
        if intent.path == self.refuse and intent.reply is not None:
            intent.reply(Refused("busy", "not now", intent.path))
            return
        assert isinstance(intent.value, bool | int | float | str)
        self.values[intent.path] = intent.value
        self.rev += 1

    @property
    def pads(self) -> tuple[Pad, ...]:
        return tuple(self.held)

    def report(self, fact: PadWanted) -> None:
        place = fact.bank * PADS + fact.pad
        self.held[place] = replace(self.held[place], source=fact.source, status="loading" if fact.source else "empty")

    async def settle(self) -> int:
        return self.rev


@dataclass
class FakeOsc:
    port = 8000
    known: dict[str, str] = field(default_factory=lambda: {"192.168.1.9": "waiting"})

    def peers(self) -> list[Peer]:
        return [Peer(address, status, 1) for address, status in self.known.items()]

    async def allow(self, address: str) -> None:
        self.known[address] = "allowed"

    async def block(self, address: str) -> None:
        self.known[address] = "blocked"

    async def forget(self, address: str) -> None:
        self.known.pop(address, None)


@dataclass
class FakeMidi:
    learning: str | None = None

    def start_learn(self, path: str) -> None:
        self.learning = path

    def cancel_learn(self) -> None:
        self.learning = None


@dataclass
class FakeLan:
    """The network, closed until `https_port` is set."""

    authority: Path = Path("nowhere")
    addresses: list[str] = field(default_factory=lambda: ["192.168.1.5"])
    https_port: int = 0

    @property
    def is_open(self) -> bool:
        return self.https_port > 0


@dataclass(frozen=True)
class FakeIdentity:
    name: str
    queues: frozenset[str] = frozenset()


@dataclass
class FakeWorkers:
    tokens: dict[str, FakeIdentity] = field(default_factory=dict)

    async def identify(self, token: str) -> FakeIdentity | None:
        return self.tokens.get(token)


@dataclass
class Parts:
    """`server.services.Services`, as far as routes look."""

    settings: FakeSettings
    version: str
    db: Database
    auth: Authentication
    library: Library
    importer: Importer
    jobs: FakeJobs | JobService
    batches: BatchService
    workers: FakeWorkers
    show: FakeShow
    osc: FakeOsc
    midi: FakeMidi
    lan: FakeLan = field(default_factory=FakeLan)
    seen: Alive = field(default_factory=Alive)
    spotify: Spotify = field(default_factory=lambda: Spotify("", ""))
    accounts: Accounts = field(init=False)
    spotify_accounts: SpotifyAccounts = field(init=False)
    setlists: Shelf = field(default_factory=lambda: Shelf(Path("nowhere")))
    app: Starlette = field(default_factory=Starlette)
    hosts: Hosts = field(default_factory=Hosts)

    def __post_init__(self) -> None:
        vault = Vault([bytes(32)])
        self.accounts = Accounts(self.db, vault)
        self.spotify_accounts = SpotifyAccounts(self.db, vault, "")

    def alive(self) -> Alive:
        return self.seen


class FakeClock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def _socket(websocket: WebSocket) -> None:
    identity = websocket.scope["state"]["identity"]
    await websocket.accept()
    await websocket.send_text(str(getattr(identity, "user_id", None)))
    await websocket.close()


@pytest.fixture
async def parts(db: Database, importer: Importer, tmp_path: Path, clock: FakeClock) -> Parts:
    auth = Authentication(db, token=TOKEN)
    await auth.start()
    library = Library(db, tmp_path / "data", importer)
    await library.open()
    made = Parts(
        FakeSettings(), "1.2.3", db, auth, library, importer,
        FakeJobs(db), BatchService(db, JobService(db, tmp_path / "data")), FakeWorkers(), FakeShow(), FakeOsc(),
        FakeMidi(), setlists=Shelf(tmp_path / "data" / "setlists"),
    )  # fmt: skip
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html><title>page</title>")
    (dist / "assets" / "app-1a2b.js").write_text("1")
    (tmp_path / "secret.txt").write_text("secret")
    limits = Limits(clock)
    made.app = Starlette(
        routes=[WebSocketRoute("/ws/test", _socket), *routes(made, limits, dist=dist)],
        middleware=middleware(made, made.hosts, limits),
    )
    return made


Browser = Callable[..., httpx2.AsyncClient]


def client_of(parts: Parts, *, address: str = "127.0.0.1", base: str = BASE, **options: Any) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=parts.app, client=(address, 50_000))
    return httpx2.AsyncClient(transport=transport, base_url=base, **options)


@pytest.fixture
async def stranger(parts: Parts) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody who is not logged in."""
    async with client_of(parts) as client:
        yield client


@pytest.fixture
async def api(parts: Parts) -> AsyncIterator[httpx2.AsyncClient]:
    """The owner with the API token."""
    async with client_of(parts, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


@pytest.fixture
async def other(parts: Parts) -> AsyncIterator[httpx2.AsyncClient]:
    """Another user with a token of theirs."""
    user = await parts.db.value("INSERT INTO users (email) VALUES ('other@example.com') RETURNING id")
    token = await parts.auth.issue_api_token("test", user)
    async with client_of(parts, headers={"Authorization": f"Bearer {token}"}) as client:
        yield client


async def upload(client: httpx2.AsyncClient, path: Path, **fields: str) -> httpx2.Response:
    content = await anyio.Path(path).read_bytes()
    return await client.post("/api/tracks", files={"file": (path.name, content)}, data=fields)
