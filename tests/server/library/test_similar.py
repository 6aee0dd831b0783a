"""What goes with what, on the real database: scores by hand, changes that are heard of, sets along an arc."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from pipeline.analysis.key import name
from server.db import Database
from server.errors import BadRequest, NotFound
from server.library.service import Library
from server.library.similar import Similar

pytestmark = pytest.mark.anyio

TIMBRE = [10.0, -5.0, 3.0, 2.0, 1.0, 0.0, -1.0, 0.5, 0.0, 0.0, 0.0, 0.0]


async def add(db: Database, owner: int, **told: Any) -> UUID:
    """A track with a chosen analysis."""
    track: UUID = await db.value("INSERT INTO tracks (user_id, title) VALUES ($1, 'x') RETURNING id", owner)
    await analysed(db, track, **told)
    return track


async def analysed(
    db: Database,
    track: UUID,
    tempo: float | None = 120.0,
    key: str | None = "A minor",
    energy: float | None = 0.6,
    timbre: list[float] | None = TIMBRE,
) -> None:
    job = await db.value(
        "INSERT INTO analysis_jobs (track_id, results) VALUES ($1, $2) RETURNING id", track, {"timbre": timbre}
    )
    await db.execute(
        "INSERT INTO analysis_results (track_id, analysis_job_id, chosen, tempo, key, energy) "
        "VALUES ($1, $2, true, $3, $4, $5)", track, job, tempo, key, energy,
    )  # fmt: skip


async def test_the_nearest_come_first(db: Database, library: Library, owner: int) -> None:
    one = await add(db, owner)
    twin = await add(db, owner, tempo=121.0)
    neighbour = await add(db, owner, key="E minor")
    double = await add(db, owner, tempo=240.0)
    foreign = await add(db, owner, key="Eb major")
    slow = await add(db, owner, tempo=97.0, key="Eb major")
    unknown = await add(db, owner, tempo=None, key=None, energy=None, timbre=None)
    found = await library.similar.to([one], owner)
    order = [match.track_id for match in found]
    assert one not in order and set(order) == {twin, neighbour, double, foreign, slow, unknown}
    assert order.index(twin) < order.index(foreign) < order.index(slow)
    assert order.index(neighbour) < order.index(foreign)
    by_id = {match.track_id: match for match in found}
    assert by_id[neighbour].key_score == pytest.approx(0.9) and by_id[neighbour].camelot == "9A"
    assert 0.85 < by_id[double].tempo_score < 1.0
    assert by_id[unknown].score == pytest.approx(0.5) and by_id[unknown].tempo is None
    assert all(0.0 <= match.score <= 1.0 for match in found)
    assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)


async def test_timbre_tells_equals_apart(db: Database, library: Library, owner: int) -> None:
    one = await add(db, owner)
    other = await add(db, owner, timbre=[value + 20.0 for value in TIMBRE])
    same = await add(db, owner)
    assert [match.track_id for match in await library.similar.to([one], owner)] == [same, other]


async def test_changes_are_heard_of(db: Database, library: Library, owner: int) -> None:
    one, two = await add(db, owner), await add(db, owner)
    assert [match.track_id for match in await library.similar.to([one], owner)] == [two]
    three = await add(db, owner)
    library.changed(three, owner)
    await analysed(db, two, tempo=97.0)
    library.changed(two, owner)
    found = await library.similar.to([one], owner)
    assert [match.track_id for match in found] == [three, two] and found[1].tempo == 97.0
    await library.delete(three, owner)
    assert [match.track_id for match in await library.similar.to([one], owner)] == [two]


async def test_other_peoples_tracks_are_not_told_of(db: Database, library: Library, owner: int) -> None:
    stranger = await db.value("INSERT INTO users (email) VALUES ('s@t') RETURNING id")
    theirs, mine = await add(db, stranger), await add(db, owner)
    assert await library.similar.to([mine], owner) == []
    with pytest.raises(NotFound):
        await library.similar.to([theirs], owner)
    with pytest.raises(NotFound):
        await library.similar.order([mine, theirs], owner, "rise")


async def test_limits_and_tracks_without_analysis(db: Database, library: Library, owner: int) -> None:
    one = await add(db, owner)
    for _ in range(4):
        await add(db, owner)
    assert len(await library.similar.to([one], owner, 3)) == 3
    for limit in (0, 101):
        with pytest.raises(BadRequest):
            await library.similar.to([one], owner, limit)
    with pytest.raises(NotFound):
        await library.similar.to([uuid4()], owner)


@pytest.mark.parametrize("arc", ["rise", "fall", "peak", "flat"])
async def test_sets_follow_their_arc(db: Database, library: Library, owner: int, arc: Any) -> None:
    energies = [0.3, 0.9, 0.5, 0.7, 0.4, 0.8, 0.6, 0.35, 0.55]
    tracks = {await add(db, owner, energy=energy): energy for energy in energies}
    ordered = await library.similar.order(list(tracks), owner, arc)
    assert sorted(ordered) == sorted(tracks)
    told = [tracks[track] for track in ordered]
    steps = [after - before for before, after in pairwise(told)]
    if arc == "rise":
        assert told == sorted(told)
    elif arc == "fall":
        assert told == sorted(told, reverse=True)
    elif arc == "peak":
        top = told.index(max(told))
        assert 0 < top < len(told) - 1 and all(s > 0 for s in steps[:top]) and all(s < 0 for s in steps[top:])


async def test_neighbours_in_a_set_go_together(db: Database, library: Library, owner: int) -> None:
    keys = ["A minor", "Eb minor", "E minor", "Bb minor", "B minor", "F minor"]
    tracks = {await add(db, owner, key=key): key for key in keys}
    first = next(track for track, key in tracks.items() if key == "A minor")
    ordered = await library.similar.order(list(tracks), owner, "flat", first)
    assert ordered[0] == first
    assert [tracks[track] for track in ordered[:3]] == ["A minor", "E minor", "B minor"]


async def test_what_is_not_analysed_comes_last(db: Database, library: Library, owner: int) -> None:
    bare = await db.value("INSERT INTO tracks (user_id, title) VALUES ($1, 'bare') RETURNING id", owner)
    one, two = await add(db, owner, energy=0.9), await add(db, owner, energy=0.2)
    assert await library.similar.order([bare, one, two], owner, "rise") == [two, one, bare]
    assert await library.similar.order([bare, one, two], owner, "rise", bare) == [bare, two, one]
    with pytest.raises(BadRequest):
        await library.similar.order([one], owner, "rise", two)


async def test_the_index_names_what_the_whole_scan_would(db: Database, owner: int) -> None:
    """In a library that is larger than what the index names; the scores are the same, and nearly all of the tracks."""
    rng = np.random.default_rng(5)
    stranger = await db.value("INSERT INTO users (email) VALUES ('s@t') RETURNING id")
    tracks = [
        await add(
            db, stranger if n % 5 == 0 else owner, tempo=float(rng.normal(122, 12)), energy=float(rng.random()),
            key=name(int(rng.integers(24))), timbre=rng.normal(0, 6, 12).round(2).tolist(),
        )
        for n in range(700)
    ]  # fmt: skip
    unknown = await add(db, owner, tempo=None, key=None, energy=None, timbre=None)
    whole, index = Similar(db, index_from=10_000), Similar(db, index_from=100)
    found = wanted = 0
    for asked in ([tracks[1]], [tracks[2]], [tracks[3], tracks[7]], [tracks[0], tracks[4]], [unknown]):
        right = {match.track_id: match for match in await whole.to(asked, owner)}
        given = await index.to(asked, owner)
        assert len(given) == 20 and not {match.track_id for match in given} & set(tracks[::5])
        assert all(right[match.track_id] == match for match in given if match.track_id in right)
        if asked != [unknown]:
            found, wanted = found + len(right.keys() & {match.track_id for match in given}), wanted + 20
    assert found >= 0.95 * wanted
    near = (await index.to([tracks[1]], owner, limit=1))[0]
    await db.execute("DELETE FROM tracks WHERE id = $1", near.track_id)
    assert near.track_id not in {match.track_id for match in await index.to([tracks[1]], owner)}
    await analysed(db, tracks[2], tempo=near.tempo, key=near.key, energy=near.energy)
    assert (await index.to([tracks[2]], owner))[0].tempo_score > 0.9
    with pytest.raises(NotFound):
        await index.to([tracks[0]], owner)


async def test_a_database_without_vectors_is_looked_through(db: Database, owner: int) -> None:
    one, other = await add(db, owner), await add(db, owner)
    await db.execute("DROP TRIGGER analysis_results_place ON analysis_results")
    await db.execute("DROP EXTENSION vector CASCADE")
    await db.execute("DROP TABLE track_places")
    assert [match.track_id for match in await Similar(db, index_from=1).to([one], owner)] == [other]
