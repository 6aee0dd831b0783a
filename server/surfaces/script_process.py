"""A script process as the server holds it: started, spoken to, listened to, ended.

Owner: the scripts of one device. Units: as in `control.scripts.wire`.
"""

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import anyio
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from control.scripts.wire import FromScript, ToScript, from_script, line

log = logging.getLogger(__name__)

_LINE_LIMIT = 1 << 20


class ScriptLine(Protocol):
    """A way to a script process and back."""

    async def tell(self, messages: list[ToScript]) -> None:
        """Send messages. Raises BrokenResourceError or ClosedResourceError when the process has gone."""

    def told(self) -> AsyncIterator[FromScript]:
        """Return what the process says until it ends."""

    def kill(self) -> None:
        """End it at once."""


class _Pipes:
    def __init__(self, process: anyio.abc.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = BufferedByteReceiveStream(process.stdout)

    async def tell(self, messages: list[ToScript]) -> None:
        await self._stdin.send(b"".join(line(message) for message in messages))

    async def told(self) -> AsyncIterator[FromScript]:
        while True:
            try:
                text = await self._stdout.receive_until(b"\n", _LINE_LIMIT)
            except (anyio.IncompleteRead, anyio.EndOfStream, anyio.ClosedResourceError, anyio.DelimiterNotFound):
                return
            try:
                yield from_script.decode(text)
            except msgspec.MsgspecError as error:
                log.warning("a script process says what cannot be read: %s", error)

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()


@asynccontextmanager
async def script_process() -> AsyncIterator[ScriptLine]:
    """Run a script process while inside; at the end it is killed if it has not gone."""
    command = [sys.executable, "-m", "control.scripts.process"]
    # a session of its own: Ctrl-C in the terminal is for the server, which ends this in its turn
    async with await anyio.open_process(command, stderr=None, start_new_session=True) as process:
        pipes = _Pipes(process)
        try:
            yield pipes
        finally:
            with anyio.CancelScope(shield=True):
                pipes.kill()
                await process.wait()
