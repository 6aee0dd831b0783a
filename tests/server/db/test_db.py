"""The database adapter: transactions, errors, notifications, and a server that comes back."""

from __future__ import annotations

import ast
from pathlib import Path
from uuid import UUID

import anyio
import msgspec
import pytest

import server
from server.db import AlreadyThere, Database, key
from server.errors import BadRequest, DatabaseGone, NotFound
from server.peers import DatabasePeers

pytestmark = pytest.mark.anyio


class Thing(msgspec.Struct, frozen=True):
    id: UUID
    data: dict[str, int]


async def test_rows_become_records(db: Database) -> None:
    query = "SELECT gen_random_uuid() AS id, $1::jsonb AS data"
    thing = await db.one(Thing, query, {"a": 1})
    assert thing.data == {"a": 1}
    assert await db.first(Thing, f"{query} WHERE false", {}) is None
    with pytest.raises(NotFound):
        await db.one(Thing, f"{query} WHERE false", {})
    with pytest.raises(msgspec.ValidationError):
        await db.all(Thing, query, {"a": "text"})


async def test_a_transaction_is_all_or_nothing_also_when_cancelled(db: Database) -> None:
    async def count() -> int:
        found: int = await db.value("SELECT count(*) FROM peers")
        return found

    with pytest.raises(ZeroDivisionError):
        async with db.transaction() as tx:
            await tx.execute("INSERT INTO peers (address) VALUES ('a')")
            raise ZeroDivisionError
    with anyio.CancelScope() as scope:
        async with db.transaction() as tx:
            await tx.execute("INSERT INTO peers (address) VALUES ('a')")
            scope.cancel()
            await anyio.sleep_forever()
    assert await count() == 0
    async with db.transaction() as tx:
        await tx.execute("INSERT INTO peers (address) VALUES ('a')")
        with pytest.raises(AlreadyThere):
            async with tx.savepoint():
                await tx.execute("INSERT INTO peers (address) VALUES ('a')")
        await tx.execute("INSERT INTO peers (address) VALUES ('b')")
    assert await count() == 2


async def test_cancelled_tasks_give_their_connections_back(database_url: str) -> None:
    async with Database(database_url, size=2) as db:
        for _ in range(10):
            with anyio.move_on_after(0.005):
                await db.value("SELECT pg_sleep(10)")
        assert await db.value("SELECT 1") == 1


async def test_errors_are_ours(db: Database) -> None:
    with pytest.raises(BadRequest):
        await db.value("SELECT $1::text::uuid", "nonsense")
    async with Database(db.url) as closed:
        pass
    with pytest.raises(DatabaseGone):
        await closed.value("SELECT 1")
    with pytest.raises(DatabaseGone):
        async with Database("postgresql://x@/x?host=/nowhere"):
            pass


async def test_a_lost_connection_is_an_error_once_and_then_replaced(db: Database) -> None:
    with pytest.raises(DatabaseGone):
        await db.value("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await db.value("SELECT 1") == 1


async def test_a_statement_that_a_deadlock_undid_is_run_again(db: Database) -> None:
    await db.execute("CREATE TABLE places (id int PRIMARY KEY, n int)")
    await db.execute("INSERT INTO places VALUES (1, 0), (2, 0)")
    held, asked = anyio.Event(), anyio.Event()

    async def other() -> None:
        async with db.transaction() as tx:
            # Whoever waits a second for the other is the one that is undone: the statement by itself.
            await tx.execute("SET LOCAL deadlock_timeout = '30s'")
            await tx.execute("UPDATE places SET n = n + 1 WHERE id = 2")
            held.set()
            await asked.wait()
            await tx.execute("UPDATE places SET n = n + 1 WHERE id = 1")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        await held.wait()

        async def ask() -> None:
            await db.execute("UPDATE places SET n = n + 10 WHERE id IN (SELECT id FROM places ORDER BY id FOR UPDATE)")

        tasks.start_soon(ask)
        while not await db.value("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
            await anyio.lowlevel.checkpoint()
        asked.set()
    assert await db.rows("SELECT id, n FROM places ORDER BY id") == [{"id": 1, "n": 11}, {"id": 2, "n": 11}]


async def test_notifications_are_heard_after_the_commit(db: Database) -> None:
    async with db.listen("news") as news:
        async with db.transaction() as tx:
            await tx.execute("SELECT pg_notify('news', 'second')")
            await db.execute("SELECT pg_notify('news', 'first')")
        with anyio.fail_after(5):
            assert [await anext(news), await anext(news)] == ["first", "second"]
        await db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'"
        )
        with anyio.fail_after(5), pytest.raises(StopAsyncIteration):
            await anext(news)


@pytest.mark.parametrize("text", ["", "1", "x" * 36, "{550e8400-e29b-41d4-a716-446655440000}", "\x00"])
def test_what_cannot_be_a_key_names_nothing(text: str) -> None:
    with pytest.raises(NotFound):
        key(text)
    assert key("550E8400-e29b-41d4-a716-446655440000").version == 4


async def test_decisions_about_senders_are_kept(db: Database) -> None:
    peers = DatabasePeers(db)
    await peers.save("10.0.0.1", "allowed")
    await peers.save("10.0.0.2", "blocked")
    await peers.save("10.0.0.1", "blocked")
    assert sorted(await peers.load()) == [("10.0.0.1", "blocked"), ("10.0.0.2", "blocked")]
    await peers.forget("10.0.0.1")
    assert await peers.load() == [("10.0.0.2", "blocked")]


def test_only_the_adapter_imports_the_driver() -> None:
    importers = set()
    for path in Path(server.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "asyncpg" for name in names):
                importers.add(path.name)
    assert importers == {"db.py"}
