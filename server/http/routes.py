"""All HTTP routes, and what stands before them.

Owner: `server/app.py` puts them together with the sockets:

    Starlette(routes=[*sockets, *routes(services, limits)], middleware=middleware(services, hosts, limits))
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import BaseRoute

from server.http import (
    account_routes,
    batch_routes,
    cleanup_routes,
    export_routes,
    job_routes,
    library_routes,
    link_routes,
    metrics_routes,
    midi_routes,
    practice_routes,
    recording_routes,
    sampler_routes,
    setlist_routes,
    settings_routes,
    show_routes,
    similar_routes,
    take_routes,
    worker_routes,
)
from server.http.answers import json_answer
from server.http.guard import Guard, Hosts
from server.http.limits import Limits
from server.http.openapi import describe
from server.http.pages import DIST, page_routes
from server.http.ports import Checks, HttpServices
from server.http.table import Call, Row, build


def table(version: str, checks: Checks) -> list[Row]:
    """Return every row there is, the description of them among them."""
    rows: list[Row] = [
        show_routes.health_row(checks),
        *library_routes.ROWS,
        *export_routes.ROWS,
        *similar_routes.ROWS,
        *practice_routes.ROWS,
        *take_routes.ROWS,
        *job_routes.ROWS,
        *batch_routes.ROWS,
        *cleanup_routes.ROWS,
        *link_routes.ROWS,
        *account_routes.ROWS,
        *show_routes.ROWS,
        *metrics_routes.ROWS,
        *midi_routes.ROWS,
        *recording_routes.ROWS,
        *setlist_routes.ROWS,
        *settings_routes.ROWS,
        *sampler_routes.ROWS,
        *worker_routes.ROWS,
    ]
    described: dict[str, Any] = {}

    async def openapi(_call: Call) -> Response:
        return json_answer(described)

    rows.append(Row("GET", "/api/openapi.json", openapi, "This description", dict[str, Any], public=True, tag="show"))
    described.update(describe(rows, version))
    return rows


def routes(
    services: HttpServices, limits: Limits | None = None, *, checks: Checks | None = None, dist: Path = DIST
) -> list[BaseRoute]:
    """Return all routes. They end with one that takes every path: put sockets before them.

    `checks` are those of /health beside database and storage; `limits` are shared with the middleware.
    """
    limits = limits or Limits()
    known: Mapping[str, Any] = checks or {}
    return [*build(table(services.version, known), services, limits), *page_routes(services, limits, dist)]


def middleware(services: HttpServices, hosts: Hosts | None = None, limits: Limits | None = None) -> list[Middleware]:
    """Return what stands before every route and socket. Keep `hosts` to open and close the network with."""
    settings = services.settings
    hosts = hosts or Hosts(settings.host, lan=settings.lan)
    return [Middleware(Guard, hosts=hosts, auth=services.auth, port=settings.port, limits=limits)]
