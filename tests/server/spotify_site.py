"""Spotify as this program meets it: the Web API's shapes, as its answers have them, on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.pipeline.remote_site import Asked, RemoteSite, head

ALBUM, LIST = "2noRn2Aes5aoNVsU6iWThc", "37i9dQZF1DXcBWIGoYBM5M"


def song_id(number: int) -> str:
    return f"{number:022d}"


def images(name: str) -> list[dict[str, Any]]:
    return [
        {"height": 64, "url": f"https://i.scdn.co/image/{name}64", "width": 64},
        {"height": 640, "url": f"https://i.scdn.co/image/{name}640", "width": 640},
    ]


def album(name: str = "Discovery") -> dict[str, Any]:
    return {
        "album_type": "album", "href": f"https://api.spotify.com/v1/albums/{ALBUM}", "id": ALBUM, "name": name,
        "images": images("a"), "release_date": "2001-03-12", "release_date_precision": "day", "type": "album",
        "uri": f"spotify:album:{ALBUM}", "total_tracks": 3,
        "artists": [{"id": "4tZwfgrHOc3mvqYlEYSvVi", "name": "Somebody", "type": "artist"}],
    }  # fmt: skip


def song(number: int, title: str = "", *, simple: bool = False) -> dict[str, Any]:
    made: dict[str, Any] = {
        "artists": [{"name": "Somebody", "type": "artist"}, {"name": "Else", "type": "artist"}], "disc_number": 1,
        "duration_ms": 500 + number, "explicit": False, "id": song_id(number), "is_local": False,
        "name": title or f"Song {number}", "track_number": number, "type": "track",
    }  # fmt: skip
    return made if simple else {**made, "album": album(), "popularity": 70}


def entry(row: dict[str, Any] | None, under: str = "item") -> dict[str, Any]:
    return {"added_at": "2024-01-01T00:00:00Z", "added_by": {"id": "x"}, "is_local": False, under: row}


@dataclass
class SpotifySite:
    """Answers like Spotify; `faults` are answered first, one a request to the API: (status, headers, body)."""

    songs: dict[str, dict[str, Any]] = field(default_factory=lambda: {song_id(n): song(n) for n in range(1, 4)})
    entries: list[dict[str, Any]] = field(default_factory=lambda: [entry(song(n)) for n in (3, 1, 2)])
    faults: list[tuple[str, dict[str, object], bytes]] = field(default_factory=list)
    token_faults: list[tuple[str, dict[str, object], bytes]] = field(default_factory=list)
    tokens: int = 0
    expires_in: int = 3600
    good: set[str] = field(default_factory=set)
    #: Codes of logins by the challenge they were given for; refresh tokens that are good; how often one was used.
    codes: dict[str, str] = field(default_factory=dict)
    refreshing: set[str] = field(default_factory=set)
    refreshed: int = 0

    def site(self) -> RemoteSite:
        return RemoteSite([self._answer])

    def grant(self, challenge: str) -> str:
        """Let somebody log in; return the code that the browser takes back."""
        code = f"code{len(self.codes)}"
        self.codes[code] = challenge
        return code

    def _allowed(self, form: dict[str, str]) -> dict[str, str] | None:
        """Return what a request for a token gets beside the token; None when it gets none."""
        if form["grant_type"] == "client_credentials":
            return {}
        if form["grant_type"] == "authorization_code":
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if self.codes.pop(form["code"], None) != challenge or not form["redirect_uri"].startswith(
                "http://127.0.0.1"
            ):
                return None
        elif form["refresh_token"] in self.refreshing:
            self.refreshing.discard(form["refresh_token"])  # Spotify gives another one to public clients
            self.refreshed += 1
        else:
            return None
        self.refreshing.add(f"refresh{self.tokens}")
        return {"refresh_token": f"refresh{self.tokens}", "scope": "playlist-read-private"}

    def _answer(self, asked: Asked, line: socket.socket) -> None:
        is_token = asked.target == "/api/token"
        faults = self.token_faults if is_token else self.faults
        if faults:
            status, headers, body = faults.pop(0)
        elif (
            is_token
            and (more := self._allowed({name: values[0] for name, values in parse_qs(asked.body.decode()).items()}))
            is None
        ):
            status, headers, body = "400 Bad Request", {}, b'{"error": "invalid_grant"}'
        elif is_token:
            self.tokens += 1
            self.good.add(f"token{self.tokens}")
            given = {
                "access_token": f"token{self.tokens}",
                "token_type": "Bearer",
                "expires_in": self.expires_in,
                **(more or {}),
            }
            status, headers, body = "200 OK", {}, json.dumps(given).encode()
        elif asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.good:
            told = {"error": {"status": 401, "message": "The access token expired"}}
            status, headers, body = "401 Unauthorized", {}, json.dumps(told).encode()
        else:
            found = self._find(asked.target)
            told = {"error": {"status": 404, "message": "Resource not found"}}
            status = "200 OK" if found is not None else "404 Not Found"
            headers, body = {}, json.dumps(found if found is not None else told).encode()
        line.sendall(head(status, Content_Type="application/json", Content_Length=len(body), **headers) + body)

    def _find(self, target: str) -> Any:
        split = urlsplit(target)
        query = {name: int(values[0]) for name, values in parse_qs(split.query).items()}
        parts = split.path.removeprefix("/v1/").split("/")
        if parts[0] == "tracks":
            return self.songs.get(parts[1])
        rows: list[Any] = [song(n, simple=True) for n in (1, 2, 3)] if parts[0] == "albums" else self.entries
        if len(parts) == 2 and parts[1] in (ALBUM, LIST):
            about = {
                "description": "Hits &amp; more",
                "images": images("p"),
                "id": LIST,
                "name": "Hits",
                "type": "playlist",
            }
            return album() if parts[0] == "albums" else about
        if parts[1] in (ALBUM, LIST) and parts[2] in ("tracks", "items"):
            at, limit = query["offset"], query["limit"]
            return {
                "href": "https://api.spotify.com/v1/x", "items": rows[at : at + limit], "limit": limit, "offset": at,
                "next": "http://169.254.169.254/latest", "previous": None, "total": len(rows),
            }  # fmt: skip
        return None
