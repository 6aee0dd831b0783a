"""Stems as they arrive: raw stretches into sparse files, whole stems into 24-bit FLAC that restores them bit for bit.

Owner: the event loop; files are touched in threads. `WorkerHub` feeds it, the deck's session hears it.
Units: frames at 44.1 kHz; paths in rows are relative to the data folder.

    stem_begin -> row `arriving`, ranges []      stretch -> file, on_stretch, then ranges in the row, then ack
    stem_end   -> sha256 over the raw file -> FLAC beside it, fsync, rename -> noted in the row
    result     -> all rows `complete` and chosen, with the job, in one transaction -> on_stem, raw files doomed

What is acknowledged is in the database, so a restart of either side goes on where it was.
"""

import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

import anyio
import anyio.to_thread

from audio.units import MODEL_RATE, STEM_TYPES
from pipeline import wire
from pipeline.pcm import FRAME_BYTES, Ranges, RawFile, difference, from_bytes, on_grid, union
from server.db import Database
from server.errors import ServerError, StorageFull
from server.jobs import store
from server.jobs.job import Job

GAINS: Final = (1.0, 4.0)
"""A stem is stored as it is, or a quarter as loud where it passes full scale; values are exact either way."""


class OnStretch(Protocol):
    """Told when frames `start` to `stop` of a stem lie in the raw file `path`."""

    def __call__(self, track_id: UUID, job_id: UUID, stem_type: str, path: Path, start: int, stop: int) -> None: ...


class OnStem(Protocol):
    """Told when a stem lies whole in the FLAC `path`, to be multiplied by `gain`; the raw file goes away then."""

    def __call__(self, track_id: UUID, job_id: UUID, stem_type: str, path: Path, gain: float) -> None: ...


class Rejected(ServerError):
    """The worker sent something that does not fit; it changed nothing."""

    code = "rejected"
    http_status = 400


class Damaged(Rejected):
    """Audio arrived otherwise than it was sent."""

    code = "damaged"


class Gone(ServerError):
    """The job's stems are not wanted any more."""

    code = "gone"


@dataclass(slots=True)
class Arriving:
    """A stem on its way. `noted` is what the row knows, `ranges` what lies in the file."""

    row: UUID
    stem: str
    frames: int
    rate: int
    file: RawFile
    ranges: Ranges
    noted: Ranges
    ending: bool = False

    @contextmanager
    def seal(self) -> Iterator[None]:
        """Keep a second end away while inside."""
        self.ending = True
        try:
            yield
        finally:
            self.ending = False


@dataclass(slots=True)
class Reception:
    """The stems of one job while a worker sends them; `lengths` of all of them in frames."""

    job: Job
    folder: Path
    arriving: dict[str, Arriving] = field(default_factory=dict)
    ended: dict[str, store.Sealed] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    gone: bool = False
    _users: int = 0
    _left: anyio.Event = field(default_factory=anyio.Event)

    @contextmanager
    def use(self) -> Iterator[None]:
        """Keep the files from being removed while inside. Raises Gone."""
        if self.gone:
            raise Gone
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._left.set()

    async def leave(self) -> None:
        """Let nobody in any more, and wait until everybody is out."""
        self.gone = True
        while self._users:
            self._left = anyio.Event()
            await self._left.wait()

    def have(self) -> dict[str, Ranges]:
        """Return what is there per stem that is still arriving."""
        return {name: stem.ranges for name, stem in self.arriving.items()}


def _no_stretch(track_id: UUID, job_id: UUID, stem_type: str, path: Path, start: int, stop: int) -> None:
    return


def _no_stem(track_id: UUID, job_id: UUID, stem_type: str, path: Path, gain: float) -> None:
    return


