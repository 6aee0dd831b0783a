"""A separation beside a deck that plays: what it makes is there where the playhead comes to be."""

from collections.abc import Callable

import pytest

from audio.units import MODEL_RATE
from pipeline.engines.overlap import Grid, Plan
from pipeline.engines.pace import Pace

TOLD_S = 0.5
"""How often the server tells where playheads are."""

JUMP_S = 20.0


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("speed", [0.5, 1.0, 1.08, 2.0])
def test_a_playhead_that_moves_is_met_where_it_will_be(speed: float) -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.aim([1000]) == (1000,)
    for turn in range(1, 4):
        clock.now += 2.0
        at = 1000 + int(turn * 2.0 * speed * MODEL_RATE)
        [aim] = pace.aim([at])
        assert aim == pytest.approx(at + 2.0 * speed * MODEL_RATE, abs=3)


def test_a_playhead_that_rests_or_steps_back_is_met_where_it_is() -> None:
    clock = Clock()
    pace = Pace(clock)
    for frame in (500_000, 500_000, 588_200, 540_000):
        clock.now += 2.0
        aim = pace.aim(frame)
    assert aim == (540_000,)


def test_a_playhead_that_jumped_ahead_goes_on_as_it_went() -> None:
    clock = Clock()
    pace = Pace(clock)
    for frame in (0, 88_200, 5_000_000):
        clock.now += 2.0
        [aim] = pace.aim(frame)
    assert aim == pytest.approx(5_088_200, abs=3)


def test_playheads_come_and_go_and_no_time_may_pass() -> None:
    pace = Pace(Clock())
    assert pace.aim(None) == ()
    assert pace.aim([7, 9]) == (7, 9)
    assert pace.aim([7, 9_000_000]) == (7, 9_000_000)
    assert pace.aim([3]) == (3,)


GRID = Grid(150 * MODEL_RATE, 343_980, 257_985)
"""Segments of 7.8 s every 5.85 s, as htdemucs has them."""


def made_at(takes_s: float, to_s: float, aim: Callable[[Pace, int], int]) -> list[tuple[float, int, int]]:
    """Play from 0, jump ahead to `to_s` at 20 s; return when each piece was there. A segment takes `takes_s`."""
    clock, plan, made = Clock(), Plan(GRID, 0), list[tuple[float, int, int]]()
    pace, begun = Pace(clock), clock.now
    while (k := plan.next(aim(pace, told(clock.now - begun, to_s)))) is not None:
        clock.now += takes_s
        plan.finish(k)
        pieces = [GRID.body(k)]
        pieces += [GRID.head(k)] if plan.finished(k - 1) else []
        pieces += [GRID.head(k + 1)] if k + 1 < GRID.count and plan.finished(k + 1) else []
        made += [(clock.now - begun, *piece) for piece in pieces]
    return made


def playhead(at_s: float, to_s: float) -> float:
    """Return where the deck is, in seconds, at `at_s`."""
    return at_s if at_s < JUMP_S else to_s + at_s - JUMP_S


def told(at_s: float, to_s: float) -> int:
    """Return the frame that the server has told last."""
    return int(playhead(at_s // TOLD_S * TOLD_S, to_s) * MODEL_RATE)


def heard(takes_s: float, to_s: float, aim: Callable[[Pace, int], int]) -> tuple[float, float]:
    """Return how long after the jump stems sounded, and for how long none did after that, in 30 s."""
    made = made_at(takes_s, to_s, aim)
    sounding = []
    for tenth in range(300):
        at_s = JUMP_S + tenth * 0.1
        frame = int(playhead(at_s, to_s) * MODEL_RATE)
        sounding.append(any(there <= at_s and start <= frame < stop for there, start, stop in made))
    first = sounding.index(True)
    return first * 0.1, sounding[first:].count(False) * 0.1


def aimed(pace: Pace, frame: int) -> int:
    return pace.aim(frame)[0]


def unaimed(pace: Pace, frame: int) -> int:
    return frame


@pytest.mark.parametrize("takes_s", [1.95, 2.34, 2.9, 3.9])
def test_after_a_jump_aiming_loses_no_time_and_leaves_fewer_gaps(takes_s: float) -> None:
    places = [80.0 + 0.25 * place for place in range(24)]
    ours = [heard(takes_s, place, aimed) for place in places]
    without = [heard(takes_s, place, unaimed) for place in places]
    assert sum(first for first, _ in ours) < sum(first for first, _ in without)
    assert sum(gap for _, gap in ours) < sum(gap for _, gap in without)
    # The segment that was begun before the jump, and the two that a head needs.
    assert max(first for first, _ in ours) <= 3 * takes_s + TOLD_S
