"""Playlists of the pretended server, by the rules of the real ones: a track is in a playlist once, positions from 0.

Owner: the mock server. Nothing is stored.
"""

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from tests.web.mock_server import FakeTrack


@dataclass
class FakePlaylist:
    """A playlist of the pretended library: `tracks` are ids in order."""

    id: str
    name: str
    tracks: list[str] = field(default_factory=list)


class MockPlaylists:
    """The routes under /api/playlists. `tracks` is the library that they draw from."""

    def __init__(self, tracks: "dict[str, FakeTrack]") -> None:
        self.all: dict[str, FakePlaylist] = {}
        self.refuse = ""
        self._tracks = tracks
        self._numbers = count(1)

    def add(self, name: str, *track_ids: str) -> FakePlaylist:
        """Put a playlist into the library."""
        made = FakePlaylist(f"playlist-{next(self._numbers)}", name, list(track_ids))
        self.all[made.id] = made
        return made

    def routes(self) -> list[Route]:
        """The routes, for the mock's table."""
        return [
            Route("/api/playlists", self._list, methods=["GET", "POST"]),
            Route("/api/playlists/{id}", self._one, methods=["GET", "PATCH", "DELETE"]),
            Route("/api/playlists/{id}/tracks", self._entries, methods=["POST", "PUT"]),
            Route("/api/playlists/{id}/tracks/{track}", self._entry, methods=["DELETE"]),
        ]

    def _row(self, playlist: FakePlaylist) -> dict[str, Any]:
        there = [track for track in playlist.tracks if track in self._tracks]
        return {"id": playlist.id, "name": playlist.name, "description": None, "track_count": len(there)}

    def _whole(self, playlist: FakePlaylist, status: int = 200) -> Response:
        there = [self._tracks[track] for track in playlist.tracks if track in self._tracks]
        entries = [{"position": place, "track": track.as_json()} for place, track in enumerate(there)]
        return JSONResponse({**self._row(playlist), "tracks": entries}, status)

    async def _list(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"playlists": [self._row(playlist) for playlist in self.all.values()]})
        name = (await request.json())["name"]
        return refusal(400, "bad_request", self.refuse) if self.refuse else self._whole(self.add(name), 201)

    async def _one(self, request: Request) -> Response:
        playlist = self.all.get(request.path_params["id"])
        if playlist is None:
            return refusal(404, "not_found", "There is no such playlist.")
        if request.method == "DELETE":
            del self.all[playlist.id]
            return Response(status_code=204)
        if request.method == "PATCH":
            playlist.name = (await request.json())["name"]
        return self._whole(playlist)

    async def _entries(self, request: Request) -> Response:
        playlist, wanted = self.all[request.path_params["id"]], await request.json()
        if request.method == "PUT":
            playlist.tracks = list(wanted["track_ids"])
            return self._whole(playlist)
        if wanted["track_id"] in playlist.tracks:
            return refusal(409, "already_there", "The track is in this playlist already.")
        playlist.tracks.append(wanted["track_id"])
        return self._whole(playlist, 201)

    async def _entry(self, request: Request) -> Response:
        playlist = self.all[request.path_params["id"]]
        playlist.tracks.remove(request.path_params["track"])
        return self._whole(playlist)


def refusal(status: int, code: str, message: str) -> JSONResponse:
    """An error as the real server answers it."""
    return JSONResponse({"error": {"code": code, "message": message, "details": {}}}, status)
