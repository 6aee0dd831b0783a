"""The live socket: every page hears the same show, and none can slow another.

Owner: the event loop. `LiveHub.run` is one task; each page has a reader and a writer of its own.
Units: engine frames for `at` and `frame`; audio is float32 (frames, 2) at the engine rate; times in seconds.

    Show.subscribe ----> hub --encoded once--> outbox of each page --> writer --> socket
    telemetry, master -> hub --------------> newest meters, short audio queue --'

What happens when a page is slow is written in `server/outbox.py`.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from itertools import count
from typing import Any, Final, Protocol

import anyio
import msgspec
import numpy as np
from anyio.lowlevel import checkpoint
from numpy.typing import NDArray
from starlette.websockets import WebSocket, WebSocketDisconnect

from control.control import Kind
from control.registry import REGISTRY
from server import protocol
from server.errors import ServerError
from server.outbox import Outbox
from server.session.intent import Changes, Intent, Refused

log = logging.getLogger(__name__)

TOPICS: Final = frozenset({"meters", "jobs", "audio"})
"""What a page can subscribe to. State, notices, library, peers and learn messages go to every page."""

MAX_MESSAGE_BYTES: Final = 64 * 1024
"""A longer message of a page is answered with an error, unread."""

AUDIO_LIMIT_FRAMES: Final = 8192
METERS_S: Final = 1 / 30
AUDIO_S: Final = 0.02
AUDIO_LATE_S: Final = 0.5
"""Pages that listen are never fed what is older."""
TRACKS_REMEMBERED: Final = 8
HELLO_S: Final = 10.0
"""A page that has not said hello by then is sent away."""
STALL_S: Final = 30.0
"""A page that has not taken one message by then is given up."""

CLOSE_PROTOCOL: Final = 4001
CLOSE_NO_HELLO: Final = 4002
MAX_FRAME: Final = 2**63 - 1


class LiveShow(Protocol):
    """What the hub needs of the show; `server.session.show.Show` is one."""

    @property
    def rev(self) -> int: ...
    @property
    def controls(self) -> Mapping[str, protocol.Value]: ...
    def submit(self, intent: Intent) -> None: ...
    def subscribe(self, surface: str) -> AbstractAsyncContextManager[AsyncIterator[Changes]]: ...


Authorise = Callable[[WebSocket], Awaitable[int]]
"""Return the id of the user behind a socket (cookie or bearer; Host and Origin checked), or raise a ServerError."""

MasterSource = Callable[[int, int], tuple[NDArray[np.float32], int]]
"""`EngineClient.read_master`: (cursor, limit in frames) to (float32 (frames, 2), the cursor after them)."""


class _Page:
    """One connected page after its hello."""

    def __init__(self, name: str, user_id: int) -> None:
        self.name = name
        self.user_id = user_id
        self.outbox = Outbox()
        self.topics: frozenset[str] = frozenset()
        self.floor = -1
        """The revision of its last welcome: older changes are in it already."""

    def answer(self, message: protocol.Error | protocol.Pong) -> None:
        self.outbox.put(protocol.encode(message), keep=True)


class LiveHub:
    """Keeps every page in step with the show.

    `status` and `frame` tell how the engine is; `telemetry` makes one meters message (engine lost included) and is
    asked 30 times a second while a page wants it; `master` feeds the pages that listen.
    Thread-safe: no, everything on the event loop. Realtime-safe: not needed.
    """

    def __init__(
        self,
        show: LiveShow,
        authorise: Authorise,
        *,
        version: str,
        status: Callable[[], protocol.EngineStatus],
        telemetry: Callable[[], protocol.Meters],
        master: MasterSource | None = None,
        frame: Callable[[], int] = lambda: 0,
    ) -> None:
        self._show = show
        self._authorise = authorise
        self._version = version
        self._status = status
        self._telemetry = telemetry
        self._master = master
        self._frame = frame
        self._pages: set[_Page] = set()
        self._names = count(1)
        self._wanted = anyio.Event()
        self._remembered: dict[object, bytes] = {}

    @property
    def pages(self) -> int:
        """How many pages are connected."""
        return len(self._pages)

    async def run(self) -> None:
        """Feed the pages until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._feed_state)
            tasks.start_soon(self._feed_meters)
            tasks.start_soon(self._feed_audio)

    def publish(self, message: protocol.ServerMessage, user_id: int | None = None) -> None:
        """Send `message` to every page, or to the pages of one user. Jobs go only to pages that subscribed to them.

        The last PeersChanged and LearnChanged, and where the stems of the tracks heard of last are ready, are kept and
        follow every welcome.
        """
        data = protocol.encode(message)
        if isinstance(message, protocol.PeersChanged | protocol.LearnChanged):
            self._remembered[type(message)] = data
        elif isinstance(message, protocol.StemsReady):
            self._remembered.pop(message.track_id, None)
            self._remembered[message.track_id] = data
            tracks = [key for key in self._remembered if isinstance(key, str)]
            for old in tracks[:-TRACKS_REMEMBERED]:
                del self._remembered[old]
        jobs_only = isinstance(message, protocol.JobChanged | protocol.BatchChanged)
        for page in self._pages:
            if (user_id is None or page.user_id == user_id) and (not jobs_only or "jobs" in page.topics):
                page.outbox.put(data, keep=isinstance(message, protocol.Notice))

    async def endpoint(self, websocket: WebSocket) -> None:
        """Serve one page: the route's handler for `/ws/live`."""
        try:
            user_id = await self._authorise(websocket)
        except ServerError as error:
            log.info("a page was refused: %s", error)
            await websocket.close(1008)
            return
        await websocket.accept()
        page = _Page(f"page:{next(self._names)}", user_id)
        try:
            if not await self._greet(websocket, page):
                return
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write, websocket, page, tasks.cancel_scope)
                await self._read(websocket, page)
                tasks.cancel_scope.cancel()
        except WebSocketDisconnect:
            log.debug("%s left", page.name)
        finally:
            self._pages.discard(page)

    # -- one page ----------------------------------------------------------------------------------------------------

    async def _greet(self, websocket: WebSocket, page: _Page) -> bool:
        """Wait for hello and welcome the page. Answers whatever comes before it with errors, sent at once."""
        with anyio.move_on_after(HELLO_S):
            while True:
                data = await self._receive(websocket)
                message = self._decode(data, page)
                if isinstance(message, protocol.Hello):
                    if message.protocol == protocol.PROTOCOL_VERSION:
                        self._welcome_now(page)
                        self._pages.add(page)
                        return True
                    text = f"this server speaks protocol {protocol.PROTOCOL_VERSION}; reload the page"
                    await websocket.send_bytes(protocol.encode(protocol.Error("protocol_mismatch", text)))
                    await websocket.close(CLOSE_PROTOCOL, "protocol mismatch")
                    return False
                if message is not None:
                    page.answer(protocol.Error("hello_first", "say hello first", getattr(message, "id", 0)))
                await websocket.send_bytes(await page.outbox.next(list))
        await websocket.close(CLOSE_NO_HELLO, "no hello")
        return False

    def _welcome_now(self, page: _Page) -> None:
        for data in self._welcome(page):
            page.outbox.put(data)

    def _welcome(self, page: _Page) -> list[bytes]:
        """Return the whole show for `page`, taken in one step of the loop."""
        page.floor = self._show.rev
        welcome = protocol.Welcome(
            protocol.PROTOCOL_VERSION, self._version, page.floor, dict(self._show.controls), self._status()
        )
        return [protocol.encode(welcome), *self._remembered.values()]

    async def _write(self, websocket: WebSocket, page: _Page, scope: anyio.CancelScope) -> None:
        try:
            while True:
                data = await page.outbox.next(lambda: self._welcome(page))
                with anyio.fail_after(STALL_S):
                    await websocket.send_bytes(data)
        except TimeoutError:
            log.info("%s took nothing for %.0f s and is given up", page.name, STALL_S)
        except WebSocketDisconnect:
            pass
        scope.cancel()

    async def _read(self, websocket: WebSocket, page: _Page) -> None:
        try:
            while True:
                message = self._decode(await self._receive(websocket), page)
                if message is not None:
                    self._handle(message, page)
                await checkpoint()  # a page that floods must not keep the loop
        except WebSocketDisconnect:
            return

    @staticmethod
    async def _receive(websocket: WebSocket) -> bytes | str:
        """Return the next frame. Raises WebSocketDisconnect."""
        event = await websocket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code", 1006))
        data: bytes | str | None = event.get("bytes")
        return data if data is not None else str(event.get("text", ""))

    def _decode(self, data: bytes | str, page: _Page) -> protocol.ClientMessage | None:
        """Return the message, or None after answering why it is none."""
        if isinstance(data, str):
            page.answer(protocol.Error("not_binary", "messages are MessagePack in binary frames"))
        elif len(data) > MAX_MESSAGE_BYTES:
            page.answer(protocol.Error("too_large", f"a message has at most {MAX_MESSAGE_BYTES} bytes"))
        else:
            try:
                return protocol.decode(data)
            except (msgspec.MsgspecError, RecursionError, ValueError) as error:
                page.answer(protocol.Error("bad_message", str(error)[:300], _id_of(data), _path_of(data)))
        return None

    def _handle(self, message: protocol.ClientMessage, page: _Page) -> None:
        match message:
            case protocol.Set() | protocol.Trigger():
                self._submit(message, page)
            case protocol.Subscribe(topics=topics, id=id_):
                unknown = sorted(set(topics) - TOPICS)
                if unknown:
                    text = f"no topic is called {unknown[0][:60]!r}; there are {', '.join(sorted(TOPICS))}"
                    page.answer(protocol.Error("unknown_topic", text, id_))
                    return
                page.topics = frozenset(topics)
                page.outbox.drop_telemetry("meters" in topics, "audio" in topics)
                self._wanted.set()
                self._wanted = anyio.Event()
            case protocol.Ping(sent=sent, id=id_):
                page.answer(protocol.Pong(sent, self._frame(), id_))
            case protocol.Hello():
                page.outbox.resync()

    def _submit(self, message: protocol.Set | protocol.Trigger, page: _Page) -> None:
        path, id_, at = message.path, message.id, message.at

        def refuse(refused: Refused) -> None:
            page.answer(protocol.Error(refused.code, refused.message, id_, refused.path or path[:200]))

        if at is not None and not 0 <= at <= MAX_FRAME:
            refuse(Refused("bad_value", "at is a frame of the engine's clock", path[:200]))
            return
        if isinstance(message, protocol.Trigger):
            control = REGISTRY.get(path)
            if control is not None and control.kind is not Kind.TRIGGER:
                refuse(Refused("bad_value", f"{path} is no trigger; set it to a value", path))
                return
        value = message.value if isinstance(message, protocol.Set) else 1
        self._show.submit(Intent(path, value, page.name, at, refuse))

    # -- every page --------------------------------------------------------------------------------------------------

    async def _feed_state(self) -> None:
        async with self._show.subscribe("live") as changes:
            async for change in changes:
                if change.lagged:
                    for page in self._pages:
                        page.outbox.resync()
                    continue
                data = protocol.encode(protocol.State(change.rev, change.changes))
                for page in self._pages:
                    if change.rev > page.floor:
                        page.outbox.put(data)

    async def _listeners(self, topic: str) -> tuple[list[_Page], bool]:
        """Wait until a page wants `topic`; return who does, and whether there was a wait."""
        waited = False
        while not (pages := [page for page in self._pages if topic in page.topics]):
            waited = True
            await self._wanted.wait()
        return pages, waited

    async def _feed_meters(self) -> None:
        while True:
            pages, _ = await self._listeners("meters")
            data = protocol.encode(self._telemetry())
            for page in pages:
                page.outbox.put_meters(data)
            await anyio.sleep(METERS_S)

    async def _feed_audio(self) -> None:
        if self._master is None:
            return
        cursor = 0
        while True:
            pages, waited = await self._listeners("audio")
            now, far = self._frame(), int(self._status().rate * AUDIO_LATE_S)
            if waited or abs(now - cursor) > far:  # far away: another engine, or this loop stood still
                cursor = now
            block, cursor = self._master(cursor, AUDIO_LIMIT_FRAMES)
            if len(block):
                pcm = np.ascontiguousarray(block, dtype="<f4").tobytes()
                data = protocol.encode(protocol.AudioBlock(cursor - len(block), self._status().rate, pcm))
                for page in pages:
                    page.outbox.put_audio(data)
            await anyio.sleep(AUDIO_S)


def _lenient(data: bytes) -> dict[Any, Any]:
    """Return what can be read of a bad message, to name it in the answer."""
    try:
        found = msgspec.msgpack.decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _id_of(data: bytes) -> int:
    found = _lenient(data).get("id")
    return found if type(found) is int and abs(found) <= MAX_FRAME else 0


def _path_of(data: bytes) -> str:
    found = _lenient(data).get("path")
    return found[:200] if isinstance(found, str) else ""
