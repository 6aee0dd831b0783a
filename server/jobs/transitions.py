"""The states of a job and the moves between them: the one table. The database holds the same one and enforces it.

Owner: nobody; constants. `tests/server/jobs/test_transitions.py` compares it with `job_transitions`.

    queued --> downloading --> processing --> completed
       |            |  '-----------|--------> completed
       |            '--------------+--------> failed     --retry--> queued
       '------------+--------------+--------> cancelled  --retry--> queued
"""

from collections.abc import Mapping
from typing import Final

from server.db import IllegalMove

TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    "queued": frozenset({"downloading", "processing", "cancelled"}),
    "downloading": frozenset({"processing", "completed", "failed", "cancelled"}),
    "processing": frozenset({"completed", "failed", "cancelled"}),
    "completed": frozenset(),
    "failed": frozenset({"queued"}),
    "cancelled": frozenset({"queued"}),
}
"""Where a job may go from where it is."""

FINAL: Final = frozenset({"completed", "failed", "cancelled"})
"""States in which nothing works on a job."""

OPEN: Final = frozenset(TRANSITIONS) - FINAL
"""States in which something does, or will."""


def check(before: str, after: str) -> None:
    """Raise IllegalMove when a job may not go from `before` to `after`."""
    if after not in TRANSITIONS.get(before, ()):
        raise IllegalMove(f"A job that is {before} cannot become {after}.")
