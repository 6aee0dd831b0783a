"""The table of transitions in the program and the one in the database are the same."""

from __future__ import annotations

import itertools

import pytest

from server.db import Database, IllegalMove
from server.jobs import store, transitions
from server.jobs.service import JobService
from tests.server.jobs.site import Site

pytestmark = pytest.mark.anyio


async def test_the_database_has_the_same_table(db: Database) -> None:
    rows = await db.rows("SELECT from_status, to_status FROM job_transitions")
    here = {(before, after) for before, afters in transitions.TRANSITIONS.items() for after in afters}
    assert {(row["from_status"], row["to_status"]) for row in rows} == here
    rows = await db.rows("SELECT status, final FROM job_statuses")
    assert {row["status"] for row in rows if row["final"]} == transitions.FINAL
    assert {row["status"] for row in rows if not row["final"]} == transitions.OPEN


def test_every_move_that_is_not_in_the_table_is_refused() -> None:
    for before, after in itertools.product(transitions.TRANSITIONS, repeat=2):
        if after in transitions.TRANSITIONS[before]:
            transitions.check(before, after)
        else:
            with pytest.raises(IllegalMove):
                transitions.check(before, after)
    with pytest.raises(IllegalMove):
        transitions.check("nowhere", "queued")


async def test_an_illegal_move_leaves_the_job_as_it_was(site: Site) -> None:
    jobs: JobService = site.jobs
    track = await site.add_track()
    job = await jobs.separate(track, site.user, "spectral")
    for status in ("completed", "failed", "queued"):
        with pytest.raises(IllegalMove):
            async with site.db.transaction() as tx:
                await store.move(tx, job, status, "why")
    assert await jobs.get(job.id) == job
