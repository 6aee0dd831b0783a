"""Practice in the database: how a user has left a track, and the log of the passes made.

Owner: the library; the rows are the track's and the user's, and go with either. Where nobody is named, the user is the
one the track belongs to.
Units: seconds; speed as ratio.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from server.db import Database, Queries
from server.errors import BadRequest
from server.library import tracks
from server.practice import Pass, Practice, Section, sections_of

_BREAK: Final = "10 minutes"
"""After a break of this long passes are another row of the log."""


class _Left(msgspec.Struct, frozen=True):
    controls: dict[str, Any]
    position: float


class LogEntry(msgspec.Struct, frozen=True):
    """Passes of one loop at one speed, one after the other; `clean` of them were marked so."""

    began_at: datetime
    ended_at: datetime
    section: str
    start: float
    end: float
    rate: float
    passes: int
    clean: int


class Progress(msgspec.Struct, frozen=True):
    """What has been done for one section or loop: passes at all speeds, the fastest, the fastest that was clean, and
    the speed of the last time. `seconds` is how long it was played."""

    section: str
    start: float
    end: float
    passes: int
    clean: int
    fastest: float
    fastest_clean: float | None
    last: float
    seconds: float
    practised_at: datetime


async def sections(db: Queries, track_id: UUID) -> tuple[Section, ...]:
    """Return the sections of the chosen analysis."""
    found: Any = await db.value(
        "SELECT jsonb_build_object('sections', features -> 'sections') FROM analysis_results "
        "WHERE track_id = $1 AND chosen",
        track_id,
    )
    if isinstance(found, str):
        found = msgspec.json.decode(found)
    return sections_of(found.get("sections")) if isinstance(found, dict) else ()


async def read(db: Queries, track_id: UUID, user_id: int | None) -> Practice | None:
    """Return how the user has left the track; None where they have never practised it. Raises NotFound."""
    user = (await tracks.row(db, track_id, user_id)).user_id
    found = await db.all(
        _Left,
        "SELECT controls, position FROM practice_states WHERE track_id = $1 AND user_id = $2",
        track_id, user,
    )  # fmt: skip
    return Practice(found[0].controls, found[0].position) if found else None


async def save(db: Queries, track_id: UUID, user_id: int | None, practice: Practice) -> None:
    """Keep how the user has left the track, in place of what was kept. Raises NotFound, BadRequest."""
    user = (await tracks.row(db, track_id, user_id)).user_id
    if not 0.0 <= practice.position_s < math.inf:
        raise BadRequest("A track is left at a place in it")
    await db.execute(
        "INSERT INTO practice_states (user_id, track_id, controls, position) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (user_id, track_id) DO UPDATE SET controls = excluded.controls, position = excluded.position",
        user, track_id, dict(practice.controls), practice.position_s,
    )  # fmt: skip


async def log_pass(db: Database, track_id: UUID, user_id: int | None, made: Pass, *, clean: bool) -> None:
    """Write a pass down, or, where `clean`, only that the pass being made is clean. Raises NotFound, BadRequest."""
    user = (await tracks.row(db, track_id, user_id)).user_id
    if not 0.0 <= made.start_s < made.end_s < math.inf or not 0.0 < made.rate < math.inf:
        raise BadRequest("A pass is of a loop that ends after it begins, at a speed")
    passes, cleans = (0, 1) if clean else (1, 0)
    async with db.transaction() as tx:
        await tx.execute("SELECT id FROM tracks WHERE id = $1 FOR UPDATE", track_id)
        same = await tx.value(
            f"""
            UPDATE practice_log SET passes = passes + $6, clean = clean + $7, ended_at = now()
            WHERE id = (SELECT max(id) FROM practice_log WHERE track_id = $1 AND user_id = $2)
              AND abs(starting - $3) < 0.001 AND abs(ending - $4) < 0.001 AND abs(rate - $5) < 0.0005
              AND section = $8
              AND ended_at > now() - interval '{_BREAK}' - make_interval(secs => (ending - starting) / rate)
            RETURNING id
            """,
            track_id, user, made.start_s, made.end_s, made.rate, passes, cleans, made.section,
        )  # fmt: skip
        if same is None:
            await tx.execute(
                "INSERT INTO practice_log (track_id, user_id, starting, ending, rate, passes, clean, section) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                track_id, user, made.start_s, made.end_s, made.rate, passes, cleans, made.section,
            )  # fmt: skip


async def log(db: Queries, track_id: UUID, user_id: int, limit: int) -> list[LogEntry]:
    """Return the log of a track, the latest first."""
    return await db.all(
        LogEntry,
        'SELECT began_at, ended_at, section, starting AS start, ending AS "end", rate, passes, clean '
        "FROM practice_log WHERE track_id = $1 AND user_id = $2 ORDER BY id DESC LIMIT $3",
        track_id, user_id, limit,
    )  # fmt: skip


async def progress(db: Queries, track_id: UUID, user_id: int) -> list[Progress]:
    """Return what has been done for each section and loop of a track, in the order of the track."""
    return await db.all(
        Progress,
        """
        SELECT section, round(starting::numeric, 2)::double precision AS start,
               round(ending::numeric, 2)::double precision AS "end",
               sum(passes)::integer AS passes, sum(clean)::integer AS clean, max(rate) AS fastest,
               max(rate) FILTER (WHERE clean > 0) AS fastest_clean,
               (array_agg(rate ORDER BY id DESC))[1] AS last,
               sum(passes * (ending - starting) / rate) AS seconds, max(ended_at) AS practised_at
        FROM practice_log WHERE track_id = $1 AND user_id = $2
        GROUP BY section, round(starting::numeric, 2), round(ending::numeric, 2)
        ORDER BY 2, 3, section
        """,
        track_id, user_id,
    )  # fmt: skip
