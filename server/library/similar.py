"""What goes with what: tracks compared by tempo, key, energy and timbre, and put in an order.

Owner: the library, on the event loop; what takes its time runs in a thread. Small libraries are looked through
whole, in a table in memory, one row of 15 numbers a track: it is made from the database once per user and then
follows what the library tells of changes. In large ones the database's vector index (migrations/0011_places.sql),
where it has one, names the tracks that lie near, and only these are scored, exactly: nearly the same answer.
Units: BPM, keys 0..23 (-1 is none), energy 0..1; scores 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple
from uuid import UUID

import anyio.to_thread
import msgspec
import numpy as np
import numpy.typing as npt

from pipeline.analysis.key import camelot, number
from server.db import Database
from server.errors import BadRequest, NotFound
from server.jobs.results import TIMBRES

Floats = npt.NDArray[np.float32]

Arc = Literal["rise", "fall", "peak", "flat"]

LARGEST_LIMIT: Final = 100
INDEX_FROM: Final = 5_000
"""Analysed tracks of a user from which the index is asked first."""

NEAR: Final = 400
"""Tracks that the index names for each track that is asked about."""

LONGEST_SET: Final = 500

_WEIGHTS: Final = {"tempo": 0.35, "key": 0.30, "energy": 0.15, "timbre": 0.20}
_TEMPO_WIDTH: Final = 0.05
"""Octaves by which tempi may differ (3.5 %) until they count for half as much and a little more."""

_UNKNOWN: Final = 0.5
_FAR_TIMBRE: Final = 6.0
_ARC_WEIGHT: Final = 1.5
_COLUMNS: Final = 3 + TIMBRES
_SELECT: Final = (
    "SELECT t.id, r.tempo, r.key, r.energy, j.results->'timbre' AS timbre FROM tracks t "
    "JOIN analysis_results r ON r.track_id = t.id AND r.chosen JOIN analysis_jobs j ON j.id = r.analysis_job_id "
    "WHERE t.user_id = $1"
)


class Match(msgspec.Struct, frozen=True):
    """A track that goes with another, and how well: `score` is made of the four others."""

    track_id: UUID
    score: float
    tempo_score: float
    key_score: float
    energy_score: float
    timbre_score: float
    tempo: float | None
    key: str | None
    camelot: str | None
    energy: float | None


class _Row(msgspec.Struct, frozen=True):
    id: UUID
    tempo: float | None
    key: str | None
    energy: float | None
    timbre: list[float] | None


class _Table:
    """All analysed tracks of a user: row n of `values` has tempo, key, energy, timbre of `ids[n]`; NaN is unknown."""

    def __init__(self, rows: Sequence[_Row] = ()) -> None:
        self.ids = [row.id for row in rows]
        self.keys = [row.key for row in rows]
        self.place = {track_id: n for n, track_id in enumerate(self.ids)}
        self.values = np.array([_numbers(row) for row in rows], np.float32).reshape(len(rows), _COLUMNS)
        self.stale: set[UUID] = set()

    def replaced(self, rows: Sequence[_Row]) -> None:
        """Take what is new of the tracks that had changed; those that are not in `rows` are gone."""
        fresh = {row.id: row for row in rows}
        gone = self.stale - fresh.keys()
        kept = [n for n, track_id in enumerate(self.ids) if track_id not in gone]
        if len(kept) < len(self.ids):
            self.ids, self.keys = [self.ids[n] for n in kept], [self.keys[n] for n in kept]
            self.values = self.values[kept]
            self.place = {track_id: n for n, track_id in enumerate(self.ids)}
        added = []
        for row in rows:
            at = self.place.get(row.id)
            if at is None:
                self.place[row.id] = len(self.ids)
                self.ids.append(row.id)
                self.keys.append(row.key)
                added.append(_numbers(row))
            else:
                self.keys[at] = row.key
                self.values[at] = _numbers(row)
        if added:
            self.values = np.concatenate([self.values, np.array(added, np.float32)])
        self.stale = set()


class Similar:
    """Answers in milliseconds; the first question of a user after a start reads that user's library."""

    def __init__(self, db: Database, index_from: int = INDEX_FROM) -> None:
        self._db = db
        self._index_from = index_from
        self._large: set[int] = set()
        self._tables: dict[int, _Table] = {}

    def changed(self, track_id: UUID, user_id: int) -> None:
        """Something about a track has changed; it is looked at again with the next question."""
        if (table := self._tables.get(user_id)) is not None:
            table.stale.add(track_id)

    async def to(
        self, track_ids: Sequence[UUID], user_id: int, limit: int = 20, without: Sequence[UUID] = ()
    ) -> list[Match]:
        """Return what goes best with all of the tracks, the best first. Raises BadRequest, NotFound.

        A track that is not analysed goes with nothing; NotFound where that is so of all.
        """
        if not 1 <= limit <= LARGEST_LIMIT:
            raise BadRequest(f"limit is 1 to {LARGEST_LIMIT}.")
        table = await (self._near(track_ids, user_id) if await self._is_large(user_id) else self._table(user_id))
        asked = _Question(tuple(track_ids), tuple(without), limit, table.ids, table.keys, table.values, table.place)
        return await anyio.to_thread.run_sync(_best, asked)

    async def _is_large(self, user_id: int) -> bool:
        """Say whether to ask the index, which is so for good once a library has grown."""
        if user_id in self._large:
            return True
        table = self._tables.get(user_id)
        if table is not None and len(table.ids) < self._index_from:
            return False
        if await self._db.value("SELECT to_regclass('track_places') IS NULL"):
            return False
        known = await self._db.value(
            "SELECT count(*) FROM (SELECT FROM track_places WHERE user_id = $1 LIMIT $2) few",
            user_id,
            self._index_from,
        )
        if known < self._index_from:
            return False
        self._large.add(user_id)
        self._tables.pop(user_id, None)
        return True

    async def _near(self, track_ids: Sequence[UUID], user_id: int) -> _Table:
        """Return the tracks that the index finds near each of these, and these themselves."""
        near: dict[UUID, _Row] = {}
        async with self._db.transaction() as tx:
            await tx.execute(f"SET LOCAL hnsw.ef_search = {NEAR}")
            await tx.execute("SET LOCAL hnsw.iterative_scan = relaxed_order")  # other users' tracks are passed over
            for track_id in track_ids:
                place = await tx.value(
                    "SELECT place::text FROM track_places WHERE track_id = $1 AND user_id = $2", track_id, user_id
                )
                if place is not None:
                    found = await tx.all(
                        _Row,
                        "SELECT track_id AS id, tempo, key, energy, timbre FROM track_places WHERE user_id = $1 "
                        "ORDER BY place OPERATOR(vectors.<->) $2::text::vectors.vector LIMIT $3",
                        user_id, place, NEAR,
                    )  # fmt: skip
                    near |= {row.id: row for row in found}
        own = [track_id for track_id in track_ids if track_id not in near]  # of many twins it may not be the nearest
        more = await self._db.all(_Row, f"{_SELECT} AND t.id = ANY($2)", user_id, own) if own else []
        return _Table([*near.values(), *more])

    async def order(self, track_ids: Sequence[UUID], user_id: int, arc: Arc, first: UUID | None = None) -> list[UUID]:
        """Put tracks in an order whose energy follows the arc, with neighbours that go together.

        Tracks without an analysis come last, as they stood. Raises BadRequest, NotFound.
        """
        wanted = list(dict.fromkeys(track_ids))
        if len(wanted) > LONGEST_SET:
            raise BadRequest(f"A set has at most {LONGEST_SET} tracks.")
        if first is not None and first not in wanted:
            raise BadRequest("The track that comes first is not in the set.")
        if await self._is_large(user_id):
            table = _Table(await self._db.all(_Row, f"{_SELECT} AND t.id = ANY($2)", user_id, wanted))
        else:
            table = await self._table(user_id)
        owned = await self._db.value("SELECT count(*) FROM tracks WHERE user_id = $1 AND id = ANY($2)", user_id, wanted)
        if owned != len(wanted):
            raise NotFound("Not every track of the set is in your library.")
        known = [track_id for track_id in wanted if track_id in table.place]
        values = table.values[[table.place[track_id] for track_id in known]]
        lead = known.index(first) if first in known else None
        ordered = [known[n] for n in _ordered(values, arc, lead)]
        unknown = [track_id for track_id in wanted if track_id not in table.place]
        return [first, *ordered, *(t for t in unknown if t != first)] if first in unknown else [*ordered, *unknown]

    async def _table(self, user_id: int) -> _Table:
        table = self._tables.get(user_id)
        if table is None:
            table = self._tables[user_id] = _Table([])
            try:
                rows = await self._db.all(_Row, _SELECT, user_id)
            except BaseException:
                del self._tables[user_id]
                raise
            fresh = _Table(rows)
            fresh.stale = table.stale  # what changed while it was read
            table = self._tables[user_id] = fresh
        if table.stale:
            asked = set(table.stale)
            rows = await self._db.all(_Row, f"{_SELECT} AND t.id = ANY($2)", user_id, list(asked))
            later = table.stale - asked
            table.stale = asked
            table.replaced(rows)
            table.stale = later
        return table


