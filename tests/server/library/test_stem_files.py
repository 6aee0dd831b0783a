"""Stem files of other programs, imported: each stem under its type, at the place of the mix, all or none."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
import soundfile

from pipeline.formats.stem_mp4 import Float32, Read, StemTrack, write_stem_mp4
from server.db import Database
from server.library import stem_files
from server.library.service import Library
from tests.server.library.conftest import write_wav

pytestmark = pytest.mark.anyio

RATE = 44_100
FRAMES = 2 * RATE
HERTZ = {"drums": 880.0, "bass": 110.0, "other": 1760.0, "vocals": 440.0}


def _burst(hz: float, at: int) -> Read:
    """A tone that begins at one frame, so that its place can be seen."""
    frame = np.arange(FRAMES)
    wave = np.where(frame >= at, 0.2 * np.sin(2 * np.pi * hz * (frame - at) / RATE), 0.0)
    sound = np.stack([wave, wave], axis=1).astype(np.float32)
    return lambda start, stop: sound[start:stop]


STARTS = {"drums": 10_000, "bass": 20_000, "other": 30_000, "vocals": 40_000}
PARTS = {name: _burst(HERTZ[name], STARTS[name]) for name in HERTZ}


def _mix(start: int, stop: int) -> Float32:
    mixed: Float32 = np.sum([part(start, stop) for part in PARTS.values()], axis=0, dtype=np.float32)
    return mixed


@pytest.fixture
def taken(library: Library, db: Database) -> list[str]:
    """What was told about files that came."""
    told: list[str] = []

    async def on_import(track_id: UUID, user_id: int) -> None:
        told.extend(await stem_files.take(library, db, track_id, user_id))

    library.set_hooks(on_import=on_import)
    return told


@pytest.mark.parametrize(("codec", "close"), [("alac", 1e-4), ("aac", 0.03)])
async def test_stems_of_a_file_become_the_tracks_own_in_their_place(
    library: Library, owner: int, taken: list[str], tmp_path: Path, codec: str, close: float
) -> None:
    path = tmp_path / "song.stem.mp4"
    write_stem_mp4(path, _mix, PARTS, FRAMES, RATE, codec)
    track = await library.import_file(path, owner)
    assert taken == []
    stems = {stem.stem_type: stem for stem in await library.stems(track.id, owner)}
    assert set(stems) == set(HERTZ) and all(stem.chosen and stem.source == "import" for stem in stems.values())
    assert {name: stem.options["name"] for name, stem in stems.items()} == {name: name.capitalize() for name in stems}
    assert all(str(stem.options["color"]).startswith("#") for stem in stems.values())
    for name, stem in stems.items():
        sound, rate = soundfile.read((await library.stem_file(stem.id, owner)).path, dtype="float32")
        assert (rate, abs(len(sound) - FRAMES) <= 1024) == (RATE, True)
        wanted = PARTS[name](0, FRAMES)[: len(sound)]
        error = np.sqrt(np.mean((sound[: len(wanted)] - wanted) ** 2) / np.mean(wanted**2))
        assert error < close, name


async def test_an_ordinary_file_has_none(library: Library, owner: int, taken: list[str], tmp_path: Path) -> None:
    track = await library.import_file(write_wav(tmp_path / "a.wav"), owner)
    assert taken == [] and not await library.stems(track.id, owner)


async def test_all_stems_come_or_none(
    library: Library, db: Database, owner: int, taken: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "song.stem.mp4"
    write_stem_mp4(path, _mix, PARTS, FRAMES, RATE, "alac")
    monkeypatch.setattr(stem_files, "types_of", lambda stems: ["drums", "bass", "other", "kazoo"])
    track = await library.import_file(path, owner)
    assert len(taken) == 1 and "kazoo" in taken[0] and not await library.stems(track.id, owner)
    await library.reconcile_files()
    data = library.storage.data
    rows = {row["path"] for row in await db.rows("SELECT path FROM files")}
    assert {file.relative_to(data).as_posix() for file in data.rglob("*") if file.is_file()} == rows


@pytest.mark.parametrize(
    ("names", "types"),
    [
        (["Drums", "Bass", "Synth", "Vox"], ["drums", "bass", "other", "vocals"]),
        (["Kick", "Perc", "Sub", "Lead Vocal"], ["drums", "other", "bass", "vocals"]),
        (["Stem 1", "Stem 2", "Stem 3", "Stem 4"], ["other", "guitar", "piano", "vocals"]),
        (["Piano", "Melody", "Guitar", "Beats"], ["piano", "other", "guitar", "drums"]),
    ],
)
def test_names_of_stems_are_understood(names: list[str], types: list[str]) -> None:
    assert stem_files.types_of([StemTrack(name, None, n) for n, name in enumerate(names, 1)]) == types
