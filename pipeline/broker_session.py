"""A worker process's connection to the queue in PostgreSQL: its identity, its claims, its ears. Only file with psycopg.

Owner: one `QueueSession` per worker process, used from all its threads; a lock lets one statement through at a time.
Units: delays in seconds.

The identity is a random number held as a session advisory lock on the connection that also makes the claims, so that
losing one is losing the other: other workers see a death at once, and a connection that comes back takes a new number
and adopts what it still holds (see `migrations/0002_queue.sql`). A second connection only listens.
"""

import logging
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from dramatiq.errors import ConnectionFailed

log = logging.getLogger(__name__)

_NAMESPACE: Final = 21265
"""First half of the advisory locks that workers hold; `queue.alive` has the same number."""

_OPTIONS: Final = (
    # A queue's statistics are never right: without these the planner walks through dead rows (measured: 6 times
    # slower).
    "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c plan_cache_mode=force_generic_plan "
    # A worker whose machine is gone without a word: let the server's end of the connection die within 25 s.
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
)

_REAP_S: Final = 0.5
"""How often dead workers are looked for. One statement on an index of the running messages."""

_BACKOFF_S: Final = (0.0, 0.1, 0.3, 1.0)
"""Pauses before the attempts to reach the database; then the caller is told."""


@dataclass(slots=True)
class Claim:
    """A message that this process holds. `lost` is set when the queue has given it to somebody else meanwhile."""

    message_id: str
    claim: int
    deaths: int
    payload: bytes
    lost: threading.Event = field(default_factory=threading.Event)


