"""What a worker has made and the server may not have yet: raw stems of unfinished jobs, on the worker's own disk.

Owner: the thread that runs the job, held by a lock file, so that a claim that was lost and its successor do not mix.
Units: frames at the job's rate.

A stretch is written first and noted in the journal beside it after, so a killed process leaves nothing noted that is
not there. What a machine's crash may leave wrong is found by the sha256 at a stem's end.
"""

import fcntl
import os
import shutil
import time
from pathlib import Path
from typing import Final, Self

from pipeline.errors import DiskFull, TransientFailure
from pipeline.pcm import Ranges, RawFile, union

KEEP_S: Final = 7 * 24 * 3600.0
"""How long the spool of a job that never came back is kept."""


class SpoolBusy(TransientFailure):
    """Another process of this machine is still at this job; it is tried again in a moment."""

    code = "spool_busy"


class Spool:
    """The folder of one job; opened with `with`. Raises SpoolBusy on entering."""

    def __init__(self, root: Path, job: str) -> None:
        self.folder = root / "jobs" / job
        self._lock = -1
        self._ranges: dict[str, Ranges] = {}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise SpoolBusy from None
        self._ranges = {path.stem: _read_journal(path) for path in self.folder.glob("*.ranges")}
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def stems(self) -> tuple[str, ...]:
        """Return the stems that something is there of."""
        return tuple(self._ranges)

    def ranges(self, stem: str) -> Ranges:
        """Return what is there of a stem."""
        return self._ranges.get(stem, ())

    def write(self, stem: str, offset: int, raw: bytes) -> tuple[int, int]:
        """Keep a stretch; return its range. Raises DiskFull."""
        stop = offset + len(raw) // 8
        try:
            self.file(stem).write(offset, raw)
            with (self.folder / f"{stem}.ranges").open("a", encoding="ascii") as journal:
                journal.write(f"{offset} {stop}\n")
        except OSError as error:
            raise DiskFull(f"The worker cannot keep what it has made in {self.folder}: {error.strerror}.") from error
        self._ranges[stem] = union((*self.ranges(stem), (offset, stop)))
        return offset, stop

    def file(self, stem: str) -> RawFile:
        """Return the file of a stem."""
        return RawFile(self.folder / f"{stem}.f32")

    def forget(self, stem: str) -> None:
        """Remove a stem."""
        self._ranges.pop(stem, None)
        for suffix in ("ranges", "f32"):
            (self.folder / f"{stem}.{suffix}").unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove everything; the lock stays until the spool is left."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._ranges.clear()


def sweep(root: Path, now_s: float | None = None) -> None:
    """Remove what nobody has touched for a week: spools and fetched audio."""
    now_s = time.time() if now_s is None else now_s
    for path in (*root.glob("jobs/*"), *root.glob("pcm/*")):
        try:
            if path.stat().st_mtime < now_s - KEEP_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError:
            continue


def _read_journal(path: Path) -> Ranges:
    """Return the ranges noted; a line cut short by a crash is not one."""
    found: list[tuple[int, int]] = []
    for line in path.read_text(encoding="ascii", errors="replace").splitlines(keepends=True):
        first, _, second = line.rstrip("\n").partition(" ")
        if line.endswith("\n") and first.isdigit() and second.isdigit() and int(first) < int(second):
            found.append((int(first), int(second)))
    return union(found)
