"""The clock process as the server holds it: started, spoken to, listened to, ended.

Owner: the clock surface. Units: as in `control.clocks.wire`.
"""

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import anyio
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from control.clocks.wire import FromProcess, ToProcess, from_process, line
from control.settings import MidiApi

log = logging.getLogger(__name__)

END_S = 1.0
_LINE_LIMIT = 65_536


class ClockLine(Protocol):
    """A way to a clock process and back."""

    async def tell(self, message: ToProcess) -> None:
        """Send a message. Raises BrokenResourceError or ClosedResourceError when the process has gone."""

    def told(self) -> AsyncIterator[FromProcess]:
        """Return what the process says until it ends."""


class _Pipes:
    def __init__(self, process: anyio.abc.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin = process.stdin
        self._stdout = BufferedByteReceiveStream(process.stdout)

    async def tell(self, message: ToProcess) -> None:
        await self._stdin.send(line(message))

    async def told(self) -> AsyncIterator[FromProcess]:
        while True:
            try:
                text = await self._stdout.receive_until(b"\n", _LINE_LIMIT)
            except (anyio.IncompleteRead, anyio.EndOfStream, anyio.ClosedResourceError):
                return
            try:
                yield from_process.decode(text)
            except msgspec.MsgspecError as error:
                log.warning("the clock process says what cannot be read: %s", error)


@asynccontextmanager
async def clock_process(api: MidiApi = MidiApi.AUTO) -> AsyncIterator[ClockLine]:
    """Run a clock process while inside; at the end it is asked to go, and then made to."""
    command = [sys.executable, "-m", "control.clocks.process", api.value]
    # a session of its own: Ctrl-C in the terminal is for the server, which ends this in its turn
    async with await anyio.open_process(command, stderr=None, start_new_session=True) as process:
        try:
            yield _Pipes(process)
        finally:
            with anyio.CancelScope(shield=True):
                if process.stdin is not None:
                    await process.stdin.aclose()
                with anyio.move_on_after(END_S):
                    await process.wait()
                if process.returncode is None:
                    process.kill()
                    await process.wait()
