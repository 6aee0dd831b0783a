"""The built page and the way in: static files, and links that log a browser in.

Owner: one request. Files of the page are public; everything they ask for is not.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from server.auth import SESSION_DAYS, Identity, LoginLinkSpent
from server.errors import NotFound
from server.http.answers import error_answer
from server.http.guard import address_of, cookie_name
from server.http.limits import Limits, TooManyRequests
from server.http.ports import HttpServices

DIST: Final = Path(__file__).resolve().parent.parent.parent / "web" / "dist"

_FOREVER: Final = "public, max-age=31536000, immutable"
_ASK: Final = "no-cache"


def page_routes(services: HttpServices, limits: Limits, dist: Path = DIST) -> list[Route]:
    """Return the routes for `/`, `/login` and the page's files; they take whatever is left, so they come last."""
    files = StaticFiles(directory=dist, check_dir=False)
    page = _Page(services, limits, files)
    return [
        Route("/", page.index, methods=["GET", "HEAD"]),
        Route("/stage", page.stage, methods=["GET", "HEAD"]),
        Route("/login", page.login, methods=["GET", "HEAD"]),
        Route("/{path:path}", page.file, methods=["GET", "HEAD"]),
        Route("/{path:path}", _nothing, methods=["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    ]


class _Page:
    def __init__(self, services: HttpServices, limits: Limits, files: StaticFiles) -> None:
        self._services = services
        self._limits = limits
        self._files = files

    async def index(self, request: Request) -> Response:
        if "token" in request.query_params and request.method == "GET":
            return await self.login(request)
        return await self._send(request, "index.html", _ASK)

    async def file(self, request: Request) -> Response:
        path = request.path_params["path"]
        if path.startswith(("api/", "ws/", "files/", "export/")):
            return error_answer(NotFound())
        # The build names assets by their content.
        return await self._send(request, path, _FOREVER if path.startswith("assets/") else _ASK)

    async def stage(self, _request: Request) -> Response:
        """Lead to the stage screen, which a second display can be sent to by a plain address."""
        return RedirectResponse("/#stage", 303, {"Cache-Control": "no-store"})

    async def login(self, request: Request) -> Response:
        if request.method != "GET":
            return Response(None, 405, {"Allow": "GET"})
        if not self._limits.ask(f"login {address_of(request)}", "api").allowed:
            return error_answer(TooManyRequests(retry_after_s=10.0))
        answer = RedirectResponse("/", 303, {"Cache-Control": "no-store"})
        try:
            session = await self._services.auth.redeem(request.query_params.get("token", ""))
        except LoginLinkSpent as error:
            if isinstance(request.scope.get("state", {}).get("identity"), Identity):
                return answer  # logged in already: the link was opened twice
            return _says(str(error), 401)
        answer.set_cookie(
            cookie_name(self._services.settings.port),
            session,
            max_age=SESSION_DAYS * 86400,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    async def _send(self, request: Request, path: str, cache: str) -> Response:
        try:
            answer = await self._files.get_response(path, request.scope)
        except HTTPException as error:
            if path == "index.html":
                return _says("The page has not been built: run `make web`, or `npm ci && npm run build` in web/.", 404)
            return _says("There is nothing here.", error.status_code)
        answer.headers["Cache-Control"] = cache
        return answer


async def _nothing(_request: Request) -> Response:
    return error_answer(NotFound())


def _says(sentence: str, status: int) -> HTMLResponse:
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Sound Forge Alchemy</title>"
        f"<p>{html.escape(sentence)}</p></html>"
    )
    return HTMLResponse(page, status, {"Cache-Control": "no-store"})
