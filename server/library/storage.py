"""The library's files: where they lie, how they get there whole, and how they go.

Owner: the library; paths in the database are relative to the data folder. Every function blocks: call it in a thread.

An import is made in `library/staging/ID` and becomes `library/tracks/TRACK` by one rename, inside the transaction that
names it; a marker file in it says "not committed yet" until it is. So a crash leaves a staging folder or a marked
folder, and both are known to be leftovers. Files that a row has let go of are tombstones in the table `files`.
Nothing else is ever removed: a folder that only looks unknown may belong to another database.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final
from uuid import UUID

from server.errors import StorageFull

TRACKS: Final = PurePosixPath("library/tracks")
STAGING: Final = PurePosixPath("library/staging")
UPLOADS: Final = PurePosixPath("library/uploads")
MARKER: Final = ".importing"

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SUFFIX: Final = re.compile(r"\.([A-Za-z0-9]{1,5})$")


@contextmanager
def full_disk_is_our_error() -> Iterator[None]:
    """Turn a full disk into StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull from error
        raise


class Storage:
    """The data folder as the library uses it."""

    def __init__(self, data: Path) -> None:
        self.data = data.absolute()

    def open(self) -> None:
        """Make the folders."""
        for folder in (TRACKS, STAGING, UPLOADS):
            self.path(folder).mkdir(parents=True, exist_ok=True)

    def path(self, relative: str | PurePosixPath) -> Path:
        """Return where a path of the database is. Raises ValueError for one that leaves the data folder."""
        pure = PurePosixPath(relative)
        if pure.is_absolute() or ".." in pure.parts or not pure.parts:
            raise ValueError(f"{relative} is not a path inside the data folder")
        return self.data / pure

    def stage(self, name: str) -> Path:
        """Make and return an empty folder to prepare an import in."""
        folder = self.path(STAGING / name)
        with full_disk_is_our_error():
            folder.mkdir(parents=True)
        return folder

    def take(self, source: Path, folder: Path, filename: str, *, move: bool) -> Path:
        """Bring the file itself into `folder` as `original.EXT`, durably. Raises StorageFull."""
        match = _SUFFIX.search(filename)
        target = folder / f"original.{match[1].lower() if match else 'bin'}"
        with full_disk_is_our_error():
            if move:
                source.replace(target)
            else:
                shutil.copyfile(source, target)
            with target.open("rb+") as file:
                os.fsync(file.fileno())
        target.chmod(0o600)
        return target

    def write(self, path: Path, data: bytes) -> None:
        """Write a small file durably. Raises StorageFull."""
        with full_disk_is_our_error(), path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def publish(self, folder: Path, track_id: UUID) -> None:
        """Make a prepared folder the track's; it stays marked until `confirm`."""
        with full_disk_is_our_error():
            (folder / MARKER).touch()
            folder.rename(self.path(TRACKS / str(track_id)))

    def confirm(self, track_id: UUID) -> None:
        """Say that the row of the track is committed."""
        self.path(TRACKS / str(track_id) / MARKER).unlink(missing_ok=True)

    def discard(self, folder: Path) -> None:
        """Remove a staging folder or an unconfirmed track folder."""
        shutil.rmtree(folder, ignore_errors=True)

    def unconfirmed(self) -> list[UUID]:
        """Return the tracks whose folders are marked: interrupted between rename and commit, or just after it."""
        found = []
        for marker in self.path(TRACKS).glob(f"*/{MARKER}"):
            try:
                found.append(UUID(marker.parent.name))
            except ValueError:
                continue
        return found

    def sweep(self, in_use: Callable[[str], bool]) -> int:
        """Remove staging folders and uploads that are not in use; return how many.

        `in_use` is asked after a name was seen on disk: names are taken before anything is made under them.
        """
        gone = 0
        for place in (STAGING, UPLOADS):
            for leftover in self.path(place).iterdir():
                if in_use(leftover.name):
                    continue
                if leftover.is_dir() and not leftover.is_symlink():
                    shutil.rmtree(leftover, ignore_errors=True)
                else:
                    leftover.unlink(missing_ok=True)
                gone += 1
        return gone

    def remove(self, relative: str) -> None:
        """Remove one file and the folders it leaves empty, up to the library's own. It may be gone already."""
        path = self.path(relative)
        path.unlink(missing_ok=True)
        roots = {self.data, self.data / "stems", self.data / "library", *(self.path(p) for p in (TRACKS, STAGING))}
        for folder in path.parents:
            if folder in roots or self.data not in folder.parents:
                return
            try:
                folder.rmdir()
            except OSError:
                return