class QueueSession:
    """Statements of one worker process on the queue. Thread-safe: yes. Opens itself on first use."""

    def __init__(self, dsn: str, *, max_deaths: int = 3) -> None:
        self._dsn = dsn
        self._max_deaths = max_deaths
        self._lock = threading.RLock()
        self._connection: psycopg.Connection[Any] | None = None
        self._identity = 0
        self._held: dict[tuple[str, int], Claim] = {}
        self._wakers: dict[str, list[threading.Event]] = {}
        self._closing = threading.Event()
        self._keeper: threading.Thread | None = None

    # -- the queue ---------------------------------------------------------------------------------------------------

    def put(
        self,
        message_id: str,
        queue: str,
        actor: str,
        payload: bytes,
        priority: int,
        delay_s: float,
        subject: str | None,
    ) -> None:
        """Add a message; one that is there already is left alone."""
        self._run("SELECT queue.put(%s, %s, %s, %s, %s, %s, %s)",
                  (message_id, queue, actor, payload, priority, delay_s, subject))  # fmt: skip

    def claim(self, queue: str) -> Claim | None:
        """Take the next message. While a message that has seen a worker die runs here, nothing else is taken."""
        with self._lock:
            if any(held.deaths for held in self._held.values()):
                return None
            rows = self._run(
                "SELECT message_id, claim, deaths, payload FROM queue.claim(%s, %s)", (queue, not self._held)
            )
            if not rows:
                return None
            claim = Claim(*rows[0])
            self._held[claim.message_id, claim.claim] = claim
            return claim

    def due_s(self, queue: str) -> float | None:
        """Return the seconds until the next delayed message is due, None when there is none."""
        rows = self._run("SELECT queue.due_s(%s)", (queue,))
        return None if rows[0][0] is None else float(rows[0][0])

    def ack(self, claim: Claim) -> None:
        """Take a finished message off the queue; changes nothing when it is somebody else's by now."""
        self._finish("SELECT queue.ack(%s, %s)", claim)

    def bury(self, claim: Claim, why: str) -> None:
        """Give up on a message for good."""
        self._finish("SELECT queue.bury(%s, %s, %s)", claim, why)

    def release(self, claim: Claim, delay_s: float = 0.0, payload: bytes | None = None) -> None:
        """Give a message back, to be delivered to anybody after `delay_s`."""
        self._finish("SELECT queue.release(%s, %s, %s, %s)", claim, delay_s, payload)

    def release_all(self) -> None:
        """Give back everything this process holds."""
        for claim in list(self._held.values()):
            self.release(claim)

    def count(self, queue: str) -> int:
        """Return how many messages wait or run."""
        rows = self._run("SELECT count(*) FROM queue.messages WHERE queue = %s AND state <> 'dead'", (queue,))
        return int(rows[0][0])

    def flush(self, queue: str) -> None:
        """Drop everything of a queue that does not run."""
        self._run("DELETE FROM queue.messages WHERE queue = %s AND state <> 'running' RETURNING 1", (queue,))

    # -- ears --------------------------------------------------------------------------------------------------------

    def listen(self, queue: str, waker: threading.Event) -> None:
        """Set `waker` whenever there may be something to take from `queue`."""
        with self._lock:
            self._wakers.setdefault(queue, []).append(waker)
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="queue-keeper", daemon=True)
                self._keeper.start()

    def unlisten(self, queue: str, waker: threading.Event) -> None:
        """Stop setting `waker`."""
        with self._lock:
            self._wakers[queue] = [kept for kept in self._wakers.get(queue, []) if kept is not waker]

    def close(self) -> None:
        """Give everything back and hang up."""
        self._closing.set()
        if self._keeper is not None:
            self._keeper.join(timeout=2)
        with self._lock:
            if self._connection is not None:
                try:
                    self.release_all()
                except ConnectionFailed:
                    log.warning("The database is gone; what this worker held comes back when it is there again.")
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _wake(self, queue: str | None = None) -> None:
        with self._lock:
            wakers = [w for name, some in self._wakers.items() if queue in (None, name) for w in some]
        for waker in wakers:
            waker.set()

    def _keep(self) -> None:
        """Listen, and every half second look for the dead, which also notices a lost connection of our own."""
        ears: psycopg.Connection[Any] | None = None
        while not self._closing.is_set():
            try:
                if ears is None:
                    ears = self._connect()
                    ears.execute("LISTEN queue_ready")
                    self._wake()
                for heard in ears.notifies(timeout=_REAP_S, stop_after=64):
                    self._wake(heard.payload)
                if not self._closing.is_set():
                    self._run("SELECT queue.reap(%s)", (self._max_deaths,))
            except (psycopg.Error, ConnectionFailed) as error:
                log.warning("The queue does not answer: %s", error)
                if ears is not None:
                    ears.close()
                    ears = None
                self._closing.wait(_REAP_S)
        if ears is not None:
            ears.close()

    # -- the connection ----------------------------------------------------------------------------------------------

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            self._dsn, autocommit=True, options=_OPTIONS, connect_timeout=5, application_name="alchemy worker",
            keepalives_idle=10, keepalives_interval=5, keepalives_count=3,
        )  # fmt: skip

    def _identify(self) -> None:
        """Connect under a new number, and keep what was held under the old one and nobody has taken."""
        before = self._identity
        connection = self._connect()
        try:
            identity = secrets.randbelow(2**31 - 2) + 1
            connection.execute(
                "SELECT pg_advisory_lock(%s, %s), set_config('queue.worker', %s, false)",
                (_NAMESPACE, identity, str(identity)),
            )
            kept: set[tuple[str, int]] = set()
            if before:
                ids = [claim.message_id for claim in self._held.values()]
                receipts = [claim.claim for claim in self._held.values()]
                rows = connection.execute(
                    "SELECT message_id, claim FROM queue.adopt(%s, %s::text[], %s::integer[])",
                    (before, ids, receipts),
                ).fetchall()
                kept = {(row[0], row[1]) for row in rows}
        except BaseException:
            connection.close()
            raise
        self._connection, self._identity = connection, identity
        for key in [key for key in self._held if key not in kept]:
            log.warning("Message %s was given to another worker while the database was out of reach.", key[0])
            self._held.pop(key).lost.set()

    def _finish(self, query: str, claim: Claim, *rest: object) -> None:
        with self._lock:
            if claim.lost.is_set():
                return
            self._run(query, (claim.message_id, claim.claim, *rest))
            self._held.pop((claim.message_id, claim.claim), None)
        self._wake()

    def _run(self, query: str, arguments: tuple[object, ...]) -> list[tuple[Any, ...]]:
        """Run one statement; after a lost connection once more on a new one (each of them may be run twice)."""
        failure: psycopg.Error | None = None
        for pause in _BACKOFF_S:
            if pause and self._closing.wait(pause):
                break
            with self._lock:
                try:
                    if self._connection is None:
                        self._identify()
                    assert self._connection is not None
                    return self._connection.execute(query, arguments).fetchall()
                except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                    failure = error
                    if self._connection is not None:
                        self._connection.close()
                        self._connection = None
        raise ConnectionFailed(f"PostgreSQL is out of reach: {failure}") from failure  # type: ignore[no-untyped-call]
