"""The keeper and real engines: whoever plays is found, whoever is stuck is replaced."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import anyio
import pytest

from audio.client import EngineClient
from audio.launch import start_engine
from audio.settings import AudioSettings
from server.engine import EngineKeeper
from server.session.deckhand import EngineDeckhand
from server.session.effects import Notice
from server.session.show import Show

pytestmark = pytest.mark.anyio

SETTINGS = AudioSettings(device="null")


class Hand:
    """A deckhand that only remembers what it was handed."""

    def __init__(self) -> None:
        self.clients: list[EngineClient] = []
        self._came = anyio.Event()

    def attach(self, client: EngineClient) -> None:
        self.clients.append(client)
        self._came.set()
        self._came = anyio.Event()

    async def wait(self, count: int) -> EngineClient:
        while len(self.clients) < count:
            await self._came.wait()
        return self.clients[count - 1]


class Board:
    """A show that remembers what it was told."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def notice(self, notice: Notice) -> None:
        self.notices.append(notice)


@asynccontextmanager
async def keeping(runtime: Path, log: Path) -> AsyncIterator[tuple[EngineKeeper, Hand, Board]]:
    keeper, hand, board = EngineKeeper(SETTINGS, runtime, log), Hand(), Board()
    async with anyio.create_task_group() as group:
        group.start_soon(keeper.run, cast(EngineDeckhand, hand), cast(Show, board))
        try:
            await hand.wait(1)
            yield keeper, hand, board
        finally:
            with anyio.CancelScope(shield=True):
                await keeper.stop(hand.clients[-1] if hand.clients else None)
            group.cancel_scope.cancel()


@pytest.fixture
def runtime() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sfa-") as folder:
        yield Path(folder)  # type: ignore[misc]  # a plain generator fixture


async def gone(client: EngineClient) -> None:
    while client.alive:
        await anyio.sleep(0.01)


async def test_an_engine_that_came_by_another_way_is_taken(runtime: Path, tmp_path: Path) -> None:
    async with keeping(runtime, tmp_path / "log") as (keeper, hand, board):
        first = hand.clients[0]
        os.kill(first.pid, signal.SIGKILL)
        await gone(first)
        other, process = await start_engine(runtime, SETTINGS)
        keeper.lost()
        assert (await hand.wait(2)).pid == other.pid == process.pid
        assert other.alive and not first.alive
        assert [notice.code for notice in board.notices] == ["engine_restarted"]


async def test_an_engine_that_is_stuck_makes_room(runtime: Path, tmp_path: Path) -> None:
    async with keeping(runtime, tmp_path / "log") as (_, before, _board):
        stuck = before.clients[0]
        async with keeping(runtime, tmp_path / "log2") as (keeper, hand, _other):
            assert hand.clients[0].pid == stuck.pid
            os.kill(stuck.pid, signal.SIGSTOP)
            keeper.lost()
            assert (await hand.wait(2)).pid != stuck.pid
            assert not stuck.alive


async def test_a_note_left_behind_is_not_taken_for_the_new_engine(runtime: Path, tmp_path: Path) -> None:
    async with keeping(runtime, tmp_path / "log") as (keeper, hand, board):
        for count in range(2, 5):
            lost = hand.clients[-1]
            os.kill(lost.pid, signal.SIGKILL)
            await gone(lost)
            keeper.lost()
            assert (await hand.wait(count)).alive
        assert len({client.pid for client in hand.clients}) == 4
        assert {notice.code for notice in board.notices} == {"engine_restarted"}
