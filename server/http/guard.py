"""What stands before every route and socket: who may speak to us, who it is, and what browsers may do with answers.

Owner: the ASGI application; pure ASGI, so that sockets and streams pass through untouched.

    request -> Hosts: is this name ours? -> Origin: is this page ours? -> identity -> route
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.auth import Authentication, bearer
from server.errors import NotAllowed, ServerError
from server.http.answers import error_answer
from server.http.limits import Limits, TooManyRequests

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self' {sockets}; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class ForeignHost(NotAllowed):
    """This server does not answer to that name; use its address, or localhost on this machine."""

    code = "foreign_host"


class ForeignOrigin(NotAllowed):
    """Pages from elsewhere may not speak to this server."""

    code = "foreign_origin"


def cookie_name(port: int) -> str:
    """Return the session cookie's name; cookies are shared by the ports of a host, so the port is part of it."""
    return f"alchemy_session_{port}"


class Hosts:
    """The names this server answers to. An address cannot be rebound to by DNS, a name can; so names are listed."""

    def __init__(self, host: str = "127.0.0.1", *, lan: bool = False, names: Iterable[str] = ()) -> None:
        own = socket.gethostname().lower()
        self._names = {"localhost", *(name.lower() for name in names)}
        self._lan_names = {own, own.split(".")[0], f"{own.split('.')[0]}.local"}
        self._open = lan or not _is_loopback(host)
        if not _is_address(host):
            self._names.add(host.lower())

    def open_lan(self) -> None:
        """Answer to this machine's addresses and names on the network too."""
        self._open = True

    def close_lan(self) -> None:
        """Answer to loopback alone again."""
        self._open = False

    def cover(self, header: str) -> bool:
        """Say whether a Host header, `NAME[:PORT]`, names us."""
        name = _name_of(header)
        if name is None:
            return False
        if _is_loopback(name) or name in self._names:
            return True
        return self._open and (_is_address(name) or name in self._lan_names)


class Guard:
    """The middleware."""

    def __init__(
        self, app: ASGIApp, *, hosts: Hosts, auth: Authentication, port: int, limits: Limits | None = None
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._auth = auth
        self._cookie = cookie_name(port)
        self._limits = limits or Limits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            check_names(connection, self._hosts)
            scope.setdefault("state", {})["identity"] = await self._identify(connection)
        except ServerError as error:
            await self._refuse(error, scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        host = connection.headers.get("host", "")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", _POLICY.format(sockets=f"ws://{host} wss://{host}"))
            await send(message)

        await self._app(scope, receive, with_headers)

    async def _identify(self, connection: HTTPConnection) -> object:
        token, session = bearer(connection), connection.cookies.get(self._cookie)
        if connection.url.path.startswith(("/api/worker/", "/ws/worker", "/ws/queue")):
            return None  # worker tokens are another kind, read by those routes
        given = token or session
        if given is None:
            return None
        if not self._auth.is_known(given):
            # Guessing is slow: looking a token up is counted against the address.
            verdict = self._limits.ask(f"lookup {address_of(connection)}", "browser")
            if not verdict.allowed:
                raise TooManyRequests(retry_after_s=verdict.retry_after_s)
        return await self._auth.identify(api_token=token, session=session)

    async def _refuse(self, error: ServerError, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": error.code})
            return
        await error_answer(error)(scope, receive, send)


def check_names(connection: HTTPConnection, hosts: Hosts) -> None:
    """Let nobody pass who speaks to another name than ours, or a page from elsewhere. Raises NotAllowed."""
    named = connection.headers.getlist("host")
    if len(named) != 1 or not hosts.cover(named[0]):
        raise ForeignHost
    origin = connection.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != named[0].lower():
        raise ForeignOrigin
    site, mode = connection.headers.get("sec-fetch-site"), connection.headers.get("sec-fetch-mode")
    if site == "cross-site" and mode != "navigate":
        raise ForeignOrigin


def address_of(connection: HTTPConnection) -> str:
    """Return the address of whoever is connected; headers that claim another are not believed."""
    return connection.client.host if connection.client else "unknown"


def is_local(connection: HTTPConnection) -> bool:
    """Say whether a request comes from this machine."""
    return connection.client is not None and _is_loopback(connection.client.host)


def _name_of(header: str) -> str | None:
    try:
        split = urlsplit(f"//{header}")
        name = split.hostname
        _ = split.port
    except ValueError:
        return None
    if name is None or split.netloc != header or "@" in header or split.path:
        return None
    return name.lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.split("%")[0])
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
