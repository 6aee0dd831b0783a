"""The route of cleaning up, for the owner.

Owner: one request each.
"""

from __future__ import annotations

from typing import Final

from server.errors import BadRequest, NotAllowed
from server.http.shapes import Strict
from server.http.table import Call, Row
from server.jobs import cleanup
from server.jobs.cleanup import KEEP_DAYS, Cleaned


class CleanUp(Strict, frozen=True):
    """What to clean up: jobs that failed or were cancelled `days` ago or longer. `dry_run` only counts."""

    dry_run: bool = False
    days: int = KEEP_DAYS


async def clean_up(call: Call) -> Cleaned:
    if call.who is None or not call.who.is_owner:
        raise NotAllowed("Only the owner cleans up.")
    asked = call.input(CleanUp)
    if not 0 <= asked.days <= 36_500:
        raise BadRequest("days is 0 to 36500.")
    cleaned = await cleanup.clean(call.services.db, dry_run=asked.dry_run, days=asked.days)
    if not asked.dry_run:
        await call.services.library.reconcile_files()
    return cleaned


ROWS: Final = (
    Row("POST", "/api/cleanup", clean_up, "Remove what is over and of no use", Cleaned, CleanUp, rate="heavy",
        tag="jobs"),
)  # fmt: skip
