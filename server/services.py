"""What a running server is made of, in one typed value that routes and sockets are given.

Owner: `server/run.py` builds it; nobody replaces a part. Fields are filled before the first request is served.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from server.gauges import Alive

if TYPE_CHECKING:
    from audio.importer import Importer
    from server.accounts import Accounts
    from server.auth import Authentication
    from server.db import Database
    from server.engine import EngineKeeper
    from server.jobs.batches import BatchService
    from server.jobs.service import JobService
    from server.jobs.worker_socket import WorkerHub
    from server.lan import Lan
    from server.library.service import Library
    from server.live import LiveHub
    from server.session.deckhand import EngineDeckhand
    from server.session.show import Show
    from server.setlists import Shelf
    from server.settings import Settings
    from server.spotify import Spotify
    from server.spotify_account import SpotifyAccounts
    from server.surfaces.midi_desk import MidiDesk
    from server.surfaces.osc import OscSurface
    from server.surfaces.oscquery import OscQuery


@dataclass(slots=True)
class Services:
    """The parts of a running server."""

    settings: "Settings"
    version: str
    db: "Database"
    auth: "Authentication"
    library: "Library"
    importer: "Importer"
    jobs: "JobService"
    batches: "BatchService"
    workers: "WorkerHub"
    show: "Show"
    engine: "EngineKeeper"
    deckhand: "EngineDeckhand"
    live: "LiveHub"
    osc: "OscSurface"
    oscquery: "OscQuery"
    midi: "MidiDesk"
    lan: "Lan"
    spotify: "Spotify"
    accounts: "Accounts"
    spotify_accounts: "SpotifyAccounts"
    setlists: "Shelf"

    def alive(self) -> Alive:
        """Return what is connected and how the engine is, for metrics."""
        return Alive(self.deckhand.status, tuple(self.workers.workers()), self.live.pages)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.settings.data
