"""Tracks in the database: rows, lists, and what belongs to them. Named queries beside the functions that use them.

Owner: the library. Every function takes the user whose track it must be, except where None means "whoever's".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from server.db import Database, Queries
from server.errors import BadRequest, NotFound
from server.library.filters import NOTHING, Filter
from server.library.pages import LARGEST_LIMIT, Sorting, read_cursor, write_cursor
from server.library.records import (
    SHARED_FIELDS,
    TRACK_COLUMNS,
    Analysis,
    Genre,
    JobSummary,
    Page,
    Stem,
    Track,
    TrackChange,
    TrackRow,
)
from server.library.tags import GENRE_LIMIT, TITLE_LIMIT, clean

STATUSES: Final = ("queued", "downloading", "processing", "completed", "failed", "cancelled")

_NEWEST_STATUS: Final = (
    "coalesce((SELECT j.status FROM jobs j WHERE j.track_id = t.id ORDER BY j.inserted_at DESC, j.id LIMIT 1), "
    "'completed')"
)
_JOBS_SHOWN: Final = 20


class _Listed(TrackRow, frozen=True, kw_only=True):
    """A track row in a list: with the value it was sorted by."""

    sort_value: Any


async def row(db: Queries, track_id: UUID, user_id: int | None) -> TrackRow:
    """Return one track's row. Raises NotFound."""
    return await db.one(
        TrackRow,
        f"SELECT {TRACK_COLUMNS} FROM tracks WHERE id = $1 AND ($2::bigint IS NULL OR user_id = $2)",
        track_id,
        user_id,
    )


async def one(db: Queries, track_id: UUID, user_id: int | None) -> Track:
    """Return one track with its jobs, stems and analysis. Raises NotFound."""
    found = await row(db, track_id, user_id)
    return (await _complete(db, [found], features=True))[0]


async def by_ids(db: Queries, track_ids: Sequence[UUID], user_id: int) -> dict[UUID, Track]:
    """Return those of the tracks that are the user's."""
    rows = await db.all(
        TrackRow, f"SELECT {TRACK_COLUMNS} FROM tracks WHERE id = ANY($1) AND user_id = $2", list(track_ids), user_id
    )
    return {track.id: track for track in await _complete(db, rows, features=False)}


async def page(
    db: Queries,
    user_id: int,
    *,
    q: str = "",
    sorting: Sorting,
    status: str = "",
    only: Filter = NOTHING,
    limit: int,
    cursor: str = "",
) -> Page:
    """Return a page of a user's tracks that hold every word of `q` in title, artist or album, and are as `only` says.

    Raises BadRequest, CursorRejected.
    """
    if not 1 <= limit <= LARGEST_LIMIT:
        raise BadRequest(f"limit is 1 to {LARGEST_LIMIT}.")
    if status and status not in STATUSES:
        raise BadRequest(f"No status is called {status!r}.", status=list(STATUSES))
    where, args = ["t.user_id = $1"], [user_id]  # type: list[str], list[Any]
    for word in clean(q, 200).split():
        args.append(_like(word))
        mark = f"fold(${len(args)})"
        # The index knows runs of three letters; LIKE makes sure.
        where.append(f"trigrams(t.search_text) @> trigrams(fold(${len(args) + 1}))")
        where.append(f"t.search_text LIKE '%' || {mark} || '%'")
        args.append(word)
    if status:
        args.append(status)
        where.append(f"{_NEWEST_STATUS} = ${len(args)}")
    where += only.conditions(args)
    condition = " AND ".join(where)
    total = await db.value(f"SELECT count(*) FROM tracks t WHERE {condition}", *args)
    if cursor:
        value, last = read_cursor(sorting, cursor)
        condition += f" AND {sorting.after(len(args) + 1)}"
        args += [value, last]
    columns = ", ".join(f"t.{name}" for name in TrackRow.__struct_fields__)
    rows = await db.all(
        _Listed,
        f"SELECT {columns}, {sorting.order.expression} AS sort_value FROM tracks t WHERE {condition} "
        f"ORDER BY {sorting.clause} LIMIT {limit + 1}",
        *args,
    )
    more = len(rows) > limit
    rows = rows[:limit]
    following = write_cursor(sorting, rows[-1].sort_value, rows[-1].id) if more else None
    return Page(tuple(await _complete(db, rows, features=False)), total, following)


