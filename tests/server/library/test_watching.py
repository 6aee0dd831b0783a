"""Watched folders against the real library: when files are taken, and that none is taken twice. Time is a number."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from server.errors import DatabaseGone, StorageFull
from server.library.importing import Imported
from server.library.service import Library
from server.library.watching import SETTLE_S, Watcher
from tests.server.library.conftest import write_wav

pytestmark = pytest.mark.anyio


class Watch:
    """A watched folder, and looks at it each of which finds what was there settled."""

    def __init__(self, library: Library, tmp_path: Path) -> None:
        self.library = library
        self.folder = tmp_path / "incoming"
        self.folder.mkdir()
        self.memory = tmp_path / "watched.json"
        self.told: list[str] = []
        self.now = 100.0
        self.decoded: list[str] = []
        self.fails: Exception | None = None
        self.restart()

    def restart(self) -> None:
        self.watcher = Watcher(self, [self.folder], self.memory, self.told.append)

    async def owner_id(self) -> int:
        return await self.library.owner_id()

    async def receive(self, path: Path, user_id: int) -> Imported:
        if self.fails is not None:
            raise self.fails
        self.decoded.append(path.name)
        return await self.library.receive(path, user_id)

    async def look(self, after: float = SETTLE_S) -> int:
        self.now += after
        return await self.watcher.look(self.now)

    async def settled(self) -> int:
        return await self.look() + await self.look()


@pytest.fixture
def watch(library: Library, owner: int, tmp_path: Path) -> Watch:
    return Watch(library, tmp_path)


async def test_a_file_is_taken_when_it_has_stopped_growing(watch: Watch, tmp_path: Path) -> None:
    whole = write_wav(tmp_path / "whole.wav", seconds=1.0).read_bytes()
    path = watch.folder / "deep" / "new.wav"
    path.parent.mkdir()
    for stop in (1000, 20_000, len(whole)):
        path.write_bytes(whole[:stop])
        assert await watch.look() == 0
    assert await watch.look(SETTLE_S / 2) == 0
    assert await watch.look(SETTLE_S / 2) == 1
    assert await watch.settled() == 0 and watch.decoded == ["new.wav"] and path.is_file()


async def test_moved_and_renamed_files_are_not_imported_again(watch: Watch) -> None:
    path = write_wav(watch.folder / "a.wav")
    assert await watch.settled() == 1
    (watch.folder / "sub").mkdir()
    path.rename(watch.folder / "sub" / "b.wav")
    assert await watch.settled() == 0 and watch.decoded == ["a.wav"]


async def test_a_copy_is_the_same_track_and_a_start_decodes_nothing_again(watch: Watch) -> None:
    path = write_wav(watch.folder / "a.wav")
    await watch.settled()
    shutil.copy(path, watch.folder / "copy.wav")
    assert await watch.settled() == 0 and watch.decoded == ["a.wav", "copy.wav"]
    watch.restart()
    assert await watch.settled() == 0 and watch.decoded == ["a.wav", "copy.wav"]
    watch.memory.write_text("{broken")
    watch.restart()
    assert await watch.settled() == 0


async def test_a_track_that_was_deleted_stays_deleted(watch: Watch) -> None:
    write_wav(watch.folder / "a.wav")
    await watch.settled()
    user = await watch.library.owner_id()
    (track,) = (await watch.library.tracks(user)).tracks
    await watch.library.delete(track.id, user)
    assert await watch.settled() == 0 and not (await watch.library.tracks(user)).tracks


async def test_a_failure_is_told_once_and_tried_again_when_the_file_has_changed(watch: Watch, tmp_path: Path) -> None:
    path = watch.folder / "a.wav"
    path.write_bytes(b"no audio at all")
    for _ in range(4):
        assert await watch.look() == 0
    assert len(watch.told) == 1 and "a.wav was not imported" in watch.told[0]
    write_wav(path)
    os.utime(path, ns=(1, 1))
    assert await watch.settled() == 1 and len(watch.told) == 1


@pytest.mark.parametrize("error", [StorageFull(), DatabaseGone()])
async def test_what_may_pass_is_told_once_and_waited_for(watch: Watch, error: Exception) -> None:
    write_wav(watch.folder / "a.wav")
    watch.fails = error
    for _ in range(4):
        assert await watch.look() == 0
    assert len(watch.told) == 1
    watch.fails = None
    assert await watch.look() == 1
    watch.fails = error
    write_wav(watch.folder / "b.wav", hz=300.0)
    await watch.settled()
    assert len(watch.told) == 2


async def test_a_drive_that_is_away_is_told_once_and_loses_nothing(watch: Watch, tmp_path: Path) -> None:
    write_wav(watch.folder / "a.wav")
    await watch.settled()
    watch.folder.rename(tmp_path / "away")
    await watch.settled()
    await watch.settled()
    assert len(watch.told) == 1 and "is not there" in watch.told[0]
    await anyio.Path(tmp_path / "away").rename(watch.folder)
    assert await watch.settled() == 0 and watch.decoded == ["a.wav"]


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: write_wav(folder / ".hidden.wav"),
        lambda folder: (folder / "notes.txt").write_text("x"),
        lambda folder: (folder / "empty.wav").touch(),
        lambda folder: (folder / "nowhere.wav").symlink_to("/nowhere.wav"),
    ],
)
async def test_what_is_no_music_is_passed_over(watch: Watch, make: Callable[[Path], object]) -> None:
    make(watch.folder)
    assert await watch.settled() == 0 and not watch.told and not watch.decoded
