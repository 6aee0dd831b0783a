"""What every test may ask for: the async backend, a PostgreSQL of the session, a migrated database of its own.

A machine without PostgreSQL skips those tests; with CI=true they fail. Stray settings in the environment are dropped.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import settings

settings.register_profile("laws", deadline=None)  # no example has to be quick: a busy machine breaks no law
settings.load_profile("laws")

for _name in [name for name in os.environ if name.startswith(("ALCHEMY_", "PG"))] + ["DATABASE_URL"]:
    os.environ.pop(_name, None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regen-golden", action="store_true", help="write the golden files anew instead of comparing")
    parser.addoption(
        "--kills", type=int, default=12, help="workers that the random-kill test kills (200: `make kills`)"
    )
    parser.addoption(
        "--broker", choices=("embedded", "redis", "rabbitmq"), default="embedded",
        help="what carries the messages of the job tests (`make test-brokers`: each of them)",
    )  # fmt: skip
    parser.addoption("--kill-seed", type=int, default=None, help="repeat the random-kill test that printed this seed")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """A second event loop, for servers that outlive a test."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="session")
def postgres(portal: BlockingPortal) -> Iterator[str]:
    """Address of the session's PostgreSQL, at its maintenance database."""
    from server.postgres import PostgresMissing, PostgresRefused, embedded_postgres

    folder = Path(tempfile.mkdtemp(prefix="sfa-pg-"))
    folder.chmod(0o755)
    running = portal.wrap_async_context_manager(embedded_postgres(folder, folder / "run", fsync=False))
    try:
        try:
            server = running.__enter__()
        except (PostgresMissing, PostgresRefused) as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
        try:
            yield server.url("postgres")
        finally:
            running.__exit__(None, None, None)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def at_database(server_url: str, name: str) -> str:
    """Return the address of another database on the server of `server_url`."""
    return server_url.replace("@/postgres?", f"@/{name}?")


@pytest.fixture(scope="session")
def template_database(postgres: str, portal: BlockingPortal) -> str:
    """Name of a database with every migration applied, to be copied."""
    from server.db import Database, create_database
    from server.migrate import migrate

    async def make() -> None:
        await create_database(postgres, "migrated")
        async with Database(at_database(postgres, "migrated")) as db:
            await migrate(db)

    portal.call(make)
    return "migrated"


@pytest.fixture
def empty_database_url(postgres: str, portal: BlockingPortal) -> Iterator[str]:
    """Address of a database with nothing in it."""
    yield from _fresh(postgres, portal, None)


@pytest.fixture
def database_url(postgres: str, template_database: str, portal: BlockingPortal) -> Iterator[str]:
    """Address of a migrated database that is this test's alone."""
    yield from _fresh(postgres, portal, template_database)


def _fresh(server_url: str, portal: BlockingPortal, template: str | None) -> Iterator[str]:
    from server.db import create_database, drop_database

    name = f"test_{uuid.uuid4().hex[:12]}"

    async def make() -> None:
        await create_database(server_url, name, template=template)

    async def drop() -> None:
        await drop_database(server_url, name)

    portal.call(make)
    try:
        yield at_database(server_url, name)
    finally:
        portal.call(drop)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[object]:
    """The migrated database, opened."""
    from server.db import Database

    async with Database(database_url) as opened:
        yield opened
