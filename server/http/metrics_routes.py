"""The route of metrics, for the owner's token or a program on this machine.

Owner: one request each.
"""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from server import gauges
from server.auth import NotLoggedIn
from server.errors import NotAllowed
from server.http.guard import is_local
from server.http.table import Call, Row


async def metrics(call: Call) -> Response:
    if not is_local(call.request):
        if call.who is None:
            raise NotLoggedIn
        if not call.who.is_owner:
            raise NotAllowed("Only the owner sees metrics.")
    services = call.services
    found = await gauges.metrics(services.db, services.alive(), services.version)
    return Response(gauges.text(found), 200, {"Cache-Control": "no-store"}, gauges.MEDIA_TYPE)


ROWS: Final = (
    Row(
        "GET", "/metrics", metrics, "Numbers of this server for Prometheus", media="text/plain", public=True, tag="show"
    ),
)
