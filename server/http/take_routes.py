"""Routes of takes: what was played along with a track, to listen to, to name, to choose and to throw away.

Owner: one request each. Units: seconds of the track; bytes.
"""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response

from server.http.files import send_file
from server.http.table import Call, Row
from server.library.takes import Take, TakeChange


class TakeList(msgspec.Struct, frozen=True):
    """Newest first."""

    takes: list[Take]


async def list_takes(call: Call) -> TakeList:
    return TakeList(await call.services.library.takes(call.id(), call.user_id))


async def take_audio(call: Call) -> Response:
    """Send a take; its file begins with the track, so that both lie on each other."""
    return send_file(call.request, await call.services.library.take_file(call.id(), call.user_id))


async def change_take(call: Call) -> Take:
    return await call.services.library.change_take(call.id(), call.user_id, call.body)


async def delete_take(call: Call) -> None:
    await call.services.library.delete_take(call.id(), call.user_id)


ROWS: Final = (
    Row("GET", "/api/tracks/{id}/takes", list_takes, "What was played along with a track", TakeList),
    Row("GET", "/api/takes/{id}/audio", take_audio, "One take", media="audio/flac", rate="file"),
    Row("PATCH", "/api/takes/{id}", change_take, "Name a take, or let it play beside its track", Take, TakeChange),
    Row("DELETE", "/api/takes/{id}", delete_take, "Delete a take", status=204),
)
