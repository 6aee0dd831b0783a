"""Spotify's catalogue over its Web API: tracks, albums and playlists as plain records. Only file that knows its shapes.

Owner: the event loop, one per server. Client credentials (the `spotify_client_id` and `spotify_client_secret` of the
settings) open what is public. Addresses are made here from checked ids; a `next` that the API names is never followed.
Units: durations and waits in seconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import anyio
import httpx2
import msgspec

from pipeline.fetching import retry_after
from pipeline.links import Link
from server.errors import BadRequest, Conflict, NotFound, ServerError

API: Final = "https://api.spotify.com/v1"
TOKENS: Final = "https://accounts.spotify.com/api/token"

PATIENCE_S: Final = 60.0
"""How long one collection waits for Spotify in all, when it asks for patience or fails."""

EARLY_S: Final = 60.0
"""How long before its end a token is replaced."""

PAGE: Final = 50
LONGEST: Final = 10_000
"""Tracks of a playlist that are read."""

_TRIES: Final = 4


Account = Callable[[str], Awaitable[str]]
"""Gives a token of a user's own account that is good for a while; its argument is one that was just refused."""


class SpotifyNotSet(Conflict):
    """Spotify's catalogue needs `spotify_client_id` and `spotify_client_secret` in alchemy.toml (make them at
    developer.spotify.com), or your own account: connect it."""

    code = "spotify_not_set"


class SpotifyRefuses(Conflict):
    """Spotify does not accept the client id and secret of the settings."""

    code = "spotify_refuses"


class SpotifyBusy(ServerError):
    """Spotify asks for patience; try again in a while."""

    code = "spotify_busy"
    http_status = 503


class SpotifyAway(ServerError):
    """Spotify does not answer in a way that makes sense; try again in a while."""

    code = "spotify_away"
    http_status = 502


class Song(msgspec.Struct, frozen=True):
    """A track of the catalogue. `art` is the address of its largest picture."""

    id: str
    title: str
    artist: str
    album: str
    duration: float
    year: int | None
    art: str | None

    @property
    def url(self) -> str:
        """The one spelling of its link."""
        return f"https://open.spotify.com/track/{self.id}"


class Collection(msgspec.Struct, frozen=True):
    """What a link names, in order; a track is a collection of one. `left_out`: episodes, local files, what is gone."""

    type: str
    id: str
    url: str
    name: str
    description: str | None
    art: str | None
    tracks: tuple[Song, ...]
    left_out: int = 0


