"""Laws of fader travel: ends are the ends, the middle is the middle, and there and back is where it was."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control import feedback, travel
from control.control import Curve, Kind
from control.registry import REGISTRY

FADERS = [control for control in REGISTRY.values() if control.kind is Kind.CONTINUOUS and control.is_writable]


@pytest.mark.parametrize("control", FADERS, ids=lambda control: control.path)
def test_the_ends_of_the_travel_are_the_ends_of_the_range(control: object) -> None:
    low, high = travel.limits(control)  # type: ignore[arg-type]
    for curve in Curve:
        assert travel.to_number(0.0, low, high, curve) == low
        assert travel.to_number(1.0, low, high, curve) == high


@given(
    st.floats(0, 1),
    st.sampled_from(Curve),
    st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (-24.0, 12.0), (1.0, 0.0), (12.0, -24.0)]),
)
def test_there_and_back(place: float, curve: Curve, edges: tuple[float, float]) -> None:
    number = travel.to_number(place, *edges, curve)
    assert min(edges) <= number <= max(edges)
    assert travel.to_travel(number, *edges, curve) == pytest.approx(place, abs=1e-6)


@pytest.mark.parametrize("edges", [(-1.0, 1.0), (-24.0, 12.0), (12.0, -24.0)])
def test_the_middle_of_a_centred_fader_is_exactly_nought(edges: tuple[float, float]) -> None:
    assert travel.to_number(feedback.to_travel(64, 127), *edges, Curve.CENTRED) == 0.0
    assert travel.to_number(feedback.to_travel(8192, 16_383), *edges, Curve.CENTRED) == 0.0


@pytest.mark.parametrize("top", [127, 16_383])
def test_every_midi_value_has_its_own_place(top: int) -> None:
    places = [feedback.to_travel(value, top) for value in range(top + 1)]
    assert places[0] == 0.0
    assert places[-1] == 1.0
    assert all(one < two for one, two in itertools.pairwise(places))
    assert [feedback.from_travel(place, top) for place in places] == list(range(top + 1))


def test_choices_and_switches() -> None:
    side = REGISTRY["/deck/1/assign"]
    low, high = travel.limits(side)
    chosen = [travel.value_at(side, travel.to_number(place, low, high, side.curve)) for place in (0, 0.5, 1)]
    assert chosen == ["left", "thru", "right"]
    assert [travel.value_at(REGISTRY["/deck/1/play"], number) for number in (0.0, 0.49, 0.5, 1.0)] == [0, 0, 1, 1]
