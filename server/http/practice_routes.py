"""The route of practice: how a track was left, the log of its passes, and the progress of each section.

Owner: one request. Units: seconds of the track; speed as ratio.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from server.http.shapes import Strict
from server.http.table import Call, Row
from server.library.practice import LogEntry, Progress
from server.protocol import Value


class PracticeQuery(Strict, frozen=True):
    """How many entries of the log, at most 1000."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class Left(msgspec.Struct, frozen=True):
    """How the song was left: controls of its deck that are not as they were made, by their path below the deck."""

    controls: dict[str, Value]
    position: float


class PracticeAnswer(msgspec.Struct, frozen=True):
    """A track's practice; `state` is null where it was never opened in practice mode. The log's latest come first,
    progress is in the order of the track."""

    state: Left | None
    log: list[LogEntry]
    progress: list[Progress]


async def practice(call: Call) -> PracticeAnswer:
    library, track_id = call.services.library, call.id()
    left = await library.practice(track_id, call.user_id)
    entries, progress = await library.practice_log(track_id, call.user_id, call.query.limit)
    state = None if left is None else Left(dict(left.controls), left.position_s)
    return PracticeAnswer(state, entries, progress)


ROWS: Final = (
    Row("GET", "/api/tracks/{id}/practice", practice, "How a track was left, and the log of practising it",
        PracticeAnswer, query=PracticeQuery),
)  # fmt: skip
