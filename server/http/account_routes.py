"""Routes of a user's own settings and accounts: preferences, lalal.ai, Spotify. No route tells a key or a token.

Owner: one request each.
"""

from __future__ import annotations

import html
from typing import Any, Final

import msgspec
from starlette.responses import HTMLResponse, Response

from pipeline.lalalai import Voice
from server import preferences
from server.db import key
from server.errors import BadRequest, ServerError
from server.http.shapes import Strict
from server.http.table import Call, Row
from server.preferences import Preferences
from server.spotify_account import LoginRefused

CALLBACK: Final = "/api/spotify/callback"


class UserSettings(msgspec.Struct, frozen=True):
    """What a user has chosen, and which accounts are connected."""

    settings: Preferences
    lalalai_key: bool
    spotify: bool


class KeyNew(Strict, frozen=True):
    """A licence key of lalal.ai."""

    key: str


class Quota(msgspec.Struct, frozen=True):
    """Minutes that an account has left."""

    minutes_left: float


class Voices(msgspec.Struct, frozen=True):
    """Voices that `voice_change` can sing with."""

    voices: tuple[Voice, ...]


class Login(msgspec.Struct, frozen=True):
    """Where to log in."""

    url: str


class BackQuery(msgspec.Struct, frozen=True):
    """What Spotify sends a browser back with."""

    state: str = ""
    code: str = ""
    error: str = ""


async def get_settings(call: Call) -> UserSettings:
    services, user = call.services, call.user_id
    return UserSettings(
        await preferences.load(services.db, user),
        await services.accounts.has_own(user),
        await services.spotify_accounts.connected(user),
    )


async def patch_settings(call: Call) -> UserSettings:
    await preferences.change(call.services.db, call.user_id, call.input(dict))
    return await get_settings(call)


async def put_key(call: Call) -> Quota:
    return Quota(await call.services.accounts.keep(call.user_id, call.input(KeyNew).key))


async def delete_key(call: Call) -> None:
    await call.services.accounts.forget(call.user_id)


async def quota(call: Call) -> Quota:
    return Quota(await call.services.accounts.minutes_left(call.user_id))


async def voices(call: Call) -> Voices:
    return Voices(await call.services.accounts.voices(call.user_id))


async def cancel_all(call: Call) -> dict[str, Any]:
    """Cancel the user's jobs at lalal.ai, then whatever else runs for the account."""
    open_jobs = [
        job
        for status in ("queued", "processing")
        for job in await call.services.jobs.list(call.user_id, kind="processing", status=status, limit=1000)
        if job.engine == "lalalai"
    ]
    for job in open_jobs:
        await call.services.jobs.cancel(job.id, call.user_id)
    await call.services.accounts.cancel_all(call.user_id)
    return {"success": True, "cancelled": [job.id for job in open_jobs]}


async def spotify_login(call: Call) -> Login:
    # Spotify sends nobody back to the name localhost, nor to plain http elsewhere than on this machine's own address.
    host = f"127.0.0.1:{call.services.settings.port}"
    return Login(call.services.spotify_accounts.begin(call.user_id, f"http://{host}{CALLBACK}"))


async def spotify_back(call: Call) -> Response:
    """Finish a login. It comes from another site, so no cookie says who it is: the state does."""
    query: BackQuery = call.query
    try:
        if query.error:
            raise LoginRefused
        await call.services.spotify_accounts.finish(query.state, query.code)
        said, status = "Your Spotify account is connected.", 200
    except ServerError as error:
        said, status = str(error), error.http_status
    page = f'<!doctype html><meta charset="utf-8"><title>Spotify</title><p>{html.escape(said)}</p>'
    page += '<p><a href="/">Back</a></p>'
    return HTMLResponse(page, status, {"Cache-Control": "no-store"})


async def spotify_forget(call: Call) -> None:
    await call.services.spotify_accounts.forget(call.user_id)


async def old_cancel(call: Call) -> dict[str, Any]:
    asked = call.input(dict)
    if not isinstance(asked.get("task_id"), str):
        raise BadRequest("task_id is missing: the id of the job.")
    job = await call.services.jobs.cancel(key(asked["task_id"]), call.user_id)
    return {"success": True, "result": {"id": job.id, "status": job.status}}


ROWS: Final = (
    Row("GET", "/api/account/settings", get_settings, "Your own settings, and which accounts are connected",
        UserSettings, tag="accounts"),
    Row("PATCH", "/api/account/settings", patch_settings,
        "Change your own settings; null is what the program is set to", UserSettings, dict[str, Any], tag="accounts"),
    Row("PUT", "/api/account/lalalai_key", put_key, "Test a licence key of lalal.ai and keep it", Quota, KeyNew,
        rate="heavy", tag="accounts"),
    Row("DELETE", "/api/account/lalalai_key", delete_key, "Forget the licence key", status=204, tag="accounts"),
    Row("GET", "/api/lalalai/quota", quota, "Minutes left at lalal.ai", Quota, rate="heavy", tag="accounts"),
    Row("GET", "/api/lalalai/voices", voices, "Voices for voice_change", Voices, tag="accounts"),
    Row("POST", "/api/lalalai/cancel-all", cancel_all, "Stop everything at lalal.ai", rate="heavy", tag="accounts"),
    Row("POST", "/api/lalalai/cancel", old_cancel, "Stop one job at lalal.ai, as the earlier system had it",
        body=dict[str, Any], tag="earlier"),
    Row("POST", "/api/spotify/login", spotify_login, "Begin to connect your Spotify account", Login, tag="accounts"),
    Row("GET", CALLBACK, spotify_back, "Where Spotify sends a browser back to", query=BackQuery, public=True,
        media="text/html", tag="accounts"),
    Row("DELETE", "/api/spotify/account", spotify_forget, "Forget your Spotify account", status=204, tag="accounts"),
)  # fmt: skip
