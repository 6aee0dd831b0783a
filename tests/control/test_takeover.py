"""The truth table of soft takeover, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.takeover import HAND_WINS_S, NEAR, Pickup

EDGE = NEAR - 1e-9
BEYOND = NEAR + 1e-6


@pytest.mark.parametrize(
    ("holds", "place", "travel", "control", "moves"),
    [
        # holds: every move counts
        (True, 0.2, 0.3, 0.9, True),
        (True, None, 0.3, 0.9, True),
        # holds not, near: takes it
        (False, None, 0.5 + EDGE, 0.5, True),
        (False, None, 0.5 - EDGE, 0.5, True),
        (False, None, 0.5 + BEYOND, 0.5, False),
        (False, None, 0.5 - BEYOND, 0.5, False),
        # holds not, far: takes it when it passed the control on the way
        (False, 0.2, 0.9, 0.5, True),
        (False, 0.9, 0.2, 0.5, True),
        (False, 0.5, 0.9, 0.5, True),
        (False, 0.2, 0.3, 0.5, False),
        (False, 0.9, 0.7, 0.5, False),
        # a fader not heard yet has passed nothing
        (False, None, 0.9, 0.5, False),
        (False, None, 0.0, 1.0, False),
    ],
)
def test_a_move(holds: bool, place: float | None, travel: float, control: float, moves: bool) -> None:
    pickup = Pickup(holds, place)
    assert pickup.move(travel, control, 0.0) is moves
    assert pickup.holds is moves
    assert pickup.place == travel


@pytest.mark.parametrize(
    ("control", "own", "since", "holds"),
    [
        (0.9, True, 10.0, True),
        (0.9, False, 10.0, False),
        (0.5 + EDGE, False, 10.0, True),
        (0.5 + BEYOND, False, 10.0, False),
        (0.9, False, HAND_WINS_S * 0.9, True),
        (0.9, False, HAND_WINS_S * 1.1, False),
    ],
)
def test_an_echo(control: float, own: bool, since: float, holds: bool) -> None:
    pickup = Pickup(holds=True, place=0.5, moved_at=100.0)
    pickup.echo(control, own, 100.0 + since)
    assert pickup.holds is holds


def test_an_echo_never_gives_hold() -> None:
    pickup = Pickup(holds=False, place=0.5)
    pickup.echo(0.5, False, 1.0)
    assert not pickup.holds


def test_a_learned_fader_is_held_at_once() -> None:
    pickup = Pickup()
    pickup.take()
    pickup.echo(0.9, False, 0.0)
    assert pickup.move(0.1, 1.0, 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.floats(0, 1))
def test_the_control_never_jumps_when_it_is_taken(places: list[float], control: float) -> None:
    """Until the fader holds, nothing moves; when it takes hold, it is near or it has passed the control."""
    pickup = Pickup()
    before: float | None = None
    for place in places:
        if pickup.move(place, control, 0.0):
            near = abs(place - control) <= NEAR
            passed = before is not None and min(before, place) <= control <= max(before, place)
            assert near or passed
            return
        before = place
