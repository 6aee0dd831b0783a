"""OSCQuery: programs find us by mDNS, browse every control over HTTP, and hear and move them through a WebSocket.

Owner: the event loop; `OscQuery.run` is one task. Units: ports as numbers; values as the registry says.

    GET /deck/1/volume, ?VALUE, ?HOST_INFO  --> control.oscquery, from the registry and the show
    WebSocket  text: LISTEN, IGNORE --> osc_feed      binary: OSC packets --> the OSC surface's queue, as from a socket

Who may do what is what OSC itself allows: this machine always, another one once it was allowed on the page, and a web
page from elsewhere never. It is served on a port of its own, since the namespace begins at `/`.
"""

import logging
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskStatus
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from control import oscquery
from control.errors import NotAnnounced
from control.osc_queue import Sender
from control.zeroconf_port import Announcer, Service
from server.errors import NotAllowed, ServerError
from server.http.guard import Hosts, check_names
from server.lan import PageServer, page_config
from server.session.effects import Notice
from server.surfaces.osc import OscSurface
from server.surfaces.show_port import ShowPort
from server.tls import lan_addresses

log = logging.getLogger(__name__)

NAME: Final = "Sound Forge Alchemy"
PORT: Final = 5678
"""Where OSCQuery servers are looked for first; any free port where another program has it, told by mDNS."""

MAX_WAITING: Final = 512
"""Packets that wait for a slow socket; what comes then waits in its outbox, newest value of each control."""

MAX_TEXT: Final = 4096
MAX_SOCKETS: Final = 64
MAX_PACKET: Final = 65_536
_FOCUS: Final = "/session/focus"
_REFUSED: Final = 1008


class NotAllowedYet(NotAllowed):
    """Nobody has allowed this address yet: press Allow on the page."""

    code = "not_allowed_yet"


class _Command(msgspec.Struct, frozen=True):
    """A text message, both ways."""

    command: str = msgspec.field(name="COMMAND")
    data: str = msgspec.field(name="DATA")


@dataclass(slots=True, eq=False)
class _Socket:
    """One connected program."""

    waiting: deque[bytes | str] = field(default_factory=deque)
    arrived: anyio.Event = field(default_factory=anyio.Event)

    def put(self, message: bytes | str) -> bool:
        """Queue a message; return False if the socket is slow."""
        if len(self.waiting) >= MAX_WAITING:
            return False
        self.waiting.append(message)
        self.arrived.set()
        return True

    async def next(self) -> bytes | str:
        while not self.waiting:
            self.arrived = anyio.Event()
            await self.arrived.wait()
        return self.waiting.popleft()


