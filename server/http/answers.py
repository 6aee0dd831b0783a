"""Answers: JSON, and errors as `{"error": {"code", "message", "details"}}`.

Owner: one response.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from audio.errors import AudioError
from control.control import ControlError
from server.errors import BadRequest, ServerError
from server.library.errors import from_audio


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return `value` as JSON; nothing that the API says may be kept by caches."""
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(value, order=None), status, kept, "application/json")


def error_answer(error: ServerError, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as every route tells it."""
    more = dict(headers or {})
    if error.http_status == 401:
        more["WWW-Authenticate"] = 'Bearer realm="Sound Forge Alchemy"'
    wait = error.details.get("retry_after_s")
    if wait is not None:
        more.setdefault("Retry-After", str(max(1, int(wait + 0.999))))
    body = {"error": {"code": error.code, "message": str(error), "details": _plain(error.details)}}
    return json_answer(body, error.http_status, more)


def as_server_error(error: Exception) -> ServerError | None:
    """Return our error for one of another package, None for a fault in our own program."""
    if isinstance(error, ServerError):
        return error
    if isinstance(error, AudioError):
        return from_audio(error)
    if isinstance(error, ControlError):
        return BadRequest(str(error))
    return None


def _plain(details: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in details.items() if value is not None}
