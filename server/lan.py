"""Phones on this network: opened and closed while the show runs.

Owner: one task of the lifespan. Opening lets other machines send OSC (each one waits for Allow on the page) and serves
the page over HTTPS with the program's own certificates; browsers come in by a link that works once.
Units: none.
"""

import logging
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import uvicorn
from starlette.types import ASGIApp

from server.errors import ServerError
from server.http.guard import Hosts
from server.surfaces.osc import OscSurface
from server.tls import lan_addresses, server_context

_log = logging.getLogger(__name__)

PORT_STEP: Final = 443
"""HTTPS is tried this far above the port of the page: 4443 beside 4000. If that is taken, any free port serves."""


class LanRefused(ServerError):
    """The network cannot be opened."""

    code = "lan_refused"
    http_status = 409


class PageServer(uvicorn.Server):
    """A web server that leaves the signals to the program it is part of, and can be cancelled."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take none."""
        yield

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to exit or cancelled; either way the sockets are closed in order.

        A cancelled uvicorn leaves its listening sockets registered at the loop's selector. Their numbers are given to
        the next sockets that open, and those would never be read.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._exit_when_cancelled)
            with anyio.CancelScope(shield=True):
                await super().serve(sockets)
            tasks.cancel_scope.cancel()

    async def _exit_when_cancelled(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self.should_exit = True


def page_config(app: ASGIApp, **options: Any) -> uvicorn.Config:
    """Return how we serve, over HTTP and HTTPS alike."""
    return uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, server_header=False, proxy_headers=False,
        ws="websockets-sansio", ws_max_size=1 << 24, ws_per_message_deflate=False, timeout_graceful_shutdown=1,
        **options,
    )  # fmt: skip


class Lan:
    """The door to the network. `app` is set before `run`."""

    def __init__(self, data: Path, port: int, osc: OscSurface, hosts: Hosts) -> None:
        self._folder = data / "tls"
        self._port = port
        self._osc = osc
        self._hosts = hosts
        self._change = anyio.Event()
        self._wanted = False
        self._settled = anyio.Event()
        self._fault: str | None = None
        self.addresses: list[str] = []
        self.https_port = 0

    @property
    def is_open(self) -> bool:
        """Whether other machines can come in."""
        return self.https_port > 0

    @property
    def authority(self) -> Path:
        """The certificate that a phone installs to trust this program."""
        return self._folder / "authority.crt"

    def urls(self, token: str) -> list[str]:
        """Return links to the page for phones, the likeliest address first; each logs in with `token`."""
        return [f"https://{address}:{self.https_port}/?token={token}" for address in self.addresses]

    async def open(self) -> None:
        """Let the network in, if it is not in already. Raises LanRefused."""
        if not self.is_open:
            await self._set(True)

    async def close(self) -> None:
        """Shut the network out again, those who are in too."""
        await self._set(False)

    async def _set(self, wanted: bool) -> None:
        self._wanted, self._settled, self._fault = wanted, anyio.Event(), None
        self._change.set()
        await self._settled.wait()
        if self._fault is not None:
            raise LanRefused(self._fault)

    async def run(self, app: ASGIApp) -> None:
        """Serve whoever is let in until cancelled."""
        while True:
            await self._change.wait()
            self._change = anyio.Event()
            if not self._wanted:
                self._settled.set()
                continue
            try:
                await self._serve(app)
            except (OSError, ServerError) as error:
                _log.warning("the network stays closed: %s", error)
                self._fault = f"The network could not be opened: {error}"
                self._wanted = False
            finally:
                self.https_port = 0
                self._hosts.close_lan()
                self._osc.close_lan()
                self._settled.set()

    async def _serve(self, app: ASGIApp) -> None:
        self.addresses = await anyio.to_thread.run_sync(lan_addresses)
        if not self.addresses:
            raise OSError("this machine has no address on a network")
        await anyio.to_thread.run_sync(server_context, self._folder, self.addresses)
        listener = _listen_anywhere(self._port + PORT_STEP)
        with listener:
            self._osc.open_lan()
            self._hosts.open_lan()
            config = page_config(app, ssl_certfile=self._folder / "server.crt", ssl_keyfile=self._folder / "server.key")
            self.https_port = listener.getsockname()[1]
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(PageServer(config).serve, [listener])
                self._settled.set()
                await self._change.wait()
                tasks.cancel_scope.cancel()


def _listen_anywhere(port: int) -> socket.socket:
    for candidate in (port, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("0.0.0.0", candidate if candidate < 65536 else 0))
        except OSError:
            listener.close()
            if candidate == 0:
                raise
            continue
        listener.listen(128)
        listener.setblocking(False)
        return listener
    raise OSError("no port is free")
