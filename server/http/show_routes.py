"""Routes of the show: controls, session, OSC senders, health, who is logged in.

Owner: one request each. Units: positions in seconds, `at` in engine frames.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec
from starlette.responses import Response

from control.control import ControlError, check
from control.layouts import files as layout_files
from control.layouts.files import LayoutFile
from control.registry import listing, resolve
from server.errors import BadRequest, NotAllowed, NotFound, ServerError
from server.http import shapes
from server.http.answers import json_answer
from server.http.guard import cookie_name
from server.http.ports import Check, Checks
from server.http.table import Call, Row
from server.session.intent import Intent, Refused

SOURCE: Final = "http"
_MOST_AT_ONCE: Final = 4096
_LOW_DISK_BYTES: Final = 500 << 20
_CHECK_S: Final = 2.0
_STARTED: Final = time.monotonic()


class ControlRefused(BadRequest):
    """Some of what was asked for was refused."""

    code = "control_refused"


async def controls(_call: Call) -> list[dict[str, object]]:
    return listing()


async def get_session(call: Call) -> shapes.Session:
    rev, values = call.services.show.session()
    return shapes.Session(rev, values)


async def post_session(call: Call) -> shapes.Revision:
    asked: list[shapes.SetControl] = call.body
    if len(asked) > _MOST_AT_ONCE:
        raise BadRequest(f"At most {_MOST_AT_ONCE} values at once.")
    refused: list[Refused] = []
    for one in asked:
        try:
            check(resolve(one.path, "1"), one.value)
        except ControlError as error:
            refused.append(Refused("bad_value", str(error), one.path))
    if refused:  # nothing is done when something cannot be
        raise _refusal(refused)
    show = call.services.show
    for one in asked:
        show.submit(Intent(one.path, one.value, SOURCE, one.at, refused.append))
    rev = await show.settle()
    if refused:
        raise _refusal(refused)
    return shapes.Revision(rev)


def _refusal(refused: list[Refused]) -> ControlRefused:
    told = [{"path": one.path, "code": one.code, "message": one.message} for one in refused]
    return ControlRefused(refused[0].message, refused=told)


async def get_layouts(_call: Call) -> list[LayoutFile]:
    return layout_files.listing()


async def get_layout(call: Call) -> Response:
    name = call.request.path_params["name"]
    known = {file.name: file for file in layout_files.listing()}
    if name not in known:
        raise NotFound(f"No layout is called {name[:60]!r}; /api/layouts lists them.")
    target = f"{call.request.url.hostname}:{call.services.osc.port}"
    data = await anyio.to_thread.run_sync(layout_files.content, name, target)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(data, 200, headers, known[name].media_type)


async def get_peers(call: Call) -> shapes.PeerList:
    return shapes.PeerList(call.services.osc.peers())


async def judge_peer(call: Call) -> shapes.PeerList:
    asked = call.input(shapes.Judge)
    _owner_only(call)
    osc = call.services.osc
    deeds: dict[str, Callable[[str], Awaitable[None]]] = {
        "allowed": osc.allow,
        "blocked": osc.block,
        "forgotten": osc.forget,
    }
    if asked.status not in deeds:
        raise BadRequest(f"status is one of {', '.join(deeds)}.")
    await deeds[asked.status](asked.address)
    return shapes.PeerList(osc.peers())


async def me(call: Call) -> shapes.Me:
    assert call.who is not None
    return shapes.Me(call.who.user_id, call.who.email, call.who.role)


async def log_out(call: Call) -> Response:
    name = cookie_name(call.services.settings.port)
    session = call.request.cookies.get(name)
    if session:
        await call.services.auth.log_out(session)
    answer = Response(None, 204)
    answer.delete_cookie(name, httponly=True, samesite="strict")
    return answer


async def worker_token(call: Call) -> dict[str, str]:
    """Make a token for a worker on another machine; it is shown once, with where to come and whom to trust."""
    _owner_only(call)
    asked = call.input(WorkerNew)
    unknown = set(asked.queues) - {"download", "processing", "analysis"}
    if unknown or not asked.queues or not asked.name.strip():
        raise BadRequest("A worker needs a name, and queues among download, processing, analysis.")
    lan = call.services.lan
    server = f"https://{lan.addresses[0]}:{lan.https_port}" if lan.is_open else ""
    authority = await anyio.to_thread.run_sync(lan.authority.read_text) if lan.is_open else ""
    token = await call.services.auth.issue_worker_token(asked.name[:160], asked.queues)
    return {"name": asked.name, "token": token, "server": server, "authority": authority}


async def get_lan(call: Call) -> shapes.Network:
    """Say whether phones can come in. Links are made only for the one who opens the network."""
    _owner_only(call)
    lan = call.services.lan
    return shapes.Network(lan.is_open, lan.addresses, call.services.osc.port)


async def set_lan(call: Call) -> shapes.Network:
    asked = call.input(shapes.NetworkWish)
    _owner_only(call)
    lan = call.services.lan
    if not asked.open:
        await lan.close()
        return shapes.Network(False, lan.addresses, call.services.osc.port)
    await lan.open()
    links = lan.urls(await call.services.auth.login_token())
    return shapes.Network(True, lan.addresses, call.services.osc.port, links)


class WorkerNew(shapes.Strict, frozen=True):
    """A worker on another machine."""

    name: str
    queues: tuple[str, ...] = ("processing", "analysis")


def _owner_only(call: Call) -> None:
    if call.who is None or not call.who.is_owner:
        raise NotAllowed("Only the owner decides about that.")


def health_row(checks: Checks) -> Row:
    """Return the route for health with the checks of the parts that run here."""

    async def health(call: Call) -> Response:
        services = call.services

        async def database() -> Check:
            await services.db.value("SELECT 1")
            return Check("ok")

        async def storage() -> Check:
            free = (await anyio.to_thread.run_sync(shutil.disk_usage, services.library.storage.data)).free
            low = free < _LOW_DISK_BYTES
            return Check("degraded" if low else "ok", f"{free >> 20} MiB free")

        found: dict[str, Check] = {}

        async def run(name: str, ask: Callable[[], Awaitable[Check]]) -> None:
            try:
                with anyio.fail_after(_CHECK_S):
                    found[name] = await ask()
            except TimeoutError:
                found[name] = Check("failed", "does not answer")
            except (ServerError, OSError) as error:
                found[name] = Check("failed", str(error))

        async with anyio.create_task_group() as group:
            for name, ask in {"database": database, "storage": storage, **checks}.items():
                group.start_soon(run, name, ask)
        statuses = {one.status for one in found.values()}
        status = "failed" if "failed" in statuses else "degraded" if "degraded" in statuses else "ok"
        body = shapes.Health(status, services.version, time.monotonic() - _STARTED, _plain(found))
        return json_answer(body, 503 if status == "failed" else 200)

    return Row("GET", "/health", health, "How every part is", shapes.Health, public=True, rate="unlimited", tag="show")


def _plain(found: dict[str, Check]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(dict(sorted(found.items())))
    return plain


ROWS: Final = (
    Row("GET", "/api/controls", controls, "Every control there is", list[dict[str, Any]], tag="show"),
    Row("GET", "/api/session", get_session, "The show at this moment", shapes.Session, tag="show"),
    Row("POST", "/api/session", post_session, "Set controls, all or none", shapes.Revision, list[shapes.SetControl],
        tag="show"),
    Row("GET", "/api/layouts", get_layouts, "Surface layouts there are", list[LayoutFile], tag="show"),
    Row("GET", "/api/layouts/{name}", get_layout, "A layout for TouchOSC or Open Stage Control", tag="show",
        media="application/octet-stream"),
    Row("GET", "/api/peers", get_peers, "OSC senders on other machines", shapes.PeerList, tag="show"),
    Row("POST", "/api/peers", judge_peer, "Allow, block or forget an OSC sender", shapes.PeerList, shapes.Judge,
        tag="show"),
    Row("GET", "/api/lan", get_lan, "Whether phones can come in", shapes.Network, tag="show"),
    Row("POST", "/api/lan", set_lan, "Let phones in, or shut them out", shapes.Network, shapes.NetworkWish, tag="show"),
    Row("GET", "/api/me", me, "Who is logged in", shapes.Me, tag="people"),
    Row("POST", "/api/logout", log_out, "End this page's session", status=204, tag="people"),
    Row("POST", "/api/workers", worker_token, "Make a token for a worker on another machine", dict[str, str], WorkerNew,
        status=201, tag="people"),
)  # fmt: skip