class StemReceiver:
    """Takes in the stems of all jobs."""

    def __init__(self, db: Database, data: Path) -> None:
        self._db = db
        self._data = data
        self.on_stretch: OnStretch = _no_stretch
        self.on_stem: OnStem = _no_stem
        self._open: dict[UUID, Reception] = {}

    def folder(self, job: Job) -> Path:
        """Return where a job's stems lie."""
        return self._data / "stems" / str(job.track_id) / str(job.id)

    def arriving(self, job_id: UUID) -> tuple[str, ...]:
        """Return the stems that a running separation brings, whole or not."""
        reception = self._open.get(job_id)
        return () if reception is None else (*reception.arriving, *reception.ended)

    async def open(self, job: Job) -> Reception:
        """Return what there is of a job already, from the rows of an earlier attempt."""
        if (known := self._open.get(job.id)) is not None and not known.gone:
            return known
        reception = Reception(job, self.folder(job))
        for row in await store.stems(self._db, job.id):
            path, sealed = self._data / row.file_path, row.sealed
            reception.lengths[row.stem_type] = row.frames
            if sealed and await anyio.to_thread.run_sync(_size, self._data / sealed.path) == sealed.size:
                reception.ended[row.stem_type] = sealed
                continue
            ranges = union((start, stop) for start, stop in row.ranges)
            if ranges and await anyio.to_thread.run_sync(_size, path) < ranges[-1][1] * FRAME_BYTES:
                ranges = ()  # the file was lost: it is asked for again
            reception.arriving[row.stem_type] = Arriving(
                row.id, row.stem_type, row.frames, row.sample_rate, RawFile(path), ranges, ranges
            )
        self._open[job.id] = reception
        return reception

    async def begin(self, reception: Reception, stem: str, rate: int, frames: int) -> Ranges:
        """Make ready for a stem; return what is there of it. Raises Rejected, Gone, DatabaseGone, StorageFull."""
        if stem not in STEM_TYPES:
            raise Rejected(f"There is no stem called {stem!r}.")
        if rate != MODEL_RATE:
            raise Rejected(f"Stems come at {MODEL_RATE} Hz, not at {rate}.")
        if not 0 < frames <= wire.MAX_STEM_FRAMES:
            raise Rejected(f"A stem of {frames} frames cannot be.")
        with reception.use():
            if reception.lengths.get(stem, frames) != frames:
                raise Rejected(f"{stem} is there already, with another length.")
            if stem in reception.ended:  # sealed for an earlier attempt, or while this one began
                return ((0, frames),)
            if (known := reception.arriving.get(stem)) is not None:
                return known.ranges
            await _in_thread(reception.folder.mkdir, parents=True, exist_ok=True)
            path = reception.folder / f"{stem}.part"
            relative = path.relative_to(self._data).as_posix()
            row = await store.open_stem(self._db, reception.job, stem, relative, frames, rate)
            reception.arriving[stem] = Arriving(row.id, stem, frames, rate, RawFile(path), (), ())
            reception.lengths[stem] = frames
            return ()

    async def chunk(self, reception: Reception, message: wire.StemChunk) -> None:
        """Take in a stretch: heard of at once, safe after `note`. Raises Rejected, Damaged, Gone, StorageFull."""
        stem = reception.arriving.get(message.stem)
        if message.stem in reception.ended:
            return
        if stem is None:
            raise Rejected(f"{message.stem} was not begun.")
        frames, rest = divmod(len(message.pcm), FRAME_BYTES)
        start, stop = message.offset, message.offset + frames
        if rest or not 0 < frames <= wire.MAX_CHUNK_FRAMES:
            raise Rejected(f"A chunk of {len(message.pcm)} bytes cannot be.")
        if message.rate != stem.rate or start < 0 or stop > stem.frames:
            raise Rejected(f"Frames {start} to {stop} at {message.rate} Hz are not within the stem.")
        if stem.ending:
            raise Rejected(f"{message.stem} is being sealed already.")
        with reception.use():
            await _in_thread(_store, stem.file, message)
            stem.ranges = union((*stem.ranges, (start, stop)))
        self.on_stretch(reception.job.track_id, reception.job.id, message.stem, stem.file.path, start, stop)

    async def note(self, reception: Reception) -> None:
        """Write down what has arrived. Raises DatabaseGone, and Gone when the track or the job was removed."""
        changed = [(stem, stem.ranges) for stem in reception.arriving.values() if stem.ranges != stem.noted]
        if not changed:
            return
        async with self._db.transaction() as tx:
            await store.hold(tx, reception.job)
            for stem, ranges in changed:
                if not await store.set_ranges(tx, stem.row, ranges):
                    raise Gone
        for stem, ranges in changed:
            stem.noted = ranges

    async def end(self, reception: Reception, name: str, sha256: str) -> None:
        """Seal a stem. Raises Rejected, Gone, StorageFull, DatabaseGone; Damaged, which throws away what came of it."""
        stem = reception.arriving.get(name)
        if name in reception.ended:
            return
        if stem is None:
            raise Rejected(f"{name} was not begun.")
        if difference(((0, stem.frames),), stem.ranges):
            raise Rejected(f"{name} has gaps.")
        if stem.ending:
            raise Rejected(f"{name} is being sealed already.")
        with reception.use(), stem.seal():
            if await _in_thread(stem.file.sha256, stem.frames) != sha256:
                stem.ranges = ()
                raise Damaged(f"{name} arrived otherwise than it was made.")
            flac = reception.folder / f"{name}.flac"
            gain = await _in_thread(_encode, stem.file, stem.frames, stem.rate, flac)
            size = await anyio.to_thread.run_sync(_size, flac)
            sealed = store.Sealed(flac.relative_to(self._data).as_posix(), size, sha256, gain)
            async with self._db.transaction() as tx:
                if not await store.seal_stem(tx, stem.row, sealed):
                    raise Gone
            reception.ended[name] = sealed
            del reception.arriving[name]

    def completed(self, reception: Reception) -> None:
        """The job has completed: tell who plays its stems.

        The raw files are doomed and go with the library's next tidying, when nobody reads them any more.
        """
        self._open.pop(reception.job.id, None)
        reception.gone = True
        for name, sealed in reception.ended.items():
            self.on_stem(reception.job.track_id, reception.job.id, name, self._data / sealed.path, sealed.gain)

    async def discard(self, job: Job) -> None:
        """Remove the files of a job that gave no result, once nobody writes them; its rows are gone by now."""
        reception = self._open.pop(job.id, None)
        folder = self.folder(job)
        if reception is not None:
            await reception.leave()
        await anyio.to_thread.run_sync(_remove, folder)
        await store.forget_doomed(self._db, folder.relative_to(self._data).as_posix() + "/")


