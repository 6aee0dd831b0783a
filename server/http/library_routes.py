"""Routes of the library: tracks, uploads, stems, playlists, files.

Owner: one request each. Whose things they are is decided by the queries themselves.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from starlette.responses import Response

from audio.units import DECKS
from server.errors import Conflict, ServerError
from server.http import shapes
from server.http.answers import json_answer
from server.http.files import send_file
from server.http.table import Call, Row
from server.http.upload import receive_upload, while_connected
from server.library.playlists import PlaylistChange
from server.library.records import Genre, Page, Playlist, Track, TrackChange

_OPEN: Final = ("queued", "downloading", "processing")


class OnADeck(Conflict):
    """The track is on a deck; eject it first."""

    code = "on_a_deck"


async def list_tracks(call: Call) -> Page:
    query: shapes.TrackQuery = call.query
    return await call.services.library.tracks(
        call.user_id,
        q=query.q,
        sort=query.sort,
        status=query.status,
        only=query,
        limit=query.limit,
        cursor=query.cursor,
    )


async def list_genres(call: Call) -> list[Genre]:
    return await call.services.library.genres(call.user_id)


async def upload_track(call: Call) -> Response:
    library = call.services.library
    path = library.workplace.new_upload()
    try:
        upload = await receive_upload(call.request, path, call.services.settings.max_upload_mb << 20)
        words = upload.fields.get("title"), upload.fields.get("artist")
        done = await while_connected(
            call.request, library.receive(path, call.user_id, upload.filename, *words, move=True)
        )
    finally:
        await library.workplace.drop_upload(path)
    headers = {"Location": f"/api/tracks/{done.track.id}", "Alchemy-Existing": str(done.existing).lower()}
    return json_answer(done.track, 201, headers)


async def get_track(call: Call) -> Track:
    return await call.services.library.track(call.id(), call.user_id)


async def change_track(call: Call) -> Track:
    return await call.services.library.change(call.id(), call.user_id, call.input(TrackChange))


async def delete_track(call: Call) -> None:
    services, track_id = call.services, call.id()
    await services.library.track(track_id, call.user_id)
    controls = services.show.controls
    decks = [deck for deck in range(1, DECKS + 1) if controls.get(f"/deck/{deck}/load") == str(track_id)]
    if decks:
        raise OnADeck(f"The track is on deck {', '.join(map(str, decks))}; eject it first.", decks=decks)
    for job in await services.jobs.list(call.user_id, track_id=track_id):
        if job.status in _OPEN:
            with suppress(ServerError):  # it may have ended meanwhile
                await services.jobs.cancel(job.id, call.user_id)
    await services.library.delete(track_id, call.user_id)


async def track_audio(call: Call) -> Response:
    return send_file(call.request, await call.services.library.audio_file(call.id(), call.user_id))


async def track_waveform(call: Call) -> Response:
    return send_file(call.request, await call.services.library.waveform_file(call.id(), call.user_id))


async def track_cover(call: Call) -> Response:
    return send_file(call.request, await call.services.library.cover_file(call.id(), call.user_id))


async def track_stems(call: Call) -> shapes.StemList:
    return shapes.StemList(await call.services.library.stems(call.id(), call.user_id))


async def track_analyses(call: Call) -> shapes.AnalysisList:
    return shapes.AnalysisList(await call.services.library.analyses(call.id(), call.user_id))


async def choose_analysis(call: Call) -> Track:
    return await call.services.library.choose_analysis(call.id(), call.user_id)


async def put_stem(call: Call) -> Track:
    """Take in a stem of the performer's own; decks that hold the track play it at once."""
    library, track_id = call.services.library, call.id()
    path = library.workplace.new_upload()
    try:
        await receive_upload(call.request, path, call.services.settings.max_upload_mb << 20)
        stem_type = call.request.path_params["stem_type"]
        return await while_connected(call.request, library.add_stem(track_id, call.user_id, stem_type, path))
    finally:
        await library.workplace.drop_upload(path)


async def get_cues(call: Call) -> shapes.CueList:
    analysed, marks = await call.services.library.marks(call.id(), call.user_id)
    return shapes.cues_of(analysed, marks)


async def put_cues(call: Call) -> shapes.CueList:
    """Take the cue points of a track in place of all it had; its grid only when one is given."""
    library, wanted = call.services.library, call.input(shapes.CuesPut)
    _, before = await library.marks(call.id(), call.user_id)
    await library.put_marks(call.id(), call.user_id, shapes.marks_of(wanted, before))
    return await get_cues(call)


async def stem_audio(call: Call) -> Response:
    return send_file(call.request, await call.services.library.stem_file(call.id(), call.user_id))


async def stem_waveform(call: Call) -> Response:
    data = await call.services.library.stem_waveform(call.id(), call.user_id)
    return Response(data, 200, {"Cache-Control": "private, max-age=86400"}, BYTES)


async def choose_stem(call: Call) -> Track:
    return await call.services.library.choose_stem(call.id(), call.user_id)


async def list_playlists(call: Call) -> shapes.PlaylistList:
    return shapes.PlaylistList(await call.services.library.playlists.all(call.user_id))


