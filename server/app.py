"""The web application: routes, sockets and what stands before them, put together.

Owner: `server/run.py`. Units: none.
"""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from pipeline.wire import QUEUE_PATH, WORKER_PATH
from server.http.guard import Hosts
from server.http.limits import Limits
from server.http.ports import Check
from server.http.routes import middleware, routes
from server.jobs.queue_door import QueueDoor
from server.services import Services


def build_app(services: Services, hosts: Hosts) -> Starlette:
    """Return the application that serves HTTP and HTTPS alike."""
    limits = Limits()
    return Starlette(
        routes=[
            WebSocketRoute("/ws/live", services.live.endpoint),
            WebSocketRoute(WORKER_PATH, services.workers.endpoint),
            WebSocketRoute(QUEUE_PATH, QueueDoor(services.workers, services.db.url).endpoint),
            *routes(services, limits, checks=_checks(services)),
        ],
        middleware=middleware(services, hosts, limits),
    )


def _checks(services: Services) -> dict[str, Callable[[], Awaitable[Check]]]:
    """Return what /health looks at beside the database and the storage."""

    async def engine() -> Check:
        status = services.deckhand.status
        if not status.running:
            return Check("failed", "no engine plays; it is being started again")
        return Check("ok", f"{status.device or 'engine'}, {status.rate} Hz, blocks of {status.block}")

    async def workers() -> Check:
        connected = services.workers.workers()
        if connected or not services.settings.workers:
            return Check("ok", ", ".join(worker.name for worker in connected) or "switched off")
        return Check("degraded", "no worker is connected; jobs wait")

    return {"engine": engine, "workers": workers}
