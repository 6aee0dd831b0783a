"""The TCP door for OSC: each connection is a sender of its own, in the same queues as those on UDP.

Owner: the event loop; nothing here is thread-safe and nothing blocks.
Units: bytes.

A connection whose packets wait in a full queue is not read until there is room: TCP slows the sender down and nothing
is lost. A stream whose framing is lost, or that takes no replies, is closed; the others go on.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from control.errors import BadMessage, PortTaken
from control.osc_queue import Sender
from control.osc_stream import Framing, Slip, framing_of

log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 64
MAX_UNSENT: Final = 1 << 20
"""Bytes a connection may leave unread before what else is meant for it waits with us."""

RETRY_S: Final = 0.005
"""Pause before a full queue is tried again."""


@dataclass(slots=True)
class _Connection:
    transport: asyncio.Transport
    framing: Framing | None = None


class OscTcp:
    """Listens on one port of one or two address families.

    `put` takes a packet and returns False when the sender's queue is full; `gone` is told of every connection that
    ended. A sender is (address, port, number of the connection).
    """

    def __init__(
        self,
        put: Callable[[Sender, bytes], bool],
        admits: Callable[[Sender], bool],
        gone: Callable[[Sender], None],
    ) -> None:
        self._put = put
        self._admits = admits
        self._gone = gone
        self._servers: list[asyncio.Server] = []
        self._connections: dict[Sender, _Connection] = {}
        self._serial = 0
        self.port = 0

    @property
    def connections(self) -> list[Sender]:
        """Who is connected."""
        return list(self._connections)

    async def open(self, port: int, hosts: Sequence[str]) -> None:
        """Listen; the first of `hosts` must work, the others may. Raises PortTaken."""
        loop = asyncio.get_running_loop()
        for host in hosts:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            try:
                server = await loop.create_server(lambda: _Protocol(self), host, port, family=family)
            except OSError as error:
                if self._servers:
                    log.info("OSC over TCP is not heard on %s port %d: %s", host, port, error)
                    continue
                raise PortTaken(
                    f"TCP port {port} cannot be opened on {host} ({error.strerror or error}); close the program that "
                    "has it, or choose another with --osc-port"
                ) from error
            self._servers.append(server)
            port = int(server.sockets[0].getsockname()[1])
        self.port = port

    def shut(self, keeps: Callable[[Sender], bool]) -> None:
        """Stop listening, to open again elsewhere; connections that `keeps` wants stay."""
        for server in self._servers:
            server.close()
        self._servers = []
        for sender in self.connections:
            if not keeps(sender):
                self.drop(sender)

    def close(self) -> None:
        """Stop listening and end every connection."""
        self.shut(lambda sender: False)

    def drop(self, sender: Sender) -> None:
        """End a connection."""
        connection = self._connections.get(sender)
        if connection is not None:
            connection.transport.abort()

    def send(self, packet: bytes, to: Sender) -> bool:
        """Send a packet; return False if the connection is slow and it may be tried again. Never raises."""
        connection = self._connections.get(to)
        if connection is None or connection.transport.is_closing():
            return True
        if connection.transport.get_write_buffer_size() > MAX_UNSENT:
            return False
        connection.framing = connection.framing or Slip()
        connection.transport.write(connection.framing.frame(packet))
        return True

    # -- connections, called by their protocol -------------------------------------------------------------------------

    def _enter(self, transport: asyncio.Transport) -> Sender | None:
        if len(self._connections) >= MAX_CONNECTIONS:
            transport.abort()
            return None
        host, port = transport.get_extra_info("peername")[:2]
        self._serial += 1
        sender: Sender = (host, port, self._serial)
        self._connections[sender] = _Connection(transport)
        return sender

    def _leave(self, sender: Sender) -> None:
        del self._connections[sender]
        self._gone(sender)

    def _arrive(self, sender: Sender, data: bytes) -> list[bytes]:
        """Take bytes; return the packets that found no room. Raises BadMessage."""
        connection = self._connections[sender]
        if connection.framing is None:
            connection.framing = framing_of(data)
        packets = [packet for packet in connection.framing.feed(data) if self._admits(sender)]
        return self._offer(sender, packets)

    def _offer(self, sender: Sender, packets: list[bytes]) -> list[bytes]:
        for index, packet in enumerate(packets):
            if not self._put(sender, packet):
                return packets[index:]
        return []


class _Protocol(asyncio.Protocol):
    """One connection: reads while there is room."""

    def __init__(self, door: OscTcp) -> None:
        self._door = door
        self._transport: asyncio.Transport | None = None
        self._sender: Sender | None = None
        self._held: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._sender = self._door._enter(transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if self._sender is None:
            return
        try:
            self._held += self._door._arrive(self._sender, data)
        except BadMessage as error:
            log.info("OSC over TCP from %s is closed: %s", self._sender[0], error)
            self._transport.close()
            return
        if self._held:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(RETRY_S, self._retry)

    def _retry(self) -> None:
        assert self._transport is not None
        if self._sender is None or self._transport.is_closing():
            return
        self._held = self._door._offer(self._sender, self._held)
        if self._held:
            asyncio.get_running_loop().call_later(RETRY_S, self._retry)
        else:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            self._door._leave(sender)
