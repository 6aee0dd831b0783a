"""The door to the queue for workers on other machines: a socket that is a connection to the embedded PostgreSQL.

Owner: the event loop; one `QueueDoor` of the server. The database itself listens on no network. A worker comes over the
server's own address, and its TLS, with its token, and can only be the role that sees the queue (`alchemy_queue`): the
first packet, which says who somebody is and what for, is made anew here.
Units: bytes. Source of the packet's form: PostgreSQL's documentation, "Message Formats", StartupMessage.
"""

import asyncio
import logging
import struct
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from server.auth import bearer
from server.errors import ServerError
from server.jobs.worker_socket import CLOSE_BAD, CLOSE_REFUSED, WorkerHub
from server.postgres import QUEUE_ROLE

log = logging.getLogger(__name__)

PROTOCOL: Final = 196_608
"""Version 3.0, in a startup packet's second word. Requests for encryption and cancellation have other numbers there."""

LONGEST_START: Final = 10_000

KEPT: Final = frozenset({b"options", b"application_name", b"client_encoding"})
"""What a worker may say of its connection."""

_HELLO_S: Final = 10.0
_READ: Final = 65_536


class NoDoor(ServerError):
    """This server's database is none of its own; give workers its address with --broker."""

    code = "no_door"


class QueueDoor:
    """Serves `/ws/queue`. `url` is the database's address; only one on a local socket has a door."""

    def __init__(self, hub: WorkerHub, url: str) -> None:
        self._hub = hub
        parts = urlsplit(url)
        folder = parse_qs(parts.query).get("host", [""])[0]
        self._database = parts.path.lstrip("/")
        self._socket = Path(folder) / ".s.PGSQL.5432" if folder.startswith("/") else None

    async def endpoint(self, websocket: WebSocket) -> None:
        """Serve one connection; for `WebSocketRoute("/ws/queue", door.endpoint)`."""
        await websocket.accept()
        try:
            why = await self._refusal(websocket)
            if why is not None:
                await websocket.close(CLOSE_REFUSED, why[:120])
                return
            with anyio.move_on_after(_HELLO_S) as waited:
                first = await websocket.receive_bytes()
            start = None if waited.cancelled_caught else start_packet(first, self._database)
            if start is None:
                await websocket.close(CLOSE_BAD, "This is no start of a connection to the queue.")
                return
            await self._connect(websocket, start)
        except* (WebSocketDisconnect, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as ended:
            log.debug("A worker's way to the queue ended: %s", ended.exceptions)

    async def _refusal(self, websocket: WebSocket) -> str | None:
        if self._socket is None:
            return NoDoor.__doc__
        try:
            known = await self._hub.identify(bearer(websocket) or "")
        except ServerError as error:
            return str(error)
        return None if known is not None else "This worker's token is not known or was revoked."

    async def _connect(self, websocket: WebSocket, first: bytes) -> None:
        assert self._socket is not None
        # asyncio's streams: an end of anyio's at the moment in which something comes is an error in the loop's log.
        reader, writer = await asyncio.open_unix_connection(self._socket)
        try:
            async with anyio.create_task_group() as tasks:
                writer.write(first)

                async def inward() -> None:
                    try:
                        while True:
                            writer.write(await websocket.receive_bytes())
                            await writer.drain()
                    finally:
                        tasks.cancel_scope.cancel()

                tasks.start_soon(inward)
                while said := await reader.read(_READ):
                    await websocket.send_bytes(said)
                tasks.cancel_scope.cancel()
        finally:
            writer.close()
        await websocket.close()


def start_packet(first: bytes, database: str) -> bytes | None:
    """Return the packet that begins a connection of the queue's role to `database`, with what `first` says of its
    manner; None when `first` is no such packet (a request for encryption, a cancellation, garbage)."""
    if not 8 <= len(first) <= LONGEST_START:
        return None
    length, protocol = struct.unpack("!ii", first[:8])
    words = first[8:].split(b"\0")
    if length != len(first) or protocol >> 16 != PROTOCOL >> 16 or words[-2:] != [b"", b""] or len(words) % 2:
        return None
    said = dict(zip(words[:-2:2], words[1:-2:2], strict=True))
    kept = {name: value for name, value in said.items() if name in KEPT}
    asked = {b"user": QUEUE_ROLE.encode(), b"database": database.encode(), **kept}
    body = b"".join(name + b"\0" + value + b"\0" for name, value in asked.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, protocol) + body
