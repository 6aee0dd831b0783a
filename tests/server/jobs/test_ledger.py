"""The book of messages that other brokers carry: one copy works, whatever comes how often in which order."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from server.db import Database
from server.jobs import ledger
from server.jobs.job import Job
from server.jobs.service import GRACE_S, NotNow, Unwanted
from tests.server.jobs.site import Site

pytestmark = pytest.mark.anyio


@pytest.fixture
def broker() -> None:
    """No relay beside these tests, whatever `--broker` says: they hand over by themselves."""


class Hand:
    """A worker's connection; it only listens."""

    def __init__(self) -> None:
        self.cancelled: list[UUID] = []

    def cancel(self, job_id: UUID, reason: str) -> None:
        self.cancelled.append(job_id)

    def focus(self, job_id: UUID, frames: tuple[int, ...]) -> None:
        pass


@pytest.fixture
def later(site: Site) -> Callable[[], None]:
    """Let every worker that is gone be gone for longer than a moment."""

    def move() -> None:
        site.jobs._began_at -= GRACE_S + 1
        site.jobs._left_at = {job_id: at - GRACE_S - 1 for job_id, at in site.jobs._left_at.items()}

    move()
    return move


async def asked(site: Site, priority: int = 0, user: int | None = None) -> tuple[Job, str]:
    track = await site.add_track(seed=len(site.audio))
    if user is not None:
        await site.db.execute("UPDATE tracks SET user_id = $2 WHERE id = $1", track, user)
    job = await site.jobs.separate(track, user or site.user, "spectral", priority=priority)
    return job, await site.db.value("SELECT message_id FROM queue.messages WHERE subject = $1", str(job.id))


async def begin(site: Site, job: Job, message: str, receipt: int, hand: Hand, *, alone: bool = False) -> Job:
    return await site.jobs.started(job.id, message, receipt, f"worker {receipt}", hand, handed=True, alone=alone)


async def row(db: Database, message: str) -> tuple[str, int, int]:
    found = await db.rows("SELECT state, claim, deaths FROM queue.messages WHERE message_id = $1", message)
    return (found[0]["state"], found[0]["claim"], found[0]["deaths"]) if found else ("none", 0, 0)


async def test_a_second_copy_waits_while_the_first_is_worked_on(site: Site) -> None:
    job, message = await asked(site)
    first, second = Hand(), Hand()
    await begin(site, job, message, 7, first)
    with pytest.raises(NotNow) as held:
        await begin(site, job, message, 8, second)
    assert held.value.after_s > 0 and not held.value.alone
    assert (await begin(site, job, message, 7, first)).status == "processing", "a reconnect is none"
    assert await row(site.db, message) == ("running", 7, 0) and not first.cancelled


async def test_a_worker_that_is_gone_for_long_is_followed_and_may_not_come_back(
    site: Site, later: Callable[[], None]
) -> None:
    job, message = await asked(site)
    first, second = Hand(), Hand()
    await begin(site, job, message, 7, first)
    site.jobs.left(first)
    with pytest.raises(NotNow):
        await begin(site, job, message, 8, second)  # the server itself may have been away
    later()
    with pytest.raises(NotNow) as told:
        await begin(site, job, message, 8, second)
    assert told.value.alone, "it has seen a worker die"
    await begin(site, job, message, 8, second, alone=True)
    assert await row(site.db, message) == ("running", 8, 1)
    with pytest.raises(Unwanted):
        await begin(site, job, message, 7, first)
    assert await row(site.db, message) == ("running", 8, 1)


async def test_the_third_death_is_the_end_of_it(site: Site, later: Callable[[], None]) -> None:
    job, message = await asked(site)
    for receipt in (1, 2, 3):
        hand = Hand()
        await begin(site, job, message, receipt, hand, alone=True)
        site.jobs.left(hand)
        later()
    with pytest.raises(Unwanted):
        await begin(site, job, message, 4, Hand(), alone=True)
    assert await row(site.db, message) == ("dead", 3, 3)
    failed = await site.job_is(job.id, "failed")  # the healer reads the dead letters
    assert failed.error_code == "worker_killed"


async def test_giving_back_and_stumbling_are_no_deaths(site: Site, later: Callable[[], None]) -> None:
    job, message = await asked(site)
    hand = Hand()
    for receipt in range(1, 6):
        await begin(site, job, message, receipt, hand)
        await (site.jobs.gave_back(job.id) if receipt % 2 else site.jobs.stumbled(job.id, "the net"))
        assert await row(site.db, message) == ("queued", receipt, 0)


async def test_what_is_over_or_cancelled_has_no_message_left(site: Site) -> None:
    job, message = await asked(site)
    hand = Hand()
    await begin(site, job, message, 1, hand)
    await site.jobs.cancel(job.id)
    assert hand.cancelled == [job.id] and await row(site.db, message) == ("none", 0, 0)
    with pytest.raises(Unwanted):
        await begin(site, job, message, 2, Hand())
    again = await site.jobs.retry(job.id)
    with pytest.raises(Unwanted):
        await begin(site, again, message, 3, Hand())  # a copy of the old message


async def test_only_a_few_wait_there_and_users_take_turns_and_the_urgent_pass(site: Site) -> None:
    other = await site.db.value("INSERT INTO users (email) VALUES ('c@d') RETURNING id")
    many = [await asked(site) for _ in range(10)]
    one = await asked(site, user=other)
    first = [entry.message_id for entry in await ledger.due(site.db, [])]
    assert len(first) == ledger.AHEAD and one[1] in first[:2]
    for message in first:
        await ledger.handed(site.db, message)
    assert await ledger.due(site.db, []) == []
    live = await asked(site, priority=100)
    assert [entry.message_id for entry in await ledger.due(site.db, [])] == [live[1]]
    await ledger.handed(site.db, live[1])
    jobs = {message: job for job, message in (*many, one, live)}
    with pytest.raises(NotNow):
        await begin(site, jobs[first[0]], first[0], 1, Hand())
    await begin(site, live[0], live[1], 2, Hand())
    await begin(site, jobs[first[0]], first[0], 3, Hand())
    assert len(await ledger.due(site.db, site.jobs.at_work())) == 1, "there is room for one"


async def test_what_a_broker_forgot_is_handed_over_again(site: Site) -> None:
    waiting, running = await asked(site), await asked(site)
    for _, message in (waiting, running):
        await ledger.handed(site.db, message)
    hand = Hand()
    await begin(site, running[0], running[1], 5, hand)

    async def due() -> set[str]:
        return {entry.message_id for entry in await ledger.due(site.db, site.jobs.at_work())}

    assert await due() == set()
    await site.db.execute("UPDATE queue.messages SET handed_at = now() - interval '61 seconds'")
    assert await due() == {waiting[1]}, "a living worker is at the other"
    await ledger.handed(site.db, waiting[1])
    assert await due() == set()
    await ledger.forget_handing(site.db)
    assert await due() == {waiting[1]}
    site.jobs.left(hand)
    assert await due() == {waiting[1], running[1]}


async def test_embedded_workers_and_the_reaper_leave_handed_work_alone(site: Site) -> None:
    job, message = await asked(site)
    await begin(site, job, message, 9, Hand())
    await site.db.execute("SELECT queue.reap(3)")
    assert await row(site.db, message) == ("running", 9, 0)
