"""The database of the settings: the one they name, or the embedded one, which runs while it is open.

Owner: who opens it. Units: none.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

from server import migrate as migrations
from server.db import Database
from server.lock import data_lock
from server.postgres import embedded_postgres
from server.settings import Settings


@asynccontextmanager
async def open_database(settings: Settings, report: Callable[[str], None]) -> AsyncIterator[Database]:
    """Open the database of the settings; `report` is told in a sentence when an embedded one dies or comes back."""
    async with AsyncExitStack() as stack:
        url = settings.database_url
        if not url:
            embedded = await stack.enter_async_context(
                embedded_postgres(settings.data, settings.runtime, report=report)
            )
            url = embedded.url()
        yield await stack.enter_async_context(Database(url))


def migrate(settings: Settings) -> int:
    """Bring the database up to date and say what was done."""

    async def work() -> None:
        async with open_database(settings, print) as database:
            done = await migrations.migrate(database)
            print("\n".join(done) if done else "The database is up to date.")

    with data_lock(settings.data, settings.runtime):
        anyio.run(work)
    return 0
