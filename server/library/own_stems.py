"""Stems a performer brings along: decoded like any file, fitted to the track's length, kept beside the separated ones.

Owner: the library. Decoding happens in the importer's children, encoding in a thread.
Units: frames at 44.1 kHz (MODEL_RATE), at which every stem is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final
from uuid import UUID, uuid4

import anyio
import anyio.to_thread
import numpy as np

from audio.errors import AudioError
from audio.reference import Reference
from audio.units import MODEL_RATE, STEM_TYPES
from server.db import Database
from server.errors import BadRequest
from server.library import tracks
from server.library.decoder import Decoder
from server.library.errors import from_audio
from server.library.storage import Storage, full_disk_is_our_error

LENGTH_SLACK_S: Final = 0.25
"""A stem may be this much shorter or longer than its track: encoders pad. More, and it is of another recording."""

BLOCK_FRAMES: Final = 1 << 18


async def add_stem(
    db: Database,
    storage: Storage,
    importer: Decoder,
    track_id: UUID,
    user_id: int,
    stem_type: str,
    upload: Path,
    staging: Path,
    shown: Mapping[str, str],
) -> None:
    """Make the file `upload` the track's stem of this type; separated stems stay, unchosen.

    `shown` is what the stem was called where it comes from: `name`, `color` as #RRGGBB, or nothing.
    `staging` is an empty folder to work in, which the caller keeps from being tidied away, and removes.
    Raises NotFound, BadRequest (unknown type, other length), NotAudio, StorageFull, DatabaseGone.
    """
    if stem_type not in STEM_TYPES:
        raise BadRequest(f"There is no stem called {stem_type[:40]!r}; there is {', '.join(STEM_TYPES)}.")
    row = await tracks.row(db, track_id, user_id)
    if not row.reference_frames or not row.reference_rate:
        raise BadRequest("This track has no audio yet.")
    frames = -(-row.reference_frames * MODEL_RATE // row.reference_rate)
    relative = PurePosixPath("stems") / str(track_id) / "own" / f"{stem_type}-{uuid4().hex[:12]}.flac"
    target = storage.path(relative)
    try:
        reference = await importer.decode(upload, staging)
        length_s, track_s = reference.frames / reference.rate, row.reference_frames / row.reference_rate
        if abs(length_s - track_s) > LENGTH_SLACK_S:
            raise BadRequest(
                f"The stem is {length_s:.2f} s long and the track {track_s:.2f} s: they are not of one recording."
            )
        await _encode(importer, reference, staging / "reference.flac", frames, staging / "stem.flac")
    except AudioError as error:
        raise from_audio(error) from error
    with full_disk_is_our_error():
        await anyio.to_thread.run_sync(_publish, staging / "stem.flac", target)
    try:
        await _insert(db, track_id, stem_type, relative, target, frames, {**shown, "gain": reference.gain})
    except BaseException:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(target.unlink)
        raise


async def _encode(importer: Decoder, reference: Reference, source: Path, frames: int, target: Path) -> None:
    """Write `frames` frames at 44.1 kHz of the decoded stem, silence behind its end."""
    from audio.flac import FlacWriter  # libsndfile is loaded when the first stem is there, not with the server

    writer = await anyio.to_thread.run_sync(FlacWriter, target, MODEL_RATE, reference.gain)
    try:
        for start in range(0, frames, BLOCK_FRAMES):
            stop = min(start + BLOCK_FRAMES, frames)
            raw = await importer.pcm(source, reference.gain, reference.rate, MODEL_RATE, start, stop)
            block = np.zeros((stop - start, 2), np.float32)
            there = np.frombuffer(raw, "<f4").reshape(-1, 2)
            block[: len(there)] = there
            await anyio.to_thread.run_sync(writer.write, block)
        await anyio.to_thread.run_sync(writer.close)
    finally:
        writer.abandon()


def _publish(made: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    made.replace(target)


async def _insert(
    db: Database,
    track_id: UUID,
    stem_type: str,
    relative: PurePosixPath,
    file: Path,
    frames: int,
    options: Mapping[str, object],
) -> None:
    size = (await anyio.Path(file).stat()).st_size
    async with db.transaction() as tx:
        await tx.execute(
            "DELETE FROM stems WHERE track_id = $1 AND stem_type = $2 AND source = 'import'", track_id, stem_type
        )
        # Versions do not add up with each other: a deck plays one or the other.
        await tx.execute(
            "UPDATE stems SET chosen = false WHERE track_id = $1 AND chosen AND source <> 'import'", track_id
        )
        await tx.execute(
            "INSERT INTO stems (track_id, stem_type, source, status, chosen, file_path, file_size, frames, "
            "sample_rate, options) VALUES ($1, $2, 'import', 'complete', true, $3, $4, $5, $6, $7)",
            track_id, stem_type, str(relative), size, frames, MODEL_RATE, dict(options),
        )  # fmt: skip
