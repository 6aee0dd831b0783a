"""How late the input is belongs to the device: each gets its own back, and a new one begins with none."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from server import input_delays as module
from server.input_delays import InputDelays
from server.session.input_delay import LATENCY
from server.session.intent import Intent
from server.session.show import Show
from server.session.state import initial
from tests.audio.engines import until
from tests.server.session.fake_deckhand import FakeDeckhand

pytestmark = pytest.mark.anyio


class Rig:
    def __init__(self, path: Path, delay: float) -> None:
        state = initial()
        self.show = Show(FakeDeckhand(), replace(state, controls={**state.controls, LATENCY: delay}))
        self.device = ""
        self.path = path

    async def measured(self, seconds: float) -> None:
        await until(lambda: f'"{self.device}"' in self._kept())
        self.show.submit(Intent(LATENCY, seconds, "round trip"))
        await until(lambda: f'"{self.device}": {seconds}' in self._kept())

    def _kept(self) -> str:
        return self.path.read_text() if self.path.exists() else ""

    async def plugged(self, device: str, delay: float) -> None:
        self.device = device
        await until(lambda: self.show.value(LATENCY) == delay)


@asynccontextmanager
async def rig(folder: Path, monkeypatch: pytest.MonkeyPatch, delay: float = 0.0) -> AsyncIterator[Rig]:
    monkeypatch.setattr(module, "LOOK_S", 0.001)
    made = Rig(folder / "input-delays.json", delay)
    async with anyio.create_task_group() as tasks:
        await tasks.start(made.show.run)
        await tasks.start(InputDelays(made.show, lambda: made.device, made.path).run)
        yield made
        tasks.cancel_scope.cancel()


async def test_each_device_gets_its_own_delay_back_and_a_new_one_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig(tmp_path, monkeypatch) as on:
        on.device = "Built-in"
        await on.measured(0.02)
        await on.plugged("Studio 24", 0.0)
        await on.measured(0.007)
        await on.plugged("Built-in", 0.02)
        await on.plugged("Studio 24", 0.007)
    async with rig(tmp_path, monkeypatch, delay=0.007) as on:
        await on.plugged("Built-in", 0.02)
        await on.plugged("Third", 0.0)


async def test_a_delay_that_the_show_has_kept_is_that_of_the_first_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig(tmp_path, monkeypatch, delay=0.03) as on:
        on.device = "Built-in"
        await on.measured(0.031)
        await on.plugged("Studio 24", 0.0)
        await on.plugged("Built-in", 0.031)


async def test_a_file_that_cannot_be_read_begins_afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "input-delays.json").write_text('{"Built-in": "late"}')
    async with rig(tmp_path, monkeypatch) as on:
        on.device = "Built-in"
        await on.measured(0.02)
        await on.plugged("Studio 24", 0.0)
        await on.plugged("Built-in", 0.02)
