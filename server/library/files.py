"""A track's files, as decks play them and as routes send them: always found by rows, never by what a request says.

Owner: the library; nothing here changes anything.
Units: seconds; frames at the rate beside them, stem ranges at 44.1 kHz.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final
from uuid import UUID

import anyio
import anyio.to_thread
import msgspec

from audio.source import DeckSource, StemSource
from audio.units import STEM_SLOTS, STEMS
from audio.waveform_header import Levels, read_levels
from server.db import Queries
from server.errors import NotFound
from server.library import takes, tracks
from server.library.errors import FileMissing
from server.library.records import PcmSource, StoredFile, TrackRow
from server.library.storage import Storage
from server.library.tags import IMAGE_TYPES

BYTES: Final = "application/octet-stream"

AUDIO_TYPES: Final = {
    "wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg", "ogg": "audio/ogg", "oga": "audio/ogg",
    "opus": "audio/ogg", "aif": "audio/aiff", "aiff": "audio/aiff", "aifc": "audio/aiff", "m4a": "audio/mp4",
    "mp4": "audio/mp4", "aac": "audio/aac",
}  # fmt: skip
"""Media types by extension; anything else is sent as bytes."""


class _WholeStem(msgspec.Struct, frozen=True):
    file_path: str
    frames: int
    sample_rate: int
    options: dict[str, object]
    mark: str


class _StemFile(msgspec.Struct, frozen=True):
    processing_job_id: UUID | None
    stem_type: str
    status: str
    file_path: str
    ranges: list[tuple[int, int]]
    options: dict[str, object]


# ---- for decks


async def deck_source(
    db: Queries, storage: Storage, track_id: UUID, user_id: int | None, position_s: float
) -> DeckSource:
    """Return what a deck needs: the chosen stems, or where there are none those of the newest job that runs."""
    whole = await reference(storage, await tracks.row(db, track_id, user_id))
    found = await db.all(
        _StemFile,
        "SELECT s.processing_job_id, s.stem_type, s.status, s.file_path, s.ranges, s.options "
        "FROM stems s LEFT JOIN processing_jobs j ON j.id = s.processing_job_id "
        "WHERE s.track_id = $1 AND s.file_path IS NOT NULL AND (s.status = 'complete' AND s.chosen "
        "OR s.status = 'arriving' AND j.status IN ('queued', 'processing')) "
        "ORDER BY j.inserted_at DESC, s.inserted_at DESC", track_id,
    )  # fmt: skip
    played = [stem for stem in found if stem.status == "complete"]
    if not played and found:
        played = [stem for stem in found if stem.processing_job_id == found[0].processing_job_id]
    return DeckSource(
        reference=whole.path,
        gain=whole.gain,
        rate=whole.rate,
        frames=whole.frames,
        position_s=position_s,
        stems=tuple(_sources(storage, played)),
        take=await takes.chosen(db, storage, track_id),
    )


def _sources(storage: Storage, stems: list[_StemFile]) -> list[StemSource]:
    """Give each stem its slot: the named ones theirs, finer kinds the ones after them while there are some."""
    free = list(range(len(STEMS), STEM_SLOTS))
    sources = []
    for one in stems:
        if one.stem_type in STEMS:
            slot = STEMS.index(one.stem_type)
        elif free:
            slot = free.pop(0)
        else:
            continue
        arriving = one.status == "arriving"
        sources.append(
            StemSource(
                slot=slot,
                label=one.stem_type,
                path=storage.path(one.file_path),
                kind="part" if arriving else "flac",
                gain=1.0 if arriving else gain_of(one.options),
                ranges=tuple(one.ranges) if arriving else None,
            )
        )
    return sorted(sources, key=lambda source: source.slot)


def gain_of(options: Mapping[str, object]) -> float:
    """Return what a stem's file is to be multiplied by, of the options of its row."""
    gain = options.get("gain")
    return float(gain) if isinstance(gain, int | float) else 1.0


async def reference(storage: Storage, row: TrackRow) -> PcmSource:
    """Return a track's reference decode. Raises FileMissing."""
    if (
        row.reference_path is None
        or row.reference_sha256 is None
        or row.reference_gain is None
        or row.reference_rate is None
        or row.reference_frames is None
    ):
        raise FileMissing("This track has no audio yet.")
    path = storage.path(row.reference_path)
    if not await anyio.Path(path).is_file():
        raise FileMissing
    return PcmSource(path, row.reference_gain, row.reference_rate, row.reference_frames, row.reference_sha256)


