"""Start an engine, or adopt the one that runs; keep a warm one in reserve.

Owner: the server's supervisor. Never imports the compiler. Units: seconds.
"""

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import anyio
import anyio.to_thread

from audio import children
from audio.adoption import NOTE_NAME, is_alive
from audio.client import EngineClient
from audio.errors import AudioError, EngineMissing
from audio.settings import AudioSettings

START_TIMEOUT_S: Final = 180.0
"""The first start on a machine compiles the kernel; later ones take about a second."""


def arguments(runtime_dir: Path, settings: AudioSettings, *, parent_pid: int = 0) -> list[str]:
    """Return the command-line arguments of `python -m audio` for these settings."""
    return [
        f"--runtime-dir={runtime_dir}",
        f"--audio={settings.device}",
        f"--block={settings.block}",
        f"--channels={settings.channels}",
        f"--rate={settings.rate}",
        f"--memory-mib={settings.memory_mib}",
        f"--orphan-s={settings.orphan_s}",
        *([f"--parent-pid={parent_pid}"] if parent_pid else []),
    ]


class EngineProcess:
    """An engine that this process started, maybe still in standby. Leaving it does not end it."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path | None) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended; reaps it when it has."""
        return self._process.poll() is None

    def go(self, runtime_dir: Path, settings: AudioSettings, *, parent_pid: int = 0) -> None:
        """Let a standby engine begin. Raises AudioError when it has ended."""
        assert self._process.stdin is not None
        order = json.dumps(arguments(runtime_dir, settings, parent_pid=parent_pid)) + "\n"
        try:
            self._process.stdin.write(order.encode())
            self._process.stdin.close()
        except OSError as ended:
            raise AudioError("the standby engine has ended") from ended

    def end(self) -> None:
        """End it, whatever it does, and wait for that."""
        self._process.kill()
        self._process.wait()

    def last_words(self) -> str:
        """Return the end of what it wrote to its log."""
        if self._log is None or not self._log.exists():
            return ""
        return self._log.read_text(errors="replace").strip()[-1000:]

    async def ready(self, runtime_dir: Path, timeout_s: float = START_TIMEOUT_S) -> EngineClient:
        """Wait until the engine is up and return a client of it. Raises AudioError with its last words when it ends."""
        with anyio.move_on_after(timeout_s):
            while True:
                if (runtime_dir / NOTE_NAME).exists():
                    try:
                        client = await anyio.to_thread.run_sync(EngineClient.attach, runtime_dir)
                    except EngineMissing:
                        pass
                    else:
                        if client.pid == self.pid:
                            return client
                        raise AudioError(f"another engine (process {client.pid}) runs for {runtime_dir}")
                if not self.running:
                    raise AudioError(f"the engine could not start: {self.last_words() or 'it said nothing'}")
                await anyio.sleep(0.01)
        raise AudioError(f"the engine was not ready after {timeout_s:.0f} s")


def spawn(*options: str, log: Path | None = None, standby: bool = False) -> EngineProcess:
    """Start `python -m audio` in a session of its own; its output goes to `log`."""
    output: IO[bytes] | int = subprocess.DEVNULL if log is None else log.open("ab")
    try:
        process = subprocess.Popen(
            children.command("audio", *options, *(["--standby"] if standby else [])),
            stdin=subprocess.PIPE if standby else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=children.environment(),
            start_new_session=True,
        )
    finally:
        if not isinstance(output, int):
            output.close()
    return EngineProcess(process, log)


async def start_engine(
    runtime_dir: Path, settings: AudioSettings, *, log: Path | None = None, parent_pid: int = 0
) -> tuple[EngineClient, EngineProcess]:
    """Start an engine for `runtime_dir` and return a client once it is ready. Raises AudioError, EngineRunning."""
    process = await anyio.to_thread.run_sync(
        lambda: spawn(*arguments(runtime_dir, settings, parent_pid=parent_pid), log=log)
    )
    return await process.ready(runtime_dir), process


async def adopt_or_start(
    runtime_dir: Path, settings: AudioSettings, *, log: Path | None = None
) -> tuple[EngineClient, EngineProcess | None]:
    """Attach to the engine that runs for `runtime_dir`, else start one. Raises AudioError, BlockVersionMismatch."""
    if await anyio.to_thread.run_sync(is_alive, runtime_dir):
        with anyio.move_on_after(START_TIMEOUT_S):
            while await anyio.to_thread.run_sync(is_alive, runtime_dir):
                try:
                    return await anyio.to_thread.run_sync(EngineClient.attach, runtime_dir), None
                except EngineMissing:
                    # It has its lock and is still on its way up.
                    await anyio.sleep(0.02)
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
        return await process.ready(runtime_dir), process