class _Question(NamedTuple):
    """What a table is asked, with the table as it was: on the loop its lists grow meanwhile, at their ends."""

    track_ids: tuple[UUID, ...]
    without: tuple[UUID, ...]
    limit: int
    ids: list[UUID]
    keys: list[str | None]
    values: Floats
    place: dict[UUID, int]


def _best(asked: _Question) -> list[Match]:
    """Score a table against all of the tracks. Raises NotFound where none of them is in it."""
    track_ids, without, limit, ids, keys, values, place = asked
    places = [at for track_id in track_ids if (at := place.get(track_id, len(values))) < len(values)]
    if not places:
        raise NotFound("This track has no analysis yet.")
    parts = _parts(values, places[0])
    for more in places[1:]:
        parts += _parts(values, more)
    parts /= len(places)
    total = np.array(list(_WEIGHTS.values()), np.float32) @ parts
    for track_id in (*track_ids, *without):
        if (at := place.get(track_id, len(values))) < len(values):
            total[at] = -1.0
    best = np.argpartition(-total, min(limit, len(total) - 1))[:limit]
    ordered = sorted((n for n in best if total[n] >= 0.0), key=lambda n: (-total[n], ids[n]))
    return [_match(ids[n], keys[n], values[n], parts[:, n], float(total[n])) for n in ordered]


