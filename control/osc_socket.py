"""The UDP door for OSC: drains the socket into fair queues, hands datagrams on in bounded slices, sends replies.

Owner: the event loop; nothing here is thread-safe and nothing blocks.
Units: datagrams; times in seconds.

    socket(s) --drain until empty, bounded--> FairQueue --a slice of SERVE_S at a time--> handle(data, sender)
         '--the first, while nothing waits---------------------------------------------> handle(data, sender)

Draining and handling are apart on purpose. Draining costs about 3 us a datagram, so it keeps up with a sender on the
same machine and the kernel's buffer stays near empty, whatever handling costs; handling goes round the senders. A
datagram that comes while nothing waits is a hand at a fader: it is handled before anything else is looked at.
"""

import asyncio
import errno
import logging
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from control.errors import PortTaken
from control.osc_queue import FairQueue, Sender

log = logging.getLogger(__name__)

LOOPBACK: Final = ("127.0.0.1", "::1")
"""Where OSC is heard by default. Both, because `localhost` is either, depending on the system."""

EVERYWHERE: Final = ("0.0.0.0", "::")
"""Where OSC is heard while phones are let in."""

RECEIVE_BUFFER: Final = 32 * 2**20
"""Bytes asked of the kernel for what has not been read yet; it grants what it likes."""

DRAIN: Final = 512
"""Datagrams read in one turn of the loop, at most."""

SERVE_S: Final = 0.001
"""Time spent on handling in one turn of the loop, at most (and one datagram more)."""

MAX_DATAGRAM: Final = 65_535

_SO_RCVBUFFORCE: Final = 33
_SO_MEMINFO: Final = 55
_MEMINFO_DROPS: Final = 8


@dataclass(frozen=True, slots=True)
class SocketCounts:
    """What happened to datagrams since the start.

    `received` were read, of which `rejected` came from senders that are not let in, `superseded` gave way to a newer
    value of the same control, `refused` found their sender's queue full and `handled` were passed on. `lost` were
    dropped by the kernel because the buffer was full; `unsent` are replies it did not take. `waiting` are in queues.
    """

    received: int
    rejected: int
    superseded: int
    refused: int
    handled: int
    waiting: int
    lost: int
    unsent: int
    receive_buffer: int


