"""Background tasks that fail: begun again with growing pauses, told once, and cancelled like any other."""

from __future__ import annotations

import anyio
import pytest
from anyio.abc import TaskStatus

from server.keeper import FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_S, Keeper
from server.session.effects import Notice

pytestmark = pytest.mark.anyio


class Time:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await anyio.lowlevel.checkpoint()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def told() -> list[Notice]:
    return []


@pytest.fixture
def keeper(time: Time, told: list[Notice]) -> Keeper:
    return Keeper(told.append, clock=time, sleep=time.sleep)


async def test_a_task_that_fails_is_begun_again_with_growing_pauses_and_told_once(
    keeper: Keeper, time: Time, told: list[Notice]
) -> None:
    left = [ValueError("a")] * 9

    async def work() -> None:
        if left:
            raise left.pop()

    await keeper.keep("cleaning", work)
    assert not left
    assert time.pauses[0] == FIRST_PAUSE_S and time.pauses[-1] == LONGEST_PAUSE_S
    assert time.pauses == sorted(time.pauses)
    assert [(notice.level, notice.code) for notice in told] == [("warning", "task_restarted")]
    assert "cleaning" in told[0].message and "ValueError" in told[0].message


async def test_after_a_steady_while_the_pause_is_short_and_the_fault_is_told_again(
    keeper: Keeper, time: Time, told: list[Notice]
) -> None:
    lives = [1.0, 1.0, STEADY_S, 1.0]

    async def work() -> None:
        if lives:
            time.now += lives.pop(0)
            raise OSError

    await keeper.keep("jobs", work)
    assert time.pauses == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, FIRST_PAUSE_S, 2 * FIRST_PAUSE_S]
    assert len(told) == 2


async def test_cancellation_passes(keeper: Keeper, time: Time) -> None:
    async with anyio.create_task_group() as tasks:
        began = anyio.Event()

        async def work() -> None:
            began.set()
            await anyio.sleep_forever()

        tasks.start_soon(keeper.keep, "jobs", work)
        await began.wait()
        tasks.cancel_scope.cancel()
    assert time.pauses == []


async def test_one_that_fails_does_not_end_its_neighbour(keeper: Keeper) -> None:
    again, alive = anyio.Event(), anyio.Event()
    runs = 0

    async def fails() -> None:
        nonlocal runs
        runs += 1
        if runs > 3:
            again.set()
            await anyio.sleep_forever()
        async with anyio.create_task_group() as inner:  # a group wraps what was raised
            inner.start_soon(anyio.sleep_forever)
            raise RuntimeError

    async def lives() -> None:
        await again.wait()
        alive.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keeper.keep, "one", fails)
        tasks.start_soon(keeper.keep, "other", lives)
        with anyio.fail_after(10):
            await alive.wait()
        tasks.cancel_scope.cancel()


async def test_work_that_comes_up_may_say_so_again_and_a_start_that_fails_is_told_by_the_start(
    keeper: Keeper, told: list[Notice]
) -> None:
    runs = 0

    async def serves(*, task_status: TaskStatus[int]) -> None:
        nonlocal runs
        runs += 1
        task_status.started(runs)
        if runs < 3:
            raise ValueError

    async def refuses(*, task_status: TaskStatus[int]) -> None:
        raise OSError("taken")

    async with anyio.create_task_group() as tasks:
        assert await tasks.start(keeper.begin, "osc", serves) == 1
    assert runs == 3 and len(told) == 1
    with pytest.raises(BaseExceptionGroup) as failure:
        async with anyio.create_task_group() as tasks:
            await tasks.start(keeper.begin, "osc", refuses)
    assert failure.group_contains(OSError, match="taken") and len(told) == 1
    with pytest.raises(ZeroDivisionError):  # what nobody can be told of is only logged
        await Keeper(lambda _notice: 1 // 0, sleep=_stop).keep("jobs", refuses_plainly)


async def refuses_plainly() -> None:
    raise OSError


async def _stop(_seconds: float) -> None:
    raise ZeroDivisionError
