"""The keeper of the live setlist: opens what the show wants, says what cannot be, and tells the time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID, uuid5

import anyio
import pytest

from server.session.facts import Fact, SetlistFailed, SetlistOpened, SetlistTick
from server.session.setlist_state import SetlistMemory, Standing
from server.session.state import initial
from server.setlist_keeper import SetlistKeeper
from server.setlists import Shelf

pytestmark = pytest.mark.anyio

SPACE = UUID(int=7)


class Tracks:
    """A library of two tracks."""

    async def find(self, user_id: int, name: str) -> UUID | None:
        return uuid5(SPACE, name) if name in ("a", "b") else None

    async def track(self, track_id: UUID, user_id: int | None) -> SimpleNamespace:
        return SimpleNamespace(title="A" if track_id == uuid5(SPACE, "a") else "B", artist="Ann")


class Show:
    """Keeps what it is told."""

    def __init__(self, load: str = "") -> None:
        self.state = SimpleNamespace(setlist=initial().setlist, connected=True)
        self.load = load
        self.facts: list[Fact] = []
        self.told = anyio.Event()

    def value(self, path: str) -> str | None:
        return self.load if path == "/setlist/load" else None

    def report(self, fact: Fact) -> None:
        self.facts.append(fact)
        self.told.set()

    async def next(self) -> Fact:
        with anyio.fail_after(5):
            await self.told.wait()
        self.told = anyio.Event()
        return self.facts[-1]


@asynccontextmanager
async def keeping(show: Show, folder: Path) -> AsyncIterator[SetlistKeeper]:
    keeper = SetlistKeeper(show, Shelf(folder, folder / "none"), Tracks(), 1, lambda: 4_800)  # type: ignore[arg-type]
    async with anyio.create_task_group() as tasks:
        await tasks.start(keeper.run)
        yield keeper
        tasks.cancel_scope.cancel()


async def test_a_setlist_is_opened_with_the_tracks_of_the_library(tmp_path: Path) -> None:
    (tmp_path / "friday.toml").write_text('title = "Friday"\n[[entry]]\ntrack = "a"\n[[entry]]\ntrack = "gone"\n')
    show = Show()
    async with keeping(show, tmp_path) as keeper:
        keeper.open("friday")
        opened = await show.next()
    assert isinstance(opened, SetlistOpened) and opened.title == "Friday" and not opened.resumed
    assert [(one.track_id, one.title) for one in opened.entries] == [(str(uuid5(SPACE, "a")), "Ann - A"), ("", "gone")]


async def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[[entry]]\ntrak = 1\n")
    show = Show()
    async with keeping(show, tmp_path) as keeper:
        for name, code, said in (("gone", "not_found", "no setlist"), ("bad", "script_rejected", "line 2: trak")):
            keeper.open(name)
            failed = await show.next()
            assert isinstance(failed, SetlistFailed) and failed.code == code and said in failed.message


async def test_an_open_setlist_is_opened_again_after_a_start_and_told_the_time(tmp_path: Path) -> None:
    (tmp_path / "friday.toml").write_text('[[entry]]\ntrack = "a"\n')
    show = Show("friday")
    async with keeping(show, tmp_path):
        opened = await show.next()
        assert isinstance(opened, SetlistOpened) and opened.resumed
        show.state = SimpleNamespace(setlist=SetlistMemory("friday", "", opened.entries), connected=True)
        assert await show.next() == SetlistTick(4_800)


async def test_the_time_at_which_a_set_goes_on_is_told(tmp_path: Path) -> None:
    show = Show()
    async with keeping(show, tmp_path) as keeper:
        assert keeper.due() == (-1, 0)
        show.state.setlist = SetlistMemory("friday", "Friday", (), now=Standing(0, 2), due=96_000)
        assert keeper.due() == (96_000, 2)
        show.state.connected = False
        assert keeper.due() == (-1, 0), "the frame of an engine that is gone says nothing"
