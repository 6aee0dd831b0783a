"""Watched folders: files that appear in them come into the library by themselves, once.

Owner: one task, `Watcher.run`; what it knows of the files lies in `DATA/watched.json`, so that a start does not decode
everything again. Folders are looked through every few seconds, which also works on network drives, where no
notification comes.
Units: bytes; seconds; `now` is monotonic.

A file is taken when it has been the same for a while, so one that is still being copied waits. It is known by what it
is (device, inode, size, time of change), not by what it is called: moved or renamed it is not imported again, and a
track that was deleted stays deleted. A failure is told once, and the file tried again when it has changed.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import anyio
import anyio.to_thread
import msgspec

from audio.units import AUDIO_SUFFIXES
from server.errors import ServerError
from server.library.errors import NotAudio
from server.library.importing import Imported

_log = logging.getLogger(__name__)

LOOK_S: Final = 2.0
"""How often the folders are looked through; a pass that takes long makes it rarer."""

SETTLE_S: Final = 4.0
"""How long a file must have been the same before it is taken."""

Stamp = tuple[int, int, int, int]
"""What tells a file from others and from itself before a change: device, inode, size, time of change in ns."""


class Receiver(Protocol):
    """What the watcher needs of the library."""

    async def owner_id(self) -> int: ...
    async def receive(self, path: Path, user_id: int) -> Imported: ...


@dataclass(frozen=True, slots=True)
class _Settling:
    stamp: Stamp
    since: float


class Watcher:
    """Looks after `folders`. `tell` gets a sentence for the performer; it must not block."""

    def __init__(self, library: Receiver, folders: Sequence[Path], memory: Path, tell: Callable[[str], None]) -> None:
        self._library = library
        self._folders = tuple(folders)
        self._memory = memory
        self._tell = tell
        self._settling: dict[Path, _Settling] = {}
        self._told: set[str] = set()
        self._known: set[Stamp] | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            began = time.monotonic()
            await self.look(began)
            await anyio.sleep(max(LOOK_S, 3.0 * (time.monotonic() - began)))

    async def look(self, now: float) -> int:
        """Look once; import what has settled, and return how many new tracks that made."""
        if self._known is None:
            self._known = await anyio.to_thread.run_sync(self._recall)
        found, away = await anyio.to_thread.run_sync(_scan, self._folders)
        for folder in self._folders:
            self._once(f"The watched folder {folder} is not there; it is looked for again.", when=folder in away)
        if not away:  # a drive that is away for a while has not lost its files
            self._forget(stamp for _, stamp in found)
        settling = {}
        made = 0
        for path, stamp in found:
            if stamp in self._known:
                continue
            before = self._settling.get(path)
            since = before.since if before is not None and before.stamp == stamp else now
            settling[path] = _Settling(stamp, since)
            if now - since >= SETTLE_S:
                made += await self._take(path, stamp)
        self._settling = settling
        return made

    async def _take(self, path: Path, stamp: Stamp) -> int:
        """Import one file; return 1 if it has made a new track."""
        assert self._known is not None
        made = False
        try:
            made = not (await self._library.receive(path, await self._library.owner_id())).existing
        except (NotAudio, OSError) as error:
            self._tell(f"{path} was not imported: {error}")
        except ServerError as error:  # no room, no database: it is tried again
            self._once(f"Watched folders wait: {error}", when=True)
            return 0
        else:
            self._told = {sentence for sentence in self._told if not sentence.startswith("Watched folders wait")}
        self._known.add(stamp)
        await anyio.to_thread.run_sync(self._remember)
        return int(made)

    def _once(self, sentence: str, *, when: bool) -> None:
        """Tell a sentence when it becomes true, and not again while it stays so."""
        if not when:
            self._told.discard(sentence)
        elif sentence not in self._told:
            self._told.add(sentence)
            self._tell(sentence)

    def _forget(self, there: Iterable[Stamp]) -> None:
        assert self._known is not None
        self._known &= set(there)

    def _recall(self) -> set[Stamp]:
        try:
            return set(msgspec.json.decode(self._memory.read_bytes(), type=list[Stamp]))
        except FileNotFoundError:
            return set()
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("%s cannot be read, so watched folders are gone through anew: %s", self._memory, error)
            return set()

    def _remember(self) -> None:
        part = self._memory.with_name(self._memory.name + ".part")
        try:
            part.write_bytes(msgspec.json.encode(sorted(self._known or ())))
            part.replace(self._memory)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._memory, error)


def _scan(folders: Sequence[Path]) -> tuple[list[tuple[Path, Stamp]], set[Path]]:
    """Return the audio files under the folders, each once, and the folders that are not there."""
    found: dict[Path, Stamp] = {}
    away = {folder for folder in folders if not folder.is_dir()}
    for folder in folders:
        for path in _audio_under(folder):
            try:
                told = path.stat()
            except OSError:  # gone meanwhile
                continue
            if told.st_size:
                found[path] = (told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns)
    return sorted(found.items()), away


def _audio_under(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(place, name)
            if not name.startswith(".") and path.suffix.lower() in AUDIO_SUFFIXES and path.is_file():
                yield path