async def new_playlist(call: Call) -> Playlist:
    new = call.input(shapes.PlaylistNew)
    return await call.services.library.playlists.create(call.user_id, new.name, new.description)


async def get_playlist(call: Call) -> Playlist:
    return await call.services.library.playlists.get(call.id(), call.user_id)


async def change_playlist(call: Call) -> Playlist:
    return await call.services.library.playlists.change(call.id(), call.user_id, call.input(PlaylistChange))


async def delete_playlist(call: Call) -> None:
    await call.services.library.playlists.delete(call.id(), call.user_id)


async def add_entry(call: Call) -> Playlist:
    new = call.input(shapes.EntryNew)
    return await call.services.library.playlists.add(call.id(), call.user_id, new.track_id, new.position)


async def put_entries(call: Call) -> Playlist:
    return await call.services.library.playlists.put(call.id(), call.user_id, call.input(shapes.Order).track_ids)


async def remove_entry(call: Call) -> Playlist:
    return await call.services.library.playlists.remove(call.id(), call.user_id, call.id("track_id"))


async def owned_file(call: Call) -> Response:
    """Send a file by its path in the database; the path from the request is only compared with rows."""
    path = call.request.path_params["path"]
    return send_file(call.request, await call.services.library.owned_file(path, call.user_id))


FLAC: Final = "audio/flac"
BYTES: Final = "application/octet-stream"

ROWS: Final = (
    Row("GET", "/api/tracks", list_tracks, "Search and list tracks", Page, query=shapes.TrackQuery),
    Row("GET", "/api/genres", list_genres, "Genres of the library, the most frequent first", list[Genre]),
    Row("POST", "/api/tracks", upload_track, "Import an audio file", Track, status=201, upload=True),
    Row("GET", "/api/tracks/{id}", get_track, "One track with jobs, stems and analysis", Track),
    Row("PATCH", "/api/tracks/{id}", change_track, "Edit a track's words", Track, body=TrackChange),
    Row("DELETE", "/api/tracks/{id}", delete_track, "Remove a track, its stems and its files", status=204),
    Row("GET", "/api/tracks/{id}/audio", track_audio, "The file as it was imported", media="audio/*", rate="file"),
    Row("GET", "/api/tracks/{id}/waveform", track_waveform, "The overview to draw", media=BYTES, rate="file"),
    Row("GET", "/api/tracks/{id}/cover", track_cover, "The cover", media="image/*", rate="file"),
    Row("GET", "/api/tracks/{id}/stems", track_stems, "Every version of every stem", shapes.StemList),
    Row("GET", "/api/tracks/{id}/analyses", track_analyses, "Every analysis of a track", shapes.AnalysisList),
    Row("POST", "/api/analyses/{id}/choose", choose_analysis, "Make this analysis the one that counts", Track),
    Row("PUT", "/api/tracks/{id}/stems/{stem_type}", put_stem, "Give a track a stem of your own", Track, upload=True),
    Row("GET", "/api/tracks/{id}/cues", get_cues, "Cue points and beat grid of a track", shapes.CueList),
    Row("PUT", "/api/tracks/{id}/cues", put_cues, "Give a track its cue points", shapes.CueList, shapes.CuesPut),
    Row("GET", "/api/stems/{id}/audio", stem_audio, "One stem", media=FLAC, rate="file"),
    Row("GET", "/api/stems/{id}/waveform", stem_waveform, "The overview of one stem to draw", media=BYTES, rate="file"),
    Row("POST", "/api/stems/{id}/choose", choose_stem, "Make this version the one that decks play", Track),
    Row("GET", "/api/playlists", list_playlists, "All playlists", shapes.PlaylistList, tag="playlists"),
    Row("POST", "/api/playlists", new_playlist, "Make a playlist", Playlist, shapes.PlaylistNew, status=201,
        tag="playlists"),
    Row("GET", "/api/playlists/{id}", get_playlist, "One playlist with its tracks", Playlist, tag="playlists"),
    Row("PATCH", "/api/playlists/{id}", change_playlist, "Rename a playlist", Playlist, PlaylistChange,
        tag="playlists"),
    Row("DELETE", "/api/playlists/{id}", delete_playlist, "Remove a playlist; its tracks stay", status=204,
        tag="playlists"),
    Row("GET", "/api/playlists/{id}/tracks", get_playlist, "One playlist with its tracks", Playlist, tag="playlists"),
    Row("POST", "/api/playlists/{id}/tracks", add_entry, "Put a track in", Playlist, shapes.EntryNew, status=201,
        tag="playlists"),
    Row("PUT", "/api/playlists/{id}/tracks", put_entries, "Put all tracks in order", Playlist, shapes.Order,
        tag="playlists"),
    Row("DELETE", "/api/playlists/{id}/tracks/{track_id}", remove_entry, "Take a track out", Playlist, tag="playlists"),
    Row("GET", "/files/{path:path}", owned_file, "A file by the path its row names", media=BYTES, rate="file"),
)  # fmt: skip
