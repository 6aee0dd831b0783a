"""Brings a file into the library: decoded, known by its sound, put in place with its row in one transaction.

    path -> staging/original -> reference.flac, waveform.bin (child)  -> hash: there already? -> that track
                             -> tags, cover (child)                   -> rename + row, in one transaction

Owner: the library, on the event loop. Files are touched in threads, decoded in a child process.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import anyio.to_thread
import msgspec

from audio.errors import AudioError
from audio.reference import REFERENCE_NAME, WAVEFORM_NAME
from server.db import AlreadyThere, Database
from server.errors import DatabaseGone, ServerError
from server.library import arrivals, tracks
from server.library.decoder import Decoder
from server.library.errors import from_audio
from server.library.records import Track
from server.library.storage import TRACKS, Storage
from server.library.tags import TITLE_LIMIT, Tags, clean, clean_name, from_name, read_tags
from server.library.workplace import Workplace


class Imported(msgspec.Struct, frozen=True):
    """A track that was imported; `existing` when the same audio was there already."""

    track: Track
    existing: bool


class Importing:
    """Imports files for a library; `tell` is called with a track, whose it is and what happened to it."""

    def __init__(
        self,
        db: Database,
        storage: Storage,
        workplace: Workplace,
        decoder: Decoder,
        tell: Callable[[UUID, int, str], None],
    ) -> None:
        self._db = db
        self._storage = storage
        self._workplace = workplace
        self.decoder = decoder
        self._tell = tell

    async def bring(
        self,
        path: Path,
        user_id: int,
        filename: str,
        title: str | None,
        artist: str | None,
        *,
        move: bool,
        source: str,
        into: arrivals.Arrival | None,
    ) -> Imported:
        """Bring an audio file in, whole or not at all; see `Library.receive`."""
        folder = await self._workplace.new_scratch()
        try:
            return await self._import(path, folder, user_id, filename, title, artist, move, source, into)
        finally:
            await self._workplace.drop_scratch(folder)

    async def _import(
        self,
        path: Path,
        folder: Path,
        user_id: int,
        filename: str,
        title: str | None,
        artist: str | None,
        move: bool,
        source: str,
        into: arrivals.Arrival | None,
    ) -> Imported:
        original = await anyio.to_thread.run_sync(lambda: self._storage.take(path, folder, filename, move=move))
        try:
            reference = await self.decoder.decode(original, folder)
        except AudioError as error:
            raise _named(error, original, filename) from error
        known = await self._by_audio(reference.sha256, user_id)
        if known is not None:
            return await self._known(known, user_id, into)
        tags = await read_tags(original)
        made = {
            "file_path": original.name,
            "reference_path": REFERENCE_NAME,
            "waveform_path": WAVEFORM_NAME,
            "cover_path": None,
        }
        if tags.cover is not None:
            cover = folder / f"cover.{tags.cover.extension}"
            await anyio.to_thread.run_sync(self._storage.write, cover, tags.cover.data)
            made["cover_path"] = cover.name
        track_id = uuid4() if into is None else into.track_id
        size = (await anyio.Path(original).stat()).st_size
        named = {column: str(TRACKS / str(track_id) / file) if file else None for column, file in made.items()}
        columns = {
            "id": track_id,
            "user_id": user_id,
            "source": source,
            **_words(tags, filename, title, artist),
            **named,
            "file_size": size,
            "original_name": clean_name(filename) or None,
            "duration": reference.duration,
            "codec": clean(reference.codec, 40),
            "channels": reference.channels_in,
            "sample_rate": reference.rate_in,
            "reference_frames": reference.frames,
            "reference_rate": reference.rate,
            "reference_gain": reference.gain,
            "reference_sha256": reference.sha256,
            "peak": reference.peak,
            "warnings": [clean(_shown(sentence, original, filename), 500) for sentence in reference.warnings],
        }
        try:
            with anyio.CancelScope(shield=True):
                await self._insert(track_id, columns, folder, into)
                made_track = await tracks.one(self._db, track_id, user_id)
        except AlreadyThere:
            known = await self._by_audio(reference.sha256, user_id)
            if known is None:
                raise
            return await self._known(known, user_id, into)
        return Imported(made_track, existing=False)

    async def _known(self, known: Track, user_id: int, into: arrivals.Arrival | None) -> Imported:
        """The audio is in the library already; a track that waited for it goes, and what it was part of is `known`'s"""
        if into is not None and known.id != into.track_id:
            with anyio.CancelScope(shield=True):
                await arrivals.join(self._db, into, known.id)
            self._tell(into.track_id, user_id, "removed")
            self._tell(known.id, user_id, "changed")
            known = await tracks.one(self._db, known.id, user_id)
        return Imported(known, existing=True)

    async def _insert(
        self, track_id: UUID, columns: dict[str, object], folder: Path, into: arrivals.Arrival | None
    ) -> None:
        """Make row and files appear together."""
        marks = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        final = self._storage.path(TRACKS / str(track_id))
        self._workplace.begin(str(track_id))
        published = False
        try:
            async with self._db.transaction() as tx:
                if into is None:
                    await tx.execute(f"INSERT INTO tracks ({', '.join(columns)}) VALUES ({marks})", *columns.values())
                else:
                    await arrivals.fill(tx, into, columns)
                    # The row had no audio until now: what lies here is of an attempt that was never committed.
                    await anyio.to_thread.run_sync(self._storage.discard, final)
                published = True
                await anyio.to_thread.run_sync(self._storage.publish, folder, track_id)
        except DatabaseGone:
            # Whether the commit arrived is not known: the marked folder waits for `reconcile_files` to find out.
            raise
        except BaseException:
            if published:
                await anyio.to_thread.run_sync(self._storage.discard, final)
            raise
        else:
            await anyio.to_thread.run_sync(self._storage.confirm, track_id)
        finally:
            self._workplace.end(str(track_id))

    async def _by_audio(self, sha256: str, user_id: int) -> Track | None:
        found = await self._db.value(
            "SELECT id FROM tracks WHERE user_id = $1 AND reference_sha256 = $2", user_id, sha256
        )
        return await tracks.one(self._db, found, user_id) if found is not None else None


def _named(error: AudioError, original: Path, filename: str) -> ServerError:
    """Speak of the file by the name its owner knows."""
    ours = from_audio(error)
    return type(ours)(_shown(str(ours), original, filename), **ours.details)


def _shown(sentence: str, original: Path, filename: str) -> str:
    """Put the name its owner knows in place of ours."""
    shown = clean_name(filename) or "The file"
    return sentence.replace(str(original), shown).replace(original.name, shown)


def _words(tags: Tags, filename: str, title: str | None, artist: str | None) -> dict[str, object]:
    guessed_title, guessed_artist = from_name(filename)
    asked_title = clean(title, TITLE_LIMIT) if title else ""
    asked_artist = clean(artist, TITLE_LIMIT) if artist else ""
    return {
        "title": asked_title or tags.title or guessed_title,
        "artist": asked_artist or tags.artist or (guessed_artist if not tags.title else None),
        "album": tags.album,
        "genre": tags.genre,
        "year": tags.year,
    }