class OscQuery:
    """The OSCQuery server of one OSC surface. `name` is what programs list us as."""

    def __init__(self, show: ShowPort, osc: OscSurface, hosts: Hosts, *, name: str = NAME) -> None:
        self._show = show
        self._osc = osc
        self._hosts = hosts
        self._name = name
        self._sockets: set[_Socket] = set()
        self._serials = count(1)
        self.port = 0
        self.is_announced = False
        self.app = Starlette(routes=[WebSocketRoute("/{path:path}", self._socket), Route("/{path:path}", self._browse)])
        """The ASGI application."""

    # -- the lifespan -------------------------------------------------------------------------------------------------

    async def run(self, port: int = PORT, *, task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; the port is told to `task_status`.

        Begin after the OSC surface: its port is told on. Opens to the network and closes as that surface does.
        """
        local = _listen("127.0.0.1", port)
        self.port = int(local.getsockname()[1])
        locals_ = [local]
        if (six := _try_listen("::1", self.port)) is not None:
            locals_.append(six)
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._follow_focus)
            tasks.start_soon(self._serve, locals_)
            tasks.start_soon(self._follow_doors)
            task_status.started(self.port)

    async def _serve(self, listeners: list[socket.socket]) -> None:
        await PageServer(page_config(self.app)).serve(listeners)

    async def _follow_doors(self) -> None:
        """Serve the network and be announced there while it is open; else be announced on this machine alone."""
        while True:
            changed = self._osc.doors_changed
            async with anyio.create_task_group() as tasks:
                addresses = ["127.0.0.1"]
                if self._osc.is_lan_open:
                    addresses = await anyio.to_thread.run_sync(lan_addresses) or addresses
                    found = [_try_listen(address, self.port) for address in addresses]
                    listeners = [listener for listener in found if listener is not None]
                    if listeners:
                        tasks.start_soon(self._serve, listeners)
                tasks.start_soon(self._announce, addresses)
                await changed.wait()
                tasks.cancel_scope.cancel()

    async def _announce(self, addresses: Sequence[str]) -> None:
        announcer = Announcer()
        services = (Service("_oscjson._tcp", self.port), Service("_osc._udp", self._osc.port))
        try:
            await announcer.open(self._name, services, addresses)
            self.is_announced = True
            await anyio.sleep_forever()
        except NotAnnounced as error:
            log.info("%s", error)
            self._show.notice(Notice("info", "not_announced", str(error)))
        finally:
            self.is_announced = False
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await announcer.close()

    # -- HTTP ---------------------------------------------------------------------------------------------------------

    def _check(self, connection: HTTPConnection) -> None:
        """Raises NotAllowed."""
        check_names(connection, self._hosts)
        host = connection.client.host if connection.client else ""
        if not self._osc.admits(host):
            raise NotAllowedYet

    async def _browse(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return _json({"error": "only GET"}, 405)
        try:
            self._check(request)
        except ServerError as error:
            return _json({"error": str(error)}, 403)
        query = request.url.query.partition("&")[0].partition("=")[0]
        value_of = self._osc.feed.value
        try:
            if query == "HOST_INFO":
                return _json(oscquery.host_info(self._name, self._osc.port, self.port))
            if query:
                found = oscquery.attribute(request.url.path, query, value_of)
                return _json(found) if found is not None else Response(status_code=204)
            return _json(oscquery.node(request.url.path, value_of))
        except oscquery.NoSuchNode as error:
            return _json({"error": str(error)}, 404)
        except oscquery.NoSuchAttribute as error:
            return _json({"error": str(error)}, 400)

    # -- the socket ---------------------------------------------------------------------------------------------------

    async def _socket(self, websocket: WebSocket) -> None:
        try:
            self._check(websocket)
            if len(self._sockets) >= MAX_SOCKETS:
                raise NotAllowed("too many programs are connected")
        except ServerError as error:
            log.info("an OSCQuery socket was refused: %s", error)
            await websocket.close(_REFUSED)
            return
        await websocket.accept()
        assert websocket.client is not None
        guest: Sender = (websocket.client.host, websocket.client.port, -next(self._serials))
        one = _Socket()
        self._sockets.add(one)
        self._osc.enter(guest, one.put)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_write, websocket, one, tasks.cancel_scope)
                await self._read(websocket, guest)
                tasks.cancel_scope.cancel()
        finally:
            self._sockets.discard(one)
            self._osc.leave(guest)

    async def _read(self, websocket: WebSocket, guest: Sender) -> None:
        while True:
            event = await websocket.receive()
            if event["type"] == "websocket.disconnect":
                return
            packet = event.get("bytes")
            if packet is None:
                self._obey(str(event.get("text", "")), guest)
            elif len(packet) <= MAX_PACKET:
                while not self._osc.offer(guest, packet):
                    if not self._osc.is_guest(guest):
                        return  # blocked meanwhile
                    await anyio.sleep(0.005)  # its queue is full: let it wait, so that nothing is lost
            await anyio.lowlevel.checkpoint()

    def _obey(self, text: str, guest: Sender) -> None:
        """Do what a text message says. What is no command of ours is left, as the proposal asks."""
        if len(text) > MAX_TEXT or not self._osc.is_guest(guest):
            return
        try:
            message = msgspec.json.decode(text, type=_Command)
        except (msgspec.MsgspecError, RecursionError):
            log.debug("an OSCQuery message cannot be read: %r", text[:100])
            return
        if message.command == "LISTEN" and oscquery.is_listenable(message.data):
            self._osc.feed.want(guest, message.data)
        elif message.command == "IGNORE":
            self._osc.feed.ignore(guest, message.data)

    async def _follow_focus(self, *, task_status: TaskStatus[None]) -> None:
        """Tell that the aliases name another deck's controls."""
        folders = oscquery.changed_by_focus()
        async with self._show.subscribe("oscquery") as changes:
            task_status.started()
            async for change in changes:
                if _FOCUS in change.changes and not change.lagged:
                    for one in self._sockets:
                        for folder in folders:
                            one.put(msgspec.json.encode(_Command("PATH_CHANGED", folder)).decode())


async def _write(websocket: WebSocket, one: _Socket, scope: anyio.CancelScope) -> None:
    try:
        while True:
            message = await one.next()
            if isinstance(message, bytes):
                await websocket.send_bytes(message)
            else:
                await websocket.send_text(message)
    except (WebSocketDisconnect, RuntimeError):  # it went while we wrote
        scope.cancel()


def _json(answer: dict[str, Any], status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(msgspec.json.encode(answer), status, headers, "application/json")


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket at `port`, or at any where that is taken."""
    return _try_listen(host, port) or _bound(host, 0)


def _try_listen(host: str, port: int) -> socket.socket | None:
    try:
        return _bound(host, port)
    except OSError as error:
        log.info("OSCQuery is not served on %s port %d: %s", host, port, error)
        return None


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
