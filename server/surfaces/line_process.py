"""A process beside the server that is spoken to in lines: started, listened to, ended.

Owner: whoever enters `line_process`. Units: seconds; bytes.
"""

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar

import anyio
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

log = logging.getLogger(__name__)

LINE_LIMIT: Final = 1 << 20

Said = TypeVar("Said")
Told = TypeVar("Told")


class Lines(Generic[Said, Told]):
    """A way to a process and back, one message of JSON a line. `decoder` reads what it says."""

    def __init__(self, process: anyio.abc.Process, decoder: msgspec.json.Decoder[Told], name: str) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = BufferedByteReceiveStream(process.stdout)
        self._decoder = decoder
        self._name = name

    async def tell(self, *messages: Said) -> None:
        """Send messages. Raises BrokenResourceError or ClosedResourceError when the process has gone."""
        await self._stdin.send(b"".join(msgspec.json.encode(message) + b"\n" for message in messages))

    async def told(self) -> AsyncIterator[Told]:
        """Return what the process says until it ends."""
        while True:
            try:
                text = await self._stdout.receive_until(b"\n", LINE_LIMIT)
            except (anyio.IncompleteRead, anyio.EndOfStream, anyio.ClosedResourceError, anyio.DelimiterNotFound):
                return
            try:
                yield self._decoder.decode(text)
            except msgspec.MsgspecError as error:
                log.warning("the %s process says what cannot be read: %s", self._name, error)

    def kill(self) -> None:
        """End it at once."""
        if self._process.returncode is None:
            self._process.kill()

    async def close(self, patience_s: float) -> None:
        """Close its input, which asks it to go; after `patience_s` it is made to."""
        await self._stdin.aclose()
        with anyio.move_on_after(patience_s):
            await self._process.wait()
        self.kill()
        await self._process.wait()


@asynccontextmanager
async def line_process(
    module: str, *arguments: str, decoder: msgspec.json.Decoder[Told], name: str, patience_s: float = 0.0
) -> AsyncIterator[Lines[Any, Told]]:
    """Run `python -m module` while inside; at the end it is asked to go, and after `patience_s` made to."""
    command = [sys.executable, "-m", module, *arguments]
    # a session of its own: Ctrl-C in the terminal is for the server, which ends this in its turn
    async with await anyio.open_process(command, stderr=None, start_new_session=True) as process:
        lines: Lines[Any, Told] = Lines(process, decoder, name)
        try:
            yield lines
        finally:
            with anyio.CancelScope(shield=True):
                await lines.close(patience_s)
