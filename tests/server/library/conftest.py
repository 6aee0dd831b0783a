"""A library on a data folder of the test's own, with the real importer."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from audio.importer import Importer
from server.auth import Authentication
from server.db import Database
from server.library.service import Library
from server.protocol import LibraryChanged


@pytest.fixture(scope="session")
async def importer() -> AsyncIterator[Importer]:
    opened = Importer()
    await opened.start()
    yield opened
    await opened.close()


@pytest.fixture
def events() -> list[tuple[str, int]]:
    return []


@pytest.fixture
async def owner(db: Database) -> int:
    auth = Authentication(db)
    await auth.start()
    return auth.owner_id


@pytest.fixture
async def library(db: Database, importer: Importer, tmp_path: Path, events: list[tuple[str, int]]) -> Library:
    def heard(change: LibraryChanged, user_id: int) -> None:
        events.append((change.change, user_id))

    opened = Library(db, tmp_path / "data", importer, on_change=heard)
    await opened.open()
    return opened


def tone(seconds: float = 0.5, hz: float = 440.0, rate: int = 44_100, channels: int = 2) -> npt.NDArray[np.float32]:
    """Return a sine, (frames, channels)."""
    time = np.arange(int(seconds * rate)) / rate
    wave = 0.5 * np.sin(2 * np.pi * hz * time)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def write_wav(path: Path, **kind: float) -> Path:
    soundfile.write(path, tone(**kind), int(kind.get("rate", 44_100)))  # type: ignore[arg-type]
    return path


def encode(source: Path, target: Path, *options: str) -> Path:
    """Encode with ffmpeg; a laptop without it skips, CI fails."""
    try:
        command = ["ffmpeg", "-v", "error", "-y", "-i", str(source), *options, str(target)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        if os.environ.get("CI"):
            raise
        pytest.skip("ffmpeg is not installed")
    return target


def files_under(folder: Path) -> set[str]:
    """Return every file in a folder, relative."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
