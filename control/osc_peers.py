"""Who may move the show by OSC, and who hears it: the peers table and the subscriptions.

Owner: the OSC surface. Pure: no I/O, no clock; `now` is monotonic seconds.
Units: seconds.

    sender              known as     moves the show     gets replies
    this machine        (loopback)   yes                yes
    not seen before     waiting      no                 no
    allowed             allowed      yes                yes
    blocked             blocked      no                 no

A peer is an address without its port: a phone sends from a new port whenever its app starts.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from control.osc_queue import Sender

SUBSCRIPTION_S: Final = 60.0
"""How long a subscription lasts from the last /subscribe."""

MAX_WAITING: Final = 64
"""Unknown senders remembered at once; the one that has been silent longest is forgotten for a new one."""

MAX_SUBSCRIPTIONS: Final = 64
MAX_PER_HOST: Final = 16
"""Subscriptions of one address."""


class PeerStatus(StrEnum):
    """What the performer said about a sender."""

    WAITING = "waiting"
    ALLOWED = "allowed"
    BLOCKED = "blocked"


@dataclass(slots=True)
class PeerState:
    """One sender. `messages` counts what it sent since the start, `last_seen` is 0 if nothing yet."""

    address: str
    status: PeerStatus
    messages: int = 0
    last_seen: float = 0.0


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine speaking to itself."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def is_address(host: str) -> bool:
    """Return whether `host` is an IP address as senders have it."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


class PeerTable:
    """Senders and what may be done with their messages."""

    def __init__(self, known: Iterable[tuple[str, PeerStatus]] = ()) -> None:
        self._peers: dict[str, PeerState] = {
            address: PeerState(address, status) for address, status in known if status is not PeerStatus.WAITING
        }
        self.revision = 0
        """Grows whenever a sender appears, changes its status or is forgotten; counts of messages do not move it."""

    def peers(self) -> list[PeerState]:
        """Return every sender but this machine, those who wait first."""
        order = list(PeerStatus)
        return sorted(self._peers.values(), key=lambda peer: (order.index(peer.status), peer.address))

    def admit(self, host: str, now: float) -> bool:
        """Count a message from `host` and return whether it may move the show. An unknown host begins to wait."""
        if is_loopback(host):
            return True
        peer = self._peers.get(host)
        if peer is None:
            self._make_room()
            peer = self._peers[host] = PeerState(host, PeerStatus.WAITING)
            self.revision += 1
        peer.messages += 1
        peer.last_seen = now
        return peer.status is PeerStatus.ALLOWED

    def may_hear(self, host: str) -> bool:
        """Return whether anything may be sent to `host`."""
        peer = self._peers.get(host)
        return is_loopback(host) or (peer is not None and peer.status is PeerStatus.ALLOWED)

    def decide(self, address: str, status: PeerStatus) -> None:
        """Allow, block or put back to waiting. An address that has not knocked yet may be decided on too."""
        peer = self._peers.setdefault(address, PeerState(address, status))
        peer.status = status
        self.revision += 1

    def forget(self, address: str) -> bool:
        """Forget a sender; its next message makes it wait again. Return whether it was known."""
        known = self._peers.pop(address, None) is not None
        self.revision += known
        return known

    def _make_room(self) -> None:
        waiting = [peer for peer in self._peers.values() if peer.status is PeerStatus.WAITING]
        if len(waiting) >= MAX_WAITING:
            del self._peers[min(waiting, key=lambda peer: peer.last_seen).address]


@dataclass(slots=True)
class Subscription:
    """Somebody who hears the show at `target`, having asked from `source`, until `expires`."""

    target: Sender
    source: Sender
    expires: float


class Subscriptions:
    """Who hears the show. One entry a target; asking again renews it."""

    def __init__(self) -> None:
        self._by_target: dict[Sender, Subscription] = {}

    def __len__(self) -> int:
        return len(self._by_target)

    def subscribe(self, source: Sender, port: int, now: float) -> Subscription | None:
        """Subscribe the sender at `port` of its address, 0 for the port or the connection it sent from.

        Returns None if there are too many already. Raises ValueError for a port that does not exist.
        """
        if not 0 <= port <= 65_535:
            raise ValueError(f"a port is 0 to 65535, not {port}")
        target = _target(source, port)
        existing = self._by_target.get(target)
        if existing is not None:
            existing.source = source
            existing.expires = now + SUBSCRIPTION_S
            return existing
        self.expire(now)
        of_host = sum(other[0] == source[0] for other in self._by_target)
        if len(self._by_target) >= MAX_SUBSCRIPTIONS or of_host >= MAX_PER_HOST:
            return None
        made = self._by_target[target] = Subscription(target, source, now + SUBSCRIPTION_S)
        return made

    def unsubscribe(self, source: Sender, port: int | None = None) -> list[Sender]:
        """End the sender's subscription and return the targets that hear no more.

        With a port (0: the one it sent from) that one. Without, those it asked for from this very port, and if there
        are none, all of its address: a command-line sender has a new port each time.
        """
        mine = [entry for entry in self._by_target.values() if entry.target[0] == source[0]]
        if port is not None:
            mine = [entry for entry in mine if entry.target == _target(source, port)]
        else:
            mine = [entry for entry in mine if source in (entry.source, entry.target)] or mine
        for entry in mine:
            del self._by_target[entry.target]
        return [entry.target for entry in mine]

    def drop_host(self, host: str) -> list[Sender]:
        """End every subscription of an address and return the targets."""
        gone = [target for target in self._by_target if target[0] == host]
        for target in gone:
            del self._by_target[target]
        return gone

    def drop(self, target: Sender) -> bool:
        """End the subscription of one target; return whether there was one."""
        return self._by_target.pop(target, None) is not None

    def expire(self, now: float) -> list[Sender]:
        """End what was not renewed in time and return the targets."""
        gone = [entry.target for entry in self._by_target.values() if entry.expires <= now]
        for target in gone:
            del self._by_target[target]
        return gone

    def targets(self) -> list[Sender]:
        """Return where the show is heard, expired ones included until `expire`."""
        return list(self._by_target)

    def targets_of(self, source: Sender) -> list[Sender]:
        """Return where this very sender hears the show."""
        return [entry.target for entry in self._by_target.values() if source in (entry.source, entry.target)]


def _target(source: Sender, port: int) -> Sender:
    return (source[0], port) if port else source
