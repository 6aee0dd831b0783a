"""PostgreSQL, as the rest of the server sees it: a pool, transactions, typed records, and our own errors.

Owner: the server's event loop; the only file that imports asyncpg.
Units: keys are `UUID` (a text goes in too); jsonb is plain Python; times are aware datetimes.
Records are mapped on column names: `await db.first(Track, "SELECT id, title FROM tracks WHERE id = $1", track_id)`.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any, Final, TypeVar

import anyio
import asyncpg
import msgspec

from server.errors import BadRequest, Conflict, DatabaseGone, NotFound, ServerError, StorageFull

T = TypeVar("T")

_NATIVE: Final = (datetime.datetime, datetime.date, bytes, uuid.UUID)
_GIVE_UP_S: Final = 5.0
"""How long an unwinding task waits for a connection that no longer answers."""

_DEADLOCKS: Final = 3
"""How often a statement by itself is run again after a deadlock, which undoes one of two."""

_ACQUIRE_S: Final = 10.0
_LISTEN_BACKLOG: Final = 1024


class IllegalMove(Conflict):
    """The job cannot do that from where it is."""

    code = "illegal_move"


class StaleVersion(Conflict):
    """Somebody else has changed this meanwhile; look again."""

    code = "stale_version"


class JobOver(Conflict):
    """The job is over."""

    code = "job_over"


class AlreadyThere(Conflict):
    """There is one already."""

    code = "already_there"


_GONE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,
)

_BY_STATE: Final[Mapping[str, type[ServerError]]] = {
    "SF001": IllegalMove,
    "SF002": StaleVersion,
    "SF003": JobOver,
    "23505": AlreadyThere,
    "53100": StorageFull,
}
"""SQLSTATE to our error; SF... are raised by our own triggers (migrations/0001_initial.sql)."""


def translate(error: Exception) -> ServerError | None:
    """Return what `error` of the driver means to us, or None if it is a fault in our own program."""
    if isinstance(error, _GONE):
        return DatabaseGone(cause=type(error).__name__)
    if isinstance(error, asyncpg.InterfaceError):
        return DatabaseGone(cause="InterfaceError") if "clos" in str(error) else None
    if not isinstance(error, asyncpg.PostgresError):
        return None
    state = error.sqlstate or ""
    found = _BY_STATE.get(state)
    constraint = getattr(error, "constraint_name", None)
    message = str(getattr(error, "message", "") or error)
    if found is AlreadyThere:
        return AlreadyThere(constraint=constraint)
    if found is StorageFull:
        return StorageFull()
    if found is not None:
        return found(message)
    if state.startswith("23"):
        return Conflict(constraint=constraint)
    if state.startswith("22"):
        return BadRequest(f"The database cannot take that value: {message}")
    return None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ServerError:
        raise
    except Exception as error:
        ours = translate(error)
        if ours is None:
            raise
        raise ours from error


def _convert(kind: type[T], row: asyncpg.Record) -> T:
    return msgspec.convert(dict(row), kind, builtin_types=_NATIVE)


class Queries:
    """What can be asked of the database; a pool and a transaction offer the same."""

    @asynccontextmanager
    async def _raw(self) -> AsyncIterator[Any]:
        raise NotImplementedError
        yield

    async def execute(self, query: str, *args: object) -> int:
        """Run `query` and return how many rows it touched. Without `args` it may hold several statements."""
        with _translated():
            async with self._raw() as connection:
                tag: str = await connection.execute(query, *args)
        last = tag.rsplit(" ", 1)[-1]
        return int(last) if last.isdigit() else 0

    async def executemany(self, query: str, rows: Sequence[Sequence[object]]) -> None:
        """Run `query` once for every row of arguments, all or none."""
        with _translated():
            async with self._raw() as connection:
                await connection.executemany(query, rows)

    async def rows(self, query: str, *args: object) -> list[dict[str, Any]]:
        """Return the rows as plain maps. Use `all` where the result has a type."""
        with _translated():
            async with self._raw() as connection:
                return [dict(row) for row in await connection.fetch(query, *args)]

    async def all(self, kind: type[T], query: str, *args: object) -> list[T]:
        """Return the rows as `kind`, a msgspec struct with fields named as the columns."""
        with _translated():
            async with self._raw() as connection:
                found = await connection.fetch(query, *args)
        return [_convert(kind, row) for row in found]

    async def first(self, kind: type[T], query: str, *args: object) -> T | None:
        """Return the first row as `kind`, or None."""
        with _translated():
            async with self._raw() as connection:
                row = await connection.fetchrow(query, *args)
        return None if row is None else _convert(kind, row)

    async def one(self, kind: type[T], query: str, *args: object) -> T:
        """Return the first row as `kind`. Raises NotFound."""
        found = await self.first(kind, query, *args)
        if found is None:
            raise NotFound
        return found

    async def value(self, query: str, *args: object) -> Any:
        """Return the first column of the first row, or None."""
        with _translated():
            async with self._raw() as connection:
                return await connection.fetchval(query, *args)


class Transaction(Queries):
    """One connection, inside a transaction (or a session of its own, see `Database.session`)."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @asynccontextmanager
    async def _raw(self) -> AsyncIterator[Any]:
        yield self._connection

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Undo what was done inside if it raises, and let the transaction go on."""
        async with _transaction(self._connection):
            yield


@asynccontextmanager
async def _transaction(connection: Any) -> AsyncIterator[None]:
    """BEGIN, and COMMIT or ROLLBACK. A cancelled task still rolls back, which asyncpg's own manager cannot promise."""
    with _translated():
        transaction = connection.transaction()
        await transaction.start()
    try:
        yield
    except BaseException:
        with (
            anyio.move_on_after(_GIVE_UP_S, shield=True),
            suppress(*_GONE, asyncpg.PostgresError, asyncpg.InterfaceError),
        ):
            await transaction.rollback()
        raise
    with _translated():
        await transaction.commit()


