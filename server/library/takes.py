"""Takes: what was played along with a track, kept with it, and which of them plays beside it.

    pass --laid in track time--> takes/open/ID/take.flac --rename--> takes/TRACK/ID.flac --> row

Owner: the library; rows and files are the track's and the user's, and go with either. A server that dies between file
and row leaves a file that no row names: `sweep` removes it.
Units: seconds of the track; speed as ratio.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final
from uuid import UUID

import anyio
import anyio.to_thread
import msgspec

from audio.source import PadSource
from server.db import Database, Queries
from server.errors import BadRequest, NotFound
from server.library import tracks
from server.library.storage import Storage, full_disk_is_our_error

FOLDER: Final = PurePosixPath("takes")
KEPT: Final = 8
"""So many takes of a song are kept, the newest, and the chosen one and those that have a name beside them."""

LONGEST_NAME: Final = 200


class Take(msgspec.Struct, frozen=True):
    """A take: what was played from `start` to `end` of the track, in seconds, in a file that begins with the track.
    `rate` is the speed at which it was played; `chosen` says whether decks play it beside the track."""

    id: UUID
    track_id: UUID
    name: str
    chosen: bool
    start: float
    end: float
    rate: float
    keylock: bool
    file_size: int
    made_at: datetime


class TakeChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be changed of a take; a field that is left out stays. One take of a track is chosen, or none."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    chosen: bool | msgspec.UnsetType = msgspec.UNSET


_COLUMNS: Final = (
    'id, track_id, name, chosen, starting AS start, ending AS "end", rate, keylock, file_size, inserted_at AS made_at'
)


async def listing(db: Queries, track_id: UUID, user_id: int) -> list[Take]:
    """Return the takes of a track, newest first. Raises NotFound."""
    await tracks.row(db, track_id, user_id)
    return await db.all(
        Take,
        f"SELECT {_COLUMNS} FROM track_takes WHERE track_id = $1 AND user_id = $2 ORDER BY inserted_at DESC, id",
        track_id, user_id,
    )  # fmt: skip


async def chosen(db: Queries, storage: Storage, track_id: UUID) -> PadSource | None:
    """Return what plays beside the track; None for nothing."""
    found = await db.rows(
        "SELECT k.file_path, k.ending, k.gain FROM track_takes k JOIN tracks t ON t.id = k.track_id "
        "WHERE k.track_id = $1 AND k.user_id = t.user_id AND k.chosen", track_id,
    )  # fmt: skip
    if not found:
        return None
    [row] = found
    return PadSource(storage.path(row["file_path"]), 0.0, row["ending"], "flac", row["gain"])


async def add(
    db: Database,
    storage: Storage,
    take_id: UUID,
    track_id: UUID,
    made: Path,
    span_s: tuple[float, float],
    rate: float,
    *,
    keylock: bool,
    gain: float,
) -> int:
    """Keep the file `made`, which is taken, as the newest take of a track; return whose it is. One that is kept under
    this id already stays as it is: a server that died may have come so far.

    Pre: the caller keeps what has this id for a name from being swept. The oldest beyond KEPT go.
    Raises NotFound, StorageFull.
    """
    user = (await tracks.row(db, track_id, None)).user_id
    if await db.value("SELECT true FROM track_takes WHERE id = $1", take_id):
        return user
    relative = FOLDER / str(track_id) / f"{take_id}.flac"
    size = (await anyio.Path(made).stat()).st_size
    with full_disk_is_our_error():
        await anyio.to_thread.run_sync(_publish, made, storage.path(relative))
    async with db.transaction() as tx:
        await tx.execute(
            "INSERT INTO track_takes (id, track_id, user_id, starting, ending, rate, keylock, file_path, file_size, "
            "gain) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            take_id, track_id, user, *span_s, rate, keylock, str(relative), size, gain,
        )  # fmt: skip
        await tx.execute(
            "DELETE FROM track_takes WHERE id IN (SELECT id FROM track_takes WHERE track_id = $1 AND user_id = $2 "
            "AND NOT chosen AND name = '' ORDER BY inserted_at DESC, id OFFSET $3)",
            track_id, user, KEPT,
        )  # fmt: skip
    return user


def _publish(made: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    made.replace(target)


async def change(db: Database, take_id: UUID, user_id: int, wanted: TakeChange) -> Take:
    """Name or choose a take. Raises NotFound, BadRequest."""
    if wanted.name is not msgspec.UNSET and len(wanted.name.strip()) > LONGEST_NAME:
        raise BadRequest(f"The name of a take has {LONGEST_NAME} characters at most.")
    async with db.transaction() as tx:
        track_id = await tx.value(
            "SELECT track_id FROM track_takes WHERE id = $1 AND user_id = $2 FOR UPDATE", take_id, user_id
        )
        if track_id is None:
            raise NotFound
        if wanted.chosen is True:
            # One after the other, whoever else chooses now.
            await tx.execute("SELECT id FROM tracks WHERE id = $1 FOR UPDATE", track_id)
            await tx.execute(
                "UPDATE track_takes SET chosen = false WHERE track_id = $1 AND user_id = $2 AND chosen",
                track_id, user_id,
            )  # fmt: skip
        if wanted.chosen is not msgspec.UNSET:
            await tx.execute("UPDATE track_takes SET chosen = $2 WHERE id = $1", take_id, wanted.chosen)
        if wanted.name is not msgspec.UNSET:
            await tx.execute("UPDATE track_takes SET name = $2 WHERE id = $1", take_id, wanted.name.strip())
        return await tx.one(Take, f"SELECT {_COLUMNS} FROM track_takes WHERE id = $1", take_id)


async def delete(db: Database, take_id: UUID, user_id: int) -> UUID:
    """Delete a take; return its track. Raises NotFound."""
    track_id = await db.value(
        "DELETE FROM track_takes WHERE id = $1 AND user_id = $2 RETURNING track_id", take_id, user_id
    )
    if track_id is None:
        raise NotFound
    return UUID(str(track_id))


async def sweep(db: Database, storage: Storage, in_use: Callable[[str], bool]) -> int:
    """Remove files below `takes/` that no row names and nobody is about to name; return how many went."""
    found = await anyio.to_thread.run_sync(lambda: list((storage.data / FOLDER).glob("*/*.flac")))
    names = {path.relative_to(storage.data).as_posix(): path for path in found if not in_use(path.stem)}
    known = await db.rows("SELECT path FROM files WHERE path = ANY($1)", list(names))
    gone = names.keys() - {row["path"] for row in known}
    for name in gone:
        await anyio.to_thread.run_sync(storage.remove, name)
    return len(gone)
