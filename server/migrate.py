"""Bring a database to the newest schema: the numbered files of `migrations/`, each once, in order.

Owner: whoever starts the server, or `python -m server.migrate`.
One advisory lock, so that programs starting together do the work once; one transaction a file; a file that was applied
may never change (its checksum is kept), and a database newer than the program is left alone.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import msgspec

from server.db import Database, Transaction
from server.errors import ServerError

MIGRATIONS: Final = Path(__file__).resolve().parent.parent / "migrations"

_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK: Final = 0x5F0A_1C4E
"""Key of the advisory lock; any number that nobody else uses."""

_LEDGER: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationRejected(ServerError):
    """The migrations on disk are not in order."""

    code = "migration_rejected"


class MigrationEdited(MigrationRejected):
    """A migration was changed after it had been applied; put it back and write a new one."""

    code = "migration_edited"


class MigrationFailed(MigrationRejected):
    """A migration failed; the database is as it was before it."""

    code = "migration_failed"


class DatabaseNewer(MigrationRejected):
    """The database was made by a newer version of the program; update the program."""

    code = "database_newer"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `checksum` is the SHA-256 of its bytes."""

    version: int
    name: str
    sql: str
    checksum: str


class _Applied(msgspec.Struct, frozen=True):
    version: int
    name: str
    checksum: str


def load(folder: Path = MIGRATIONS) -> list[Migration]:
    """Return the migrations of `folder` in order; they are numbered from 1 without gaps. Raises MigrationRejected."""
    found: list[Migration] = []
    for path in sorted(folder.glob("[0-9]*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise MigrationRejected(f"{path.name} is not named like 0001_what_it_does.sql.")
        data = path.read_bytes()
        found.append(Migration(int(match[1]), path.name, data.decode(), hashlib.sha256(data).hexdigest()))
    for expected, migration in enumerate(found, 1):
        if migration.version != expected:
            raise MigrationRejected(f"{migration.name} stands where number {expected:04} is expected.")
    return found


async def pending(db: Database, folder: Path = MIGRATIONS) -> list[Migration]:
    """Return what has not been applied yet. Raises MigrationEdited, DatabaseNewer."""
    async with db.session() as session:
        there = await session.value("SELECT to_regclass('schema_migrations') IS NOT NULL")
        return _compare(load(folder), await _applied(session) if there else [])


async def migrate(db: Database, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing and return the names. Raises MigrationEdited, MigrationFailed, DatabaseNewer."""
    done: list[str] = []
    files = load(folder)
    async with db.session() as session:
        await session.execute("SELECT pg_advisory_lock($1)", _LOCK)
        try:
            await session.execute(_LEDGER)
            for migration in _compare(files, await _applied(session)):
                await _apply(session, migration)
                done.append(migration.name)
        finally:
            with anyio.move_on_after(5, shield=True):
                await session.execute("SELECT pg_advisory_unlock($1)", _LOCK)
    return done


async def _applied(session: Transaction) -> list[_Applied]:
    return await session.all(_Applied, "SELECT version, name, checksum FROM schema_migrations ORDER BY version")


def _compare(files: Sequence[Migration], applied: Sequence[_Applied]) -> list[Migration]:
    by_version = {migration.version: migration for migration in files}
    for row in applied:
        migration = by_version.get(row.version)
        if migration is None:
            raise DatabaseNewer(migration=row.name)
        if migration.checksum != row.checksum:
            raise MigrationEdited(f"{row.name} was changed after it had been applied; put it back and write a new one.")
    known = {row.version for row in applied}
    return [migration for migration in files if migration.version not in known]


async def _apply(session: Transaction, migration: Migration) -> None:
    try:
        async with session.savepoint():
            await session.execute(migration.sql)
            await session.execute(
                "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.checksum,
            )
    except Exception as error:
        raise MigrationFailed(f"{migration.name} failed, the database is as it was before it: {error}") from error


async def _run(url: str, dry: bool) -> int:
    async with Database(url, size=1) as db:
        names = [migration.name for migration in await pending(db)] if dry else await migrate(db)
    for name in names:
        print(f"{'would apply' if dry else 'applied'} {name}")
    if not names:
        print("nothing to do: the database is up to date")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m server.migrate", description="Apply the migrations.")
    parser.add_argument("--url", default=os.environ.get("DATABASE_URL"), help="default: DATABASE_URL")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    options = parser.parse_args(argv)
    if not options.url:
        parser.error("name a database with --url or DATABASE_URL")
    try:
        return anyio.run(_run, options.url, options.dry_run)
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
