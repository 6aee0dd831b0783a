"""Put the engine together and run it: lock, block, kernel, device, socket; and take all of it down again.

Owner: the engine process. Units: rate in Hz; seconds.
"""

import contextlib
import os
import resource
import signal
import time
from pathlib import Path

import anyio

from audio import adoption, control_socket, shm
from audio.block import VERSION, Block
from audio.devices import DeviceKeeper
from audio.driver import Driver
from audio.engine import Engine
from audio.filler_link import FillerLink
from audio.host import KernelHost
from audio.settings import AudioSettings


def warm_up() -> None:
    """Load compiled code and run it once, so that no block waits for a compiler."""
    host = KernelHost()
    Driver(host)
    host.render(64)


def run(runtime_dir: Path, settings: AudioSettings, filler: FillerLink, *, parent_pid: int = 0) -> None:
    """Run an engine for `runtime_dir` until it is told to quit. `filler`: a child on its way up or warm already.

    Raises EngineRunning when there is one already, AudioError when it cannot start.
    """
    path = adoption.socket_path(runtime_dir)
    _allow_locking()
    with adoption.take_lock(runtime_dir):
        stale = adoption.read_note(runtime_dir)
        if stale is not None:
            # The engine before this one was killed: its note and its name in shared memory are still there.
            (runtime_dir / adoption.NOTE_NAME).unlink(missing_ok=True)
            shm.unlink(stale.segment)
        block = Block.create(pid=os.getpid(), rate=settings.rate, block=settings.block, started_ns=time.monotonic_ns())
        try:
            anyio.run(_run, runtime_dir, path, settings, block, parent_pid, filler)
        finally:
            shm.unlink(block.segment.name)
            for leftover in (runtime_dir / adoption.NOTE_NAME, path):
                with contextlib.suppress(FileNotFoundError):
                    leftover.unlink()


def _allow_locking() -> None:
    """Raise the limit of locked memory as far as this user may."""
    with contextlib.suppress(OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))


async def _run(
    runtime_dir: Path, path: Path, settings: AudioSettings, block: Block, parent_pid: int, filler: FillerLink
) -> None:
    host = KernelHost(settings.rate, block=block.kernel, looks_ahead=True)
    host.stretchers.prepare(settings.block)
    driver = Driver(host)
    host_messages: list[str] = []
    devices = DeviceKeeper(
        driver, settings.device, settings.rate, settings.block, host_messages.append, channels=settings.channels,
        source=settings.source,
    )  # fmt: skip
    engine = Engine(settings, host, devices, filler)
    devices.say = engine.say
    listener = await control_socket.listen(path)
    async with anyio.create_task_group() as group:
        group.start_soon(control_socket.serve, listener, engine)
        group.start_soon(_follow_signals, engine)
        if parent_pid:
            group.start_soon(_follow_parent, engine, parent_pid)
        await engine.run(lambda: _announce(runtime_dir, block))
        # The answer to `quit` still leaves.
        await anyio.sleep(0.01)
        group.cancel_scope.cancel()


def _announce(runtime_dir: Path, block: Block) -> None:
    adoption.write_note(runtime_dir, adoption.Note(os.getpid(), block.segment.name, VERSION))


async def _follow_signals(engine: Engine) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM) as received:
        async for _ in received:
            engine.quitting.set()


async def _follow_parent(engine: Engine, pid: int) -> None:
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            engine.quitting.set()
            return
        except PermissionError:
            pass
        await anyio.sleep(0.25)
