"""Routes of what leaves: stems, analysis, sessions and lists for other programs.

Owner: one request each. Files that are made to be sent are dropped when they are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.responses import Response

from server.errors import NotFound
from server.http.answers import json_answer
from server.http.files import SentOnce, send_file, send_zip
from server.http.table import Call, Row
from server.library.exports import Exports
from server.library.records import StoredFile


class AudioQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As what audio leaves: `wav`, `mp3`, or `flac`; as it is stored when nothing is said."""

    format: str = ""


class StemFileQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the streams of a stem file are coded: `aac` or `alac`."""

    codec: str = "aac"


class MidiQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Any of `beats`, `chords`, `drums`, with commas between."""

    parts: str = "beats,chords,drums"


class ClickQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many clicks come before the song."""

    count_in: int = 0


class ListQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As what a list leaves: `m3u8` or `rekordbox`."""

    format: str = "m3u8"


def _exports(call: Call) -> Exports:
    return Exports(call.services.library, call.services.version)


async def _send(call: Call, made: Awaitable[StoredFile]) -> Response:
    file = await made
    return SentOnce(send_file(call.request, file, download=True), lambda: _exports(call).drop(file))


def _wanted(call: Call) -> str:
    """Return the format in which stems are to leave: the one asked for, else that of the settings; "" is as stored."""
    query: AudioQuery = call.query
    settled = call.services.settings.stem_format
    return query.format or ("" if settled == "flac" else settled)


async def export_stem(call: Call) -> Response:
    kind = _wanted(call)
    if kind:
        return await _send(call, _exports(call).stem(call.id(), call.user_id, kind))
    return send_file(call.request, await call.services.library.stem_file(call.id(), call.user_id), download=True)


async def export_stems(call: Call) -> Response:
    """Send the chosen stems: converted, or as they are stored, which needs no waiting."""
    kind = _wanted(call)
    if kind:
        return await _send(call, _exports(call).track("stems", call.id(), call.user_id, {"format": kind}))
    library = call.services.library
    track = await library.track(call.id(), call.user_id)
    chosen = [stem for stem in track.stems if stem.chosen]
    if not chosen:
        raise NotFound("This track has no stems yet.")
    files = [await library.stem_file(stem.id, call.user_id) for stem in chosen]
    return send_zip(files, f"{track.title} stems.zip")


async def export_analysis(call: Call) -> Response:
    track = await call.services.library.track(call.id(), call.user_id)
    if track.analysis is None:
        raise NotFound("This track has no analysis yet.")
    return json_answer(track.analysis, headers={"Content-Disposition": 'attachment; filename="analysis.json"'})


def _track(kind: str) -> Callable[[Call], Awaitable[Response]]:
    """Return the handler of an export of one track; the query is its options."""

    async def handler(call: Call) -> Response:
        asked = {} if call.query is None else msgspec.structs.asdict(call.query)
        options = {name: str(value) for name, value in asked.items() if value != ""}
        return await _send(call, _exports(call).track(kind, call.id(), call.user_id, options))

    handler.__name__ = f"export_{kind}"  # the operation's name in the API's description
    return handler


async def export_playlist(call: Call) -> Response:
    query: ListQuery = call.query
    if query.format not in ("m3u8", "rekordbox"):
        raise NotFound("A playlist leaves as m3u8 or rekordbox.")
    playlist = await call.services.library.playlists.get(call.id(), call.user_id)
    tracks = [entry.track.id for entry in playlist.tracks]
    return await _send(call, _exports(call).list(query.format, tracks, call.user_id, playlist.name, {}))


_ZIP: Final = "application/zip"

ROWS: Final = (
    Row("GET", "/export/stem/{id}", export_stem, "One stem as a download", media="audio/*", query=AudioQuery,
        rate="file", tag="export"),
    Row("GET", "/export/stems/{id}", export_stems, "The chosen stems of a track as a ZIP", media=_ZIP,
        query=AudioQuery, tag="export"),
    Row("GET", "/export/analysis/{id}", export_analysis, "The analysis of a track as JSON", tag="export"),
    Row("GET", "/export/stemfile/{id}", _track("stem_file"), "A stem file for Traktor and Mixxx", media="audio/mp4",
        query=StemFileQuery, rate="heavy", tag="export"),
    Row("GET", "/export/dawproject/{id}", _track("dawproject"), "A session for Bitwig, Studio One, Cubase",
        media=_ZIP, rate="heavy", tag="export"),
    Row("GET", "/export/reaper/{id}", _track("reaper"), "A REAPER project with its audio", media=_ZIP,
        query=AudioQuery, rate="heavy", tag="export"),
    Row("GET", "/export/midi/{id}", _track("midi"), "Beats, chords and drums as a MIDI file", media="audio/midi",
        query=MidiQuery, tag="export"),
    Row("GET", "/export/click/{id}", _track("click"), "A click in the song's tempo", media="audio/wav",
        query=ClickQuery, tag="export"),
    Row("GET", "/export/cue/{id}", _track("cue"), "The sections of a track as a CUE sheet",
        media="application/x-cue", tag="export"),
    Row("GET", "/export/playlist/{id}", export_playlist, "A playlist for other programs", media="text/*",
        query=ListQuery, tag="export"),
)  # fmt: skip
