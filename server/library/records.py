"""What the library tells: tracks, stems, analysis, playlists. Column names of the schema are the JSON names.

Owner: whoever asked; frozen. Units: `duration` in seconds, `bpm` in beats per minute, frames at the rate beside them.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec


class JobSummary(msgspec.Struct, frozen=True):
    """A job as its track shows it. `kind` is download, processing or analysis; `progress` 0 to 100."""

    id: UUID
    kind: str
    track_id: UUID
    engine: str | None
    model: str | None
    status: str
    stage: str
    progress: int
    error: str | None
    error_code: str | None
    attempts: int
    lock_version: int
    inserted_at: datetime.datetime
    updated_at: datetime.datetime


class Stem(msgspec.Struct, frozen=True):
    """One version of one separated part. Only complete ones are listed."""

    id: UUID
    track_id: UUID
    processing_job_id: UUID | None
    stem_type: str
    engine: str | None
    model: str | None
    source: str
    chosen: bool
    file_size: int | None
    frames: int | None
    sample_rate: int | None
    options: dict[str, Any]
    inserted_at: datetime.datetime


class Analysis(msgspec.Struct, frozen=True):
    """An analysis of a track; the chosen one is what a track shows. `features` is empty in lists."""

    id: UUID
    track_id: UUID
    analysis_job_id: UUID
    chosen: bool
    tempo: float | None
    key: str | None
    energy: float | None
    spectral_centroid: float | None
    spectral_rolloff: float | None
    zero_crossing_rate: float | None
    features: dict[str, Any]
    inserted_at: datetime.datetime


class TrackRow(msgspec.Struct, frozen=True):
    """A track as the table has it."""

    id: UUID
    user_id: int
    title: str
    artist: str | None
    album: str | None
    genre: str | None
    year: int | None
    album_art_url: str | None
    spotify_id: str | None
    spotify_url: str | None
    duration: float | None
    bpm: float | None
    key: str | None
    source: str
    original_name: str | None
    file_path: str | None
    file_size: int | None
    codec: str | None
    channels: int | None
    sample_rate: int | None
    reference_path: str | None
    reference_frames: int | None
    reference_rate: int | None
    reference_gain: float | None
    reference_sha256: str | None
    peak: float | None
    warnings: tuple[str, ...]
    waveform_path: str | None
    cover_path: str | None
    inserted_at: datetime.datetime
    updated_at: datetime.datetime


TRACK_COLUMNS = ", ".join(TrackRow.__struct_fields__)


class Track(msgspec.Struct, frozen=True):
    """A track with what belongs to it. `status` is that of its newest job, `completed` when it has none."""

    id: UUID
    title: str
    artist: str | None
    album: str | None
    genre: str | None
    year: int | None
    album_art_url: str | None
    spotify_id: str | None
    spotify_url: str | None
    duration: float | None
    bpm: float | None
    key: str | None
    source: str
    original_name: str | None
    file_size: int | None
    codec: str | None
    channels: int | None
    sample_rate: int | None
    #: What to know about the file, in sentences.
    warnings: tuple[str, ...]
    has_cover: bool
    status: str
    inserted_at: datetime.datetime
    updated_at: datetime.datetime
    jobs: tuple[JobSummary, ...] = ()
    stems: tuple[Stem, ...] = ()
    analysis: Analysis | None = None


SHARED_FIELDS = tuple(name for name in Track.__struct_fields__ if name in TrackRow.__struct_fields__)


class Genre(msgspec.Struct, frozen=True):
    """A genre and how many tracks have it."""

    name: str
    tracks: int


class Page(msgspec.Struct, frozen=True):
    """A stretch of a list of tracks; `cursor` asks for the next, None at the end."""

    tracks: tuple[Track, ...]
    total: int
    cursor: str | None


class TrackChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be edited of a track; a field that is left out stays."""

    title: str | msgspec.UnsetType = msgspec.UNSET
    artist: str | msgspec.UnsetType | None = msgspec.UNSET
    album: str | msgspec.UnsetType | None = msgspec.UNSET
    genre: str | msgspec.UnsetType | None = msgspec.UNSET
    year: int | msgspec.UnsetType | None = msgspec.UNSET


class PlaylistRow(msgspec.Struct, frozen=True):
    """A playlist without its tracks."""

    id: UUID
    name: str
    description: str | None
    spotify_id: str | None
    spotify_url: str | None
    cover_art_url: str | None
    source: str
    track_count: int
    inserted_at: datetime.datetime
    updated_at: datetime.datetime


class PlaylistEntry(msgspec.Struct, frozen=True):
    """A place in a playlist, counted from 0."""

    position: int
    track: Track


class Playlist(PlaylistRow, frozen=True, kw_only=True):
    """A playlist with its tracks in order."""

    tracks: tuple[PlaylistEntry, ...]


class StoredFile(msgspec.Struct, frozen=True):
    """A file to send: `etag` changes with its content, `name` is what a download is called."""

    path: Path
    media_type: str
    etag: str
    name: str
    immutable: bool = True


class PcmSource(msgspec.Struct, frozen=True):
    """A track's reference decode, for workers: what `Importer.pcm` takes."""

    path: Path
    gain: float
    rate: int
    frames: int
    sha256: str
