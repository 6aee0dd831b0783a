"""Playlists: made, renamed, filled, put in order.

Owner: the library; every function takes the user whose playlist it must be. Positions count from 0 without gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import msgspec

from server.db import AlreadyThere, Database, Queries, Transaction
from server.errors import BadRequest, NotFound
from server.library import tracks
from server.library.records import Playlist, PlaylistEntry, PlaylistRow
from server.library.tags import TITLE_LIMIT, clean

_COLUMNS: Final = ", ".join(f"p.{name}" for name in PlaylistRow.__struct_fields__ if name != "track_count")
_SELECT: Final = (
    f"SELECT {_COLUMNS}, (SELECT count(*) FROM playlist_tracks e WHERE e.playlist_id = p.id) AS track_count "
    "FROM playlists p"
)
_LONGEST: Final = 10_000
_DESCRIPTION_LIMIT: Final = 5000


class PlaylistChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be edited of a playlist; a field that is left out stays."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType | None = msgspec.UNSET


class _Place(msgspec.Struct, frozen=True):
    track_id: UUID
    position: int


class Playlists:
    """The playlists of a library. `on_change` is told whose playlist is another now, after it is stored."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.on_change: Callable[[UUID, int], None] = lambda _playlist_id, _user_id: None

    async def all(self, user_id: int) -> list[PlaylistRow]:
        """Return a user's playlists, oldest first."""
        return await self._db.all(PlaylistRow, f"{_SELECT} WHERE p.user_id = $1 ORDER BY p.inserted_at, p.id", user_id)

    async def get(self, playlist_id: UUID, user_id: int) -> Playlist:
        """Return a playlist with its tracks. Raises NotFound."""
        row = await self._db.one(PlaylistRow, f"{_SELECT} WHERE p.id = $1 AND p.user_id = $2", playlist_id, user_id)
        places = await _places(self._db, playlist_id)
        found = await tracks.by_ids(self._db, [place.track_id for place in places], user_id)
        there = [found[place.track_id] for place in places if place.track_id in found]
        entries = tuple(PlaylistEntry(position, track) for position, track in enumerate(there))
        return Playlist(**{name: getattr(row, name) for name in PlaylistRow.__struct_fields__}, tracks=entries)

    async def _changed(self, playlist_id: UUID, user_id: int) -> Playlist:
        self.on_change(playlist_id, user_id)
        return await self.get(playlist_id, user_id)

    async def create(self, user_id: int, name: str, description: str | None = None) -> Playlist:
        """Make an empty playlist. Raises BadRequest."""
        made: UUID = await self._db.value(
            "INSERT INTO playlists (user_id, name, description) VALUES ($1, $2, $3) RETURNING id",
            user_id, _name(name), _description(description),
        )  # fmt: skip
        return await self._changed(made, user_id)

    async def change(self, playlist_id: UUID, user_id: int, wanted: PlaylistChange) -> Playlist:
        """Rename or describe a playlist. Raises NotFound, BadRequest."""
        name = None if isinstance(wanted.name, msgspec.UnsetType) else _name(wanted.name)
        keep = isinstance(wanted.description, msgspec.UnsetType)
        text = None if isinstance(wanted.description, msgspec.UnsetType) else _description(wanted.description)
        if not await self._db.execute(
            "UPDATE playlists SET name = coalesce($3, name), description = CASE WHEN $4 THEN description ELSE $5 END "
            "WHERE id = $1 AND user_id = $2", playlist_id, user_id, name, keep, text,
        ):  # fmt: skip
            raise NotFound
        return await self._changed(playlist_id, user_id)

    async def delete(self, playlist_id: UUID, user_id: int) -> None:
        """Remove a playlist; its tracks stay in the library. Raises NotFound."""
        if not await self._db.execute("DELETE FROM playlists WHERE id = $1 AND user_id = $2", playlist_id, user_id):
            raise NotFound
        self.on_change(playlist_id, user_id)

    async def add(self, playlist_id: UUID, user_id: int, track_id: UUID, position: int | None = None) -> Playlist:
        """Put a track at `position`, at the end without one. Raises NotFound, AlreadyThere, BadRequest."""
        async with self._db.transaction() as tx:
            order = await self._locked(tx, playlist_id, user_id)
            if track_id in order:
                raise AlreadyThere("The track is in this playlist already.")
            if len(order) >= _LONGEST:
                raise BadRequest(f"A playlist holds at most {_LONGEST} tracks.")
            place = len(order) if position is None else position
            if not 0 <= place <= len(order):
                raise BadRequest(f"The position is 0 to {len(order)}.")
            await _own(tx, [track_id], user_id)
            await tx.execute(
                "UPDATE playlist_tracks SET position = position + 1 WHERE playlist_id = $1 AND position >= $2",
                playlist_id, place,
            )  # fmt: skip
            await tx.execute(
                "INSERT INTO playlist_tracks (playlist_id, track_id, position) VALUES ($1, $2, $3)",
                playlist_id, track_id, place,
            )  # fmt: skip
        return await self._changed(playlist_id, user_id)

    async def put(self, playlist_id: UUID, user_id: int, track_ids: Sequence[UUID]) -> Playlist:
        """Make these the tracks of the playlist, in this order. Raises NotFound, BadRequest."""
        if len(set(track_ids)) != len(track_ids):
            raise BadRequest("A track is in a playlist once.")
        if len(track_ids) > _LONGEST:
            raise BadRequest(f"A playlist holds at most {_LONGEST} tracks.")
        async with self._db.transaction() as tx:
            await self._locked(tx, playlist_id, user_id)
            await _own(tx, track_ids, user_id)
            await tx.execute("DELETE FROM playlist_tracks WHERE playlist_id = $1", playlist_id)
            await tx.executemany(
                "INSERT INTO playlist_tracks (playlist_id, track_id, position) VALUES ($1, $2, $3)",
                [(playlist_id, track_id, position) for position, track_id in enumerate(track_ids)],
            )
        return await self._changed(playlist_id, user_id)

    async def remove(self, playlist_id: UUID, user_id: int, track_id: UUID) -> Playlist:
        """Take a track out of the playlist. Raises NotFound."""
        async with self._db.transaction() as tx:
            order = await self._locked(tx, playlist_id, user_id)
            if track_id not in order:
                raise NotFound
            await tx.execute(
                "DELETE FROM playlist_tracks WHERE playlist_id = $1 AND track_id = $2", playlist_id, track_id
            )
        return await self._changed(playlist_id, user_id)

    async def _locked(self, tx: Transaction, playlist_id: UUID, user_id: int) -> list[UUID]:
        """Hold the playlist for this transaction, close its gaps and return its order."""
        if not await tx.value(
            "SELECT true FROM playlists WHERE id = $1 AND user_id = $2 FOR UPDATE", playlist_id, user_id
        ):
            raise NotFound
        # A track that was deleted leaves a gap.
        await tx.execute(
            "UPDATE playlist_tracks e SET position = n.place FROM "
            "(SELECT id, row_number() OVER (ORDER BY position) - 1 AS place FROM playlist_tracks "
            "WHERE playlist_id = $1) n "
            "WHERE e.id = n.id AND e.position <> n.place", playlist_id,
        )  # fmt: skip
        await tx.execute("UPDATE playlists SET updated_at = now() WHERE id = $1", playlist_id)
        return [place.track_id for place in await _places(tx, playlist_id)]


async def _places(db: Queries, playlist_id: UUID) -> list[_Place]:
    return await db.all(
        _Place, "SELECT track_id, position FROM playlist_tracks WHERE playlist_id = $1 ORDER BY position", playlist_id
    )


async def _own(tx: Transaction, track_ids: Sequence[UUID], user_id: int) -> None:
    found = await tx.value("SELECT count(*) FROM tracks WHERE id = ANY($1) AND user_id = $2", list(track_ids), user_id)
    if found != len(track_ids):
        raise NotFound("There is no such track.")


def _name(text: str) -> str:
    name = clean(text, TITLE_LIMIT)
    if not name:
        raise BadRequest("A playlist needs a name.")
    return name


def _description(text: str | None) -> str | None:
    return clean(text, _DESCRIPTION_LIMIT) or None if text is not None else None
