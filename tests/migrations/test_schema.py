"""`schema.sql` and the migrations make the same database; what the schema promises is kept by the database."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from server.db import AlreadyThere, Database
from server.errors import BadRequest, Conflict
from server.migrate import MIGRATIONS

pytestmark = pytest.mark.anyio

CATALOG = {
    "columns": """
        SELECT n.nspname, c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod) AS type,
               a.attnotnull, a.attidentity::text, a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid) AS value
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'm', 'p')""",
    "constraints": """
        SELECT n.nspname, c.conrelid::regclass::text AS of, c.conname, pg_get_constraintdef(c.oid) AS rule
        FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE c.conrelid <> 0""",
    "indexes": "SELECT schemaname AS nspname, tablename, indexname, indexdef FROM pg_indexes",
    "triggers": """
        SELECT n.nspname, pg_get_triggerdef(t.oid) AS rule FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal""",
    "functions": """
        SELECT n.nspname, pg_get_functiondef(p.oid) AS body FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.prokind IN ('f', 'p')""",
    "views": "SELECT schemaname AS nspname, viewname, definition FROM pg_views",
    "sequences": "SELECT schemaname AS nspname, sequencename, data_type::text FROM pg_sequences",
    "options": """
        SELECT n.nspname, c.relname, array_to_string(c.reloptions, ',') AS options
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.reloptions IS NOT NULL""",
}


async def _catalog(db: Database) -> dict[str, set[tuple[Any, ...]]]:
    found = {}
    for name, query in CATALOG.items():
        rows = await db.rows(
            f"SELECT * FROM ({query}) AS q WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
        )
        found[name] = {tuple(row.values()) for row in rows if "schema_migrations" not in str(row.values())}
    return found


async def _contents(db: Database) -> list[dict[str, Any]]:
    return await db.rows("SELECT from_status, to_status FROM job_transitions ORDER BY 1, 2") + await db.rows(
        "SELECT status, final FROM job_statuses ORDER BY 1"
    )


async def test_schema_sql_equals_the_migrations(db: Database, empty_database_url: str) -> None:
    async with Database(empty_database_url) as plain:
        await plain.execute((MIGRATIONS / "schema.sql").read_text(encoding="utf-8"))
        by_schema, by_migrations = await _catalog(plain), await _catalog(db)
        assert len(by_migrations["columns"]) > 100
        for name in CATALOG:
            assert by_schema[name] == by_migrations[name], name
        assert await _contents(plain) == await _contents(db)


async def _user(db: Database, email: str = "a@b") -> int:
    user: int = await db.value("INSERT INTO users (email) VALUES ($1) RETURNING id", email)
    return user


async def _track(db: Database, user: int, **columns: object) -> UUID:
    columns = {"user_id": user, "title": "song", **columns}
    marks = ", ".join(f"${i}" for i in range(1, len(columns) + 1))
    track: UUID = await db.value(
        f"INSERT INTO tracks ({', '.join(columns)}) VALUES ({marks}) RETURNING id", *columns.values()
    )
    return track


async def _job(db: Database, track: UUID) -> UUID:
    job: UUID = await db.value("INSERT INTO processing_jobs (track_id) VALUES ($1) RETURNING id", track)
    return job


async def test_a_spotify_id_is_unique_per_user_and_not_beyond(db: Database) -> None:
    one, two = await _user(db), await _user(db, "c@d")
    await _track(db, one, spotify_id="x")
    await _track(db, two, spotify_id="x")
    with pytest.raises(AlreadyThere):
        await _track(db, one, spotify_id="x")
    with pytest.raises(AlreadyThere):
        await _user(db, "A@B")


async def test_a_stem_has_many_versions_and_one_is_chosen(db: Database) -> None:
    track = await _track(db, await _user(db))
    stems = []
    for _ in range(3):
        job = await _job(db, track)
        stems.append(
            await db.value(
                "INSERT INTO stems (track_id, processing_job_id, stem_type, chosen) VALUES ($1, $2, 'vocals', true) "
                "RETURNING id", track, job,
            )
        )  # fmt: skip
        with pytest.raises(AlreadyThere):
            await db.execute(
                "INSERT INTO stems (track_id, processing_job_id, stem_type) VALUES ($1, $2, 'vocals')", track, job
            )
    chosen = "SELECT id FROM stems WHERE track_id = $1 AND chosen"
    assert [row["id"] for row in await db.rows(chosen, track)] == [stems[2]]
    await db.execute("UPDATE stems SET chosen = true WHERE id = $1", stems[0])
    assert [row["id"] for row in await db.rows(chosen, track)] == [stems[0]]


async def test_a_stem_cannot_belong_to_another_tracks_job(db: Database) -> None:
    user = await _user(db)
    one, two = await _track(db, user), await _track(db, user)
    with pytest.raises(Conflict):
        await db.execute(
            "INSERT INTO stems (track_id, processing_job_id, stem_type) VALUES ($1, $2, 'bass')",
            two, await _job(db, one),
        )  # fmt: skip


async def test_the_chosen_analysis_gives_the_track_its_tempo_and_key(db: Database) -> None:
    track = await _track(db, await _user(db))
    for tempo, key in ((120.0, "C major"), (None, None), (98.5, "A minor")):
        job = await db.value("INSERT INTO analysis_jobs (track_id) VALUES ($1) RETURNING id", track)
        await db.execute(
            "INSERT INTO analysis_results (track_id, analysis_job_id, tempo, key, chosen) "
            "VALUES ($1, $2, $3, $4, true)",
            track, job, tempo, key,
        )  # fmt: skip
        [row] = await db.rows("SELECT bpm, key FROM tracks WHERE id = $1", track)
        assert row == {"bpm": tempo, "key": key}
    assert await db.value("SELECT count(*) FROM analysis_results WHERE chosen") == 1


async def test_files_follow_the_rows_that_name_them(db: Database) -> None:
    user = await _user(db)
    track = await _track(db, user, file_path="t/a.wav", cover_path="t/cover.jpg")
    job = await _job(db, track)
    stem = "INSERT INTO stems (track_id, processing_job_id, stem_type, file_path) VALUES ($1, $2, 'bass', $3)"
    await db.execute(stem, track, job, "s/bass.flac")

    async def doomed() -> set[str]:
        return {row["path"] for row in await db.rows("SELECT path FROM files WHERE doomed_at IS NOT NULL")}

    assert await doomed() == set()
    with pytest.raises(AlreadyThere):
        await _track(db, user, file_path="t/a.wav")
    await db.execute("UPDATE tracks SET cover_path = 't/cover.png' WHERE id = $1", track)
    assert await doomed() == {"t/cover.jpg"}
    await db.execute("UPDATE tracks SET cover_path = 't/cover.jpg' WHERE id = $1", track)
    assert await doomed() == {"t/cover.png"}
    await db.execute("DELETE FROM tracks WHERE id = $1", track)
    assert await doomed() == {"t/a.wav", "t/cover.jpg", "t/cover.png", "s/bass.flac"}


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", ""])
async def test_no_row_can_name_a_file_outside_the_data_folder(db: Database, path: str) -> None:
    with pytest.raises(Conflict):
        await _track(db, await _user(db), file_path=path)


async def test_any_part_of_a_word_is_found_without_accents(db: Database) -> None:
    track = await _track(db, await _user(db), title="Déjà Vu", artist="Beyoncé")
    for words in ("deja", "EYON", "a v"):
        found = await db.value(
            "SELECT id FROM tracks WHERE trigrams(search_text) @> trigrams(fold($1)) "
            "AND search_text LIKE '%' || fold($1) || '%'", words,
        )  # fmt: skip
        assert found == track
    assert await db.value("SELECT id FROM tracks WHERE trigrams(search_text) @> trigrams(fold('dejb'))") is None


async def test_values_the_database_cannot_take_are_our_errors(db: Database) -> None:
    with pytest.raises(BadRequest):
        await _track(db, await _user(db), title="nul\0inside")
    with pytest.raises(Conflict):
        await _track(db, await _user(db, "x@y"), duration=-1.0)
    with pytest.raises(Conflict):
        await db.execute("INSERT INTO llm_providers (user_id, provider_type, name) SELECT id, 'openai', 'x' FROM users")