async def _prepare(connection: Any) -> None:
    """Teach a new connection our types."""
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind,
            encoder=lambda value: msgspec.json.encode(value).decode(),
            decoder=msgspec.json.decode,
            schema="pg_catalog",
            format="text",
        )


class Database(Queries):
    """A pool of connections to `url`; opened by `async with`. It survives a restart of PostgreSQL."""

    def __init__(self, url: str, *, size: int = 8) -> None:
        self.url = url
        self._size = size
        self._pool: Any = None

    async def __aenter__(self) -> Database:
        with _translated():
            self._pool = await asyncpg.create_pool(
                self.url, min_size=0, max_size=self._size, init=_prepare, timeout=_ACQUIRE_S, command_timeout=60
            )
        await self.value("SELECT 1")
        return self

    async def __aexit__(self, *_: object) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        with anyio.move_on_after(_GIVE_UP_S, shield=True) as scope:
            await pool.close()
        if scope.cancelled_caught:
            pool.terminate()

    async def execute(self, query: str, *args: object) -> int:
        """Run `query` by itself and return how many rows it touched. One that a deadlock undid is run again."""
        for _ in range(_DEADLOCKS):
            with suppress(asyncpg.DeadlockDetectedError):
                return await super().execute(query, *args)
        return await super().execute(query, *args)

    @asynccontextmanager
    async def _raw(self) -> AsyncIterator[Any]:
        if self._pool is None:
            raise DatabaseGone(cause="not open")
        pool = self._pool
        connection = await pool.acquire(timeout=_ACQUIRE_S)
        try:
            yield connection
        finally:
            with anyio.move_on_after(_GIVE_UP_S, shield=True), suppress(*_GONE, asyncpg.InterfaceError):
                await pool.release(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Do what is inside as one: all of it is kept, or nothing if it raises."""
        async with AsyncExitStack() as stack:
            with _translated():
                connection = await stack.enter_async_context(self._raw())
            async with _transaction(connection):
                yield Transaction(connection)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Transaction]:
        """Hold one connection without a transaction, for session locks."""
        async with AsyncExitStack() as stack:
            with _translated():
                connection = await stack.enter_async_context(self._raw())
            yield Transaction(connection)

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncIterator[AsyncIterator[str]]:
        """Yield the payloads notified on `channel`, from now on, until the connection is lost (then it ends).

        A listener more than 1,024 payloads behind loses its connection, so that it knows that it must look again.
        """
        send, receive = anyio.create_memory_object_stream[str](_LISTEN_BACKLOG)

        def heard(_connection: object, _pid: int, _channel: str, payload: object) -> None:
            try:
                send.send_nowait(str(payload))
            except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
                send.close()

        with _translated():
            connection = await asyncpg.connect(self.url, timeout=_ACQUIRE_S)
        try:
            connection.add_termination_listener(lambda _connection: send.close())
            with _translated():
                await connection.add_listener(channel, heard)
            with send, receive:
                yield receive
        finally:
            with anyio.move_on_after(_GIVE_UP_S, shield=True) as scope, suppress(*_GONE, asyncpg.InterfaceError):
                await connection.close()
            if scope.cancelled_caught:
                connection.terminate()

    async def wait_ready(self, timeout_s: float = 10.0) -> None:
        """Return as soon as the database answers. Raises DatabaseGone after `timeout_s`."""
        with anyio.move_on_after(timeout_s):
            while True:
                try:
                    await self.value("SELECT 1")
                    return
                except DatabaseGone:
                    await anyio.sleep(0.02)
        raise DatabaseGone


def key(text: str) -> uuid.UUID:
    """Return the key that `text` spells. Raises NotFound: what cannot be a key names nothing."""
    try:
        found = uuid.UUID(text)
    except ValueError:
        raise NotFound from None
    if str(found) != text.lower():
        raise NotFound
    return found


async def create_database(server_url: str, name: str, *, template: str | None = None) -> bool:
    """Create the database `name` on the server of `server_url`; False if it is there already."""
    with _translated():
        connection = await asyncpg.connect(server_url, timeout=_ACQUIRE_S)
        try:
            if await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
                return False
            copy = f' TEMPLATE "{template}"' if template else ""
            await connection.execute(f'CREATE DATABASE "{name}"{copy}')
            return True
        finally:
            await connection.close()


async def drop_database(server_url: str, name: str) -> None:
    """Drop the database `name`, with whoever is still connected to it."""
    with _translated():
        connection = await asyncpg.connect(server_url, timeout=_ACQUIRE_S)
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        finally:
            await connection.close()
