"""A show with manners and a page without a network, for the tests of the live socket.

Units: as the protocol says. The page speaks through the reference `msgpack` package, not through our own codec.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgpack
import numpy as np
from anyio.streams.memory import MemoryObjectSendStream
from numpy.typing import NDArray
from starlette.websockets import WebSocket

from control.control import ControlError, Kind, Value, check
from control.registry import REGISTRY, resolve
from server import protocol
from server.live import LiveHub
from server.session.intent import Changes, Intent, Refused

STATUS = protocol.EngineStatus(True, "null", 48_000, 128, 0.1, 0, 5.3)
"""How the engine of these tests is."""


class FakeShow:
    """Holds every control, checks as the registry says, and tells every subscriber in order."""

    def __init__(self) -> None:
        self.rev = 1
        self._controls: dict[str, Value] = {
            path: control.default
            for path, control in REGISTRY.items()
            if control.is_state and control.default is not None
        }
        self.triggered: list[str] = []
        self.intents: list[Intent] = []
        self._streams: set[MemoryObjectSendStream[Changes]] = set()

    @property
    def controls(self) -> Mapping[str, Value]:
        """Every control the show remembers."""
        return self._controls

    def submit(self, intent: Intent) -> None:
        """Apply `intent` at once, or refuse it by its reply."""
        self.intents.append(intent)
        try:
            control = resolve(intent.path, "1")
            value = check(control, intent.value)
        except ControlError as error:
            if intent.reply is not None:
                intent.reply(Refused(type(error).__name__, str(error), intent.path[:200]))
            return
        if control.kind is Kind.TRIGGER:
            self.triggered.append(control.path)
        else:
            self.change({control.path: value}, intent.source)

    def change(self, changes: dict[str, Value], source: str = "test", lagged: bool = False) -> None:
        """Change controls and tell everybody."""
        self.rev += 1
        self._controls.update(changes)
        for stream in list(self._streams):
            stream.send_nowait(Changes(self.rev, changes, source, lagged))

    @asynccontextmanager
    async def subscribe(self, surface: str) -> AsyncIterator[AsyncIterator[Changes]]:
        """Yield the changes from now on."""
        send, receive = anyio.create_memory_object_stream[Changes](10_000)
        self._streams.add(send)
        try:
            async with receive:
                yield receive
        finally:
            self._streams.discard(send)
            send.close()


class Tone:
    """A master that has `ahead` frames more each time it is read; sample k of both channels is k."""

    def __init__(self, ahead: int = 960) -> None:
        self.ahead = ahead
        self.frame = 0
        self.now = 0
        self._marks: list[tuple[int, anyio.Event]] = []

    async def reach(self, frame: int) -> None:
        """Wait until the master has been read up to `frame`."""
        mark = (frame, anyio.Event())
        self._marks.append(mark)
        with anyio.fail_after(20):
            await mark[1].wait()

    def read(self, cursor: int, limit: int) -> tuple[NDArray[np.float32], int]:
        """As `EngineClient.read_master`."""
        self.frame = self.now = cursor + self.ahead
        for frame, event in self._marks:
            if self.frame >= frame:
                event.set()
        stop = min(self.frame, cursor + limit)
        block = np.repeat(np.arange(cursor, stop, dtype=np.float32)[:, None], 2, axis=1)
        return block, stop


class PageLeft(Exception):
    """The server closed the socket; `code` says why."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class FakePage:
    """One page connected to `LiveHub.endpoint` as an ASGI application sees it. It reads only when the test does."""

    def __init__(self) -> None:
        self._to_server, self._from_page = anyio.create_memory_object_stream[dict[str, Any]](100_000)
        # no buffer: a page that does not read holds its writer, as a full socket does
        self._to_page, self._from_server = anyio.create_memory_object_stream[dict[str, Any]](0)
        scope = {"type": "websocket", "path": "/ws/live", "headers": [], "query_string": b"", "subprotocols": []}
        self.websocket = WebSocket(scope, self._receive, self._send)
        self._to_server.send_nowait({"type": "websocket.connect"})

    async def _receive(self) -> dict[str, Any]:
        return await self._from_page.receive()

    async def _send(self, event: Any) -> None:
        await self._to_page.send(dict(event))

    def tell(self, **message: Any) -> None:
        """Send a message, packed by the reference package."""
        self.tell_raw(msgpack.packb(message))

    def tell_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._to_server.send_nowait({"type": "websocket.receive", "bytes": data})

    def tell_text(self, text: str) -> None:
        """Send a text frame."""
        self._to_server.send_nowait({"type": "websocket.receive", "text": text})

    def close(self) -> None:
        """Give the streams back."""
        for stream in (self._to_server, self._from_page, self._to_page, self._from_server):
            stream.close()

    def leave(self) -> None:
        """Close the tab."""
        self._to_server.send_nowait({"type": "websocket.disconnect", "code": 1001})

    async def hear(self, *kinds: str) -> dict[str, Any]:
        """Return the next message, or the next of these kinds. Raises PageLeft when the server closes."""
        with anyio.fail_after(5):
            while True:
                event = await self._from_server.receive()
                if event["type"] == "websocket.close":
                    raise PageLeft(event["code"])
                if event["type"] != "websocket.send":
                    continue
                message: dict[str, Any] = msgpack.unpackb(event["bytes"])
                if not kinds or message["type"] in kinds:
                    return message

    async def greet(self, *topics: str) -> dict[str, Any]:
        """Say hello, subscribe, and return the welcome."""
        self.tell(type="hello", protocol=protocol.PROTOCOL_VERSION)
        welcome = await self.hear("welcome")
        if topics:
            self.tell(type="subscribe", topics=list(topics))
            self.tell(type="ping", sent=0.0, id=-1)
            await self.hear("pong")
        return welcome


async def _owner(_: WebSocket) -> int:
    return 1


class Room:
    """A hub that runs, its show, and the pages in it."""

    def __init__(self, authorise: Callable[[WebSocket], Any] = _owner) -> None:
        self.show = FakeShow()
        self._pages: list[FakePage] = []
        self.tone = Tone()
        self.status = STATUS
        self.hub = LiveHub(
            self.show,
            authorise,
            version="1.2.3",
            status=lambda: self.status,
            telemetry=lambda: protocol.Meters(7, [], [0.5, 0.25], 0.0, self.status),
            master=self.tone.read,
            frame=lambda: max(self.tone.now, 4_800),
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Room"]:
        """Run the hub until the block ends."""
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self.hub.run)
            await anyio.wait_all_tasks_blocked()
            yield self
            self._tasks.cancel_scope.cancel()
        for page in self._pages:
            page.close()

    def enter(self) -> FakePage:
        """Let a page connect."""
        page = FakePage()
        self._pages.append(page)
        self._tasks.start_soon(self.hub.endpoint, page.websocket)
        return page
