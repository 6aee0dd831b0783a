"""A connection to where a link leads, and to nowhere else: no link may make this machine speak to itself.

Owner: the thread that fetches. A name is resolved once, every address it has is looked at, and the connection goes to
the address that was looked at, so that a name cannot lead elsewhere a moment later. A redirect is a new link and is
looked at again. `private` is the owner's word that private addresses are fine.
Units: seconds.
"""

import http.client
import ipaddress
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from pipeline.errors import PermanentFailure, TransientFailure

CONNECT_S: Final = 15.0
"""How long a host may take to answer at all."""

SILENCE_S: Final = 30.0
"""How long a connection may stay silent."""

LOOK_S: Final = 0.1
"""How often a wait looks whether it is wanted any more."""

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

Resolve = Callable[[str, int], Sequence[tuple[Any, ...]]]


class PrivateAddress(PermanentFailure):
    """The link leads into a private network, and links may not; the owner can allow it with `fetch_private = true`."""

    code = "private_address"


class NotTrusted(PermanentFailure):
    """The host of the link cannot prove who it is."""

    code = "not_trusted"


class Unreachable(TransientFailure):
    """The host of the link does not answer."""

    code = "unreachable"


def is_public(address: str) -> bool:
    """Say whether an address belongs to the internet: not this machine, its network, or a way around to either."""
    try:
        ip = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is not None:
            ip = inner
        elif int(ip) >> 32 == 0:  # an IPv4 address in the oldest of the IPv6 spellings, or loopback
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def look_up(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    """Ask the system's resolver. Raises OSError."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def addresses(
    host: str, port: int, *, private: bool, cancelled: Callable[[], bool], resolve: Resolve = look_up
) -> list[tuple[int, tuple[Any, ...]]]:
    """Return family and socket address of each place a name leads to; one that is private among them refuses all.

    Raises PrivateAddress, Unreachable; Unreachable too when `cancelled` says so meanwhile.
    """
    found: list[Sequence[tuple[Any, ...]] | OSError | UnicodeError] = []

    def ask() -> None:
        try:
            found.append(resolve(host, port))
        except (OSError, UnicodeError) as error:
            found.append(error)

    # The resolver cannot be interrupted; a thread of its own may take its time.
    asking = threading.Thread(target=ask, name="resolve", daemon=True)
    asking.start()
    until = time.monotonic() + CONNECT_S
    while asking.is_alive() and time.monotonic() < until and not cancelled():
        asking.join(LOOK_S)
    if not found:
        raise Unreachable(f"The name {host} is not found in time.")
    if isinstance(found[0], Exception):
        raise Unreachable(f"The name {host} is not known.")
    places = [(entry[0], tuple(entry[4])) for entry in found[0]]
    if not places:
        raise Unreachable(f"The name {host} leads nowhere.")
    if not private and not all(is_public(str(place[0])) for _, place in places):
        raise PrivateAddress
    return places


def connect(
    scheme: str, host: str, port: int, *, private: bool, cancelled: Callable[[], bool], resolve: Resolve = look_up
) -> http.client.HTTPConnection:
    """Return an open connection. Raises as `addresses`, NotTrusted."""
    why = ""
    for family, place in addresses(host, port, private=private, cancelled=cancelled, resolve=resolve):
        try:
            raw = _open(family, place, cancelled)
        except OSError as error:
            why = error.strerror or str(error)
            continue
        try:
            return _speak(scheme, host, port, raw)
        except ssl.SSLCertVerificationError as error:
            raw.close()
            raise NotTrusted(f"The certificate of {host} is not good: {error.verify_message}.") from error
        except OSError as error:
            raw.close()
            why = error.strerror or str(error)
    raise Unreachable(f"{host} does not answer: {why}.")


def _open(family: int, place: tuple[Any, ...], cancelled: Callable[[], bool]) -> socket.socket:
    """Connect, looking now and then whether it is still wanted."""
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.connect_ex(place)
        until = time.monotonic() + CONNECT_S
        while not select.select([], [made], [], LOOK_S)[1]:
            if cancelled() or time.monotonic() > until:
                raise TimeoutError("no answer in time")
        if error := made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))
        made.settimeout(SILENCE_S)
    except BaseException:
        made.close()
        raise
    return made


def _speak(scheme: str, host: str, port: int, raw: socket.socket) -> http.client.HTTPConnection:
    """Put HTTP on an open socket; the certificate is checked against the name of the link."""
    connection = http.client.HTTPConnection(host, port, timeout=SILENCE_S)
    connection.sock = ssl.create_default_context().wrap_socket(raw, server_hostname=host) if scheme == "https" else raw
    return connection


class Watch:
    """Hangs up when the work is not wanted any more: a read that waits then ends at once. Used with `with`."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled
        self._over = threading.Event()
        self._line: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def over(self, line: socket.socket) -> None:
        """Watch over this socket from now on."""
        self._line = line

    def _run(self) -> None:
        while not self._over.wait(LOOK_S):
            if self._cancelled() and self._line is not None:
                try:
                    socket.socket.shutdown(self._line, socket.SHUT_RDWR)  # below TLS, which would want an answer
                except OSError:
                    return
