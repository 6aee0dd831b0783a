"""What leaves the library in the formats of other programs: each is made by a process of its own and sent once.

Owner: one request. Units: none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

import anyio

from audio.children import command, environment
from pipeline.export_order import ExportOrder, encode
from pipeline.formats.song import Song, StemFile
from server.errors import BadRequest, NotFound, ServerError
from server.library.files import gain_of
from server.library.records import Stem, StoredFile, Track
from server.library.service import Library
from server.library.song import song_of

SUFFIXES: Final[Mapping[str, tuple[str, str]]] = {
    "stem_file": (".stem.mp4", "audio/mp4"),
    "stems": (" stems.zip", "application/zip"),
    "dawproject": (".dawproject", "application/zip"),
    "reaper": (" REAPER.zip", "application/zip"),
    "midi": (".mid", "audio/midi"),
    "click": (" click.wav", "audio/wav"),
    "cue": (".cue", "application/x-cue"),
    "m3u8": (".m3u8", "application/vnd.apple.mpegurl"),
    "rekordbox": (".xml", "application/xml"),
}
"""How the file of each kind is called behind the title, and its media type."""

AUDIO_TYPES: Final = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg"}


class CannotExport(BadRequest):
    """This cannot be exported like that."""

    code = "cannot_export"


class ExportFailed(ServerError):
    """The export did not come to its end; nothing was left behind."""

    code = "export_failed"


class Exports:
    """Makes files to send. Each lies in a folder of its own, which the sender drops when it is sent."""

    def __init__(self, library: Library, version: str) -> None:
        self._library = library
        self._version = version

    async def track(self, kind: str, track_id: UUID, user_id: int, options: Mapping[str, str]) -> StoredFile:
        """Return a track in a format. Raises NotFound, FileMissing, CannotExport, ExportFailed, StorageFull."""
        track = await self._library.track(track_id, user_id)
        suffix, media_type = SUFFIXES[kind]
        song = await self._song(track, user_id)
        return await self._make(kind, (song,), f"{track.title}{suffix}", media_type, options)

    async def stem(self, stem_id: UUID, user_id: int, kind: str) -> StoredFile:
        """Return one stem as WAV, FLAC or MP3. Raises as `track` does."""
        if kind not in AUDIO_TYPES:
            raise CannotExport(f"Audio leaves as {', '.join(AUDIO_TYPES)}, not {kind[:20]}.")
        stem = await self._library.stem(stem_id, user_id)
        track = await self._library.track(stem.track_id, user_id)
        song = song_of(track, stems=[await self._part(stem, user_id)])
        name = f"{track.title} - {stem.stem_type}.{kind}"
        return await self._make("stem", (song,), name, AUDIO_TYPES[kind], {"format": kind})

    async def list(
        self, kind: str, tracks: Sequence[UUID], user_id: int, name: str, options: Mapping[str, str]
    ) -> StoredFile:
        """Return several tracks as a list of files. Raises as `track` does."""
        songs = [
            song_of(await self._library.track(track_id, user_id), await self._original(track_id, user_id))
            for track_id in tracks
        ]
        if not songs:
            raise NotFound("There is nothing in this list yet.")
        suffix, media_type = SUFFIXES[kind]
        return await self._make(kind, songs, f"{name}{suffix}", media_type, options, listed=name)

    async def _song(self, track: Track, user_id: int) -> Song:
        stems = [await self._part(stem, user_id) for stem in track.stems if stem.chosen]
        return song_of(track, await self._original(track.id, user_id), stems)

    async def _part(self, stem: Stem, user_id: int) -> StemFile:
        file = await self._library.stem_file(stem.id, user_id)
        title, colour = (str(stem.options.get(name) or "") for name in ("name", "color"))
        return StemFile(stem.stem_type, file.path, gain_of(stem.options), title, colour)

    async def _original(self, track_id: UUID, user_id: int) -> Path:
        return (await self._library.audio_file(track_id, user_id)).path

    async def _make(
        self,
        kind: str,
        songs: Sequence[Song],
        name: str,
        media_type: str,
        options: Mapping[str, str],
        *,
        listed: str = "",
    ) -> StoredFile:
        folder = await self._library.workplace.new_scratch()
        try:
            out = folder / "export"
            order = ExportOrder(kind, tuple(songs), str(out), self._version, listed, dict(options))
            done = await anyio.run_process(
                command("pipeline.export"), input=encode(order), env=environment(), stderr=sys.stderr, check=False
            )
            if done.returncode:
                raise _told(done.stdout)
            return StoredFile(out, media_type, f'"{folder.name}"', name, immutable=False)
        except BaseException:
            await self._library.workplace.drop_scratch(folder)
            raise

    async def drop(self, file: StoredFile) -> None:
        """Remove a file that was sent."""
        await self._library.workplace.drop_scratch(file.path.parent)


def _told(output: bytes) -> ServerError:
    """Return what the process said of its fault."""
    try:
        said = json.loads(output.splitlines()[-1])
        code, message = str(said["code"]), str(said["message"])
    except (ValueError, KeyError, IndexError, TypeError):
        return ExportFailed()
    return CannotExport(message) if code == "cannot_export" else ExportFailed(message)
