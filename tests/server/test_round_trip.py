"""Measuring the way from the master to the input, as the show has it; on JACK it is done in
tests/audio/test_jack_input.py."""

from collections.abc import Callable

import anyio
import anyio.lowlevel
import numpy as np
import pytest

from server import round_trip as module
from server.round_trip import LOST, RoundTrip
from server.session.effects import Notice
from server.session.facts import Reported
from server.session.intent import Intent
from server.session.show import Show
from server.session.state import initial
from tests.server.session.fake_deckhand import FakeDeckhand

pytestmark = pytest.mark.anyio
RATE = 48_000
PATH = "/practice/input"


class Engine:
    """An engine whose second of noise comes back `late` frames later; never, or to no input."""

    rate = RATE

    def __init__(self, late: int | None, *, hears: bool = True) -> None:
        self._sent = np.random.default_rng(1).uniform(-0.25, 0.25, (2 * RATE, 2)).astype(np.float32)
        self._heard = np.random.default_rng(2).uniform(-0.01, 0.01, (2 * RATE, 2)).astype(np.float32)
        if late is not None:
            self._heard[late:] += 0.2 * self._sent[: len(self._sent) - late]
        self._hears, self._looks = hears, 0

    @property
    def master_cursor(self) -> int:
        self._looks += 1
        return min(self._looks, 2) * RATE

    def read_master(self, cursor: int, frames: int) -> tuple[np.ndarray, int]:
        return self._sent[cursor : cursor + frames], cursor + frames

    def read_input(self, cursor: int, frames: int) -> tuple[np.ndarray, int]:
        return (self._heard if self._hears else self._heard[:0])[cursor : cursor + frames], cursor + frames


async def measured(engine: Engine | None, done: Callable[[Show, list[Notice]], bool]) -> tuple[Show, list[Notice]]:
    """Ask for a measurement, and return the show and its notices once `done` holds and it is over."""
    show, notices = Show(FakeDeckhand(), initial()), list[Notice]()
    show.watch(notices.append)
    async with anyio.create_task_group() as tasks:
        await tasks.start(show.run)
        await tasks.start(RoundTrip(show, lambda: engine).run)  # type: ignore[arg-type, return-value]
        show.submit(Intent(f"{PATH}/measure", 1))
        with anyio.fail_after(30):
            while not (done(show, notices) and show.value(f"{PATH}/status") == "idle"):
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    return show, notices


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.0)


@pytest.mark.parametrize("late", [37, 700, 12_000])
async def test_what_comes_back_sets_the_latency(late: int) -> None:
    show, notices = await measured(Engine(late), lambda show, notices: bool(show.value(f"{PATH}/latency") and notices))
    assert show.value(f"{PATH}/latency") == pytest.approx(late / RATE)
    assert [notice.level for notice in notices] == ["info"] and f"{1000 * late / RATE:.1f} ms" in notices[0].message


@pytest.mark.parametrize(
    ("engine", "words"),
    [(Engine(None), LOST), (Engine(5, hears=False), "There is no input"), (None, "no engine plays")],
)
async def test_what_cannot_be_measured_is_said_and_changes_nothing(engine: Engine | None, words: str) -> None:
    show, notices = await measured(engine, lambda show, notices: bool(notices))
    assert words in notices[0].message and show.value(f"{PATH}/latency") == 0.0


async def test_a_show_that_was_left_measuring_rests_again() -> None:
    show = Show(FakeDeckhand(), initial())
    async with anyio.create_task_group() as tasks:
        await tasks.start(show.run)
        show.report(Reported(((f"{PATH}/status", "measuring"),)))
        await show.settle()
        await tasks.start(RoundTrip(show, lambda: None).run)
        await show.settle()
        assert show.value(f"{PATH}/status") == "idle"
        tasks.cancel_scope.cancel()