async def genres(db: Queries, user_id: int) -> list[Genre]:
    """Return the genres of a user's tracks, the most frequent first; spelling them large or small is no difference."""
    return await db.all(
        Genre,
        "SELECT min(genre) AS name, count(*)::int AS tracks FROM tracks WHERE user_id = $1 AND genre <> '' "
        "GROUP BY lower(genre) ORDER BY count(*) DESC, lower(genre) LIMIT 300",
        user_id,
    )


def _like(word: str) -> str:
    """Take their meaning from the letters that LIKE knows."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def _complete(db: Queries, rows: Sequence[TrackRow], *, features: bool) -> list[Track]:
    """Add jobs, stems and the chosen analysis to rows, in three queries whatever their number."""
    ids = [row.id for row in rows]
    if not ids:
        return []
    jobs: dict[UUID, list[JobSummary]] = defaultdict(list)
    columns = ", ".join(JobSummary.__struct_fields__)
    for job in await db.all(
        JobSummary, f"SELECT {columns} FROM jobs WHERE track_id = ANY($1) ORDER BY inserted_at DESC, id", ids
    ):
        jobs[job.track_id].append(job)
    stems: dict[UUID, list[Stem]] = defaultdict(list)
    for stem in await stems_of(db, ids):
        stems[stem.track_id].append(stem)
    shown = "r.features" if features else "'{}'::jsonb AS features"
    columns = ", ".join(f"r.{name}" for name in Analysis.__struct_fields__ if name != "features")
    found = await db.all(
        Analysis, f"SELECT {columns}, {shown} FROM analysis_results r WHERE track_id = ANY($1) AND chosen", ids
    )
    analysis = {result.track_id: result for result in found}
    return [
        Track(
            **{name: getattr(row, name) for name in SHARED_FIELDS},
            has_cover=row.cover_path is not None,
            status=jobs[row.id][0].status if jobs[row.id] else "completed",
            jobs=tuple(jobs[row.id][:_JOBS_SHOWN]),
            stems=tuple(stems[row.id]),
            analysis=analysis.get(row.id),
        )
        for row in rows
    ]


async def stems_of(db: Queries, track_ids: Sequence[UUID]) -> list[Stem]:
    """Return the complete stems of tracks, all versions, newest first."""
    columns = ", ".join(Stem.__struct_fields__)
    return await db.all(
        Stem,
        f"SELECT {columns} FROM stems WHERE track_id = ANY($1) AND status = 'complete' "
        "ORDER BY inserted_at DESC, array_position(ARRAY['vocals','drums','bass','other','guitar','piano'], stem_type)",
        list(track_ids),
    )


async def analyses_of(db: Queries, track_id: UUID) -> list[Analysis]:
    """Return every analysis of a track, newest first, without their features."""
    columns = ", ".join(name for name in Analysis.__struct_fields__ if name != "features")
    return await db.all(
        Analysis,
        f"SELECT {columns}, '{{}}'::jsonb AS features FROM analysis_results WHERE track_id = $1 "
        "ORDER BY inserted_at DESC, id", track_id,
    )  # fmt: skip


async def change(db: Queries, track_id: UUID, user_id: int, wanted: TrackChange) -> None:
    """Edit a track; texts are cleaned. Raises NotFound, BadRequest."""
    fields: dict[str, Any] = {}
    for name in TrackChange.__struct_fields__:
        value = getattr(wanted, name)
        if value is msgspec.UNSET:
            continue
        if isinstance(value, str):
            value = clean(value, GENRE_LIMIT if name == "genre" else TITLE_LIMIT) or None
        if name == "title" and value is None:
            raise BadRequest("A track needs a title.")
        if name == "year" and value is not None and not 1 <= value <= 9999:
            raise BadRequest("The year is 1 to 9999.")
        fields[name] = value
    if not fields:
        await row(db, track_id, user_id)
        return
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(fields, 3))
    if not await db.execute(
        f"UPDATE tracks SET {sets} WHERE id = $1 AND user_id = $2", track_id, user_id, *fields.values()
    ):
        raise NotFound


async def remove(db: Database, track_id: UUID, user_id: int) -> bool:
    """Take a track with its rows out; return whether it was there. Files go when they are tidied."""
    async with db.transaction() as tx:
        # Whoever hands in a job's work holds the job and then the track: in the other order they would wait for us
        # as we for them.
        for table in ("download_jobs", "processing_jobs", "analysis_jobs"):
            await tx.execute(f"SELECT FROM {table} WHERE track_id = $1 ORDER BY id FOR UPDATE", track_id)
        return bool(await tx.execute("DELETE FROM tracks WHERE id = $1 AND user_id = $2", track_id, user_id))
