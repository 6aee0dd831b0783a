"""Start an engine, or adopt the one that runs; keep a warm one in reserve.

Owner: the server's supervisor. Never imports the compiler. Units: seconds.
"""

from pathlib import Path
from types import TracebackType
from typing import Final

import anyio
import anyio.to_thread

from audio.adoption import NOTE_NAME, is_alive
from audio.client import EngineClient
from audio.errors import AudioError, EngineMissing
from audio.process import EngineProcess, arguments, spawn
from audio.settings import AudioSettings

START_TIMEOUT_S: Final = 900.0
"""The first start on a machine compiles the kernel, which takes minutes; later ones take about a second."""


async def ready(process: EngineProcess, runtime_dir: Path, timeout_s: float = START_TIMEOUT_S) -> EngineClient:
    """Wait until the engine of `process` is up and return a client of it; one that does not come up is ended.

    Raises AudioError, with the engine's last words when it ends.
    """
    try:
        return await _client_of(process, runtime_dir, timeout_s)
    except BaseException:
        # Nobody would look after it: it would hold the place of the next one.
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(process.end)
        raise


async def _client_of(process: EngineProcess, runtime_dir: Path, timeout_s: float) -> EngineClient:
    with anyio.move_on_after(timeout_s):
        while True:
            if (runtime_dir / NOTE_NAME).exists():
                try:
                    client = await anyio.to_thread.run_sync(EngineClient.attach, runtime_dir)
                except EngineMissing:
                    pass
                else:
                    # A note of another pid is one that a killed engine left: the new one has the lock and not yet
                    # written its own. Where another engine really runs, ours ends and says so.
                    if client.pid == process.pid:
                        return client
            if not process.running:
                raise AudioError(f"the engine could not start: {process.last_words() or 'it said nothing'}")
            await anyio.sleep(0.01)
    raise AudioError(f"the engine was not ready after {timeout_s:.0f} s")


async def start_engine(
    runtime_dir: Path, settings: AudioSettings, *, log: Path | None = None, parent_pid: int = 0
) -> tuple[EngineClient, EngineProcess]:
    """Start an engine for `runtime_dir` and return a client once it is ready. Raises AudioError, EngineRunning."""
    process = await anyio.to_thread.run_sync(
        lambda: spawn(*arguments(runtime_dir, settings, parent_pid=parent_pid), log=log)
    )
    return await ready(process, runtime_dir), process


async def adopt(runtime_dir: Path, timeout_s: float = START_TIMEOUT_S) -> EngineClient | None:
    """Attach to the engine that runs for `runtime_dir`, or is on its way up; None where none does.

    Raises BlockVersionMismatch.
    """
    with anyio.move_on_after(timeout_s):
        while await anyio.to_thread.run_sync(is_alive, runtime_dir):
            try:
                return await anyio.to_thread.run_sync(EngineClient.attach, runtime_dir)
            except EngineMissing:
                # It has its lock and is still on its way up.
                await anyio.sleep(0.02)
    return None


async def adopt_or_start(
    runtime_dir: Path, settings: AudioSettings, *, log: Path | None = None
) -> tuple[EngineClient, EngineProcess | None]:
    """Attach to the engine that runs for `runtime_dir`, else start one. Raises AudioError, BlockVersionMismatch."""
    running = await adopt(runtime_dir)
    if running is not None:
        return running, None
    return await start_engine(runtime_dir, settings, log=log)


class WarmStandby:
    """One engine that has loaded and compiled everything and waits: a restart takes a moment, not a second.

    Example:
        async with WarmStandby(log) as standby:
            client, process = await standby.take(runtime_dir, settings)
    """

    def __init__(self, log: Path | None = None) -> None:
        self._log = log
        self._waiting: EngineProcess | None = None

    async def __aenter__(self) -> "WarmStandby":
        await self.prepare()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(waiting.end)

    async def prepare(self) -> None:
        """Start the next one in reserve, if there is none."""
        if self._waiting is None or not self._waiting.running:
            self._waiting = await anyio.to_thread.run_sync(lambda: spawn(log=self._log, standby=True))

    async def take(
        self, runtime_dir: Path, settings: AudioSettings, *, parent_pid: int = 0
    ) -> tuple[EngineClient, EngineProcess]:
        """Let the one in reserve begin, and return a client of it. The caller prepares the next."""
        await self.prepare()
        process, self._waiting = self._waiting, None
        assert process is not None
        await anyio.to_thread.run_sync(lambda: process.go(runtime_dir, settings, parent_pid=parent_pid))
        return await ready(process, runtime_dir), process
