"""A worker's way to the embedded queue from another machine: PostgreSQL's bytes over the server's own address.

Owner: a worker process, or none: where the queue has an address of its own (`--broker`) there is no tunnel. One thread
accepts, two carry each connection (a worker process has two). psycopg sees a local socket in a folder of mode 0700.
Units: bytes.
"""

import contextlib
import logging
import shutil
import socket
import ssl
import struct
import tempfile
import threading
from pathlib import Path
from typing import Final
from urllib.parse import quote

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from pipeline import wire

log = logging.getLogger(__name__)

_OPEN_S: Final = 10.0
_READ: Final = 65_536


class Tunnel:
    """Opened with `url`, which starts it; ends with `close`. Thread-safe: yes."""

    def __init__(self, server: str, token: str, tls: ssl.SSLContext | None = None) -> None:
        self._address = wire.socket_url(server, wire.QUEUE_PATH)
        self._token = token
        self._tls = tls
        self._folder = Path(tempfile.mkdtemp(prefix="alchemy-queue-"))
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self._folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self._closed = threading.Event()
        threading.Thread(target=self._accept, name="queue-tunnel", daemon=True).start()

    @property
    def url(self) -> str:
        """The queue's address, as psycopg reads it. Role and database are the server's to say."""
        return f"postgresql://worker@/queue?host={quote(str(self._folder), safe='')}&gssencmode=disable"

    def close(self) -> None:
        """Take no more connections, and leave nothing behind."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                local, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(local,), name="queue-tunnel", daemon=True).start()

    def _carry(self, local: socket.socket) -> None:
        with local:
            try:
                first = _first_packet(local)
                headers = {"Authorization": f"Bearer {self._token}"}
                with connect(
                    self._address, additional_headers=headers, ssl=self._tls, compression=None, proxy=None,
                    open_timeout=_OPEN_S, max_size=None,
                ) as remote:  # fmt: skip
                    remote.send(first)
                    threading.Thread(target=_outward, args=(local, remote), name="queue-tunnel", daemon=True).start()
                    for data in remote:
                        local.sendall(data if isinstance(data, bytes) else data.encode())
            except (OSError, WebSocketException) as error:
                log.debug("The way to the queue ended: %s", error)
            with contextlib.suppress(OSError):
                local.shutdown(socket.SHUT_RDWR)


def _first_packet(local: socket.socket) -> bytes:
    """Return the packet that a connection begins with, whole: the server looks at it. Raises OSError."""
    data = b""
    while len(data) < 4 or len(data) < struct.unpack("!i", data[:4])[0]:
        more = local.recv(_READ)
        if not more:
            raise ConnectionError("hung up before the first packet")
        data += more
    return data


def _outward(local: socket.socket, remote: ClientConnection) -> None:
    """Send on what psycopg says until it hangs up."""
    with contextlib.suppress(OSError, WebSocketException):
        while data := local.recv(_READ):
            remote.send(data)
        remote.close()
