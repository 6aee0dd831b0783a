"""The migration runner: once, in order, all or nothing, and never over an edited file."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from server.db import Database
from server.migrate import (
    MIGRATIONS,
    DatabaseNewer,
    MigrationEdited,
    MigrationFailed,
    MigrationRejected,
    load,
    main,
    migrate,
    pending,
)

pytestmark = pytest.mark.anyio


def _write(folder: Path, *statements: str) -> Path:
    for number, sql in enumerate(statements, 1):
        (folder / f"{number:04}_step.sql").write_text(sql)
    return folder


async def test_our_own_migrations_apply_once(empty_database_url: str) -> None:
    async with Database(empty_database_url) as db:
        names = [migration.name for migration in load()]
        assert names[0] == "0001_initial.sql"
        assert [migration.name for migration in await pending(db)] == names
        assert await migrate(db) == names
        assert await migrate(db) == [] and await pending(db) == []


async def test_racing_runners_do_the_work_once(empty_database_url: str, tmp_path: Path) -> None:
    folder = _write(tmp_path, *(f"CREATE TABLE t{n} (a int)" for n in range(10)))
    done: list[list[str]] = []

    async def run() -> None:
        async with Database(empty_database_url, size=1) as db:
            done.append(await migrate(db, folder))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(run)
    assert sorted(map(len, done)) == [0, 0, 0, 10]


async def test_a_bad_file_leaves_the_database_as_it_was_before_it(empty_database_url: str, tmp_path: Path) -> None:
    folder = _write(
        tmp_path, "CREATE TABLE good (a int)", "CREATE TABLE half (a int); SELECT 1 / 0", "CREATE TABLE late (a int)"
    )
    async with Database(empty_database_url) as db:
        with pytest.raises(MigrationFailed, match="0002_step"):
            await migrate(db, folder)
        assert [row["tablename"] for row in await db.rows(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        )] == ["good", "schema_migrations"]  # fmt: skip
        (folder / "0002_step.sql").write_text("CREATE TABLE half (a int)")
        assert await migrate(db, folder) == ["0002_step.sql", "0003_step.sql"]


async def test_an_edited_file_is_refused_and_nothing_more_is_applied(empty_database_url: str, tmp_path: Path) -> None:
    folder = _write(tmp_path, "CREATE TABLE one (a int)")
    async with Database(empty_database_url) as db:
        await migrate(db, folder)
        _write(folder, "CREATE TABLE one (b int)", "CREATE TABLE two (a int)")
        for ask in (migrate, pending):
            with pytest.raises(MigrationEdited, match="0001_step"):
                await ask(db, folder)
        assert await db.value("SELECT to_regclass('two')") is None


async def test_a_database_of_a_newer_program_is_left_alone(empty_database_url: str, tmp_path: Path) -> None:
    folder = _write(tmp_path, "SELECT 1", "SELECT 2")
    async with Database(empty_database_url) as db:
        await migrate(db, folder)
        (folder / "0002_step.sql").unlink()
        with pytest.raises(DatabaseNewer):
            await migrate(db, folder)


@pytest.mark.parametrize("names", ["0002_a.sql", "0001_a.sql 0003_b.sql", "0001_a.sql 0001_b.sql", "1_a.sql"])
def test_files_are_numbered_without_gaps(tmp_path: Path, names: str) -> None:
    for name in names.split():
        (tmp_path / name).touch()
    with pytest.raises(MigrationRejected):
        load(tmp_path)


def test_from_the_command_line(empty_database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", empty_database_url, "--dry-run"]) == 0
    assert "would apply 0001_initial.sql" in capsys.readouterr().out
    assert main(["--url", empty_database_url]) == 0
    assert "applied 0001_initial.sql" in capsys.readouterr().out
    assert main(["--url", empty_database_url]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main(["--url", "postgresql://nobody@/x?host=/nowhere"]) == 1
    assert "does not answer" in capsys.readouterr().err


def test_schema_sql_is_no_migration() -> None:
    assert (MIGRATIONS / "schema.sql").is_file()
    assert "schema.sql" not in {migration.name for migration in load()}
