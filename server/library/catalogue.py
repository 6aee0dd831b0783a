"""What a catalogue names, brought into the library: tracks that wait for audio, a playlist in the catalogue's order.

Owner: one transaction. A track that is there is linked, never made again: by its id in the catalogue, or as a file of
the performer's own that has the same title, the same artist and the same length.
Units: seconds.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from server.db import Database, Transaction
from server.library.arrivals import hand_on
from server.library.tags import TITLE_LIMIT, clean
from server.spotify import Collection, Song

SAME_S: Final = 2.0
"""How much the lengths of the same recording may differ."""


class Entry(msgspec.Struct, frozen=True):
    """A track of a collection; `existing` when the library has its audio, `url` is its link."""

    track_id: UUID
    existing: bool
    url: str


class Taken(msgspec.Struct, frozen=True):
    """What a collection has become; no playlist for a single track."""

    playlist_id: UUID | None
    tracks: tuple[Entry, ...]


async def take(db: Database, user_id: int, collection: Collection) -> Taken:
    """Bring a collection in; doing it again brings what is new and the order of now."""
    async with db.transaction() as tx:
        await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{user_id} catalogue")
        entries: dict[UUID, Entry] = {}
        for song in collection.tracks:
            entry = await _track(tx, user_id, song)
            entries.setdefault(entry.track_id, entry)
        playlist = None
        if collection.type != "track":
            playlist = await _playlist(tx, user_id, collection, list(entries))
    return Taken(playlist, tuple(entries.values()))


async def _track(tx: Transaction, user_id: int, song: Song) -> Entry:
    """Return the track of a song: the one there is, or a new one that waits."""
    found = await tx.rows(
        "SELECT id, reference_path IS NOT NULL AS whole FROM tracks WHERE user_id = $1 AND spotify_id = $2",
        user_id, song.id,
    )  # fmt: skip
    title, artist = clean(song.title, TITLE_LIMIT) or "Untitled", clean(song.artist, TITLE_LIMIT) or None
    if not found or not found[0]["whole"]:
        own = await _own_file(tx, user_id, title, artist or "", song.duration)
        if own is not None and found:  # it came after the link did
            await hand_on(tx, found[0]["id"], own)
            return Entry(own, True, song.url)
        if own is not None:
            await tx.execute(
                "UPDATE tracks SET spotify_id = $2, spotify_url = $3, album_art_url = coalesce(album_art_url, $4) "
                "WHERE id = $1", own, song.id, song.url, song.art,
            )  # fmt: skip
            return Entry(own, True, song.url)
    if not found:
        found = await tx.rows(
            "INSERT INTO tracks (user_id, title, artist, album, year, duration, album_art_url, spotify_id, "
            "spotify_url, source) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'spotify') RETURNING id, false AS whole",
            user_id, title, artist, clean(song.album, TITLE_LIMIT) or None, song.year,
            song.duration if song.duration > 0 else None, song.art, song.id, song.url,
        )  # fmt: skip
    return Entry(found[0]["id"], found[0]["whole"], song.url)


async def _own_file(tx: Transaction, user_id: int, title: str, artist: str, duration: float) -> UUID | None:
    """Return the performer's own file of a song, the one that fits its length best."""
    found: UUID | None = await tx.value(
        "SELECT id FROM tracks WHERE user_id = $1 AND spotify_id IS NULL AND reference_path IS NOT NULL "
        "AND fold(title) = fold($2) AND fold(coalesce(artist, '')) = fold($3) AND abs(duration - $4) <= $5 "
        "ORDER BY abs(duration - $4), inserted_at LIMIT 1",
        user_id, title, artist, duration, SAME_S,
    )  # fmt: skip
    return found


async def _playlist(tx: Transaction, user_id: int, collection: Collection, order: list[UUID]) -> UUID:
    """Make or renew the playlist; what the performer has put into it of their own stays, at the end."""
    made: UUID = await tx.value(
        "INSERT INTO playlists (user_id, name, description, spotify_id, spotify_url, cover_art_url, source) "
        "VALUES ($1, $2, $3, $4, $5, $6, 'spotify') ON CONFLICT (spotify_id, user_id) DO UPDATE "
        "SET description = excluded.description, cover_art_url = excluded.cover_art_url RETURNING id",
        user_id, clean(collection.name, TITLE_LIMIT) or "Spotify", collection.description and
        clean(collection.description, 2000), collection.id, collection.url, collection.art,
    )  # fmt: skip
    before = await tx.rows(
        "SELECT p.track_id FROM playlist_tracks p JOIN tracks t ON t.id = p.track_id WHERE p.playlist_id = $1 "
        "AND t.spotify_id IS NULL ORDER BY p.position", made,
    )  # fmt: skip
    order = list(dict.fromkeys([*order, *(row["track_id"] for row in before)]))
    await tx.execute("DELETE FROM playlist_tracks WHERE playlist_id = $1", made)
    await tx.executemany(
        "INSERT INTO playlist_tracks (playlist_id, track_id, position) VALUES ($1, $2, $3)",
        [(made, track_id, position) for position, track_id in enumerate(order)],
    )
    return made
