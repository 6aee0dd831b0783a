"""The Dramatiq broker of this program: PostgreSQL itself, so that a job and its message are one transaction.

Owner: a worker process makes one with `broker_for`; Dramatiq's threads use it.
Units: milliseconds where Dramatiq's interface has them.

`ALCHEMY_BROKER` chooses by its scheme. Why our own and not a library: `pipeline/README.md`.
"""

import threading
import time
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from dramatiq.broker import Broker, Consumer, MessageProxy
from dramatiq.common import current_millis
from dramatiq.errors import DecodeError, QueueJoinTimeout, QueueNotFound
from dramatiq.message import Message
from dramatiq.middleware import CurrentMessage, Middleware, Retries

from pipeline.broker_others import BrokerUnsupported, rabbitmq, redis
from pipeline.broker_session import Claim, QueueSession

MAX_RETRIES: Final = 3
"""How often a job that failed for a passing reason is tried again."""

MIN_BACKOFF_MS: Final = 1_000
MAX_BACKOFF_MS: Final = 60_000


def broker_for(url: str) -> Broker:
    """Return the broker for `url`. Raises BrokerUnsupported."""
    scheme = urlsplit(url).scheme
    if scheme in ("postgresql", "postgres"):
        return PostgresBroker(url)
    if scheme in ("amqp", "amqps"):
        return rabbitmq(url, middleware())
    if scheme in ("redis", "rediss"):
        return redis(url, middleware())
    raise BrokerUnsupported(
        f"There is no message broker for {scheme or 'empty'!r} addresses; amqp:// is RabbitMQ, redis:// is Redis. "
        "Leave ALCHEMY_BROKER empty to use the database."
    )


def middleware() -> list[Middleware]:
    """Return what runs around every message. No time limit: a long track takes its time, and jobs can be cancelled."""
    return [CurrentMessage(), Retries(max_retries=MAX_RETRIES, min_backoff=MIN_BACKOFF_MS, max_backoff=MAX_BACKOFF_MS)]


class Claimed(MessageProxy):
    """A message with the receipt for it."""

    def __init__(self, message: Message[Any], claim: Claim) -> None:
        super().__init__(message)
        self.claim = claim
        self.reason = ""

    def stuff_exception(self, exception: BaseException) -> None:
        """Remember what went wrong beyond the exception itself, for the dead-letter row."""
        super().stuff_exception(exception)
        self.reason = str(exception) or type(exception).__name__


class PostgresBroker(Broker):
    """Messages in the table `queue.messages` (migrations/0002_queue.sql)."""

    def __init__(self, dsn: str, *, middleware: list[Middleware] | None = None, max_deaths: int = 3) -> None:
        super().__init__(_default(middleware))
        self.queues: dict[str, None] = {}
        self.session = QueueSession(dsn, max_deaths=max_deaths)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 1_000) -> Consumer:
        """Return an iterator over a queue's messages; `prefetch` counts the ones that run. Raises QueueNotFound."""
        self._known(queue_name)
        return _Consumer(self.session, queue_name, prefetch, timeout / 1000)

    def declare_queue(self, queue_name: str) -> None:
        """Make a queue known. Delays are the database's business, so there are no delay queues."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = None
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Put a message; a message in hand (a retry) goes back under its own id. `delay` in milliseconds."""
        self._known(message.queue_name)
        delay_s = (delay or 0) / 1000
        self.emit_before("enqueue", message, delay)
        if isinstance(message, Claimed):
            payload = Message.encode(message._message)
            self.session.release(message.claim, delay_s, payload)
        else:
            actor = self.actors.get(message.actor_name)
            priority = -actor.priority if actor is not None else 0
            subject = message.options.get("subject")
            self.session.put(
                message.message_id, message.queue_name, message.actor_name, message.encode(), priority, delay_s, subject
            )
        self.emit_after("enqueue", message, delay)
        return message

    def flush(self, queue_name: str) -> None:
        """Drop all messages of a queue that do not run."""
        self._known(queue_name)
        self.session.flush(queue_name)

    def flush_all(self) -> None:
        """Drop all messages of all declared queues that do not run."""
        for queue_name in self.queues:
            self.flush(queue_name)

    def join(self, queue_name: str, *, timeout: int | None = None) -> None:
        """Wait until nothing of a queue waits or runs, dead letters aside. Raises QueueJoinTimeout. For tests."""
        self._known(queue_name)
        until = None if timeout is None else current_millis() + timeout
        while self.session.count(queue_name):
            if until is not None and current_millis() > until:
                raise QueueJoinTimeout(queue_name)  # type: ignore[no-untyped-call]  # Dramatiq's
            time.sleep(0.02)

    def close(self) -> None:
        """Give back what this process holds and hang up."""
        self.session.close()

    def _known(self, queue_name: str) -> None:
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)  # type: ignore[no-untyped-call]  # Dramatiq's


class _Consumer(Consumer):
    """Takes messages of one queue as there is room for them."""

    def __init__(self, session: QueueSession, queue_name: str, prefetch: int, timeout_s: float) -> None:
        self._session = session
        self._queue = queue_name
        self._prefetch = prefetch
        self._timeout_s = timeout_s
        self._out = 0
        self._room = threading.Lock()
        self._waker = threading.Event()
        session.listen(queue_name, self._waker)

    def __next__(self) -> Claimed | None:
        """Return the next message, or None when there was none (or no room for one) for a while."""
        self._waker.clear()
        wait_s = self._timeout_s
        if self._out < self._prefetch:
            claim = self._session.claim(self._queue)
            if claim is not None:
                with self._room:
                    self._out += 1
                try:
                    return Claimed(Message.decode(claim.payload), claim)
                except DecodeError as error:
                    self._done()
                    self._session.bury(claim, f"cannot be read: {error.error}")
                    return None
            due_s = self._session.due_s(self._queue)
            if due_s is not None:
                wait_s = min(wait_s, due_s + 0.001)
        self._waker.wait(wait_s)
        return None

    def ack(self, message: MessageProxy) -> None:
        """Take a finished message away, unless a retry has put it back or somebody else has it."""
        assert isinstance(message, Claimed)
        self._session.ack(message.claim)
        self._done()

    def nack(self, message: MessageProxy) -> None:
        """Move a message to the dead letters."""
        assert isinstance(message, Claimed)
        self._session.bury(message.claim, message.reason or "failed")
        self._done()

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Give back messages that were taken and not begun."""
        for message in messages:
            assert isinstance(message, Claimed)
            self._session.release(message.claim)
            self._done()

    def close(self) -> None:
        """Take nothing more."""
        self._session.unlisten(self._queue, self._waker)

    def _done(self) -> None:
        with self._room:
            self._out -= 1
        self._waker.set()


def _default(given: list[Middleware] | None) -> list[Middleware]:
    return middleware() if given is None else given
