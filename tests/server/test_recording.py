"""Recording as the performer has it: a switch of the show, on a real engine, through everything that can die."""

import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
import soundfile
from anyio.abc import TaskGroup, TaskStatus

from audio import recorder_link, shm
from audio.client import EngineClient
from audio.launch import adopt_or_start
from audio.settings import AudioSettings
from pipeline.formats.cue_sheet import read_cue
from server import recording as module
from server.recording import RecordingKeeper
from server.session.deckhand import EngineDeckhand
from server.session.effects import Notice
from server.session.intent import Intent
from server.session.show import Show
from server.session.state import initial
from tests.audio.test_recording import files_no_larger_than
from tests.server.session.test_with_engine import Library, made

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform == "win32", reason="the engine needs POSIX")]
PATIENCE_S = 60.0


async def until(what: Callable[[], object]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not what():
            await anyio.sleep(0.01)


class Desk:
    """A show with a keeper of recordings; `forget` is a server that was killed."""

    def __init__(self, folder: Path, show: Show, client: Callable[[], EngineClient | None], tasks: TaskGroup) -> None:
        self._tasks = tasks
        self.folder, self.show, self._client = folder / "recordings", show, client
        self.runtime, self._log = folder / "run", folder / "recorder.log"
        self.notices: list[Notice] = []
        self._scope = anyio.CancelScope()
        self.keeper = self._made()
        show.watch(self.notices.append)

    def _made(self) -> RecordingKeeper:
        return RecordingKeeper(self.show, self._client, self.runtime, self.folder, "flac", self._log)

    def said(self, words: str) -> bool:
        return any(words in notice.message for notice in self.notices if notice.code == "recording")

    def value(self, name: str) -> object:
        return self.show.value(f"/mixer/record{name}")

    def switch(self, value: int) -> None:
        self.show.submit(Intent("/mixer/record", value))

    def pid(self) -> int:
        note = recorder_link.read_note(self.runtime)
        assert note is not None
        return note.pid

    async def begin(self) -> None:
        """Start the keeper, as the server does before anybody can press a switch."""

        async def run(*, task_status: TaskStatus[None]) -> None:
            with anyio.CancelScope() as self._scope:
                await self.keeper.run(task_status=task_status)

        await self._tasks.start(run)

    async def forget(self) -> None:
        """Lose the keeper as a killed server does, and start another."""
        self._scope.cancel()
        self.keeper = self._made()
        await self.begin()


@asynccontextmanager
async def desk(folder: Path, deckhand: EngineDeckhand) -> AsyncIterator[Desk]:
    """A show at work on `deckhand`, and a keeper; whatever records at the end is ended."""
    show = Show(deckhand, initial())
    async with anyio.create_task_group() as tasks:
        here = Desk(folder, show, lambda: deckhand.client, tasks)
        await tasks.start(deckhand.run, show.report, show.notice)
        await tasks.start(show.run)
        await here.begin()
        try:
            yield here
        finally:
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await here.keeper.stop()


async def test_without_an_engine_the_switch_goes_back(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    async with desk(tmp_path, EngineDeckhand(Library(made(tmp_path)[0]))) as here:
        here.switch(1)
        await until(lambda: here.said("no engine plays"))
        await until(lambda: here.value("") == 0)
        assert not here.folder.exists()


async def test_a_recording_outlives_recorder_and_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHORT_S", 0.5)
    with tempfile.TemporaryDirectory(prefix="sfa-") as name:
        folder = Path(name)
        source, _ = made(folder)
        runtime = folder / "run"
        runtime.mkdir()
        client, process = await adopt_or_start(runtime, AudioSettings(device="null"), log=folder / "log")
        assert process is not None
        deckhand = EngineDeckhand(Library(source))
        try:
            async with desk(folder, deckhand) as here:
                deckhand.attach(client)
                here.show.submit(Intent("/deck/1/load", str(uuid4())))
                here.show.submit(Intent("/deck/1/play", 1))
                await until(lambda: here.show.value("/deck/1/status") == "ready")
                here.switch(1)
                await until(lambda: here.value("/file"))
                first, pid = str(here.value("/file")), here.pid()
                await until(lambda: here.keeper.seconds() > 2)

                # The recorder dies: another one begins in another file.
                os.kill(pid, signal.SIGKILL)
                await until(lambda: here.value("/file") != first)
                assert here.said("The recorder died") and here.value("") == 1
                second, pid = str(here.value("/file")), here.pid()

                # The server dies: the recorder does not, and is found again.
                await here.forget()
                await until(lambda: here.keeper.seconds() > 1)
                assert (here.pid(), here.value("/file"), here.value("")) == (pid, second, 1)

                here.switch(0)
                await until(lambda: here.said(f"Recorded {second}"))
                assert here.value("") == 0 and not recorder_link.is_recording(runtime)
                for file in (first, second):
                    audio, rate = soundfile.read(here.folder / file)
                    assert len(audio) > rate // 2 and abs(audio).max() > 0.01
                    sheet = (here.folder / file).with_suffix(".cue")
                    [listed] = read_cue(await anyio.Path(sheet).read_bytes())
                    assert listed.file == file
                    assert [(t.title, t.performer) for t in listed.tracks] == [("Title", "Artist")]
                    assert listed.tracks[0].start_s == 0

                # With buses armed: a folder of its own, and what is armed too late is said to be missing.
                for bus in ("deck1", "booth"):
                    here.show.submit(Intent(f"/mixer/record/bus/{bus}", 1))
                here.switch(1)
                await until(lambda: str(here.value("/file")).endswith("/master.flac"))
                here.show.submit(Intent("/mixer/record/bus/pads", 1))
                await until(lambda: here.said("pads is not in this recording"))
                await until(lambda: here.keeper.seconds() > 1)
                await here.forget()
                await until(lambda: here.keeper.seconds() > 1)
                here.switch(0)
                together = str(here.value("/file"))
                await until(lambda: here.said(f"Recorded {together} and 2 more"))
                own = (here.folder / together).parent
                assert sorted(path.name for path in own.iterdir()) == [
                    "booth.flac", "deck1.flac", "master.cue", "master.flac", "recording.json",
                ]  # fmt: skip
                sounds = [soundfile.read(own / f"{name}.flac")[0] for name in ("master", "booth", "deck1")]
                assert len({len(sound) for sound in sounds}) == 1
                assert all(abs(sound).max() > 0.01 for sound in sounds)
                for bus in ("deck1", "booth", "pads"):
                    here.show.submit(Intent(f"/mixer/record/bus/{bus}", 0))

                # The disk is full: what is there plays, and the switch goes back.
                with files_no_larger_than(400_000):
                    here.switch(1)
                    await until(lambda: here.said("The disk is full"))
                await until(lambda: here.value("") == 0)
                last = str(here.value("/file"))
                assert last != second
                assert len(soundfile.read(here.folder / last)[0]) > rate // 2
        finally:
            with anyio.CancelScope(shield=True):
                await client.quit()
            process.end()
            shm.unlink(client.segment)
