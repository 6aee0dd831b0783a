"""Tracks whose audio is on its way: made from a link, filled when the download comes, joined with a track that has the
same audio already.

Owner: `Library`, and `JobService` for the row of a new one; the SQL is here, the transactions are theirs.

A track waits while it has no `reference_path`. Its title is a guess as long as it equals `original_name`; words that
somebody gave it (the performer, or a catalogue) stay when the file comes.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from server.db import Database, Queries, Transaction
from server.errors import Conflict, NotFound
from server.library.tags import NAME_LIMIT, TITLE_LIMIT, clean, from_name

_WORDS: Final = ("artist", "album", "genre", "year")
_FIXED: Final = ("id", "user_id", "source")


class DownloadOver(Conflict):
    """This download is over; what came of it is not kept."""

    code = "download_over"


class Arrival(msgspec.Struct, frozen=True):
    """Whose audio has come: the track that waits, by which download."""

    track_id: UUID
    job_id: UUID


class _Waiting(msgspec.Struct, frozen=True):
    title: str
    original_name: str | None
    artist: str | None
    album: str | None
    genre: str | None
    year: int | None


async def hold_link(tx: Transaction, user_id: int, url: str) -> UUID | None:
    """Keep others from bringing in the same link meanwhile; return the track it made, one with audio first."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{user_id} {url}")
    found: UUID | None = await tx.value(
        "SELECT t.id FROM download_jobs j JOIN tracks t ON t.id = j.track_id WHERE t.user_id = $1 AND j.url = $2 "
        "ORDER BY t.reference_path IS NULL, j.inserted_at DESC LIMIT 1",
        user_id, url,
    )  # fmt: skip
    return found


async def has_audio(db: Queries, track_id: UUID) -> bool:
    """Say whether a track's audio is in the library."""
    return bool(await db.value("SELECT reference_path IS NOT NULL FROM tracks WHERE id = $1", track_id))


async def add_waiting(tx: Transaction, user_id: int, name: str) -> UUID:
    """Make a track that waits, called after its link until more is known."""
    title, artist = from_name(name)
    title = clean(title, min(TITLE_LIMIT, NAME_LIMIT)) or "Untitled"
    made: UUID = await tx.value(
        "INSERT INTO tracks (user_id, title, artist, original_name) VALUES ($1, $2, $3, $4) RETURNING id",
        user_id, title, clean(artist, TITLE_LIMIT) or None if artist else None, title,
    )  # fmt: skip
    return made


async def fill(tx: Transaction, into: Arrival, columns: dict[str, object]) -> None:
    """Write what came into the row that waits. Raises DownloadOver, NotFound."""
    await _hold(tx, into)
    waiting = await tx.one(
        _Waiting, "SELECT title, original_name, artist, album, genre, year FROM tracks WHERE id = $1 FOR UPDATE",
        into.track_id,
    )  # fmt: skip
    values = {name: value for name, value in columns.items() if name not in _FIXED}
    if waiting.title != waiting.original_name:
        values["title"] = waiting.title
        for name in _WORDS:
            values[name] = getattr(waiting, name) or columns.get(name)
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(values, 2))
    if not await tx.execute(
        f"UPDATE tracks SET {sets} WHERE id = $1 AND reference_path IS NULL", into.track_id, *values.values()
    ):
        raise DownloadOver("The track has its audio already.")


async def _hold(tx: Transaction, into: Arrival) -> dict[str, Any]:
    """Return the row of the download, which stays as it is until the transaction ends. Raises DownloadOver."""
    found = await tx.rows("SELECT * FROM download_jobs WHERE id = $1 FOR UPDATE", into.job_id)
    if not found or found[0]["status"] != "downloading":
        raise DownloadOver
    return found[0]


async def hand_on(tx: Transaction, waiting: UUID, known: UUID) -> None:
    """Let a track with audio take the place of one that waits: its playlists and its id in the catalogue.

    The one that waits goes, with its jobs. Raises NotFound when either is not there as such any more.
    """
    catalogue = await tx.rows(
        "SELECT spotify_id, spotify_url, album_art_url FROM tracks WHERE id = $1 AND reference_path IS NULL FOR UPDATE",
        waiting,
    )  # fmt: skip
    if not catalogue or not await tx.value("SELECT true FROM tracks WHERE id = $1 FOR UPDATE", known):
        raise NotFound("There is no such track.")
    await tx.execute(
        "UPDATE playlist_tracks SET track_id = $2 WHERE track_id = $1 "
        "AND playlist_id NOT IN (SELECT playlist_id FROM playlist_tracks WHERE track_id = $2)",
        waiting, known,
    )  # fmt: skip
    await tx.execute("DELETE FROM tracks WHERE id = $1", waiting)
    await tx.execute(
        "UPDATE tracks SET spotify_id = coalesce(spotify_id, $2), spotify_url = coalesce(spotify_url, $3), "
        "album_art_url = coalesce(album_art_url, $4) WHERE id = $1",
        known, *(catalogue[0][name] for name in ("spotify_id", "spotify_url", "album_art_url")),
    )  # fmt: skip


async def join(db: Database, into: Arrival, known: UUID) -> None:
    """The audio that came is `known`'s: the track that waited goes, and playlists, link and job are `known`'s now.

    Raises DownloadOver, NotFound.
    """
    async with db.transaction() as tx:
        job = await _hold(tx, into)
        tries = await tx.rows("SELECT * FROM job_attempts WHERE download_job_id = $1", into.job_id)
        await hand_on(tx, into.track_id, known)
        # A job keeps its track for life, so this one is made again, under its own id, where it belongs now.
        await tx.execute(
            "INSERT INTO download_jobs (id, track_id, url, priority, options, attempts, lock_version, inserted_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            job["id"], known, job["url"], job["priority"], job["options"], job["attempts"], job["lock_version"],
            job["inserted_at"],
        )  # fmt: skip
        await tx.execute(
            "UPDATE download_jobs SET status = 'downloading', lock_version = lock_version + 1 WHERE id = $1", job["id"]
        )
        await tx.executemany(
            "INSERT INTO job_attempts (download_job_id, number, worker, outcome, error, finished_at, receipt) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7)",
            [
                (job["id"], *(one[name] for name in ("number", "worker", "outcome", "error", "finished_at", "receipt")))
                for one in tries
            ],
        )
