"""The show with the real engine on a timer: what is asked for is heard, and outlives the engine."""

import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID, uuid4

import anyio
import numpy as np
import pytest

from audio.flac import FlacWriter
from audio.launch import adopt_or_start
from audio.settings import AudioSettings
from audio.source import DeckSource, StemSource
from audio.units import STEMS
from server.marks import NO_MARKS, Grid, Marks
from server.pads import Pad
from server.practice import NO_REHEARSAL, Pass, Practice, Rehearsal
from server.session.deckhand import EngineDeckhand
from server.session.intent import Intent
from server.session.show import Show
from tests.server.render_material import CENTRE, RATE, TONES, levels, tone

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform == "win32", reason="the engine needs POSIX")]
MODEL_RATE = 44_100
SECONDS = 30
NAMES = ("vocals", "drums", "bass", "other")


def made(folder: Path) -> tuple[DeckSource, DeckSource]:
    """Write a song; return it without stems, and with stems of which nothing has arrived."""
    stems = {name: tone(TONES[name], SECONDS, MODEL_RATE) for name in NAMES}
    writer = FlacWriter(folder / "reference.flac", MODEL_RATE, 1.0)
    writer.write(sum(stems.values(), np.zeros_like(stems["bass"])))
    writer.close()
    for name, audio in stems.items():
        (folder / f"{name}.part").write_bytes(audio.astype("<f4").tobytes())
    bare = DeckSource(folder / "reference.flac", 1.0, MODEL_RATE, SECONDS * MODEL_RATE)
    parts = tuple(StemSource(STEMS.index(n), n, folder / f"{n}.part", "part", 1.0, ()) for n in NAMES)
    return bare, DeckSource(folder / "reference.flac", 1.0, MODEL_RATE, SECONDS * MODEL_RATE, 0.0, parts)


class Library:
    def __init__(self, source: DeckSource) -> None:
        self.source = source
        self.grid: Grid | None = None
        self.kept = NO_MARKS
        self.banks: dict[int, tuple[Pad, ...]] = {}

    async def deck_source(self, track_id: UUID) -> DeckSource:
        return self.source

    async def marks(self, track_id: UUID) -> tuple[Grid | None, Marks]:
        return self.grid, self.kept

    async def save_bank(self, bank: int, pads: tuple[Pad, ...]) -> None:
        self.banks[bank] = pads

    async def save_marks(self, track_id: UUID, marks: Marks) -> None:
        self.kept = marks

    async def rehearsal(self, track_id: UUID) -> Rehearsal:
        return NO_REHEARSAL

    async def save_practice(self, track_id: UUID, practice: Practice) -> None:
        raise AssertionError("this is not practice mode")

    async def log_pass(self, track_id: UUID, made: Pass, *, clean: bool) -> None:
        raise AssertionError("this is not practice mode")

    async def track(self, track_id: UUID, user_id: int | None) -> SimpleNamespace:
        return SimpleNamespace(title="Title", artist="Artist")


async def hears(deckhand: EngineDeckhand, expected: Mapping[str, float]) -> None:
    """Wait until the master holds these tones and none of the others."""
    assert deckhand.client is not None
    cursor = deckhand.client.master_cursor
    heard: Mapping[str, float] = {}
    with anyio.move_on_after(20):
        while True:
            pieces: list[np.ndarray] = []
            while sum(map(len, pieces)) < RATE // 4:
                block, cursor = deckhand.read_master(cursor, 4096)
                pieces.append(block)
                await anyio.sleep(0.005)
            audio = np.concatenate(pieces)
            heard = levels(audio, 0.0, 0.25)
            if all(abs(heard[name] - expected.get(name, 0.0)) < 2e-3 for name in NAMES):
                return
    raise AssertionError(f"expected {dict(expected)}, heard {dict(heard)}")


async def until(show: Show, path: str, value: object) -> None:
    with anyio.fail_after(30):
        async with show.subscribe("test") as changes:
            while show.controls[path] != value:
                await anext(changes)


