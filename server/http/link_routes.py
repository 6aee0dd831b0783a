"""Routes of links: bring in what a link leads to; also under their names of the earlier system.

Owner: one request each. A link is only text here: workers follow it, and they look where it leads.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from pipeline.fetcher import Environment
from pipeline.links import Link, LinkRejected, parse
from server.errors import BadRequest
from server.http.shapes import JobView, Strict, view
from server.http.table import Call, Row
from server.library import catalogue
from server.spotify import Collection
from server.spotify_account import LoggedOut


class BadLink(BadRequest):
    """That is no link that music can be brought in from."""

    code = "bad_link"


class FetcherNotThere(BadRequest):
    """This needs spotdl and yt-dlp, which are not installed; install them with: alchemy fetcher install"""

    code = "fetcher_missing"


class LinkNew(Strict, frozen=True):
    """A link as it was pasted."""

    url: str


class BroughtTrack(msgspec.Struct, frozen=True):
    """A track of a link: `existing` when the library has its audio, else `job` fetches it where something can."""

    track_id: UUID
    existing: bool
    job: JobView | None = None


class Brought(msgspec.Struct, frozen=True):
    """What a link makes: its tracks in order, and the playlist they are in when it names several."""

    kind: str
    url: str
    tracks: list[BroughtTrack]
    playlist_id: UUID | None = None
    #: What is left to do before its audio comes, in a sentence.
    note: str = ""


def _link(text: str) -> Link:
    try:
        return parse(text)
    except LinkRejected as error:
        raise BadLink(str(error)) from error


async def _collection(call: Call, link: Link) -> Collection:
    """Return what a link of Spotify names, by the user's own account where one is connected."""
    accounts, user = call.services.spotify_accounts, call.user_id

    async def token(bad: str) -> str:
        found = await accounts.token(user, bad)
        if found is None:
            raise LoggedOut
        return found

    return await call.services.spotify.collection(link, token if await accounts.connected(user) else None)


async def _bring(call: Call) -> Brought:
    services, link = call.services, _link(call.input(LinkNew).url)
    can_fetch = Environment(services.library.storage.data / "fetcher").note() is not None
    if link.kind == "video":
        if not link.id and "youtube.com/playlist" in link.url:
            raise BadLink("This link names a list of videos; paste the link of one of them.")
        if not can_fetch:
            raise FetcherNotThere
    if link.kind == "spotify":
        taken = await catalogue.take(services.db, call.user_id, await _collection(call, link))
        if taken.playlist_id is not None:
            services.library.playlists.on_change(taken.playlist_id, call.user_id)
        for entry in taken.tracks[-1:]:  # one reload of the page is enough
            services.library.changed(entry.track_id, call.user_id)
        tracks = [await _fetched(call, entry, can_fetch) for entry in taken.tracks]
        note = str(FetcherNotThere.__doc__) if any(not one.existing and one.job is None for one in tracks) else ""
        return Brought(link.kind, link.url, tracks, taken.playlist_id, note)
    track_id, job = await services.jobs.download(call.user_id, link.url, link.name)
    if job is not None:
        services.library.changed(track_id, call.user_id)
    return Brought(link.kind, link.url, [BroughtTrack(track_id, job is None, None if job is None else view(job))])


async def _fetched(call: Call, entry: catalogue.Entry, can_fetch: bool) -> BroughtTrack:
    """Have the audio of a catalogue's track fetched, where it is missing and something can."""
    if entry.existing or not can_fetch:
        return BroughtTrack(entry.track_id, entry.existing)
    url = _link(entry.url).url
    _, job = await call.services.jobs.download(call.user_id, url, "", track_id=entry.track_id)
    return BroughtTrack(entry.track_id, job is None, None if job is None else view(job))


async def bring(call: Call) -> Brought:
    return await _bring(call)


# ---- as the earlier system had them


async def old_download(call: Call) -> dict[str, Any]:
    if _link(call.input(LinkNew).url).what in ("album", "playlist"):
        raise BadLink("This route takes one track; give an album or a playlist to /api/links.")
    made = (await _bring(call)).tracks[0]
    return {
        "success": True,
        "job_id": made.job.id if made.job else None,
        "status": made.job.status if made.job else "completed" if made.existing else "waiting",
        "track_id": made.track_id,
    }


async def fetch(call: Call) -> dict[str, Any]:
    link = _link(call.input(LinkNew).url)
    if link.kind != "spotify":
        raise BadLink("This is no link of Spotify.")
    return {"success": True, "metadata": await _collection(call, link)}


async def old_download_job(call: Call) -> dict[str, Any]:
    job = await call.services.jobs.get(call.id(), call.user_id)
    if job.kind != "download":
        raise BadRequest("This job is no download.")
    done = job.status == "completed"
    return {
        "success": True,
        "job_id": job.id,
        "track_id": job.track_id,
        "status": job.status,
        "progress": job.progress,
        "error": job.error,
        "result": {"file_path": f"/api/tracks/{job.track_id}/audio"} if done else None,
    }


ROWS: Final = (
    Row("POST", "/api/spotify/fetch", fetch, "What a link of Spotify names; nothing is brought in", body=LinkNew,
        rate="heavy", tag="links"),
    Row("POST", "/api/links", bring, "Bring in what a link leads to", Brought, LinkNew, status=202, rate="heavy",
        tag="links"),
    Row("POST", "/api/download/track", old_download, "Bring in a link, as the earlier system had it", body=LinkNew,
        status=201, rate="heavy", tag="earlier"),
    Row("GET", "/api/download/job/{id}", old_download_job, "A download, as the earlier system had it", tag="earlier"),
)  # fmt: skip
