"""A track's marks in the database: the performer's beat grid and cue points, beside the grid of the analysis.

Owner: the library; the rows are the track's and go with it. The files of a track have no part in it.
Units: seconds; hot cues count from 1.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final
from uuid import UUID

import msgspec

from server.db import Database, Queries
from server.errors import BadRequest
from server.library import tracks
from server.marks import HOTCUES, MEMORIES, Grid, HotCue, Marks, grid_of

MAIN: Final = "main"
HOT: Final = "hot"
MEMORY: Final = "memory"
LONGEST_S: Final = 24 * 3600.0


class _Cue(msgspec.Struct, frozen=True):
    kind: str
    slot: int | None
    position: float
    ending: float | None
    name: str
    color: str


class _Beats(msgspec.Struct, frozen=True):
    beats: list[float]
    origin: int


async def read(db: Queries, track_id: UUID) -> Marks:
    """Return what is marked in a track."""
    grids = await db.all(_Beats, "SELECT beats, origin FROM beat_grids WHERE track_id = $1", track_id)
    found = await db.all(
        _Cue,
        "SELECT kind, slot, position, ending, name, color FROM cue_points WHERE track_id = $1 ORDER BY slot, position",
        track_id,
    )
    hot = [HotCue(c.slot, c.position, c.ending, c.name, c.color) for c in found if c.kind == HOT and c.slot]
    return Marks(
        Grid(tuple(grids[0].beats), grids[0].origin) if grids else None,
        next((cue.position for cue in found if cue.kind == MAIN), None),
        tuple(hot),
        tuple(sorted(cue.position for cue in found if cue.kind == MEMORY)),
    )


async def analysed(db: Queries, track_id: UUID) -> Grid | None:
    """Return the grid of the chosen analysis, if it has one."""
    features: Any = await db.value(
        "SELECT jsonb_build_object('beats', features -> 'beats', 'downbeats', features -> 'downbeats') "
        "FROM analysis_results WHERE track_id = $1 AND chosen",
        track_id,
    )
    if isinstance(features, str):
        features = msgspec.json.decode(features)
    if not isinstance(features, dict):
        return None
    return grid_of(features.get("beats") or (), features.get("downbeats") or ())


async def save(db: Database, track_id: UUID, user_id: int | None, marks: Marks) -> None:
    """Keep these marks in place of all that were kept. Raises NotFound, BadRequest."""
    check(marks)
    await tracks.row(db, track_id, user_id)
    async with db.transaction() as tx:
        await tx.execute("SELECT id FROM tracks WHERE id = $1 FOR UPDATE", track_id)
        await tx.execute("DELETE FROM cue_points WHERE track_id = $1", track_id)
        await tx.execute("DELETE FROM beat_grids WHERE track_id = $1", track_id)
        if marks.grid is not None:
            await tx.execute(
                "INSERT INTO beat_grids (track_id, beats, origin) VALUES ($1, $2, $3)",
                track_id, list(marks.grid.beats), marks.grid.origin,
            )  # fmt: skip
        rows: list[tuple[object, ...]] = [(HOT, c.slot, c.start_s, c.end_s, c.name, c.color) for c in marks.hotcues]
        rows += [(MEMORY, None, place_s, None, "", "") for place_s in marks.memory]
        if marks.cue_s is not None:
            rows.append((MAIN, None, marks.cue_s, None, "", ""))
        for row in rows:
            await tx.execute(
                "INSERT INTO cue_points (track_id, kind, slot, position, ending, name, color) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7)",
                track_id, *row,
            )  # fmt: skip


def check(marks: Marks) -> None:
    """Raise BadRequest for marks that cannot be."""
    places = [*marks.memory, *(cue.start_s for cue in marks.hotcues)]
    places += [] if marks.cue_s is None else [marks.cue_s]
    slots = [cue.slot for cue in marks.hotcues]
    if any(not 0.0 <= place_s <= LONGEST_S for place_s in places):
        raise BadRequest("A cue point lies between the start of the track and a day")
    if len(set(slots)) < len(slots) or any(not 1 <= slot <= HOTCUES for slot in slots):
        raise BadRequest(f"Hot cues have the numbers 1 to {HOTCUES}, each once")
    if any(cue.end_s is not None and not cue.start_s < cue.end_s <= LONGEST_S for cue in marks.hotcues):
        raise BadRequest("A hot cue that is a loop ends after it begins")
    if len(marks.memory) > MEMORIES:
        raise BadRequest(f"A track has {MEMORIES} memory points at most")
    beats = () if marks.grid is None else marks.grid.beats
    if marks.grid is not None and (len(beats) < 2 or any(b <= a for a, b in pairwise(beats))):
        raise BadRequest("A grid has two beats or more, each after the one before")
