"""The table of routes: each row says what a route takes, what it answers, who may ask and how often.

Owner: `server/http/routes.py` fills it. The checks here are done for every row alike, and `/api/openapi.json` is made
of the same rows, so that neither can be forgotten.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, cast
from uuid import UUID

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from server.auth import Identity, NotLoggedIn
from server.db import key
from server.errors import BadRequest, ServerError
from server.http.answers import as_server_error, error_answer, json_answer
from server.http.guard import address_of, is_local
from server.http.limits import Limits, RateClass, TooManyRequests
from server.http.ports import HttpServices

_log = logging.getLogger(__name__)

BODY_LIMIT_BYTES: Final = 1 << 20
"""A JSON body is never larger; uploads have a limit of their own."""

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

Rate = Literal["normal", "heavy", "file", "unlimited"]
"""normal: browser or API by how one logged in; file: like normal, but free for the owner on this machine."""

T = TypeVar("T")


class NotJson(BadRequest):
    """The body is not JSON."""

    code = "not_json"
    http_status = 400


class BodyTooLarge(ServerError):
    """The body is larger than any that makes sense here."""

    code = "body_too_large"
    http_status = 413


class MethodNotAllowed(ServerError):
    """This route does not take that method."""

    code = "method_not_allowed"
    http_status = 405


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked: what a handler is given."""

    request: Request
    services: HttpServices
    who: Identity | None
    body: Any
    query: Any

    @property
    def user_id(self) -> int:
        """Whose things may be touched. Raises NotLoggedIn."""
        if self.who is None:
            raise NotLoggedIn
        return self.who.user_id

    def id(self, name: str = "id") -> UUID:
        """Return a key from the path. Raises NotFound."""
        return key(self.request.path_params[name])

    def input(self, _kind: type[T]) -> T:
        """Return the body as the type the row has named."""
        return cast(T, self.body)


Handler = Callable[[Call], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Row:
    """One route. A handler's answer is sent as JSON with `status`, unless it is a Response already."""

    method: str
    path: str
    handler: Handler
    summary: str
    answer: Any = None
    body: Any = None
    query: type[msgspec.Struct] | None = None
    status: int = 200
    rate: Rate = "normal"
    public: bool = False
    tag: str = "library"
    #: Media type of an answer that is not JSON.
    media: str = ""
    #: The body is read by the handler: multipart, or the file itself where `raw`.
    upload: bool = False
    raw: bool = False


class _Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An empty body or query."""


def build(rows: Sequence[Row], services: HttpServices, limits: Limits) -> list[Route]:
    """Return one Starlette route per path."""
    by_path: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row.method in by_path[row.path]:
            raise ValueError(f"{row.method} {row.path} is in the table twice")
        by_path[row.path][row.method] = row
    return [
        Route(path, _endpoint(methods, services, limits), methods=list(METHODS)) for path, methods in by_path.items()
    ]


def _endpoint(
    methods: dict[str, Row], services: HttpServices, limits: Limits
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        row = methods.get("GET" if request.method == "HEAD" else request.method)
        headers: dict[str, str] = {}
        try:
            if row is None:
                headers["Allow"] = ", ".join(sorted(methods))
                raise MethodNotAllowed
            identity = request.scope.get("state", {}).get("identity")
            who = identity if isinstance(identity, Identity) else None
            headers |= _count(row, request, who, limits)
            if who is None and not row.public:
                raise NotLoggedIn
            call = Call(request, services, who, await _body(row, request), _query(row, request))
            answer = await row.handler(call)
            if isinstance(answer, Response):
                answer.headers.update(headers)
                return answer
            return json_answer(answer, row.status, headers) if row.status != 204 else Response(None, 204, headers)
        except ClientDisconnect:
            return Response(status_code=400)
        except _Refused as refused:
            return error_answer(refused.error, refused.headers)
        except Exception as error:
            ours = as_server_error(error)
            if ours is None:
                _log.exception("%s %s failed", request.method, request.url.path)
                ours = ServerError("Something went wrong here; the log says what. The music plays on.")
            return error_answer(ours, headers)

    return endpoint


class _Refused(Exception):
    def __init__(self, error: ServerError, headers: dict[str, str]) -> None:
        super().__init__(str(error))
        self.error = error
        self.headers = headers


def _count(row: Row, request: Request, who: Identity | None, limits: Limits) -> dict[str, str]:
    """Count the request; return the headers that tell. Raises _Refused."""
    if row.rate == "unlimited" or (row.rate == "file" and who is not None and who.is_owner and is_local(request)):
        return {}
    kind: RateClass = "heavy" if row.rate == "heavy" else "api" if who is not None and who.via == "api" else "browser"
    verdict = limits.ask(f"user {who.user_id}" if who else f"address {address_of(request)}", kind)
    if not verdict.allowed:
        raise _Refused(TooManyRequests(limit=verdict.limit), verdict.headers())
    return verdict.headers()


async def _body(row: Row, request: Request) -> Any:
    if row.upload or request.method in ("GET", "HEAD"):
        return None
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > BODY_LIMIT_BYTES:
            raise BodyTooLarge
    try:
        return msgspec.json.decode(bytes(data) or b"{}", type=row.body or _Nothing)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The body does not fit: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(f"The body is not JSON: {error}") from error


def _query(row: Row, request: Request) -> Any:
    if row.query is None:
        return None
    try:
        return msgspec.convert(dict(request.query_params), row.query, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The query does not fit: {error}") from error
