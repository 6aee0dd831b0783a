"""A running server as the command line sees it: found by its data folder, spoken to over HTTP.

Owner: one command. `DATA/run/server.json`, readable by the owner alone, tells where the server is and holds a token of
its own for the command line.
"""

import json
import ssl
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

import httpx2

from server.errors import ServerError
from server.settings import Settings


class ServerNotRunning(ServerError):
    """No server runs on this data folder; start one with `alchemy run`."""

    code = "server_not_running"


class Refused(ServerError):
    """The server refused."""

    code = "refused"


AUTHORITY: Final = Path("alchemy-authority.crt")
"""What the certificate for workers elsewhere is called."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, the token that opens it, its database, and the token of workers started by hand."""

    url: str
    token: str
    database: str = ""
    worker_token: str = ""
    osc_port: int = 8000

    def write(self, runtime: Path) -> None:
        """Leave the address for the command line, readable by its owner alone."""
        path = runtime / "server.json"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, runtime: Path) -> Self:
        """Return the address a running server left. Raises ServerNotRunning."""
        try:
            content = json.loads((runtime / "server.json").read_text(encoding="utf-8"))
            return cls(**content)
        except (OSError, ValueError, TypeError):
            raise ServerNotRunning from None

    @staticmethod
    def forget(runtime: Path) -> None:
        """Take the address away."""
        (runtime / "server.json").unlink(missing_ok=True)


class Remote:
    """A connection to a running server."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._client = httpx2.Client(
            base_url=address.url, headers={"Authorization": f"Bearer {address.token}"}, timeout=120, trust_env=False
        )

    @classmethod
    def find(cls, settings: Settings, url: str | None = None, token: str | None = None) -> Self:
        """Connect to `url`, or to the server of the data folder. Raises ServerNotRunning."""
        if url is not None:
            return cls(Address(url, token or settings.token))
        address = Address.read(settings.runtime)
        return cls(replace(address, token=token) if token else address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def request(self, method: str, path: str, **parts: Any) -> Any:
        """Return the JSON answer. Waits when told to slow down. Raises Refused with the server's sentence."""
        while True:
            try:
                answer = self._client.request(method, path, **parts)
            except httpx2.TransportError as error:
                raise ServerNotRunning(f"{self.address.url} does not answer: {error}") from error
            if answer.status_code != 429:
                break
            time.sleep(min(60.0, float(answer.headers.get("Retry-After", "1"))))
        try:
            content = answer.json() if answer.content else None
        except ValueError:
            content = None
        if answer.is_success:
            return content
        told = content.get("error", {}) if isinstance(content, dict) else {}
        raise Refused(told.get("message", f"the server answered {answer.status_code}"), **(told.get("details") or {}))

    def upload(self, path: Path, **fields: str) -> dict[str, Any]:
        """Send one audio file and return its track. Raises Refused."""
        with path.open("rb") as file:
            track: dict[str, Any] = self.request(
                "POST", "/api/tracks", files={"file": (path.name, file, "application/octet-stream")}, data=fields
            )
        return track

    def upload_stem(self, track_id: str, stem_type: str, path: Path) -> None:
        """Give a track a stem of the performer's own. Raises Refused."""
        with path.open("rb") as file:
            self.request(
                "PUT",
                f"/api/tracks/{track_id}/stems/{stem_type}",
                files={"file": (path.name, file, "application/octet-stream")},
            )

    def set(self, path: str, value: object) -> None:
        """Set one control. Raises Refused."""
        self.request("POST", "/api/session", json=[{"path": path, "value": value}])


def add_worker(remote: Remote, name: str, queues: Sequence[str]) -> str:
    """Make a token for a worker elsewhere; return the line to start it with there, and what has to go along.

    The certificate it is to trust is written into the current folder. Raises Refused.
    """
    made = remote.request("POST", "/api/workers", json={"name": name, "queues": list(queues)})
    line = f"ALCHEMY_TOKEN={made['token']} alchemy worker --queues {','.join(queues)}"
    if not made["server"]:
        closed = "the network is closed: open it on the page or by --lan, or name an address that leads here"
        return f"{line} --server URL\n({closed})"
    AUTHORITY.write_text(made["authority"], encoding="ascii")
    return f"{line} --server {made['server']} --authority {AUTHORITY}\n(copy {AUTHORITY} there)"


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """Where workers belong, as the command line names it. Without `server` it is the one of the data folder.

    `broker` empty: the embedded queue, reached by the server's address. `authority` is a file with the certificate that
    signs an https server's. `device` is for the demucs engine.
    """

    server: str = ""
    token: str = ""
    broker: str = ""
    authority: Path | None = None
    device: str = ""


def run_workers(settings: Settings, queues: Sequence[str], place: WorkerPlace) -> int:
    """Keep worker processes for a server until told to stop. Raises ServerNotRunning, ServerError."""
    from pipeline.worker import run_groups
    from pipeline.worker_settings import THREADS

    unknown = [queue for queue in queues if queue not in THREADS]
    if unknown:
        raise ServerError(f"there is no queue called {unknown[0]!r}; there is {', '.join(THREADS)}")
    broker = place.broker or settings.broker
    if place.server:
        if not place.token:
            raise ServerError("a worker of a server elsewhere needs a token: `alchemy workers add NAME` makes one")
        server, token = place.server.rstrip("/"), place.token
    else:
        address = Address.read(settings.runtime)
        server, token, broker = address.url, address.worker_token, broker or address.database
    try:
        authority = place.authority.read_text(encoding="ascii") if place.authority is not None else ""
        if server.startswith("https:"):
            ssl.create_default_context(cadata=authority or None)
    except (OSError, ValueError) as error:
        raise ServerError(f"--authority {place.authority} is no certificate: {error}") from error
    options = settings.pipeline.engine_options() | ({"device": place.device} if place.device else {})
    return run_groups(
        server,
        token,
        broker,
        settings.data / "spool",
        queues,  # type: ignore[arg-type]
        options,
        authority=authority,
        fetcher=str(settings.data / "fetcher"),
    )