def _numbers(row: _Row) -> list[float]:
    unknown = float("nan")
    key = number(row.key)
    timbre = row.timbre if row.timbre is not None and len(row.timbre) == TIMBRES else [unknown] * TIMBRES
    return [
        row.tempo or unknown,
        unknown if key is None else key,
        unknown if row.energy is None else row.energy,
        *timbre,
    ]


def _parts(values: Floats, place: int) -> Floats:
    """How well each row goes with row `place`, (4, n): tempo, key, energy, timbre; what is unknown counts half."""
    one = values[place]
    found: Floats = np.empty((4, len(values)), np.float32)
    octaves = np.log2(values[:, 0] / one[0])
    away = (octaves - np.rint(octaves)) / np.float32(_TEMPO_WIDTH)
    np.exp(np.float32(-0.5) * away * away, out=found[0])
    found[0][np.abs(octaves) > 0.5] *= np.float32(0.9)
    if np.isfinite(one[1]):
        row = np.append(_KEYS[int(one[1])], np.float32(_UNKNOWN))
        found[1] = row[np.nan_to_num(values[:, 1], nan=len(_KEYS)).astype(np.intp)]
    else:
        found[1] = _UNKNOWN
    np.clip(np.float32(1.0) - np.float32(2.0) * np.abs(values[:, 2] - one[2]), 0.0, 1.0, out=found[2])
    apart = values[:, 3:] - one[3:]
    square = np.einsum("nk,nk->n", apart, apart)
    np.divide(1.0, np.float32(1.0) + square / np.float32(TIMBRES * _FAR_TIMBRE**2), out=found[3])
    np.copyto(found, np.float32(_UNKNOWN), where=np.isnan(found))
    return found


