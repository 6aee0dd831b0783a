"""The worker socket: every worker process has one connection, and everything that workers find out comes in by it.

Owner: the event loop. A connection is a reader (one message at a time, so that memory is bounded by the longest
message), a writer, and a scribe that notes ranges of what has arrived for all its jobs together and then acknowledges.
Units: frames at 44.1 kHz.

A message that does not fit is answered with an error and changes nothing; one that cannot be read at all, or a database
that is gone for long, ends the connection: the worker keeps what it has and comes back.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

import anyio
import msgspec
from anyio.abc import TaskGroup
from starlette.websockets import WebSocket, WebSocketDisconnect

from pipeline import wire
from server.db import IllegalMove, key
from server.errors import BadRequest, DatabaseGone, NotFound, ServerError, StorageFull
from server.jobs.receiver import Damaged, Gone, Reception, Rejected
from server.jobs.service import JobService, NotNow, Unwanted

log = logging.getLogger(__name__)

HELLO_S: Final = 10.0
"""A worker that has not said hello by then is sent away."""

GARBAGE: Final = 20
"""Unreadable messages before a connection is given up."""

OUTBOX: Final = 1024
"""Answers a worker may be behind before its connection is given up."""

PATIENCE_S: Final = 30.0
"""How long a message waits for the database before the connection is given up; the worker comes back with it."""

CLOSE_REFUSED: Final = 4401
CLOSE_BAD: Final = 4400
CLOSE_LATER: Final = 1013


class WorkerIdentity(Protocol):
    """Whose token it is, and which queues it may take work from."""

    @property
    def name(self) -> str: ...
    @property
    def queues(self) -> Collection[str]: ...


class WorkerAuth(Protocol):
    """The part of `server.auth.Authentication` that knows workers."""

    async def worker(self, token: str) -> WorkerIdentity | None:
        """Return the worker that holds `token`, None when it is nobody's. Raises DatabaseGone."""

    async def issue_worker_token(self, name: str, queues: Sequence[str] = ..., *, local: bool = False) -> str:
        """Return a new token for the worker `name`; the one it had before ends."""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A connected worker, as the page shows it."""

    name: str
    queues: tuple[str, ...]
    engines: tuple[str, ...]
    pid: int
    jobs: tuple[str, ...]


class WorkerHub:
    """All connected workers."""

    def __init__(self, jobs: JobService, auth: WorkerAuth, version: str = "") -> None:
        self.jobs = jobs
        self.auth = auth
        self._version = version
        self._connections: dict[int, _Connection] = {}
        jobs.plans.offers = self.offers

    async def issue(self, name: str, queues: Sequence[str]) -> str:
        """Return a token for a worker of this machine."""
        return await self.auth.issue_worker_token(name, queues, local=True)

    async def identify(self, token: str) -> WorkerIdentity | None:
        """Return whose token it is, None when it is nobody's. Raises DatabaseGone."""
        return await self.auth.worker(token)

    def workers(self) -> list[WorkerInfo]:
        """Return who is connected."""
        return [connection.info() for connection in self._connections.values()]

    def offers(self) -> Mapping[str, tuple[str, ...]]:
        """Return the engines that connected workers offer, with their models; the first worker's best comes first."""
        found: dict[str, tuple[str, ...]] = {}
        for connection in self._connections.values():
            for engine in connection.hello.engines:
                found.setdefault(engine.name, engine.models)
        return found

    async def endpoint(self, websocket: WebSocket) -> None:
        """Serve one connection; for `WebSocketRoute("/ws/worker", hub.endpoint)`."""
        await websocket.accept()
        try:
            hello = await self._greet(websocket)
            if hello is None:
                return
            async with anyio.create_task_group() as tasks:
                connection = _Connection(self.jobs, websocket, hello, tasks)
                self._connections[id(connection)] = connection
                try:
                    await connection.serve(wire.Welcome(wire.WIRE_VERSION, self._version))
                finally:
                    del self._connections[id(connection)]
                    connection.close()
                    tasks.cancel_scope.cancel()
        except* (WebSocketDisconnect, anyio.BrokenResourceError, anyio.ClosedResourceError):
            log.debug("A worker's connection ended.")

    async def _greet(self, websocket: WebSocket) -> wire.Hello | None:
        """Return the worker's hello once its token is known; None when it was sent away."""
        with anyio.move_on_after(HELLO_S):
            try:
                data = await _receive(websocket)
                hello = wire.decode_from_worker(data)
            except msgspec.DecodeError:
                hello = None
            why = await self._refusal(hello)
            if why is None:
                assert isinstance(hello, wire.Hello)
                return hello
            await websocket.send_bytes(wire.encode(wire.Error("refused", why)))
        await websocket.close(CLOSE_REFUSED)
        return None

    async def _refusal(self, hello: wire.WorkerMessage | None) -> str | None:
        """Say why a worker may not come in, None when it may."""
        if not isinstance(hello, wire.Hello):
            return "The first message is hello."
        if hello.protocol != wire.WIRE_VERSION:
            return "This worker is of another version; bring both to the same."
        try:
            identity = await self.identify(hello.token)
        except ServerError as error:
            return str(error)
        if identity is None:
            return "This worker's token is not known or was revoked."
        if not set(hello.queues) <= set(identity.queues):
            return "This worker's token is not for these queues."
        return None


