"""The book of messages that other brokers (RabbitMQ, Redis) carry: who is at what, and what is still to be handed over.

Owner: the server; inside somebody's transaction. Workers of those brokers have no connection to the queue's table, so
what `queue.claim` and its kin do for PostgreSQL's own workers is done here when they say `begin`.
Units: seconds.

Brokers deliver at least once, and messages are handed over again when there is doubt, so a job may come by several
copies. One copy works; whoever comes with another while that worker lives is asked to come later, and finds the job
over, or takes it over from a worker that died. A receipt is a number that the worker drew for one delivery.
"""

from collections.abc import Sequence
from typing import Final, Literal
from uuid import UUID

import msgspec

from server.db import Queries, Transaction
from server.jobs.job import Job

AHEAD: Final = 4
"""Messages of a queue that wait at the other broker: it serves in order, so what is more urgent, and other users'
work, must not stand behind many."""

URGENT: Final = 100
"""Priority from which a message does not wait for such a place."""

AGAIN_S: Final = 60.0
"""After how long a message that nobody has begun is handed over again, doubled each time: a broker may forget."""

MAX_DEATHS: Final = 3

Verdict = Literal["go", "alone", "held", "urgent", "gone", "lost", "dead"]


class Entry(msgspec.Struct, frozen=True):
    """A message to hand over."""

    message_id: str
    queue: str
    payload: bytes


async def take(tx: Transaction, job: Job, message: str, receipt: int, *, lives: bool, alone: bool) -> Verdict:
    """Let a worker have a message, or say why not. `lives`: whoever has the job now is known to be at it.

    `held`: come later, another copy is being worked on. `urgent`: come later, something more urgent waits.
    `alone`: it has seen a worker die; begin again when nothing else runs beside it. `gone`: no such message any more.
    `lost`: this delivery was given up on. `dead`: it has now killed its worker for the last time.
    """
    rows = await tx.rows(
        "SELECT queue, priority, state, worker, claim, deaths, queue.alive(worker) AS alive FROM queue.messages "
        "WHERE message_id = $1 FOR UPDATE",
        message,
    )
    if not rows or rows[0]["state"] == "dead":
        return "gone"
    row = rows[0]
    running = row["state"] == "running"
    if running and row["claim"] == receipt:
        return "go"
    if await tx.value(
        "SELECT true FROM job_attempts WHERE job_id = $1 AND receipt = $2", job.id, f"{message}#{receipt}"
    ):
        return "lost"
    deaths = row["deaths"]
    if running:
        if lives or row["alive"]:
            return "held"
        deaths += 1
        await tx.execute(
            "UPDATE queue.messages SET worker = NULL, deaths = $2::integer, "
            "state = CASE WHEN $2::integer >= $3::integer THEN 'dead' ELSE 'queued' END, "
            "reason = CASE WHEN $2::integer >= $3::integer THEN 'has killed its worker three times' END "
            "WHERE message_id = $1",
            message, deaths, MAX_DEATHS,
        )  # fmt: skip
        if deaths >= MAX_DEATHS:
            return "dead"
    if deaths and not alone:
        return "alone"
    if await tx.value(
        "SELECT true FROM queue.messages WHERE queue = $1 AND state = 'queued' AND claim = 0 AND handed > 0 "
        "AND priority > $2 LIMIT 1",
        row["queue"], row["priority"],
    ):  # fmt: skip
        return "urgent"
    await tx.execute(
        "UPDATE queue.messages SET state = 'running', worker = 0, claim = $2 WHERE message_id = $1", message, receipt
    )
    return "go"


async def release(tx: Transaction, job_id: UUID) -> None:
    """A worker has given a job's message back: it waits at its broker again."""
    await tx.execute(
        "UPDATE queue.messages SET state = 'queued', worker = NULL, handed_at = now() "
        "WHERE subject = $1 AND state = 'running' AND worker = 0",
        str(job_id),
    )


async def due(db: Queries, living: Sequence[str]) -> list[Entry]:
    """Return what is to be handed over now, the most urgent first, users in turns.

    That is as much as there is room for, and what was handed over long ago without anything having come of it.
    `living` are the jobs that connected workers are at.
    """
    return await db.all(
        Entry,
        "WITH room AS (SELECT queue, count(*) FILTER (WHERE handed > 0) AS waiting "
        "              FROM queue.messages WHERE state = 'queued' GROUP BY queue), "
        "fresh AS (SELECT m.message_id, m.queue, m.payload, m.priority, m.turn, m.seq, "
        "                 row_number() OVER (PARTITION BY m.queue ORDER BY m.priority DESC, m.turn, m.seq) AS place "
        "          FROM queue.messages m WHERE m.state = 'queued' AND m.handed = 0 AND m.eta <= now()), "
        "old AS (SELECT message_id, queue, payload, priority, turn, seq FROM queue.messages "
        "        WHERE handed > 0 AND handed_at < now() - interval '1 second' * $3 * power(2, least(handed - 1, 12)) "
        "          AND (state = 'queued' OR (state = 'running' AND worker = 0 AND subject <> ALL ($4::text[])))) "
        "SELECT message_id, queue, payload FROM ("
        "  SELECT f.message_id, f.queue, f.payload, f.priority, f.turn, f.seq FROM fresh f JOIN room r USING (queue) "
        "  WHERE f.place + r.waiting <= $1 OR f.priority >= $2 UNION ALL SELECT * FROM old) found "
        "ORDER BY priority DESC, turn, seq",
        AHEAD, URGENT, AGAIN_S, list(living),
    )  # fmt: skip


async def handed(db: Queries, message_id: str) -> None:
    """Note that a message was handed over."""
    await db.execute(
        "UPDATE queue.messages SET handed = handed + 1, handed_at = clock_timestamp() WHERE message_id = $1", message_id
    )


async def forget_handing(db: Queries) -> None:
    """The broker has forgotten everything, or is another one: hand over all that is open."""
    await db.execute("UPDATE queue.messages SET handed = 0, handed_at = NULL WHERE handed > 0 AND state = 'queued'")
    await db.execute("UPDATE queue.messages SET handed_at = '-infinity' WHERE handed > 0 AND state = 'running'")
