"""What the routes need of the rest of the server; `server.services.Services` has all of it.

Owner: nobody; shapes only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import msgspec

from server.accounts import Accounts
from server.auth import Authentication
from server.db import Database
from server.gauges import Alive
from server.jobs.batches import BatchService
from server.jobs.job import Job, Kind
from server.library.service import Library
from server.pads import Pad
from server.protocol import Peer, Value
from server.session.facts import PadWanted
from server.session.intent import Intent
from server.setlists import Shelf
from server.spotify import Spotify
from server.spotify_account import SpotifyAccounts
from server.surfaces.midi_desk import MidiHeard, MidiOverview, MidiTable, MidiTaken


class Jobs(Protocol):
    """`server.jobs.service.JobService`."""

    async def separate(
        self,
        track_id: UUID,
        user_id: int,
        engine: str = "",
        model: str = "",
        options: Mapping[str, Any] | None = None,
        *,
        priority: int = 0,
    ) -> Job: ...
    async def analyse(
        self, track_id: UUID, user_id: int, features: Sequence[str] = (), *, priority: int = 0
    ) -> Job: ...
    async def download(
        self, user_id: int, url: str, name: str, *, track_id: UUID | None = None
    ) -> tuple[UUID, Job | None]: ...
    async def get(self, job_id: UUID, user_id: int | None = None) -> Job: ...
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
    ) -> list[Job]: ...
    async def cancel(self, job_id: UUID, user_id: int | None = None) -> Job: ...
    async def retry(self, job_id: UUID, user_id: int | None = None) -> Job: ...


class Show(Protocol):
    """`server.session.show.Show`."""

    @property
    def controls(self) -> Mapping[str, Value]: ...
    @property
    def pads(self) -> tuple[Pad, ...]: ...
    def report(self, fact: PadWanted) -> None: ...
    def session(self) -> tuple[int, dict[str, Value]]: ...
    def submit(self, intent: Intent) -> None: ...
    async def settle(self) -> int: ...


class Osc(Protocol):
    """The part of `server.surfaces.osc.OscSurface` that decides about senders."""

    def peers(self) -> list[Peer]: ...
    async def allow(self, address: str) -> None: ...
    async def block(self, address: str) -> None: ...
    @property
    def port(self) -> int: ...
    async def forget(self, address: str) -> None: ...


class Lan(Protocol):
    """`server.lan.Lan`."""

    @property
    def is_open(self) -> bool: ...
    @property
    def addresses(self) -> list[str]: ...
    def urls(self, token: str) -> list[str]: ...
    async def open(self) -> None: ...
    async def close(self) -> None: ...


class Midi(Protocol):
    """`server.surfaces.midi_desk.MidiDesk`."""

    def start_learn(self, path: str) -> None: ...
    def cancel_learn(self) -> None: ...
    def overview(self) -> MidiOverview: ...
    def table(self, name: str) -> MidiTable: ...
    def take(self, file: str, text: str, match: str = "") -> MidiTaken: ...
    async def take_script(self, file: str, text: str) -> MidiTaken: ...
    def forget(self, port: str, source: str, path: str, on: str = "press", layer: str = "") -> None: ...
    def undo(self) -> str: ...
    async def choose(self, device: str, hear: bool, output: str) -> None: ...
    def heard(self, after: int) -> list[MidiHeard]: ...


class WorkerIdentity(Protocol):
    """Whose worker token it is; no queues means all."""

    @property
    def name(self) -> str: ...
    @property
    def queues(self) -> Collection[str]: ...


class Workers(Protocol):
    """The part of `server.jobs.worker_socket.WorkerHub` that knows tokens."""

    async def identify(self, token: str) -> WorkerIdentity | None: ...


class PcmReader(Protocol):
    """The part of `audio.importer.Importer` that reads references."""

    async def pcm(
        self, reference_path: Path, gain: float, rate_in: int, rate_out: int, start: int, stop: int
    ) -> bytes: ...


class HttpSettings(Protocol):
    """The settings that routes look at."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def lan(self) -> bool: ...
    @property
    def max_upload_mb(self) -> int: ...
    @property
    def stem_format(self) -> str: ...


class HttpServices(Protocol):
    """Everything that routes are given."""

    @property
    def settings(self) -> HttpSettings: ...
    @property
    def version(self) -> str: ...
    @property
    def db(self) -> Database: ...
    @property
    def auth(self) -> Authentication: ...
    @property
    def library(self) -> Library: ...
    @property
    def importer(self) -> PcmReader: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def batches(self) -> BatchService: ...
    @property
    def workers(self) -> Workers: ...
    @property
    def show(self) -> Show: ...
    @property
    def osc(self) -> Osc: ...
    @property
    def midi(self) -> Midi: ...
    @property
    def lan(self) -> Lan: ...
    @property
    def spotify(self) -> Spotify: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def spotify_accounts(self) -> SpotifyAccounts: ...
    def alive(self) -> Alive: ...
    @property
    def setlists(self) -> Shelf: ...


class Check(msgspec.Struct, frozen=True):
    """How one part is: ok, degraded (the show goes on without it) or failed; `detail` for people."""

    status: str
    detail: str = ""


Checks = Mapping[str, Callable[[], Awaitable[Check]]]
"""Health checks by name, beside the database and the storage."""