def _key_scores() -> Floats:
    """How well two keys go together on the Camelot wheel, (24, 24)."""
    scores = np.zeros((24, 24), np.float32)
    for a in range(24):
        for b in range(24):
            one, two = camelot(a), camelot(b)
            around = (int(one[:-1]) - int(two[:-1])) % 12
            steps, same = min(around, 12 - around), one[-1] == two[-1]
            scores[a, b] = {0: 1.0 if same else 0.9, 1: 0.9 if same else 0.6, 2: 0.5 if same else 0.3}.get(steps, 0.1)
    return scores


_KEYS: Final = _key_scores()


def _match(track_id: UUID, key: str | None, values: Floats, parts: Floats, score: float) -> Match:
    def known(column: int) -> float | None:
        value = float(values[column])
        return value if np.isfinite(value) else None

    number_of_key = known(1)
    tempo_score, key_score, energy_score, timbre_score = (round(float(part), 4) for part in parts)
    return Match(
        track_id=track_id,
        score=round(score, 4),
        tempo_score=tempo_score,
        key_score=key_score,
        energy_score=energy_score,
        timbre_score=timbre_score,
        tempo=known(0),
        key=key,
        camelot=None if number_of_key is None else camelot(int(number_of_key)),
        energy=known(2),
    )


def _targets(arc: Arc, energies: Floats) -> Floats:
    """The energy each place of the set should have: the tracks' own energies, laid out along the arc."""
    ranked = np.sort(energies)
    if arc == "fall":
        return ranked[::-1]
    if arc == "peak":  # up to the highest at two thirds, and down again
        up = np.concatenate([ranked[0::3], ranked[1::3]])
        return np.concatenate([np.sort(up), np.sort(ranked[2::3])[::-1]])
    return ranked if arc == "rise" else np.full(len(energies), np.median(energies), np.float32)


def _ordered(values: Floats, arc: Arc, first: int | None) -> list[int]:
    """Greedy along the arc, then swaps as long as one makes the set better."""
    count = len(values)
    if count < 2:
        return list(range(count))
    energies = np.nan_to_num(values[:, 2], nan=0.5)
    targets = _targets(arc, energies)
    weights = np.array(list(_WEIGHTS.values()), np.float32)
    together = np.stack([weights @ _parts(values, n) for n in range(count)])
    off = _ARC_WEIGHT * np.abs(energies[None, :] - targets[:, None])  # (place, track)
    left = set(range(count))
    order = [first if first is not None else min(left, key=lambda n: off[0, n])]
    left.discard(order[0])
    while left:
        before, place = order[-1], len(order)
        order.append(min(left, key=lambda n: off[place, n] - together[before, n]))
        left.discard(order[-1])

    def cost(places: set[int]) -> float:
        total = sum(float(off[n, order[n]]) for n in places)
        pairs = {n for place in places for n in (place, place + 1) if 0 < n < count}
        return total - sum(float(together[order[n - 1], order[n]]) for n in pairs)

    for _ in range(4 if count <= 100 else 1):
        better = False
        for a in range(0 if first is None else 1, count - 1):
            for b in range(a + 1, min(count, a + 40)):
                before_swap = cost({a, b})
                order[a], order[b] = order[b], order[a]
                if cost({a, b}) < before_swap - 1e-9:
                    better = True
                else:
                    order[a], order[b] = order[b], order[a]
        if not better:
            break
    return order