class _Connection:
    """One worker process, as the job service and the receiver see it."""

    def __init__(self, jobs: JobService, websocket: WebSocket, hello: wire.Hello, tasks: TaskGroup) -> None:
        self.hello = hello
        self._jobs = jobs
        self._websocket = websocket
        self._tasks = tasks
        self._send, self._outbox = anyio.create_memory_object_stream[wire.ServerMessage](OUTBOX)
        self._receptions: dict[str, Reception] = {}
        self._unnoted: list[tuple[int, Reception]] = []
        self._arrived = anyio.Event()
        self._garbage = 0

    def info(self) -> WorkerInfo:
        """Describe it."""
        names = tuple(engine.name for engine in self.hello.engines)
        return WorkerInfo(self.hello.worker, self.hello.queues, names, self.hello.pid, tuple(self._receptions))

    # -- what the job service says -----------------------------------------------------------------------------------

    def cancel(self, job_id: UUID, reason: str) -> None:
        """Tell the worker to stop a job."""
        self._receptions.pop(str(job_id), None)
        self._say(wire.Cancel(str(job_id), reason))

    def focus(self, job_id: UUID, frames: tuple[int, ...]) -> None:
        """Tell the worker where the playheads are."""
        self._say(wire.Focus(str(job_id), frames))

    def close(self) -> None:
        """Forget everything about it; its jobs wait for it to come back."""
        self._jobs.left(self)
        self._send.close()
        self._outbox.close()

    def _say(self, message: wire.ServerMessage) -> None:
        try:
            self._send.send_nowait(message)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # gone; it hears how things stand when it comes back
        except anyio.WouldBlock:
            log.warning("Worker %s does not listen; its connection is given up.", self.hello.worker)
            self._tasks.cancel_scope.cancel()

    # -- the connection ----------------------------------------------------------------------------------------------

    async def serve(self, welcome: wire.Welcome) -> None:
        """Read until the worker goes."""
        self._say(welcome)
        self._tasks.start_soon(self._write)
        self._tasks.start_soon(self._scribe)
        while True:
            data = await _receive(self._websocket)
            try:
                message = wire.decode_from_worker(data)
            except msgspec.DecodeError as error:
                self._garbage += 1
                if self._garbage > GARBAGE:
                    await self._websocket.close(CLOSE_BAD)
                    return
                self._say(wire.Error("unreadable", str(error)[:300]))
                continue
            await self._handle(message)

    async def _write(self) -> None:
        async for message in self._outbox:
            await self._websocket.send_bytes(wire.encode(message))

    async def _handle(self, message: wire.WorkerMessage) -> None:
        if isinstance(message, wire.Hello):
            self._say(wire.Error("unexpected", "Hello was said already."))
        elif isinstance(message, wire.StemEnd | wire.Result):
            # These take their time (encoding, committing); other jobs on this connection go on meanwhile.
            self._tasks.start_soon(self._answer, message)
        else:
            await self._answer(message)

    async def _answer(
        self,
        message: wire.Begin
        | wire.Progress
        | wire.Note
        | wire.StemBegin
        | wire.StemChunk
        | wire.StemEnd
        | wire.Result
        | wire.Failed
        | wire.Left,
    ) -> None:
        """Do what a message says and answer it; while the database is away wait for it."""
        number = 0 if isinstance(message, wire.Progress | wire.Note | wire.Left) else message.seq
        pause_s = 0.05
        give_up = anyio.current_time() + PATIENCE_S
        while True:
            try:
                with anyio.CancelScope(shield=True):  # a worker that dies meanwhile must not leave it half done
                    await self._do(message)
                return
            except (Unwanted, Gone) as unwanted:
                await self._leave(message.job, str(unwanted), number)
                return
            except NotNow as later:
                self._say(wire.Later(number, message.job, later.after_s, later.alone))
                return
            except DatabaseGone:
                if anyio.current_time() > give_up:
                    await self._websocket.close(CLOSE_LATER)
                    return
                await anyio.sleep(pause_s)
                pause_s = min(1.0, pause_s * 2)
            except ServerError as error:
                if number:
                    self._say(wire.Error(error.code, str(error), number, message.job))
                return

    async def _leave(self, job: str, why: str, number: int = 0) -> None:
        """Have the worker drop a job; what came of one that is in no table any more goes too."""
        reception = self._receptions.pop(job, None)
        self._say(wire.Cancel(job, why, number))
        if reception is not None and not await self._jobs.exists(reception.job.id):
            await self._jobs.forget(reception.job.id)
            await self._jobs.receiver.discard(reception.job)

    async def _do(
        self,
        message: wire.Begin
        | wire.Progress
        | wire.Note
        | wire.StemBegin
        | wire.StemChunk
        | wire.StemEnd
        | wire.Result
        | wire.Failed
        | wire.Left,
    ) -> None:
        if isinstance(message, wire.Begin):
            await self._begin(message)
            return
        reception = self._receptions.get(message.job)
        if reception is None or not self._jobs.runs(reception.job.id, self):
            raise Unwanted("This worker is not at this job.")
        receiver = self._jobs.receiver
        match message:
            case wire.Progress():
                await self._jobs.progressed(reception.job, max(0, min(100, message.percent)), message.stage)
            case wire.Note():
                await self._jobs.noted(reception.job, message.about, message.lines)
            case wire.StemBegin():
                have = await receiver.begin(_separating(reception), message.stem, message.rate, message.frames)
                ended = (message.stem,) if message.stem in reception.ended else ()
                self._say(wire.Ack(message.seq, {message.stem: have}, ended))
            case wire.StemChunk():
                await receiver.chunk(reception, message)
                self._unnoted.append((message.seq, reception))
                self._arrived.set()
            case wire.StemEnd():
                try:
                    await receiver.end(reception, message.stem, message.sha256)
                except Damaged:
                    await receiver.note(reception)
                    raise
                self._say(wire.Ack(message.seq))
            case wire.Result():
                await self._result(message, reception)
            case wire.Left():
                self._receptions.pop(message.job, None)
                await self._jobs.gave_back(reception.job.id)
            case wire.Failed():
                if message.transient:
                    await self._jobs.stumbled(reception.job.id, message.message)
                else:
                    await self._jobs.failed(reception.job.id, message.message, message.code[:60])
                self._receptions.pop(message.job, None)
                self._say(wire.Ack(message.seq))

    async def _begin(self, message: wire.Begin) -> None:
        try:
            job_id = key(message.job)
        except NotFound:
            raise Unwanted("There is no such job.") from None
        job = await self._jobs.started(
            job_id, message.message, message.attempt, self.hello.worker, self, handed=message.handed,
            alone=message.alone,
        )  # fmt: skip
        if job.kind == "processing":
            reception = await self._jobs.receiver.open(job)
        else:
            reception = Reception(job, self._jobs.receiver.folder(job))
        self._receptions[message.job] = reception
        self._say(wire.Ack(message.seq, reception.have(), tuple(reception.ended), self._jobs.focus_of(job.track_id)))

    async def _result(self, message: wire.Result, reception: Reception) -> None:
        try:
            if reception.job.kind == "processing":
                await self._jobs.separated(reception.job.id, reception, message.data)
            elif reception.job.kind == "analysis":
                await self._jobs.analysed(reception.job.id, message.data)
            else:
                await self._jobs.downloaded(reception.job.id)
        except IllegalMove as moved:
            raise Unwanted(str(moved)) from moved
        except BadRequest as bad:
            raise Rejected(str(bad)) from bad
        self._receptions.pop(message.job, None)
        self._say(wire.Ack(message.seq))

    async def _scribe(self) -> None:
        """Note what has arrived, all of it at once, and acknowledge it."""
        while True:
            await self._arrived.wait()
            self._arrived = anyio.Event()
            batch, self._unnoted = self._unnoted, []
            for reception in {id(reception): reception for _, reception in batch}.values():
                await self._note(reception)
            for number, reception in batch:
                if not reception.gone:
                    self._say(wire.Ack(number))

    async def _note(self, reception: Reception) -> None:
        pause_s = 0.05
        while not reception.gone:
            try:
                await self._jobs.receiver.note(reception)
                return
            except (DatabaseGone, StorageFull):  # what came is kept by the worker until it is noted
                await anyio.sleep(pause_s)
                pause_s = min(1.0, pause_s * 2)
            except Gone as gone:
                await self._leave(str(reception.job.id), str(gone))
                return


def _separating(reception: Reception) -> Reception:
    if reception.job.kind != "processing":
        raise Rejected("Only a separation has stems.")
    return reception


async def _receive(websocket: WebSocket) -> bytes:
    """Return the next message as bytes; text is not MessagePack and fails later. Raises WebSocketDisconnect."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1006))
    data: bytes = message.get("bytes") or (message.get("text") or "").encode()
    return data