async def chosen_stem(db: Queries, storage: Storage, track_id: UUID, stem_type: str) -> PcmSource:
    """Return the chosen stem of a type. Raises NotFound, FileMissing."""
    found = await db.first(
        _WholeStem,
        "SELECT file_path, frames, sample_rate, options, coalesce(sha256, id::text) AS mark FROM stems "
        "WHERE track_id = $1 AND stem_type = $2 AND chosen AND status = 'complete' AND file_path IS NOT NULL "
        "AND frames IS NOT NULL AND sample_rate IS NOT NULL",
        track_id, stem_type,
    )  # fmt: skip
    if found is None:
        raise NotFound("This track has no such stem.")
    path = storage.path(found.file_path)
    if not await anyio.Path(path).is_file():
        raise FileMissing
    return PcmSource(path, gain_of(found.options), found.sample_rate, found.frames, found.mark.replace("-", ""))


async def levels(storage: Storage, row: TrackRow) -> Levels | None:
    """Return the levels of the whole track; None for a track from before they were kept."""
    if row.waveform_path is None:
        return None
    return await anyio.to_thread.run_sync(read_levels, storage.path(row.waveform_path))


# ---- for routes


async def original(storage: Storage, row: TrackRow) -> StoredFile:
    """Return the file as it was imported. Raises FileMissing."""
    return await _stored(storage, row.file_path, _name(row.title, row.file_path), row.reference_sha256)


async def waveform(storage: Storage, row: TrackRow) -> StoredFile:
    """Return the overview. Raises FileMissing."""
    return await _stored(storage, row.waveform_path, "waveform.bin", row.reference_sha256)


async def cover(storage: Storage, row: TrackRow) -> StoredFile:
    """Return the cover. Raises NotFound when there is none, FileMissing."""
    if row.cover_path is None:
        raise NotFound("This track has no cover.")
    return await _stored(storage, row.cover_path, PurePosixPath(row.cover_path).name, None)


async def stem(db: Queries, storage: Storage, stem_id: UUID, user_id: int) -> StoredFile:
    """Return a complete stem's FLAC. Raises NotFound, FileMissing."""
    found = await db.rows(
        "SELECT s.file_path, s.sha256, s.stem_type, t.title FROM stems s JOIN tracks t ON t.id = s.track_id "
        "WHERE s.id = $1 AND t.user_id = $2 AND s.status = 'complete'", stem_id, user_id,
    )  # fmt: skip
    if not found:
        raise NotFound
    [row] = found
    return await _stored(
        storage, row["file_path"], _name(f"{row['title']} - {row['stem_type']}", row["file_path"]), row["sha256"]
    )


async def take(db: Queries, storage: Storage, take_id: UUID, user_id: int) -> StoredFile:
    """Return the FLAC of a take. Raises NotFound, FileMissing."""
    found = await db.rows(
        "SELECT k.file_path, k.name, t.title FROM track_takes k JOIN tracks t ON t.id = k.track_id "
        "WHERE k.id = $1 AND k.user_id = $2", take_id, user_id,
    )  # fmt: skip
    if not found:
        raise NotFound
    [row] = found
    called = _name(f"{row['title']} - {row['name'] or 'take'}", row["file_path"])
    return await _stored(storage, row["file_path"], called, None)


async def owned(db: Queries, storage: Storage, path: str, user_id: int) -> StoredFile:
    """Return the file of a row of this user that names `path`. Raises NotFound, FileMissing."""
    if "\0" in path:
        raise NotFound
    named = await db.value(
        "SELECT f.path FROM files f "
        "LEFT JOIN stems s ON f.owner_table = 'stems' AND s.id = f.owner_id AND s.status = 'complete' "
        "LEFT JOIN tracks t ON t.id = CASE f.owner_table WHEN 'tracks' THEN f.owner_id ELSE s.track_id END "
        "WHERE f.path = $1 AND f.doomed_at IS NULL AND t.user_id = $2", path, user_id,
    )  # fmt: skip
    if named is None:
        raise NotFound
    return await _stored(storage, named, PurePosixPath(named).name, None)


async def _stored(storage: Storage, relative: str | None, name: str, digest: str | None) -> StoredFile:
    if relative is None:
        raise FileMissing
    path = storage.path(relative)
    try:
        info = await anyio.Path(path).stat()
    except OSError as error:
        raise FileMissing from error
    extension = path.suffix[1:]
    media = AUDIO_TYPES.get(extension) or IMAGE_TYPES.get(extension) or BYTES
    mark = hashlib.sha256(f"{digest}:{relative}:{info.st_size}:{info.st_mtime_ns}".encode()).hexdigest()[:32]
    return StoredFile(path, media, f'"{mark}"', name)


def _name(title: str, relative: str | None) -> str:
    """Return what a download is called: the title, without what file systems do not like."""
    safe = "".join("_" if character in '/\\:*?"<>|' else character for character in title)
    return f"{safe[:150].strip() or 'track'}{PurePosixPath(relative or '').suffix}"
