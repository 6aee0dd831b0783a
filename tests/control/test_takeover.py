"""The truth table of soft takeover, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.takeover import NEAR, Pickup

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
    assert pickup.move(travel, control) is moves
    assert pickup.holds is moves
    assert pickup.place == travel


@pytest.mark.parametrize(
    ("held", "place", "control", "own", "holds"),
    [
        (True, 0.5, 0.9, True, True),
        (False, 0.5, 0.9, True, True),  # the last of all is this fader's
        (True, 0.5, 0.9, False, False),
        (True, 0.5, 0.5 + EDGE, False, True),
        (True, 0.5, 0.5 + BEYOND, False, False),
        (False, 0.5, 0.5, False, False),  # another hand never gives hold
        (True, None, 0.5, False, False),  # it stands nobody knows where
    ],
)
def test_an_echo(held: bool, place: float | None, control: float, own: bool, holds: bool) -> None:
    pickup = Pickup(held, place)
    pickup.echo(control, own)
    assert pickup.holds is holds


def test_a_learned_fader_is_held_at_once_where_it_stands() -> None:
    pickup = Pickup()
    pickup.take(0.2)
    assert pickup.move(0.1, 1.0)
    pickup.echo(0.9, False)
    assert not pickup.move(0.2, 0.9)


def test_a_fader_that_moved_something_else_is_met_anew() -> None:
    pickup = Pickup(holds=True, place=0.2)
    pickup.elsewhere(0.8)
    assert not pickup.move(0.79, 0.2), "it has not passed the control: it was not there"
    assert pickup.move(0.1, 0.2)


def test_two_hands_never_fight() -> None:
    """Each fader's move is told to the other: whoever wrote last holds, and the other waits until it meets it."""
    control, left, right = 0.5, Pickup(), Pickup()
    for place in (0.5, 0.6):
        assert left.move(place, control)
        control = place
        left.echo(control, True)
        right.echo(control, False)
    assert [right.move(place, control) for place in (0.1, 0.2, 0.3)] == [False, False, False]
    assert right.move(0.7, control), "it passed"
    control = 0.7
    right.echo(control, True)
    left.echo(control, False)
    assert not left.move(0.61, control), "the other wrote last"


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_scale_closes_in_and_meets_the_control_at_the_end_of_the_travel(target: float) -> None:
    pickup, control, place = Pickup(), 0.3, 0.6
    assert pickup.scale(place, control) is None, "it has to be heard once"
    steps = [place + (target - place) * step / 20 for step in range(1, 21)]
    for step in steps:
        before = control
        scaled = pickup.scale(step, control)
        assert scaled is not None
        control = scaled
        assert abs(control - before) <= 0.06, "it never jumps"
        assert (control - before) * (target - 0.5) > -NEAR, "it goes where the hand goes; once near, it snaps"
    assert control == pytest.approx(target)
    assert pickup.move(target, control)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.floats(0, 1))
def test_the_control_never_jumps_when_it_is_taken(places: list[float], control: float) -> None:
    """Until the fader holds, nothing moves; when it takes hold, it is near or it has passed the control."""
    pickup = Pickup()
    before: float | None = None
    for place in places:
        if pickup.move(place, control):
            near = abs(place - control) <= NEAR
            passed = before is not None and min(before, place) <= control <= max(before, place)
            assert near or passed
            return
        before = place
