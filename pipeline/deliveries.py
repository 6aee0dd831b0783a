"""What a worker process has in hand: the receipt of each message, and how to give one back.

Owner: a worker process; its job threads call. Thread-safe: yes.
Units: seconds.

With PostgreSQL the receipt is the claim that the queue made. RabbitMQ and Redis know no receipts, so each delivery gets
a number by chance, and the server, which keeps the book of their messages, tells by it a reconnect from a redelivery.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from dramatiq.broker import Broker, MessageProxy
from dramatiq.errors import BrokerConnectionError
from dramatiq.message import Message

from pipeline.broker import MAX_RETRIES, Claimed, PostgresBroker
from pipeline.broker_session import Claim

log = logging.getLogger(__name__)

_LOOK_S: Final = 0.2


class Deliveries(Protocol):
    """Messages in hand. `handed` says whether the server keeps the book."""

    handed: bool

    def take(self, message: Message[Any] | MessageProxy) -> Claim:
        """Return the receipt of a message whose actor begins."""

    def done(self, claim: Claim) -> None:
        """The actor is about to return."""

    def give_back(self, claim: Claim, after_s: float = 0.0) -> None:
        """Have a message delivered to anybody after a while, not counted as a failure."""

    def give_all_back(self) -> None:
        """Give back what is still in hand, on the way out."""

    def is_last_try(self, message: Message[Any] | MessageProxy) -> bool:
        """Say whether a failure now is the end of it, which the queue itself would not tell the server."""


class Claims:
    """Deliveries of PostgreSQL."""

    handed = False

    def __init__(self, broker: PostgresBroker) -> None:
        self._session = broker.session

    def take(self, message: Message[Any] | MessageProxy) -> Claim:
        """Return the claim."""
        assert isinstance(message, Claimed)
        return message.claim

    def done(self, claim: Claim) -> None:
        """The broker takes it from here."""

    def give_back(self, claim: Claim, after_s: float = 0.0) -> None:
        """Release the claim."""
        self._session.release(claim, after_s)

    def give_all_back(self) -> None:
        """Closing the broker does."""

    def is_last_try(self, message: Message[Any] | MessageProxy) -> bool:
        """Never: the queue keeps dead letters where the server reads them."""
        return False


class Handed:
    """Deliveries of RabbitMQ and Redis: given back by putting a copy; the one in hand is acknowledged after."""

    handed = True

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._lock = threading.Lock()
        self._hand: dict[int, Any] = {}

    def take(self, message: Message[Any] | MessageProxy) -> Claim:
        """Return a receipt by chance."""
        claim = Claim(message.message_id, secrets.randbelow(2**31 - 1) + 1, 0, b"")
        with self._lock:
            self._hand[claim.claim] = message
        return claim

    def done(self, claim: Claim) -> None:
        """Forget it."""
        with self._lock:
            self._hand.pop(claim.claim, None)

    def give_back(self, claim: Claim, after_s: float = 0.0) -> None:
        """Put a copy."""
        with self._lock:
            message = self._hand.pop(claim.claim, None)
        if message is not None:
            self._broker.enqueue(message.copy(), delay=int(after_s * 1000) if after_s > 0 else None)

    def give_all_back(self) -> None:
        """Put copies of all; where the broker is out of reach, it gives them out again by itself."""
        for number in list(self._hand):
            try:
                self.give_back(Claim("", number, 0, b""))
            except BrokerConnectionError as error:
                log.warning("The broker is gone; what this worker had comes back by itself: %s", error)
                return

    def is_last_try(self, message: Message[Any] | MessageProxy) -> bool:
        """Say whether Dramatiq would give up now."""
        return int(message.options.get("retries", 0)) >= MAX_RETRIES


def deliveries_of(broker: Broker) -> Deliveries:
    """Return what fits the broker."""
    return Claims(broker) if isinstance(broker, PostgresBroker) else Handed(broker)


class Room:
    """Who works beside whom in one process: many together, or one alone (a message that has seen a worker die)."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._waiting = 0

    @contextmanager
    def together(self, check: Callable[[], None]) -> Iterator[None]:
        """Work beside others, after whoever waits to be alone. Whatever `check` raises ends the waiting."""
        with self._changed:
            while self._inside < 0 or self._waiting:
                check()
                self._changed.wait(_LOOK_S)
            self._inside += 1
        try:
            yield
        finally:
            self._leave(1)

    @contextmanager
    def alone(self, check: Callable[[], None]) -> Iterator[None]:
        """Work with nobody beside. Whatever `check` raises ends the waiting."""
        with self._changed:
            self._waiting += 1
            try:
                while self._inside:
                    check()
                    self._changed.wait(_LOOK_S)
                self._inside = -1
            finally:
                self._waiting -= 1
                self._changed.notify_all()
        try:
            yield
        finally:
            self._leave(-1)

    def _leave(self, place: int) -> None:
        with self._changed:
            self._inside -= place
            self._changed.notify_all()
