"""The library: imports files, knows the tracks, hands decks what they play, and removes what is let go of.

Owner: the server's event loop, one per server. The database is the truth; files are whole or not there.
Files are touched in threads, decoded in a child process, and named by nothing that came with a request.
Units: seconds; frames at the rate beside them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final
from uuid import UUID

import anyio
import anyio.to_thread

from audio.source import DeckSource
from audio.waveform_header import Levels
from server.db import Database
from server.errors import NotFound, ServerError
from server.library import arrivals, banks, files, finding, marks, own_stems, practice, stem_sweep, takes, tracks
from server.library.decoder import Decoder
from server.library.filters import NOTHING, Filter
from server.library.importing import Imported, Importing
from server.library.pages import DEFAULT_LIMIT, Sorting
from server.library.playlists import Playlists
from server.library.practice import LogEntry, Progress
from server.library.records import Analysis, Genre, Page, PcmSource, Stem, StoredFile, Track, TrackChange
from server.library.similar import Similar
from server.library.stem_shape import StemShapes
from server.library.storage import TRACKS, Storage
from server.library.takes import Take, TakeChange
from server.library.workplace import Workplace
from server.marks import Grid, Marks
from server.pads import Pad
from server.practice import Pass, Practice, Rehearsal
from server.protocol import LibraryChanged

_log = logging.getLogger(__name__)

TIDY_S: Final = 600.0
"""How often files that were let go of are looked for, beyond the times when one has just been."""


OnChange = Callable[[LibraryChanged, int], None]
"""Told of every change and whose it is; must not block."""

OnImport = Callable[[UUID, int], Awaitable[object]]
"""Run after every import of a new track: (track id, user id); its failure does not undo the import."""


class Library:
    """Call `open` first; run `run` in a task group, so that files go when their rows have gone."""

    def __init__(
        self,
        db: Database,
        data: Path,
        importer: Decoder,
        *,
        on_change: OnChange = lambda _change, _user_id: None,
        on_import: OnImport | None = None,
    ) -> None:
        self._db = db
        self._on_change = on_change
        self._on_import = on_import
        self._untidy = anyio.Event()
        self.storage = Storage(data)
        self.workplace = Workplace(self.storage)
        self._importing = Importing(db, self.storage, self.workplace, importer, self._tell)
        self.playlists = Playlists(db)
        self._shapes = StemShapes()
        self.similar = Similar(db)

    def set_hooks(self, *, on_change: OnChange | None = None, on_import: OnImport | None = None) -> None:
        """Say who is told, where those are made after the library."""
        self._on_change = on_change or self._on_change
        self._on_import = on_import or self._on_import

    async def open(self) -> None:
        """Make the folders and clear away what an earlier run left half done."""
        await anyio.to_thread.run_sync(self.storage.open)
        await self.reconcile_files()

    async def run(self) -> None:
        """Remove files that rows have let go of, now and whenever there are some; until cancelled."""
        while True:
            self._untidy = anyio.Event()
            try:
                await self.reconcile_files()
            except (ServerError, OSError) as error:
                _log.warning("files are tidied later: %s", error)
            with anyio.move_on_after(TIDY_S):
                await self._untidy.wait()

    def tidy(self) -> None:
        """Remove soon what rows have let go of; returns at once."""
        self._untidy.set()

    # ---- importing

    async def import_file(
        self,
        path: Path,
        user_id: int,
        filename: str | None = None,
        title: str | None = None,
        artist: str | None = None,
        *,
        move: bool = False,
        source: str = "import",
    ) -> Track:
        """Bring an audio file into the library and return its track; see `receive`."""
        return (await self.receive(path, user_id, filename, title, artist, move=move, source=source)).track

    async def receive(
        self,
        path: Path,
        user_id: int,
        filename: str | None = None,
        title: str | None = None,
        artist: str | None = None,
        *,
        move: bool = False,
        source: str = "import",
        into: arrivals.Arrival | None = None,
    ) -> Imported:
        """Bring an audio file into the library; with `move` the file itself is taken, else copied.

        The same audio twice is one track. `into` is the track that waits for this file, of this user. Whatever goes
        wrong, nothing is left behind. Cancelled, it stops the decode; once the track is in the library it is told and
        followed up as any other. Raises NotAudio, StorageFull, DatabaseGone; with `into` DownloadOver and NotFound.
        """
        imported = await self._importing.bring(
            path, user_id, filename if filename is not None else path.name, title, artist,
            move=move, source=source, into=into,
        )  # fmt: skip
        if imported.existing:
            return imported
        track_id = imported.track.id
        self._tell(track_id, user_id, "added")
        if self._on_import is None:
            return imported
        with anyio.CancelScope(shield=True):
            try:
                await self._on_import(track_id, user_id)
            except ServerError as error:
                _log.warning("after the import of %s: %s", track_id, error)
            track = await self.track(track_id, user_id)
        return Imported(track, existing=False)

    # ---- looking

    async def owner_id(self) -> int:
        """Return the owner's user id, for programs that use the library without a server. Raises NotFound."""
        owner = await self._db.value("SELECT id FROM users WHERE is_owner")
        if owner is None:
            raise NotFound("There is no owner yet: run `alchemy run` once.")
        return int(owner)

    async def track(self, track_id: UUID, user_id: int | None) -> Track:
        """Return a track with its jobs, stems and analysis. Raises NotFound."""
        return await tracks.one(self._db, track_id, user_id)

    async def find(self, user_id: int, name: str) -> UUID | None:
        """Return the track that is meant by an id, "Artist - Title", a title or the name of a file; None for none."""
        return await finding.find(self._db, user_id, name)

    async def exists(self, track_id: UUID, user_id: int) -> None:
        """Say that a track is there. Raises NotFound."""
        await tracks.row(self._db, track_id, user_id)

    async def tracks(
        self,
        user_id: int,
        *,
        q: str = "",
        sort: str = "-inserted_at",
        status: str = "",
        only: Filter = NOTHING,
        limit: int = DEFAULT_LIMIT,
        cursor: str = "",
    ) -> Page:
        """Return a page of tracks. Raises BadRequest, CursorRejected."""
        return await tracks.page(
            self._db, user_id, q=q, sorting=Sorting.parse(sort), status=status, only=only, limit=limit, cursor=cursor
        )

    async def genres(self, user_id: int) -> list[Genre]:
        """Return the genres of a user's tracks, the most frequent first."""
        return await tracks.genres(self._db, user_id)

    async def stems(self, track_id: UUID, user_id: int) -> list[Stem]:
        """Return every complete stem of a track, all versions. Raises NotFound."""
        await tracks.row(self._db, track_id, user_id)
        return await tracks.stems_of(self._db, [track_id])

    async def stem(self, stem_id: UUID, user_id: int) -> Stem:
        """Return one complete stem. Raises NotFound."""
        track_id = await self._db.value(
            "SELECT s.track_id FROM stems s JOIN tracks t ON t.id = s.track_id WHERE s.id = $1 AND t.user_id = $2",
            stem_id, user_id,
        )  # fmt: skip
        found = [] if track_id is None else await tracks.stems_of(self._db, [track_id])
        for one in found:
            if one.id == stem_id:
                return one
        raise NotFound

    # ---- changing

    async def change(self, track_id: UUID, user_id: int, wanted: TrackChange) -> Track:
        """Edit a track's words. Raises NotFound, BadRequest."""
        await tracks.change(self._db, track_id, user_id, wanted)
        self._tell(track_id, user_id, "changed")
        return await self.track(track_id, user_id)

    async def add_stem(
        self, track_id: UUID, user_id: int, stem_type: str, upload: Path, shown: Mapping[str, str] | None = None
    ) -> Track:
        """Make the file `upload` the track's stem of this type. Raises as `own_stems.add_stem` does."""
        staging = await self.workplace.new_scratch()
        try:
            await own_stems.add_stem(
                self._db, self.storage, self._importing.decoder, track_id, user_id, stem_type, upload, staging,
                shown or {},
            )  # fmt: skip
        finally:
            await self.workplace.drop_scratch(staging)
        self._untidy.set()
        self._tell(track_id, user_id, "changed")
        return await self.track(track_id, user_id)

    async def choose_stem(self, stem_id: UUID, user_id: int) -> Track:
        """Make a stem the one that decks play for its type. Raises NotFound."""
        track_id = await self._db.value(
            "UPDATE stems s SET chosen = true FROM tracks t WHERE s.id = $1 AND t.id = s.track_id AND t.user_id = $2 "
            "AND s.status = 'complete' RETURNING s.track_id", stem_id, user_id,
        )  # fmt: skip
        if track_id is None:
            raise NotFound
        self._tell(track_id, user_id, "changed")
        return await self.track(track_id, user_id)

    async def analyses(self, track_id: UUID, user_id: int) -> list[Analysis]:
        """Return every analysis of a track, newest first. Raises NotFound."""
        await tracks.row(self._db, track_id, user_id)
        return await tracks.analyses_of(self._db, track_id)

    async def choose_analysis(self, analysis_id: UUID, user_id: int) -> Track:
        """Make an analysis the one that counts for its track. Raises NotFound."""
        track_id = await self._db.value(
            "UPDATE analysis_results r SET chosen = true FROM tracks t WHERE r.id = $1 AND t.id = r.track_id "
            "AND t.user_id = $2 RETURNING r.track_id", analysis_id, user_id,
        )  # fmt: skip
        if track_id is None:
            raise NotFound
        self._tell(track_id, user_id, "changed")
        return await self.track(track_id, user_id)

    async def delete(self, track_id: UUID, user_id: int) -> None:
        """Remove a track with its jobs, stems and files. Raises NotFound."""
        if not await tracks.remove(self._db, track_id, user_id):
            raise NotFound
        self._untidy.set()
        self._tell(track_id, user_id, "removed")

    def changed(self, track_id: UUID, user_id: int) -> None:
        """Tell everybody that something about a track changed (stems came, an analysis was made)."""
        self._tell(track_id, user_id, "changed")

    def _tell(self, track_id: UUID, user_id: int, change: str) -> None:
        self.similar.changed(track_id, user_id)
        self._on_change(LibraryChanged(track_id=str(track_id), change=change), user_id)

    # ---- what is played and sent: see `server/library/files.py`

    async def deck_source(self, track_id: UUID, user_id: int | None = None, *, position_s: float = 0.0) -> DeckSource:
        """Return what a deck needs to play the track: the chosen stems, or those that are arriving.

        Raises NotFound, FileMissing.
        """
        return await files.deck_source(self._db, self.storage, track_id, user_id, position_s)

    async def marks(self, track_id: UUID, user_id: int | None = None) -> tuple[Grid | None, Marks]:
        """Return the grid of the chosen analysis, if any, and what the performer has marked. Raises NotFound."""
        await tracks.row(self._db, track_id, user_id)
        return await marks.analysed(self._db, track_id), await marks.read(self._db, track_id)

    async def save_marks(self, track_id: UUID, wanted: Marks, user_id: int | None = None) -> None:
        """Keep what the performer has marked, in place of what was kept. Raises NotFound, BadRequest."""
        await marks.save(self._db, track_id, user_id, wanted)
        owner = (await tracks.row(self._db, track_id, user_id)).user_id
        self._on_change(LibraryChanged(track_id=str(track_id), change="marks"), owner)

    async def put_marks(self, track_id: UUID, user_id: int, wanted: Marks) -> None:
        """Keep marks that did not come from the decks, and tell those that hold the track. Raises as `save_marks`."""
        await self.save_marks(track_id, wanted, user_id)
        self._tell(track_id, user_id, "changed")

    async def rehearsal(self, track_id: UUID) -> Rehearsal:
        """Return the track's sections, and how its owner has left it in practice. Raises NotFound."""
        return Rehearsal(await practice.sections(self._db, track_id), await practice.read(self._db, track_id, None))

    async def practice(self, track_id: UUID, user_id: int) -> Practice | None:
        """Return how the user has left the track; None where they never practised it. Raises NotFound."""
        return await practice.read(self._db, track_id, user_id)

    async def save_practice(self, track_id: UUID, left: Practice) -> None:
        """Keep how the track was left, in place of what was kept. Raises NotFound, BadRequest."""
        await practice.save(self._db, track_id, None, left)

    async def log_pass(self, track_id: UUID, made: Pass, *, clean: bool) -> None:
        """Write a pass down, or that the one being made is clean. Raises NotFound, BadRequest."""
        await practice.log_pass(self._db, track_id, None, made, clean=clean)

    async def practice_log(self, track_id: UUID, user_id: int, limit: int) -> tuple[list[LogEntry], list[Progress]]:
        """Return the latest of a track's log, and the progress of each section. Raises NotFound."""
        await tracks.row(self._db, track_id, user_id)
        entries = await practice.log(self._db, track_id, user_id, limit)
        return entries, await practice.progress(self._db, track_id, user_id)

    async def takes(self, track_id: UUID, user_id: int) -> list[Take]:
        """Return what was played along with a track, newest first. Raises NotFound."""
        return await takes.listing(self._db, track_id, user_id)

    async def add_take(
        self,
        take_id: UUID,
        track_id: UUID,
        made: Path,
        span_s: tuple[float, float],
        rate: float,
        *,
        keylock: bool,
        gain: float,
    ) -> None:
        """Keep the file `made`, which begins with the track, as its newest take, once. Raises NotFound, StorageFull."""
        self.workplace.begin(str(take_id))
        try:
            user_id = await takes.add(
                self._db, self.storage, take_id, track_id, made, span_s, rate, keylock=keylock, gain=gain
            )
        finally:
            self.workplace.end(str(take_id))
            self._untidy.set()
        self._tell(track_id, user_id, "changed")

    async def change_take(self, take_id: UUID, user_id: int, wanted: TakeChange) -> Take:
        """Name or choose a take; decks that hold its track follow. Raises NotFound, BadRequest."""
        take = await takes.change(self._db, take_id, user_id, wanted)
        self._tell(take.track_id, user_id, "changed")
        return take

    async def delete_take(self, take_id: UUID, user_id: int) -> None:
        """Delete a take and its file. Raises NotFound."""
        track_id = await takes.delete(self._db, take_id, user_id)
        self._untidy.set()
        self._tell(track_id, user_id, "changed")

    async def take_file(self, take_id: UUID, user_id: int) -> StoredFile:
        """Return the FLAC of a take. Raises NotFound, FileMissing."""
        return await files.take(self._db, self.storage, take_id, user_id)

    async def pads(self, user_id: int) -> tuple[Pad, ...]:
        """Return the sampler's pads as a performer left them, bank by bank."""
        return await banks.read(self._db, user_id)

    async def save_bank(self, bank: int, pads: tuple[Pad, ...], user_id: int | None = None) -> None:
        """Keep a bank (from 0) of a performer, of the owner where none is named. Raises BadRequest."""
        await banks.save(self._db, await self.owner_id() if user_id is None else user_id, bank, pads)

    async def pcm(self, track_id: UUID, user_id: int | None = None) -> PcmSource:
        """Return a track's reference decode. Raises NotFound, FileMissing."""
        return await files.reference(self.storage, await tracks.row(self._db, track_id, user_id))

    async def stem_pcm(self, track_id: UUID, stem_type: str) -> PcmSource:
        """Return the chosen stem of a type. Raises NotFound, FileMissing."""
        return await files.chosen_stem(self._db, self.storage, track_id, stem_type)

    async def levels(self, track_id: UUID, user_id: int | None = None) -> Levels | None:
        """Return mean and deviation of a whole track; None for one from before they were kept. Raises NotFound."""
        return await files.levels(self.storage, await tracks.row(self._db, track_id, user_id))

    async def audio_file(self, track_id: UUID, user_id: int) -> StoredFile:
        """Return the file as it was imported. Raises NotFound, FileMissing."""
        return await files.original(self.storage, await tracks.row(self._db, track_id, user_id))

    async def waveform_file(self, track_id: UUID, user_id: int) -> StoredFile:
        """Return the overview that `audio/waveform.py` describes. Raises NotFound, FileMissing."""
        return await files.waveform(self.storage, await tracks.row(self._db, track_id, user_id))

    async def cover_file(self, track_id: UUID, user_id: int) -> StoredFile:
        """Return the cover. Raises NotFound when there is none, FileMissing."""
        return await files.cover(self.storage, await tracks.row(self._db, track_id, user_id))

    async def stem_file(self, stem_id: UUID, user_id: int) -> StoredFile:
        """Return a complete stem's FLAC. Raises NotFound, FileMissing."""
        return await files.stem(self._db, self.storage, stem_id, user_id)

    async def stem_waveform(self, stem_id: UUID, user_id: int) -> bytes:
        """Return the overview of a complete stem, read once and then kept in memory. Raises NotFound, FileMissing."""
        stored = await self.stem_file(stem_id, user_id)
        try:
            return await anyio.to_thread.run_sync(self._shapes.of, stored.path, stored.etag or str(stem_id))
        except (OSError, RuntimeError) as error:
            raise NotFound("The file of this stem cannot be read.") from error

    async def owned_file(self, path: str, user_id: int) -> StoredFile:
        """Return the file of a row of this user that names `path`. Raises NotFound, FileMissing."""
        return await files.owned(self._db, self.storage, path, user_id)

    # ---- tidying

    async def reconcile_files(self) -> int:
        """Remove what is known to be left over, and nothing else; return how many files and folders went.

        Safe at any time and as often as you like: it goes by tombstones, staging folders of no running import, folders
        that say themselves that their import was interrupted, and stems of jobs that came to nothing.
        """
        gone = await anyio.to_thread.run_sync(self.storage.sweep, self.workplace.is_busy)
        for track_id in await anyio.to_thread.run_sync(self.storage.unconfirmed):
            if self.workplace.is_busy(str(track_id)):
                continue
            if await self._db.value("SELECT reference_path IS NOT NULL FROM tracks WHERE id = $1", track_id):
                await anyio.to_thread.run_sync(self.storage.confirm, track_id)
            else:
                await anyio.to_thread.run_sync(self.storage.discard, self.storage.path(TRACKS / str(track_id)))
                gone += 1
        gone += await stem_sweep.sweep(self._db, self.storage)
        gone += await takes.sweep(self._db, self.storage, self.workplace.is_busy)
        while True:
            async with self._db.transaction() as tx:
                path = await tx.value(
                    "SELECT path FROM files WHERE doomed_at IS NOT NULL ORDER BY doomed_at, path LIMIT 1 "
                    "FOR UPDATE SKIP LOCKED"
                )
                if path is None:
                    return gone
                await anyio.to_thread.run_sync(self.storage.remove, path)
                await tx.execute("DELETE FROM files WHERE path = $1", path)
                gone += 1
