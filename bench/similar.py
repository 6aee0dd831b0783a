"""What goes with what, in a library of 100,000 tracks on a PostgreSQL of its own: by the vector index, and by looking
at every track; and how many of the twenty best the index finds.

Owner: `make bench`. Target (design section 10): an answer in under 50 ms.
"""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import anyio
import anyio.to_thread
import numpy as np
import psycopg

from pipeline.analysis.key import name
from server.db import Database
from server.library.similar import Similar
from server.migrate import migrate
from server.postgres import embedded_postgres

_TRACKS: Final = 100_000
_QUESTIONS: Final = 200

_FILL: Final = """
    WITH told AS (
        SELECT * FROM unnest($2::float8[], $3::text[], $4::float8[], $5::text[]) AS told (tempo, key, energy, timbre)
    ), made AS (
        SELECT gen_random_uuid() AS track, gen_random_uuid() AS job, * FROM told
    ), tracks AS (
        INSERT INTO tracks (id, user_id, title) SELECT track, $1, 'a track' FROM made
    ), jobs AS (
        INSERT INTO analysis_jobs (id, track_id, results)
        SELECT job, track, jsonb_build_object('timbre', timbre::jsonb) FROM made
    )
    INSERT INTO analysis_results (track_id, analysis_job_id, chosen, tempo, key, energy)
    SELECT track, job, true, tempo, key, energy FROM made
"""


_BEFORE: Final = """
    ALTER TABLE analysis_results DISABLE TRIGGER USER; ALTER TABLE tracks DISABLE TRIGGER USER;
    DROP INDEX track_places_place_idx;
"""
_AFTER: Final = """
    ALTER TABLE analysis_results ENABLE TRIGGER USER; ALTER TABLE tracks ENABLE TRIGGER USER;
    INSERT INTO track_places
    SELECT t.id, t.user_id, r.tempo, r.key, r.energy, j.results->'timbre',
           track_place(r.tempo, r.key, r.energy, j.results->'timbre')
    FROM tracks t JOIN analysis_results r ON r.track_id = t.id JOIN analysis_jobs j ON j.id = r.analysis_job_id;
    CREATE INDEX track_places_place_idx ON track_places USING hnsw (place vectors.vector_l2_ops); ANALYZE;
"""
"""The index is made once for all, which is quicker than a hundred thousand times; none where there are no vectors."""


def main() -> None:
    """Print the numbers."""
    anyio.run(_run)


async def _run() -> None:
    folder = Path(tempfile.mkdtemp(prefix="sfa-bench-"))
    try:
        async with (
            embedded_postgres(folder, folder / "run", fsync=False) as server,
            Database(server.url("postgres")) as db,
        ):
            await migrate(db)
            owner = await db.value("INSERT INTO users (email) VALUES ('a@b') RETURNING id")
            await _set(server.url("postgres"), _BEFORE)
            await _fill(db, owner)
            await _set(server.url("postgres"), _AFTER)
            exact = await _ask(db, owner, "every track looked at", index_from=_TRACKS + 1)
            if await db.value("SELECT to_regclass('track_places') IS NULL"):
                print("   no vector index: this PostgreSQL has no extension `vector`")
                return
            near = await _ask(db, owner, "vector index", index_from=1)
            found = [len(set(one) & set(two)) / len(one) for one, two in zip(exact, near, strict=True)]
            print(f"   of the twenty best the index finds {100 * np.mean(found):.1f} % (worst {100 * min(found):.0f})")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _set(url: str, statements: str) -> None:
    """Run statements that take longer than a server waits for one."""

    def run() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            if connection.execute("SELECT to_regclass('track_places') IS NOT NULL").fetchone() == (True,):
                for statement in statements.split(";"):
                    if statement.strip():
                        connection.execute(statement.encode())

    await anyio.to_thread.run_sync(run)


async def _fill(db: Database, owner: int) -> None:
    rng = np.random.default_rng(1)
    began = time.perf_counter()
    for _ in range(_TRACKS // 5_000):
        columns: list[Any] = [
            rng.normal(122, 15, 5_000).clip(60, 200).tolist(),
            [name(int(n)) for n in rng.integers(0, 24, 5_000)],
            rng.random(5_000).tolist(),
            [str(row) for row in rng.normal(0, 15, (5_000, 12)).round(3).tolist()],
        ]
        await db.execute(_FILL, owner, *columns)
    print(f"   {_TRACKS} analysed tracks written in {time.perf_counter() - began:.1f} s")


async def _ask(db: Database, owner: int, how: str, index_from: int) -> list[list[UUID]]:
    similar = Similar(db, index_from)
    rows = await db.rows("SELECT id FROM tracks ORDER BY id LIMIT $1", _QUESTIONS)
    ids: list[UUID] = [row["id"] for row in rows]
    began = time.perf_counter()
    await similar.to(ids[:1], owner)
    print(f"   {how}: first question after a start {time.perf_counter() - began:.2f} s")
    took, answers = [], []
    for n, track_id in enumerate(ids):
        began = time.perf_counter()
        if n % 10 == 0:
            similar.changed(track_id, owner)
        answers.append([match.track_id for match in await similar.to([track_id], owner)])
        took.append(1000.0 * (time.perf_counter() - began))
    print(
        f"   {how}: median {np.median(took):.1f} ms, 99 % within {np.percentile(took, 99):.1f} ms "
        f"({_QUESTIONS} questions, a changed track read again with every tenth)"
    )
    return answers