async def _in_thread(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Run file work in a thread, to its end even if the task is cancelled. Raises StorageFull, Damaged."""

    def work() -> Any:
        try:
            return function(*arguments, **named)
        except OSError as error:
            raise StorageFull(f"The stem cannot be stored: {error.strerror or error}.") from error
        except EOFError as error:
            raise Damaged(str(error)) from error

    with anyio.CancelScope(shield=True):
        return await anyio.to_thread.run_sync(work)


def _store(file: RawFile, message: wire.StemChunk) -> None:
    """Write a chunk that is what its checksum says and what a FLAC can hold."""
    if zlib.crc32(message.pcm) != message.checksum:
        raise Damaged
    if not on_grid(message.pcm):
        raise Rejected("A stem holds values that are not finite, pass +-4 or lie off the 2^-21 grid.")
    file.write(message.offset, message.pcm)


def _encode(raw: RawFile, frames: int, rate: int, target: Path) -> float:
    """Write the FLAC, whole and on the disk or not at all; return its gain."""
    from audio.errors import AudioError  # libsndfile is loaded when the first stem is there, not with the server
    from audio.errors import StorageFull as Full
    from audio.files import sync_folder
    from audio.flac import FlacWriter, gain_for

    gain = min(g for g in GAINS if g >= gain_for(raw.peak(frames)))
    making = target.with_suffix(".making")
    writer = None
    try:
        writer = FlacWriter(making, rate, gain)
        for block in raw.blocks(frames):
            writer.write(from_bytes(block).T)
        writer.close()
        making.replace(target)
        sync_folder(target.parent)
    except Full as error:
        raise StorageFull(str(error)) from error
    except AudioError as error:
        raise ServerError(f"The stem cannot be encoded: {error}") from error
    finally:
        if writer is not None:
            writer.abandon()
        making.unlink(missing_ok=True)
    return gain


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for parent in folder.parents[:1]:
        try:
            parent.rmdir()  # the track's folder, when this was the last of it
        except OSError:
            return
