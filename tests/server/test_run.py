"""The start of the program: who waits for the engine can give up."""

import anyio
import anyio.lowlevel
import pytest

from server import run
from server.engine import EngineKeeper

pytestmark = pytest.mark.anyio


class _CompilingKeeper(EngineKeeper):
    """Its engine is on its way up until the end of time."""

    def __init__(self) -> None:
        pass

    async def wait_first(self) -> None:
        await anyio.sleep_forever()


async def test_the_program_stops_while_its_engine_comes_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "PATIENCE_S", 0.0)
    stop = anyio.Event()
    told = ""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run.await_engine, _CompilingKeeper(), stop)
        while not told:
            await anyio.lowlevel.checkpoint()
            told = capsys.readouterr().out
        assert "Compiling the audio kernel" in told
        stop.set()
    # the group has ended: nobody waits any more
