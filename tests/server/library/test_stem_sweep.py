"""Stems that a dead server left without a row go; those of jobs in any other state stay."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from server.db import Database
from server.library.service import Library
from server.library.stem_sweep import OWN_S
from tests.server.library.conftest import files_under, importer

__all__ = ["importer"]
pytestmark = pytest.mark.anyio

WAYS = {
    "queued": [], "processing": ["processing"], "completed": ["processing", "completed"], "cancelled": ["cancelled"],
    "failed": ["processing", "failed"],
}  # fmt: skip


def put(path: Path, age_s: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    at = path.stat().st_mtime - age_s
    os.utime(path, (at, at))
    return path


async def test_only_what_nobody_will_name_goes(library: Library, db: Database, owner: int) -> None:
    track: UUID = await db.value("INSERT INTO tracks (user_id, title) VALUES ($1, 'x') RETURNING id", owner)
    stems = library.storage.data / "stems"
    stay, go = set(), set()
    for status, way in WAYS.items():
        job = await db.value("INSERT INTO processing_jobs (track_id) VALUES ($1) RETURNING id", track)
        for step in way:
            await db.execute(
                "UPDATE processing_jobs SET status = $2, lock_version = lock_version + 1, "
                "error = CASE WHEN $2 = 'failed' THEN 'why' END WHERE id = $1", job, step,
            )  # fmt: skip
        (go if status in ("failed", "cancelled") else stay).add(put(stems / str(track) / str(job) / "drums.flac"))
    go.add(put(stems / str(uuid4()) / str(uuid4()) / "vocals.flac"))  # of a track that is gone
    named = put(stems / str(track) / "own" / "bass-1.flac", OWN_S + 60)
    await db.execute(
        "INSERT INTO stems (track_id, stem_type, source, file_path) VALUES ($1, 'bass', 'import', $2)",
        track, named.relative_to(library.storage.data).as_posix(),
    )  # fmt: skip
    stay |= {named, put(stems / str(track) / "own" / "piano-new.flac")}
    go.add(put(stems / str(track) / "own" / "piano-old.flac", OWN_S + 60))
    assert await library.reconcile_files() == len(go)
    assert files_under(stems) == {str(path.relative_to(stems)) for path in stay}
    assert await library.reconcile_files() == 0
