"""Many pages at once, without browsers: each keeps the show as a page does, and some fall asleep with an open socket.

Owner: a test or a benchmark; all pages live on one event loop in a thread of their own. Units: seconds of the monotonic
clock.
"""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.end_to_end.program import PATIENCE_S, TOKEN, Program

PING_S: Final = 4.0
"""As often as a page does."""
SLEEPERS_WINDOW: Final = 4096
"""Bytes that the machine of a page that is to sleep takes in for it, so that its socket is soon full."""

_encode: Final = msgspec.msgpack.encode
_decode: Final = msgspec.msgpack.Decoder().decode
T = TypeVar("T")


@dataclass
class Reader:
    """One page: what it holds of the show, and what it was told. While `reads` is clear it takes nothing."""

    topics: tuple[str, ...]
    controls: dict[str, Any] = field(default_factory=dict)
    rev: int = -1
    welcomes: int = 0
    messages: dict[str, int] = field(default_factory=dict)
    told: dict[tuple[str, Any], float] = field(default_factory=dict)
    """When a value that somebody waits for came."""
    awaited: str = ""
    missed_frames: int = 0
    """Of the master, between two blocks that came."""
    audio_end: int = -1
    closed: str = ""
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    socket: ClientConnection | None = None

    def hear(self, data: bytes | str) -> None:
        """Take one message."""
        message: dict[str, Any] = _decode(data) if isinstance(data, bytes) else {"type": "text"}
        kind = str(message["type"])
        self.messages[kind] = self.messages.get(kind, 0) + 1
        if kind == "welcome":
            self.welcomes += 1
            self.controls, self.rev = message["controls"], message["rev"]
            changes = self.controls
        elif kind == "state" and message["rev"] > self.rev:
            changes = message["changes"]
            self.controls.update(changes)
            self.rev = message["rev"]
        elif kind == "audio":
            if self.audio_end >= 0:
                self.missed_frames += message["frame"] - self.audio_end
            self.audio_end = message["frame"] + len(message["pcm"]) // 8
            return
        else:
            return
        if self.awaited in changes:
            self.told.setdefault((self.awaited, changes[self.awaited]), time.monotonic())


class Crowd:
    """Pages that are connected to one program. Use as a context."""

    def __init__(self, program: Program) -> None:
        self._url = program.url.replace("http", "ws") + "/ws/live"
        self._address = (urlsplit(program.url).hostname, urlsplit(program.url).port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="crowd", daemon=True)
        self._tasks: list[asyncio.Task[None]] = []
        self.pages: list[Reader] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.do(self._leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        """Run `what` on the crowd's loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(PATIENCE_S)

    def enter(self, number: int, *topics: str, sleeper: bool = False) -> list[Reader]:
        """Connect `number` pages that subscribe to `topics`; return when all have the show."""
        found = self.do(self._enter(number, topics, sleeper))
        self.pages += found
        return found

    def sleep(self, page: Reader) -> None:
        """Let a page take nothing more; its socket stays."""
        self.do(self._switch(page, False))

    def wake(self, page: Reader) -> None:
        """Let it go on where it was."""
        self.do(self._switch(page, True))

    def say(self, page: Reader, *messages: dict[str, Any]) -> None:
        """Send messages from a page, one after the other."""
        self.do(self._say(page, messages))

    def expect(self, path: str) -> None:
        """Note from now on when values of this control come."""
        self.do(self._expect(path))

    async def _enter(self, number: int, topics: tuple[str, ...], sleeper: bool) -> list[Reader]:
        return list(await asyncio.gather(*(self._connect(topics, sleeper) for _ in range(number))))

    async def _connect(self, topics: tuple[str, ...], sleeper: bool) -> Reader:
        page = Reader(topics)
        own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if sleeper:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLEEPERS_WINDOW)
        own.setblocking(False)
        await self._loop.sock_connect(own, self._address)
        page.socket = await connect(
            self._url, sock=own, additional_headers={"Authorization": f"Bearer {TOKEN}"}, ping_interval=None,
            max_size=None, max_queue=4, close_timeout=1, compression=None,
        )  # fmt: skip
        await page.socket.send(_encode({"type": "hello", "protocol": 1, "client": "crowd"}))
        page.hear(await page.socket.recv())
        await page.socket.send(_encode({"type": "subscribe", "topics": list(topics)}))
        page.reads.set()
        self._tasks += [asyncio.create_task(self._read(page)), asyncio.create_task(self._ping(page))]
        return page

    async def _read(self, page: Reader) -> None:
        assert page.socket is not None
        try:
            while True:
                await page.reads.wait()
                page.hear(await page.socket.recv())
        except ConnectionClosed as gone:
            page.closed = str(gone)

    async def _ping(self, page: Reader) -> None:
        assert page.socket is not None
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(PING_S)
                if page.reads.is_set():
                    await page.socket.send(_encode({"type": "ping", "sent": time.monotonic(), "id": 0}))

    @staticmethod
    async def _switch(page: Reader, reads: bool) -> None:
        if reads:
            page.reads.set()
        else:
            page.reads.clear()

    @staticmethod
    async def _say(page: Reader, messages: tuple[dict[str, Any], ...]) -> None:
        assert page.socket is not None
        for message in messages:
            await page.socket.send(_encode(message))

    async def _expect(self, path: str) -> None:
        for page in self.pages:
            page.awaited = path

    async def _leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(page.socket.close() for page in self.pages if page.socket), return_exceptions=True)
