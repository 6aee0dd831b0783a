"""Stems that no row names: what a server leaves that dies between taking back a row and removing its files.

Owner: the library's tidying. Safe at any moment: the folder of a job goes only while its row is held and says that
nothing will come of it; what is open, and what has a result, stays.
Units: seconds.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Final
from uuid import UUID

import anyio.to_thread

from server.db import Database
from server.library.storage import Storage

OWN_S: Final = 3600.0
"""A stem that somebody brought along is looked at when it is this old: its row comes after its file."""


async def sweep(db: Database, storage: Storage) -> int:
    """Remove what is left over below `stems/`; return how many folders and files went. Raises DatabaseGone."""
    folders, own = await anyio.to_thread.run_sync(_look, storage.data / "stems")
    gone = 0
    known = await db.rows("SELECT id, status FROM processing_jobs WHERE id = ANY($1)", list(folders))
    stays = {row["id"] for row in known if row["status"] not in ("failed", "cancelled")}
    for job_id in folders.keys() - stays:
        async with db.transaction() as tx:
            status = await tx.value("SELECT status FROM processing_jobs WHERE id = $1 FOR UPDATE", job_id)
            if status in (None, "failed", "cancelled"):
                await anyio.to_thread.run_sync(_remove, folders[job_id])
                gone += 1
    relative = {path.relative_to(storage.data).as_posix() for path in own}
    named = await db.rows("SELECT path FROM files WHERE path = ANY($1)", list(relative))
    for name in relative - {row["path"] for row in named}:
        await anyio.to_thread.run_sync(storage.remove, name)
        gone += 1
    return gone


def _look(stems: Path) -> tuple[dict[UUID, Path], list[Path]]:
    """Return the folders of jobs, and the files that people brought along and that are not quite new."""
    folders: dict[UUID, Path] = {}
    own: list[Path] = []
    for folder in stems.glob("*/*"):
        try:
            folders[UUID(folder.name)] = folder
        except ValueError:
            if folder.name == "own":
                own += [file for file in folder.iterdir() if time.time() - file.stat().st_mtime > OWN_S]
    return folders, own


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.parent.rmdir()
    except OSError:
        return
