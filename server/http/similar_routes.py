"""Routes of what goes together: tracks like a track, tracks for what plays now, a set in order.

Owner: one request each.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from uuid import UUID

import msgspec

from audio.units import DECKS
from server.errors import NotFound
from server.http.shapes import Strict
from server.http.table import Call, Row
from server.library.similar import Arc, Match


class SimilarQuery(Strict, frozen=True):
    """How many, at most 100."""

    limit: int = 20


class SetOrder(Strict, frozen=True):
    """Tracks to put in order; `arc` is how the energy goes: rise, fall, peak or flat. `first` stays first."""

    track_ids: tuple[UUID, ...]
    arc: Arc = "rise"
    first: UUID | None = None


class MatchList(msgspec.Struct, frozen=True):
    """What goes with the tracks in `to`, the best first."""

    to: list[UUID]
    matches: list[Match]


class Ordered(msgspec.Struct, frozen=True):
    """A set in order."""

    track_ids: list[UUID]


async def similar(call: Call) -> MatchList:
    track_id = call.id()
    await call.services.library.exists(track_id, call.user_id)
    return MatchList([track_id], await call.services.library.similar.to([track_id], call.user_id, call.query.limit))


async def similar_now(call: Call) -> MatchList:
    """What goes with the decks that play; with those that are loaded where none plays."""
    controls = call.services.show.controls
    loaded: dict[UUID, bool] = {}
    for deck in range(1, DECKS + 1):
        with suppress(ValueError):
            track_id = UUID(str(controls.get(f"/deck/{deck}/load") or ""))
            loaded[track_id] = loaded.get(track_id, False) or bool(controls.get(f"/deck/{deck}/play"))
    to = [track_id for track_id, plays in loaded.items() if plays] or list(loaded)
    if not to:
        raise NotFound("No deck has a track.")
    matches = await call.services.library.similar.to(to, call.user_id, call.query.limit, without=list(loaded))
    return MatchList(to, matches)


async def order(call: Call) -> Ordered:
    asked = call.input(SetOrder)
    found = await call.services.library.similar.order(asked.track_ids, call.user_id, asked.arc, asked.first)
    return Ordered(found)


ROWS: Final = (
    Row("GET", "/api/tracks/{id}/similar", similar, "Tracks that go with this one", MatchList, query=SimilarQuery),
    Row("GET", "/api/similar/now", similar_now, "Tracks that go with what is playing", MatchList, query=SimilarQuery),
    Row("POST", "/api/sets/order", order, "Put tracks in an order along an arc of energy", Ordered, SetOrder),
)