class Spotify:
    """The client. `api` and `tokens` are where Spotify is; `sleep` waits."""

    def __init__(
        self, client_id: str, client_secret: str, *, api: str = API, tokens: str = TOKENS,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:  # fmt: skip
        self._id, self._secret = client_id, client_secret
        self.api, self._tokens = api, tokens
        self._sleep = sleep
        self._lock = anyio.Lock()
        self._token = ""
        self._good_until = 0.0

    async def collection(self, link: Link, account: Account | None = None) -> Collection:
        """Return what a Spotify link names; with a user's own `account` also what is private to it.

        Raises SpotifyNotSet, SpotifyRefuses, SpotifyBusy, SpotifyAway, NotFound.
        """
        if link.kind != "spotify" or link.what is None:
            raise BadRequest("This is no link of Spotify.")
        if account is None and not (self._id and self._secret):
            raise SpotifyNotSet
        async with httpx2.AsyncClient(timeout=20, trust_env=False, follow_redirects=False) as client:
            asking = _Asking(self, client, account)
            try:
                return await self._read(asking, link)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise SpotifyAway from error

    async def _read(self, asking: _Asking, link: Link) -> Collection:
        found = await asking.get(f"/{link.what}s/{link.id}")
        if link.what == "track":
            song = _song(found, found["album"])
            return Collection("track", link.id, link.url, song.title, None, song.art, (song,))
        if link.what == "album":
            pages = await asking.all(f"/albums/{link.id}/tracks")
            songs: list[Song | None] = [_song(row, found) for row in pages if row]
        else:
            pages = await asking.all(f"/playlists/{link.id}/items")
            rows = [(entry or {}).get("item") or (entry or {}).get("track") or {} for entry in pages]
            songs = [_song(row, row["album"]) if row.get("type") == "track" and row.get("id") else None for row in rows]
        kept = tuple(song for song in songs if song is not None)
        about = _text(found.get("description")) or None
        return Collection(
            link.what or "", link.id, link.url, _text(found["name"]) or "Spotify", about, _art(found.get("images")),
            kept, len(pages) - len(kept),
        )  # fmt: skip

    async def token(self, client: httpx2.AsyncClient, bad: str = "") -> str:
        """Return a token that is good for a while; `bad` is one that was just refused. Raises as `collection`."""
        async with self._lock:  # many requests, one refresh
            if self._token and self._token != bad and anyio.current_time() < self._good_until:
                return self._token
            answer = await client.post(
                self._tokens, data={"grant_type": "client_credentials"}, auth=(self._id, self._secret)
            )
            if answer.status_code in (400, 401, 403):
                raise SpotifyRefuses
            if answer.status_code != 200:
                raise _Again(retry_after(answer.headers.get("Retry-After")), busy=answer.status_code == 429)
            given = answer.json()
            self._token = str(given["access_token"])
            self._good_until = anyio.current_time() + float(given["expires_in"]) - EARLY_S
            return self._token

    async def wait(self, seconds: float) -> None:
        """Wait."""
        await self._sleep(seconds)


class _Again(Exception):
    """It may work when asked again."""

    def __init__(self, after_s: float | None, *, busy: bool) -> None:
        super().__init__()
        self.after_s = after_s
        self.busy = busy


class _Asking:
    """The requests of one collection, with one patience for all of them."""

    def __init__(self, spotify: Spotify, client: httpx2.AsyncClient, account: Account | None) -> None:
        self._spotify = spotify
        self._client = client
        self._account = account
        self._waited_s = 0.0

    async def all(self, path: str) -> list[Any]:
        """Return the items of every page."""
        items: list[Any] = []
        while True:
            page = await self.get(path, {"limit": str(PAGE), "offset": str(len(items))})
            rows = list(page["items"])
            items += rows
            if not rows or len(items) >= min(int(page["total"]), LONGEST):
                return items[:LONGEST]

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return an answer, asked for again while there is patience."""
        faults = 0
        while True:
            try:
                return await self._once(path, query)
            except _Again as again:
                faults += not again.busy
                wait_s = again.after_s if again.after_s is not None else float(2**faults)
                if faults >= _TRIES:
                    raise SpotifyAway from None
                if self._waited_s + wait_s > PATIENCE_S:
                    raise SpotifyBusy(retry_after_s=wait_s) from None
            self._waited_s += wait_s
            await self._spotify.wait(wait_s)

    async def _token(self, bad: str) -> str:
        return await (self._spotify.token(self._client, bad) if self._account is None else self._account(bad))

    async def _once(self, path: str, query: Mapping[str, str] | None) -> dict[str, Any]:
        bad = ""
        try:
            while True:
                token = await self._token(bad)
                answer = await self._client.get(
                    self._spotify.api + path, params=query, headers={"Authorization": f"Bearer {token}"}
                )
                if answer.status_code != 401 or bad:
                    break
                bad = token
        except httpx2.TransportError as error:
            raise _Again(None, busy=False) from error
        status = answer.status_code
        if status in (401, 403):
            raise SpotifyRefuses("Spotify does not show this to us; it may be private.")
        if status in (400, 404):
            raise NotFound("Spotify has nothing at this link, or it is private.")
        if status == 429 or status >= 500:
            raise _Again(retry_after(answer.headers.get("Retry-After")), busy=status == 429)
        if status != 200:
            raise SpotifyAway
        found = answer.json()
        if not isinstance(found, dict):
            raise SpotifyAway
        return found


def _song(row: Mapping[str, Any], album: Mapping[str, Any]) -> Song:
    year = _text(album.get("release_date"))[:4]
    return Song(
        id=_text(row["id"]),
        title=_text(row["name"]) or "Untitled",
        artist=", ".join(_text(artist.get("name")) for artist in row.get("artists") or ()),
        album=_text(album.get("name")),
        duration=float(row["duration_ms"]) / 1000,
        year=int(year) if year.isdigit() and int(year) else None,
        art=_art(album.get("images")),
    )


def _art(images: Any) -> str | None:
    """Return the largest picture's address, if it is one of the web."""
    best: Mapping[str, Any] = max(images or (), key=lambda image: image.get("width") or 0, default={})
    url = _text(best.get("url"))
    return url if url.startswith("https://") else None


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