@pytest.mark.timeout(300)
async def test_a_song_its_stems_a_crash_and_a_return(tmp_path: Path):
    bare, growing = made(tmp_path)
    library, track = Library(bare), uuid4()
    lost = anyio.Event()
    deckhand = EngineDeckhand(library, on_lost=lost.set)
    show = Show(deckhand)
    everything = dict.fromkeys(NAMES, 0.1 * CENTRE)
    settings = AudioSettings(device="null")

    def put(path: str, value: object) -> None:
        show.submit(Intent(path, value, "test"))

    def wholly_there() -> None:
        for name in NAMES:
            path = tmp_path / f"{name}.part"
            deckhand.loader.on_stretch(track, job, name, path, 0, SECONDS * MODEL_RATE)

    with tempfile.TemporaryDirectory(prefix="sfa-") as runtime:
        async with anyio.create_task_group() as tasks:
            await tasks.start(show.run)
            await tasks.start(deckhand.run, show.report, show.notice)
            client, process = await adopt_or_start(Path(runtime), settings, log=tmp_path / "engine.log")
            try:
                deckhand.attach(client)
                library.grid = Grid(tuple(0.5 * beat for beat in range(40)))
                put("/deck/1/load", str(track))
                put("/deck/1/play", 1)
                put("/deck/1/stem/vocals/mute", 1)
                await until(show, "/deck/1/stem/vocals/pending", 1)
                await hears(deckhand, everything)
                with anyio.fail_after(20):
                    while deckhand.telemetry()["/deck/1/tempo"] != pytest.approx(120.0):
                        await anyio.sleep(0.01)
                put("/deck/1/hotcue/2/set", 1)
                with anyio.fail_after(20):
                    while not library.kept.hotcues:
                        await anyio.sleep(0.01)
                assert library.kept.hotcues[0].slot == 2

                library.source, job = growing, uuid4()
                wholly_there()
                await until(show, "/deck/1/stem/vocals/pending", 0)
                await hears(deckhand, everything | {"vocals": 0.0})
                assert show.controls["/deck/1/stem/drums/ready"] == 1.0

                put("/deck/1/volume", 0.5)
                await hears(deckhand, {name: level / 2 for name, level in everything.items() if name != "vocals"})
                before = show.positions()[0]
                os.kill(client.pid, signal.SIGKILL)
                with anyio.fail_after(20):
                    await lost.wait()
                assert process is not None
                await anyio.to_thread.run_sync(process.end)
                client, process = await adopt_or_start(Path(runtime), settings, log=tmp_path / "engine.log")
                deckhand.attach(client)
                await show.settle()
                await until(show, "/deck/1/status", "ready")
                wholly_there()
                await hears(deckhand, {name: level / 2 for name, level in everything.items() if name != "vocals"})
                assert before <= show.positions()[0] < SECONDS and show.controls["/deck/1/play"] == 1
                await client.quit()
                assert process is not None
                await anyio.to_thread.run_sync(process.end)
            finally:
                if client.alive:
                    os.kill(client.pid, signal.SIGKILL)
                tasks.cancel_scope.cancel()


@pytest.mark.timeout(300)
async def test_pads_play_are_kept_and_outlive_the_engine(tmp_path: Path):
    bare, _ = made(tmp_path)
    library, track = Library(bare), uuid4()
    lost = anyio.Event()
    deckhand = EngineDeckhand(library, on_lost=lost.set)
    show = Show(deckhand)
    settings = AudioSettings(device="null")

    def put(path: str, value: object) -> None:
        show.submit(Intent(path, value, "test"))

    with tempfile.TemporaryDirectory(prefix="sfa-") as runtime:
        async with anyio.create_task_group() as tasks:
            await tasks.start(show.run)
            await tasks.start(deckhand.run, show.report, show.notice)
            client, process = await adopt_or_start(Path(runtime), settings, log=tmp_path / "engine.log")
            try:
                deckhand.attach(client)
                put("/pad/bank", "2")
                put("/pad/3/mode", "loop")
                put("/pad/3/gain", 0.5)
                put("/pad/3/source", f"{track}@1-3")
                await until(show, "/pad/3/status", "ready")
                put("/pad/3", 1.0)
                await hears(deckhand, dict.fromkeys(NAMES, 0.05))
                await until(show, "/pad/3/playing", 1)
                with anyio.fail_after(20):
                    while not library.banks.get(1, (Pad(),) * 3)[2].source:
                        await anyio.sleep(0.01)
                assert library.banks[1][2].mode == "loop"
                put("/pad/4/source", f"{track}#drums")
                await until(show, "/pad/4/status", "failed")

                os.kill(client.pid, signal.SIGKILL)
                with anyio.fail_after(20):
                    await lost.wait()
                assert process is not None
                await anyio.to_thread.run_sync(process.end)
                client, process = await adopt_or_start(Path(runtime), settings, log=tmp_path / "engine.log")
                deckhand.attach(client)
                await show.settle()
                await until(show, "/pad/3/status", "ready")
                assert show.controls["/pad/3/playing"] == 0
                put("/pad/3", 0.5)
                await hears(deckhand, dict.fromkeys(NAMES, 0.025))
                await client.quit()
                assert process is not None
                await anyio.to_thread.run_sync(process.end)
            finally:
                if client.alive:
                    os.kill(client.pid, signal.SIGKILL)
                tasks.cancel_scope.cancel()
