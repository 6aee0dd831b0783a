"""Takes as the performer has them: a switch of the show, a real engine on JACK whose output comes back by a cable."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import numpy as np
import pytest
import soundfile

from audio.client import EngineClient
from audio.commands import CommandKind, command
from audio.flac import FlacReader
from audio.round_trip import find_delay
from audio.source import DeckSource, PadSource
from audio.take_pass import Label, OpenPass
from server import take_keeper as module
from server.session.deckhand import EngineDeckhand
from server.session.effects import Notice
from server.session.intent import Intent
from server.session.show import Show
from server.session.state import initial
from server.take_keeper import TakeKeeper
from tests.audio.engines import deck_source, running_engine, until, until_status
from tests.audio.material import music
from tests.audio.test_jack import JackServer, running
from tests.audio.test_jack_input import lead_back
from tests.server.session.fake_deckhand import FakeDeckhand
from tests.server.session.test_with_engine import Library

pytestmark = pytest.mark.anyio
RATE = 48_000


class Shelf(Library):
    """A library that keeps takes in a folder; the newest is chosen."""

    def __init__(self, source: DeckSource, folder: Path) -> None:
        super().__init__(source)
        self.folder = folder
        self.made: list[tuple[Path, tuple[float, float], float, bool]] = []

    async def add_take(
        self,
        take_id: UUID,
        track_id: UUID,
        made: Path,
        span_s: tuple[float, float],
        rate: float,
        *,
        keylock: bool,
        gain: float,
    ) -> None:
        kept = Path(shutil.move(made, self.folder / f"{len(self.made)}.flac"))
        self.made.append((kept, span_s, rate, keylock))
        take = PadSource(kept, 0.0, span_s[1], "flac", gain)
        self.source = DeckSource(*(getattr(self.source, name) for name in self.source.__struct_fields__[:-1]), take)


@pytest.fixture(scope="module")
def jack_server() -> Iterator[JackServer]:
    with running(JackServer()) as server:
        yield server


@asynccontextmanager
async def show_with(
    deckhand: EngineDeckhand | FakeDeckhand,
    client: Callable[[], EngineClient | None],
    shelf: Shelf | None,
    folder: Path,
    *,
    saved_on: bool = False,
) -> AsyncIterator[tuple[Show, list[Notice], TakeKeeper]]:
    state = initial()
    state = replace(state, controls={**state.controls, "/deck/1/take/record": int(saved_on)})
    show, notices = Show(deckhand, state), list[Notice]()
    show.watch(notices.append)
    async with anyio.create_task_group() as tasks:
        if isinstance(deckhand, EngineDeckhand):
            await tasks.start(deckhand.run, show.report, show.notice)
        await tasks.start(show.run)
        keeper = TakeKeeper(show, client, shelf, folder)  # type: ignore[arg-type]
        await tasks.start(keeper.run)
        yield show, notices, keeper
        tasks.cancel_scope.cancel()


async def test_without_an_engine_the_switch_goes_back(tmp_path: Path) -> None:
    async with show_with(FakeDeckhand(), lambda: None, None, tmp_path) as (show, notices, _):
        show.submit(Intent("/deck/1/take/record", 1))
        await until(lambda: bool(notices) and show.value("/deck/1/take/record") == 0)
        assert "engine was lost" in notices[0].message


async def test_without_an_input_the_switch_goes_back_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.3)
    async with running_engine() as (client, _, _):
        deckhand = EngineDeckhand(Shelf(deck_source(tmp_path / "song.flac", music(1)), tmp_path))
        async with show_with(deckhand, lambda: deckhand.client, None, tmp_path) as (show, notices, _):
            deckhand.attach(client)
            show.submit(Intent("/deck/1/take/record", 1))
            await until(lambda: any("no input" in notice.message for notice in notices))
            await until(lambda: show.value("/deck/1/take/record") == 0)


async def test_what_is_played_along_is_kept_on_the_tracks_frames_and_plays_beside_it(
    jack_server: JackServer, tmp_path: Path
) -> None:
    async with running_engine(device="auto", source="auto") as (client, _, _):
        await until_status(client, lambda report: "JACK" in report.device)
        lead_back(jack_server)
        cursor = client.master_cursor
        client.send(command(CommandKind.INPUT_PROBE))
        await until(lambda: client.master_cursor > cursor + RATE)
        frames = client.master_cursor - cursor
        delay = find_delay(client.read_master(cursor, frames)[0], client.read_input(cursor, frames)[0], RATE // 2)
        assert delay is not None
        shelf = Shelf(deck_source(tmp_path / "song.flac", 0.5 * music(20, RATE), rate=RATE), tmp_path)
        track = soundfile.read(tmp_path / "song.flac", dtype="float32")[0]
        deckhand, song = EngineDeckhand(shelf), uuid4()
        async with show_with(deckhand, lambda: deckhand.client, shelf, tmp_path) as (show, notices, _):
            deckhand.attach(client)
            for path, value in (
                ("/practice/input/latency", delay / RATE), ("/deck/1/assign", "thru"), ("/deck/1/load", str(song)),
                ("/deck/1/take/record", 1), ("/deck/1/play", 1),
            ):  # fmt: skip
                show.submit(Intent(path, value))
            await until(lambda: deckhand.audible()[0].position_s > 3.0)
            show.submit(Intent("/deck/1/play", 0))
            await until(lambda: len(shelf.made) == 1)
            kept, (start_s, end_s), rate, keylock = shelf.made[0]
            assert start_s < 0.01 and end_s > 2.8 and (rate, keylock) == (1.0, False)
            reader = FlacReader(kept, 1.0)
            take = reader.read(0, reader.frames)
            assert find_delay(track[: len(take)], take, 2000) == 0
            same = [
                np.abs(take[at : at + 2400] - track[at : at + 2400]).max() < 1e-6
                for at in range(2400, len(take) - 4800, 2400)
            ]
            assert np.mean(same) > 0.8
            show.submit(Intent("/deck/1/take/record", 0))
            deckhand.loader.refresh(song)
            show.submit(Intent("/deck/1/position", 0.5))
            show.submit(Intent("/deck/1/play", 1))
            await until(lambda: 1.5 < deckhand.audible()[0].position_s < 2.5)
            heard, _ = client.read_master(client.master_cursor - RATE // 2, 4800)
            # Twice the track: it, and what was played of it beside it.
            lag = int(np.argmax(np.correlate(track[: 3 * RATE, 0], heard[:, 0], "valid")))
            meant = track[lag : lag + 4800]
            assert 1.95 < float(np.vdot(heard, meant) / np.vdot(meant, meant)) < 2.05, notices
        assert not list((tmp_path / "takes" / "open").iterdir())


async def until_played_along(deckhand: EngineDeckhand, show: Show, to_s: float) -> None:
    for path, value in (
        ("/deck/1/assign", "thru"), ("/deck/1/load", str(uuid4())), ("/deck/1/take/record", 1), ("/deck/1/play", 1),
    ):  # fmt: skip
        show.submit(Intent(path, value))
    await until(lambda: deckhand.audible()[0].position_s > to_s)


async def test_a_server_that_is_stopped_keeps_the_pass_that_is_open_and_the_next_one_lays_it(
    jack_server: JackServer, tmp_path: Path
) -> None:
    async with running_engine(device="auto", source="auto") as (client, _, _):
        await until_status(client, lambda report: "JACK" in report.device)
        shelf = Shelf(deck_source(tmp_path / "song.flac", music(20, RATE), rate=RATE), tmp_path)
        deckhand = EngineDeckhand(shelf)
        async with show_with(deckhand, lambda: deckhand.client, shelf, tmp_path) as (show, _, keeper):
            deckhand.attach(client)
            await until_played_along(deckhand, show, 1.5)
            await keeper.stop()
            assert shelf.made == []
    assert len(list((tmp_path / "takes" / "open").iterdir())) == 1
    async with show_with(FakeDeckhand(), lambda: None, shelf, tmp_path) as (_, notices, _):
        await until(lambda: bool(shelf.made))
        await until(lambda: "is kept" in notices[0].message)
    [(_, (start_s, end_s), rate, _)] = shelf.made
    assert start_s < 0.01 and end_s > 1.4 and rate == 1.0
    assert not list((tmp_path / "takes" / "open").iterdir())


async def test_a_server_that_is_killed_loses_a_moment_and_the_next_one_goes_on_with_the_engine_that_plays(
    jack_server: JackServer, tmp_path: Path
) -> None:
    async with running_engine(device="auto", source="auto") as (client, _, runtime_dir):
        await until_status(client, lambda report: "JACK" in report.device)
        shelf = Shelf(deck_source(tmp_path / "song.flac", music(30, RATE), rate=RATE), tmp_path)
        deckhand = EngineDeckhand(shelf)
        async with show_with(deckhand, lambda: deckhand.client, shelf, tmp_path) as (show, _, _):
            deckhand.attach(client)
            await until_played_along(deckhand, show, 1.5)
        # Cancelled on the spot, as a killed one ends: nothing was said to anybody, and the engine plays on.
        token = int(client.snapshot()["decks"][0]["token"])
        again = EngineClient.attach(runtime_dir)
        deckhand = EngineDeckhand(shelf)
        async with show_with(deckhand, lambda: deckhand.client, shelf, tmp_path, saved_on=True) as (show, _, keeper):
            deckhand.attach(again)
            await until(lambda: len(shelf.made) == 1)
            assert shelf.made[0][1][1] > 1.0
            assert show.value("/deck/1/take/record") == 1 and int(again.snapshot()["decks"][0]["token"]) == token
            await until(lambda: keeper.seconds > 1.0)
            show.submit(Intent("/deck/1/take/record", 0))
            await until(lambda: not keeper.seconds)
        await again.aclose()


async def test_a_switch_that_was_saved_on_does_not_begin_with_a_new_engine(tmp_path: Path) -> None:
    async with running_engine() as (client, _, _):
        shelf = Shelf(deck_source(tmp_path / "song.flac", music(1)), tmp_path)
        deckhand = EngineDeckhand(shelf)
        async with show_with(deckhand, lambda: deckhand.client, shelf, tmp_path, saved_on=True) as (show, notices, _):
            deckhand.attach(client)
            await until(lambda: show.value("/deck/1/take/record") == 0)
            assert notices == []


async def test_what_cannot_be_laid_is_told_and_goes(tmp_path: Path) -> None:
    open_ = tmp_path / "takes" / "open"
    OpenPass(open_ / str(uuid4()), Label(str(uuid4()), RATE)).close()
    (open_ / "what").mkdir()
    async with show_with(FakeDeckhand(), lambda: None, None, tmp_path) as (_, notices, _):
        await until(lambda: len(notices) == 2)
        await until(lambda: not list(open_.iterdir()))
    assert all("could not be kept" in notice.message for notice in notices)