class OscSocket:
    """Receives on one port of one or two address families, and answers from there.

    `admits` is asked for every datagram before it may wait and must be cheap; `handle` gets each that waited, in the
    sender's order, and must not raise or block. `coalesces` says which addresses only need their newest value. `served`
    is called when some have been handled, before the loop goes on.
    """

    def __init__(
        self,
        handle: Callable[[bytes, Sender], None],
        admits: Callable[[Sender], bool],
        coalesces: Callable[[bytes], bool],
        served: Callable[[], None] = lambda: None,
    ) -> None:
        self._handle = handle
        self._served = served
        self._admits = admits
        self._queue = FairQueue(coalesces)
        self._sockets: list[socket.socket] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: asyncio.Handle | None = None
        self._received = 0
        self._rejected = 0
        self._handled = 0
        self._unsent = 0
        self._lost_before = 0
        self.port = 0

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses it is bound to."""
        return tuple(str(sock.getsockname()[0]) for sock in self._sockets)

    def open(self, port: int, hosts: Sequence[str] = LOOPBACK) -> None:
        """Bind and listen. The first of `hosts` must work, the others may; port 0 takes any.

        Raises PortTaken.
        """
        if self._sockets:
            raise RuntimeError("the socket is open")
        self._loop = asyncio.get_running_loop()
        self._sockets = _bind(hosts, port)
        self.port = int(self._sockets[0].getsockname()[1])
        for sock in self._sockets:
            self._loop.add_reader(sock, self._readable, sock)

    def rebind(self, hosts: Sequence[str]) -> None:
        """Listen on other addresses of the same port; what was on its way is not lost.

        Raises PortTaken, and then listens as before.
        """
        assert self._loop is not None
        old = self._sockets
        # The new sockets are bound before the old ones go, so both may share the port for this one moment.
        for sock in old:
            _share(sock, True)
        try:
            new = _bind(hosts, self.port, share=True)
        except PortTaken:
            for sock in old:
                _share(sock, False)
            raise
        self._sockets = new
        for sock in new:
            _share(sock, False)
            self._loop.add_reader(sock, self._readable, sock)
        for sock in old:
            self._release(sock)

    def close(self) -> None:
        """Stop listening. What waits in queues is forgotten."""
        sockets, self._sockets = self._sockets, []
        for sock in sockets:
            self._release(sock, drain=False)
        if self._serving is not None:
            self._serving.cancel()
            self._serving = None

    def send(self, data: bytes, to: Sender) -> bool:
        """Send a datagram from the port; return False if the kernel's buffer is full and it may be tried again.

        Never raises: what cannot be sent at all (no route, no such network) is counted in `unsent`.
        """
        family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
        for sock in self._sockets:
            if sock.family == family:
                try:
                    sock.sendto(data, to)
                    return True
                except (BlockingIOError, InterruptedError):
                    return False
                except OSError as error:
                    if error.errno == errno.ENOBUFS:
                        return False
                    log.debug("no OSC to %s port %d: %s", to[0], to[1], error)
        self._unsent += 1
        return True

    def offer(self, sender: Sender, data: bytes) -> bool:
        """Queue a packet that came another way, through a connection; return False if the sender's queue is full.

        Whether the sender may be heard was asked before.
        """
        if not self._queue.put(sender, data):
            return False
        self._received += 1
        self._serve_soon()
        return True

    def counts(self) -> SocketCounts:
        """Return what happened so far."""
        queue = self._queue.counts
        sockets = self._sockets
        return SocketCounts(
            received=self._received,
            rejected=self._rejected,
            superseded=queue.superseded,
            refused=queue.refused,
            handled=self._handled,
            waiting=len(self._queue),
            lost=self._lost_before + sum(map(_drops, sockets)),
            unsent=self._unsent,
            receive_buffer=sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) if sockets else 0,
        )

    def _release(self, sock: socket.socket, drain: bool = True) -> None:
        assert self._loop is not None
        self._loop.remove_reader(sock)
        while drain and self._drain(sock) == DRAIN:
            pass
        self._lost_before += _drops(sock)
        sock.close()
        self._serve_soon()

    def _readable(self, sock: socket.socket) -> None:
        if not self._queue:
            self._drain(sock, 1)
            self._serve()
        self._drain(sock)
        if self._serving is None:
            self._serve()

    def _drain(self, sock: socket.socket, most: int = DRAIN) -> int:
        """Read until the socket is empty or `most` datagrams are read; return how many."""
        receive = sock.recvfrom
        put = self._queue.put
        admits = self._admits
        count = 0
        while count < most:
            try:
                data, address = receive(MAX_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:  # an ICMP error of an earlier reply shows up here on some systems
                log.debug("OSC socket: %s", error)
                break
            count += 1
            sender = address[:2]
            if admits(sender):
                put(sender, data)
            else:
                self._rejected += 1
        self._received += count
        return count

    def _serve(self) -> None:
        self._serving = None
        if not self._queue:
            return
        until = time.perf_counter() + SERVE_S
        for sender, data in self._queue.pop():
            self._handled += 1
            self._handle(data, sender)
            if time.perf_counter() >= until:
                break
        self._served()
        self._serve_soon()

    def _serve_soon(self) -> None:
        if self._serving is None and self._loop is not None and len(self._queue):
            self._serving = self._loop.call_soon(self._serve)


def _bind(hosts: Sequence[str], port: int, share: bool = False) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_DGRAM)
        except OSError as error:  # a system without IPv6
            if not sockets:
                raise PortTaken(f"no socket for {host}: {error}") from error
            continue
        try:
            sock.setblocking(False)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            _grow(sock)
            if share:
                _share(sock, True)
            sock.bind((host, port))
        except OSError as error:
            sock.close()
            if sockets:
                log.info("OSC is not heard on %s port %d: %s", host, port, error)
                continue
            raise PortTaken(
                f"UDP port {port} cannot be opened on {host} ({error.strerror or error}); close the program that has "
                "it, or choose another with --osc-port"
            ) from error
        port = int(sock.getsockname()[1])
        sockets.append(sock)
    return sockets


def _share(sock: socket.socket, on: bool) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(on))


def _grow(sock: socket.socket) -> None:
    """Ask for a large receive buffer: beyond the system's limit where we may, else as much as it gives."""
    if sys.platform == "linux":
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
            return
        except OSError:
            pass
    size = RECEIVE_BUFFER
    while size >= 65_536:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
            return
        except OSError:  # macOS refuses more than its limit instead of clamping
            size //= 2


def _drops(sock: socket.socket) -> int:
    """Return how many datagrams the kernel dropped at this socket; 0 where it does not tell."""
    if sys.platform != "linux":
        return 0
    try:
        info = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 64)
    except OSError:
        return 0
    count = len(info) // 4
    return int(struct.unpack(f"={count}I", info[: count * 4])[_MEMINFO_DROPS]) if count > _MEMINFO_DROPS else 0
