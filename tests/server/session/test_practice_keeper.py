"""The keeper of practice: the latest of each song, at its place; nothing is lost while the library is away."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

import anyio
import anyio.lowlevel
import pytest

from server.errors import BadRequest, NotFound, ServerError
from server.practice import Pass, Practice
from server.session.effects import Notice
from server.session.practice_keeper import PracticeKeeper

pytestmark = pytest.mark.anyio


@dataclass
class Shelf:
    """A library that can be away."""

    away: Exception | None = None
    left: dict[UUID, Practice] = field(default_factory=dict)
    saves: int = 0
    passes: list[tuple[UUID, Pass, bool]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    places: dict[tuple[int, int], float] = field(default_factory=dict)

    async def save(self, track_id: UUID, practice: Practice) -> None:
        if self.away is not None:
            raise self.away
        self.saves += 1
        self.left[track_id] = practice

    async def log(self, track_id: UUID, made: Pass, *, clean: bool) -> None:
        if self.away is not None:
            raise self.away
        self.passes.append((track_id, made, clean))

    def keeper(self) -> PracticeKeeper:
        made = PracticeKeeper(self.save, self.log, self.notices.append, pause_s=0.001, again_s=0.002)
        made.place_of = lambda deck, token: self.places.get((deck, token))
        return made


SONG = uuid4()
VERSE = Pass(1.0, 2.0, 0.8, "verse")


async def test_the_latest_is_kept_once_with_the_place_of_the_moment() -> None:
    shelf = Shelf(places={(0, 7): 12.5})
    keeper = shelf.keeper()
    keeper.save(0, 7, str(SONG), Practice({"rate": 0.7}, 0.0))
    keeper.save(0, 7, str(SONG), Practice({"rate": 0.8}, 0.0))
    shelf.places[0, 7] = 13.0
    assert await keeper.flush() and await keeper.flush()
    assert shelf.left == {SONG: Practice({"rate": 0.8}, 13.0)} and shelf.saves == 1


async def test_a_song_that_was_taken_off_is_kept_where_it_was() -> None:
    shelf = Shelf(places={(0, 7): 12.5})
    keeper = shelf.keeper()
    keeper.save(0, 7, str(SONG), Practice({}, 0.0))
    shelf.places.clear()
    assert await keeper.flush()
    assert shelf.left[SONG].position_s == 12.5


async def test_what_the_library_cannot_take_waits_and_is_told_once() -> None:
    shelf = Shelf(ServerError("it is away"))
    keeper = shelf.keeper()
    keeper.save(0, 7, str(SONG), Practice({}, 3.0))
    keeper.log(str(SONG), VERSE, clean=False)
    assert not await keeper.flush() and not await keeper.flush()
    assert [notice.code for notice in shelf.notices] == ["practice_not_saved"]
    shelf.away = None
    assert await keeper.flush()
    assert shelf.left == {SONG: Practice({}, 3.0)} and shelf.passes == [(SONG, VERSE, False)]


@pytest.mark.parametrize("error", [NotFound(), BadRequest("no")])
async def test_what_it_will_never_take_is_let_go(error: Exception) -> None:
    shelf = Shelf(error)
    keeper = shelf.keeper()
    keeper.save(0, 7, "no key", Practice())
    keeper.log("no key", VERSE, clean=True)
    assert await keeper.flush()
    shelf.away = None
    assert await keeper.flush() and not shelf.left and not shelf.passes


async def test_a_song_that_plays_is_kept_now_and_then_and_at_the_end() -> None:
    shelf = Shelf(places={(0, 7): 1.0})
    keeper = shelf.keeper()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keeper.run)
        keeper.save(0, 7, str(SONG), Practice())
        with anyio.fail_after(20):
            while shelf.saves < 1:
                await anyio.lowlevel.checkpoint()
            shelf.places[0, 7] = 2.0
            while shelf.left[SONG].position_s != 2.0:
                await anyio.lowlevel.checkpoint()
        keeper.log(str(SONG), VERSE, clean=False)
        tasks.cancel_scope.cancel()
    assert shelf.passes
