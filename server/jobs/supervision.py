"""The server's own workers: child processes, one per queue, restarted when they die and gone when the server is gone.

Owner: one task, `WorkerKeeper.run`. A worker's settings go to it by its standard input, whose end tells it of our
death.
Units: seconds.
"""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL
from typing import IO, Any, Final

import anyio
import anyio.to_thread
from anyio.abc import Process

from pipeline.jobs import Queue
from pipeline.worker_settings import NICE, THREADS, WorkerSettings, name_for, settings_line
from server.errors import ServerError
from server.jobs.worker_socket import WorkerHub

log = logging.getLogger(__name__)

STOP_S: Final = 4.0
"""How long a worker may take to give back what it has; then it is killed."""

FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 30.0
STEADY_S: Final = 60.0
"""A worker that lived this long was well: the next pause is short again."""


class WorkerKeeper:
    """Keeps one worker process per queue. `report` gets a sentence when one dies."""

    def __init__(
        self,
        hub: WorkerHub,
        server: str,
        broker: str,
        spool: Path,
        *,
        options: Mapping[str, Any] | None = None,
        queues: Sequence[Queue] = tuple(THREADS),
        log_file: Path | None = None,
        report: Callable[[str], None] = log.warning,
        command: Sequence[str] = (sys.executable, "-m", "pipeline.worker"),
        threads: Mapping[Queue, int] = THREADS,
        longest_pause_s: float = LONGEST_PAUSE_S,
        warm: bool = False,
    ) -> None:
        self._hub = hub
        self._server = server
        self._broker = broker
        self._spool = spool
        self._options = dict(options or {})
        self._warm = warm
        self._queues = tuple(queue for queue in queues if queue in THREADS)
        self._log_file = log_file
        self._report = report
        self._command = list(command)
        self._threads = threads
        self._longest_pause_s = longest_pause_s
        self._processes: dict[Queue, Process] = {}

    def pids(self) -> dict[Queue, int]:
        """Return the process id of each queue's worker that lives."""
        return {queue: process.pid for queue, process in self._processes.items() if process.returncode is None}

    async def run(self) -> None:
        """Keep them until cancelled, then stop them within five seconds."""
        await anyio.to_thread.run_sync(lambda: self._spool.mkdir(mode=0o700, parents=True, exist_ok=True))
        async with anyio.create_task_group() as tasks:
            for queue in self._queues:
                tasks.start_soon(self._keep, queue)

    async def _keep(self, queue: Queue) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            began = anyio.current_time()
            try:
                status = await self._live(queue)
            except (OSError, ServerError) as error:
                self._report(f"The {queue} worker cannot be started: {error}")
            else:
                self._report(f"The {queue} worker ended by itself (status {status}) and is started again.")
            if anyio.current_time() - began > STEADY_S:
                pause_s = FIRST_PAUSE_S
            await anyio.sleep(pause_s)
            pause_s = min(self._longest_pause_s, pause_s * 2)

    async def _live(self, queue: Queue) -> int:
        """Run one process to its end and return its status; cancelled, stop it."""
        token = await self._hub.issue(f"this machine, {queue}", (queue,))
        settings = WorkerSettings(
            self._server, token, self._broker, queue, name_for(queue), str(self._spool), self._threads[queue],
            NICE[queue], self._options, warm=self._warm,
        )  # fmt: skip
        output: int | IO[bytes] = DEVNULL
        if self._log_file is not None:
            output = await anyio.to_thread.run_sync(self._log_file.open, "ab")
        try:
            process = await anyio.open_process(
                self._command, stdin=-1, stdout=output, stderr=output, start_new_session=True
            )
        finally:
            if not isinstance(output, int):
                output.close()
        self._processes[queue] = process
        try:
            assert process.stdin is not None
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                await process.stdin.send(settings_line(settings))
            return await process.wait()
        finally:
            with anyio.CancelScope(shield=True):
                await _stop(process)
            del self._processes[queue]


async def _stop(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
        with anyio.move_on_after(STOP_S):
            await process.wait()
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    await process.aclose()
