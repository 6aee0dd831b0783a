"""A worker process's one connection to the server: kept up, shared by all its jobs. Only file with the socket library
here.

Owner: the client's own thread connects and reads; any thread sends.
Units: seconds.
"""

import itertools
import logging
import random
import ssl
import threading
from types import TracebackType
from typing import Final, Self

import msgspec
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from pipeline import wire
from pipeline.broker_session import Claim
from pipeline.worker_link import JobLink
from pipeline.worker_spool import Spool

log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 5.0
_HELLO_S: Final = 10.0


class WorkerClient:
    """The connection; opened with `with`. It comes back by itself, with growing pauses, until it is closed."""

    def __init__(
        self,
        server: str,
        hello: wire.Hello,
        stopping: threading.Event | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url = wire.socket_url(server, wire.WORKER_PATH)
        self._tls = tls
        self._hello = hello
        self.changed = threading.Condition()
        self.stopping = stopping or threading.Event()
        self._closed = threading.Event()
        self._socket: ClientConnection | None = None
        self._sending = threading.Lock()
        self._numbers = itertools.count(1)
        self._links: dict[str, JobLink] = {}
        self._asked: dict[int, JobLink] = {}
        self._thread = threading.Thread(target=self._run, name="worker-socket", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        socket = self._socket
        if socket is not None:
            socket.close()
        self._thread.join(timeout=2)

    @property
    def connected(self) -> bool:
        """Whether the server has said welcome."""
        return self._socket is not None

    def link(self, job: str, claim: Claim, spool: Spool, *, handed: bool = False, alone: bool = False) -> JobLink:
        """Begin a job; an older claim on it in this process is over by then, since the spool is held by one alone."""
        made = JobLink(self, job, claim, spool, handed=handed, alone=alone)
        with self.changed:
            self._links[job] = made
            begin = made.connected()
        self.send(begin)
        return made

    def unlink(self, link: JobLink) -> None:
        """Forget a job."""
        with self.changed:
            if self._links.get(link.job) is link:
                del self._links[link.job]
            self._asked = {number: asker for number, asker in self._asked.items() if asker is not link}

    def leave_all(self) -> None:
        """Say of every job at hand that it goes back to its broker."""
        for link in list(self._links.values()):
            link.leave()

    def number(self, link: JobLink) -> int:
        """Return a number for a message that wants an answer, which will be handed to `link`."""
        number = next(self._numbers)
        self._asked[number] = link
        return number

    def send(self, message: wire.WorkerMessage) -> bool:
        """Send now; False when there is no connection or it went away meanwhile."""
        socket = self._socket
        if socket is None:
            return False
        try:
            with self._sending:
                socket.send(wire.encode(message))
        except (OSError, WebSocketException):
            return False
        return True

    # -- the client's thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._closed.is_set():
            try:
                with connect(
                    self._url, max_size=wire.MAX_MESSAGE_BYTES, compression=None, proxy=None, open_timeout=_HELLO_S,
                    ssl=self._tls,
                ) as socket:  # fmt: skip
                    self._greet(socket)
                    pause_s = _FIRST_PAUSE_S
                    log.info("Connected to %s.", self._url)
                    for data in socket:
                        self._hear(data)
                log.info("The server has closed the connection.")
            except (OSError, WebSocketException, _NotWelcome) as error:
                log.log(logging.INFO if pause_s > 1 else logging.DEBUG, "No connection to %s: %s", self._url, error)
            self._hang_up()
            self._closed.wait(pause_s * random.uniform(0.7, 1.0))
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    def _greet(self, socket: ClientConnection) -> None:
        socket.send(wire.encode(self._hello))
        answer = socket.recv(timeout=_HELLO_S)
        try:
            welcome = wire.decode_from_server(answer if isinstance(answer, bytes) else answer.encode())
        except msgspec.DecodeError as error:
            raise _NotWelcome(f"an answer that is none: {error}") from error
        if isinstance(welcome, wire.Error):
            raise _NotWelcome(welcome.message)
        if not isinstance(welcome, wire.Welcome) or welcome.protocol != wire.WIRE_VERSION:
            raise _NotWelcome("the server speaks another version; bring both to the same")
        with self.changed:
            self._socket = socket
            begins = [link.connected() for link in self._links.values()]
        for begin in begins:
            self.send(begin)

    def _hear(self, data: str | bytes) -> None:
        try:
            message = wire.decode_from_server(data if isinstance(data, bytes) else data.encode())
        except msgspec.DecodeError as error:
            log.warning("The server sent something unreadable: %s", error)
            return
        with self.changed:
            if isinstance(message, wire.Ack | wire.Error):
                link = self._asked.pop(message.seq, None)
                if link is not None:
                    link.answered(message)
                elif isinstance(message, wire.Error):
                    log.warning("The server refused something: %s", message.message)
            elif isinstance(message, wire.Cancel | wire.Later | wire.Focus) and message.job in self._links:
                link = self._links[message.job]
                if isinstance(message, wire.Cancel):
                    link.drop(message.reason)
                elif isinstance(message, wire.Later):
                    link.wait(message.after_s, message.alone)
                else:
                    link.look_at(message.frames)
            self.changed.notify_all()

    def _hang_up(self) -> None:
        with self.changed:
            self._socket = None
            self._asked.clear()
            for link in self._links.values():
                link.disconnected()
            self.changed.notify_all()


class _NotWelcome(Exception):
    """The server did not let us in."""
