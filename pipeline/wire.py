"""The worker socket's language: MessagePack maps with a `type` key, between the server and every worker process.

Owner: whoever built the message; all are frozen. The server alone writes library tables and files, so everything that a
worker finds out travels in these messages. Whatever carries a `seq` is answered by an `ack` or an `error` of that `seq`
once the server has made it safe; what was not answered is sent again after a reconnect, and all of it may be sent
twice.
Units: positions and lengths in frames at the `rate` (Hz) beside them; ranges are half-open `(start, stop)` pairs in
ascending order; `pcm` is interleaved stereo float32, little-endian, with values on the 2^-21 grid under 4 in size;
`checksum` is the CRC-32 of `pcm`; `sha256` is the hex digest of a whole stem's raw `pcm`, frame 0 to its end.
Unknown fields are ignored on both ends; an unknown `type` is answered with an error.
"""

from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

WIRE_VERSION: Final = 1
"""Version both ends name in `hello` and `welcome`; it grows when a message changes meaning."""

MAX_CHUNK_FRAMES: Final = 131_072
"""Longest chunk of one message, in frames: one MiB, so that no message keeps the others waiting long."""

MAX_STEM_FRAMES: Final = 24 * 3600 * 48_000
"""Longest stem the server takes: a day at 48 kHz. It bounds the sparse files that an offset can make."""

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Longest message either end reads."""

WORKER_PATH: Final = "/ws/worker"
"""Where the server speaks this language."""

QUEUE_PATH: Final = "/ws/queue"
"""Where the server leads a worker on another machine to the embedded queue: PostgreSQL's bytes."""

Ranges = tuple[tuple[int, int], ...]


def socket_url(server: str, path: str) -> str:
    """Return the address of a socket at a server's http(s) address."""
    parts = urlsplit(server)
    return urlunsplit(("wss" if parts.scheme == "https" else "ws", parts.netloc, path, "", ""))


class EngineOffer(msgspec.Struct, frozen=True):
    """A separation engine that a worker can run, and the models it has for it."""

    name: str
    models: tuple[str, ...] = ()


class _FromWorker(msgspec.Struct, frozen=True, tag_field="type"):
    """A message a worker sends."""


class Hello(_FromWorker, frozen=True, tag="hello"):
    """First message of a worker process. `worker` is a name of its choice that stays while the process lives."""

    protocol: int
    token: str
    worker: str
    queues: tuple[str, ...] = ()
    engines: tuple[EngineOffer, ...] = ()
    pid: int = 0


class Begin(_FromWorker, frozen=True, tag="begin"):
    """The worker has taken a job off the queue (or is still at it after a reconnect).

    `message` and `attempt` are the receipt of the queue; they tell a redelivery from a reconnect. The `ack` brings what
    the server already has; a `cancel` instead of it means that the job wants no work any more. With `handed` the
    message came by a broker that knows no receipts: the server may answer `later`. `alone` says that nothing else runs
    in the worker's process and nothing will begin meanwhile.
    """

    seq: int
    job: str
    message: str
    attempt: int
    handed: bool = False
    alone: bool = False


class Progress(_FromWorker, frozen=True, tag="progress"):
    """How far a job is: `percent` 0 to 100 and a word for what it is doing. Newest wins, nothing answers it."""

    job: str
    percent: int
    stage: str = ""


class Note(_FromWorker, frozen=True, tag="note"):
    """What an attempt is made with (`about`), and lines it has logged. Kept with the attempt; nothing answers it."""

    job: str
    about: dict[str, Any] = {}
    lines: tuple[str, ...] = ()


class StemBegin(_FromWorker, frozen=True, tag="stem_begin"):
    """A stem is coming, `frames` long at `rate`."""

    seq: int
    job: str
    stem: str
    rate: int
    frames: int


class StemChunk(_FromWorker, frozen=True, tag="stem_chunk"):
    """A finished stretch of a stem from frame `offset` on."""

    seq: int
    job: str
    stem: str
    rate: int
    offset: int
    checksum: int
    pcm: bytes


class StemEnd(_FromWorker, frozen=True, tag="stem_end"):
    """All of a stem was sent. Acknowledged once it lies encoded on the server's disk."""

    seq: int
    job: str
    stem: str
    sha256: str


class Result(_FromWorker, frozen=True, tag="result"):
    """A job is done; `data` is what analysis found, or how separation went. Acknowledged once it is committed."""

    seq: int
    job: str
    data: dict[str, Any]


class Failed(_FromWorker, frozen=True, tag="failed"):
    """An attempt failed. A transient one comes back by the queue after a while; else the job has failed for good.

    `code` names the fact for programs (`pipeline.errors`).
    """

    seq: int
    job: str
    message: str
    transient: bool = False
    code: str = "failed"


class Left(_FromWorker, frozen=True, tag="left"):
    """The worker stops and gives a job's message back to its broker: nobody has died. Nothing answers it."""

    job: str


WorkerMessage = Hello | Begin | Progress | Note | StemBegin | StemChunk | StemEnd | Result | Failed | Left


class _FromServer(msgspec.Struct, frozen=True, tag_field="type"):
    """A message the server sends."""


class Welcome(_FromServer, frozen=True, tag="welcome"):
    """Answer to `hello`."""

    protocol: int
    version: str


class Ack(_FromServer, frozen=True, tag="ack"):
    """The message `seq` is safe. For `begin` and `stem_begin`, `have` holds the ranges that are on the server per stem,
    `ended` the stems that need no more, and `focus` where the playheads are (frames at 44.1 kHz)."""

    seq: int
    have: dict[str, Ranges] = {}
    ended: tuple[str, ...] = ()
    focus: tuple[int, ...] = ()


class Cancel(_FromServer, frozen=True, tag="cancel"):
    """Stop this job, drop what belongs to it and take its message off the queue. `reason` says why in words."""

    job: str
    reason: str = "cancelled"
    seq: int = 0


class Later(_FromServer, frozen=True, tag="later"):
    """Answer to the `begin` of a handed message: give it back to be delivered after `after_s`. With `alone` begin again
    when nothing else runs in the process, instead."""

    seq: int
    job: str
    after_s: float
    alone: bool = False


class Focus(_FromServer, frozen=True, tag="focus"):
    """The playheads of the decks that hold the job's track, in frames at 44.1 kHz; empty when no deck holds it."""

    job: str
    frames: tuple[int, ...]


class Error(_FromServer, frozen=True, tag="error"):
    """The message `seq` was refused and changed nothing."""

    code: str
    message: str
    seq: int = 0
    job: str = ""


ServerMessage = Welcome | Ack | Cancel | Later | Focus | Error

_encoder: Final = msgspec.msgpack.Encoder()
_from_worker: Final[msgspec.msgpack.Decoder[WorkerMessage]] = msgspec.msgpack.Decoder(WorkerMessage)
_from_server: Final[msgspec.msgpack.Decoder[ServerMessage]] = msgspec.msgpack.Decoder(ServerMessage)


def encode(message: WorkerMessage | ServerMessage) -> bytes:
    """Return the wire form of `message`."""
    return _encoder.encode(message)


def decode_from_worker(data: bytes) -> WorkerMessage:
    """Return the message a worker sent. Raises msgspec.DecodeError, of which ValidationError is one."""
    return _from_worker.decode(data)


def decode_from_server(data: bytes) -> ServerMessage:
    """Return the message the server sent. Raises msgspec.DecodeError, of which ValidationError is one."""
    return _from_server.decode(data)
