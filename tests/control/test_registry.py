"""Laws of the table of controls."""

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.units import DECKS, STEMS
from control.control import BadValue, Control, Kind, UnknownControl, check
from control.registry import ALIASES, REGISTRY, listing, resolve

CONTROLS = list(REGISTRY.values())
WRITABLE = [control for control in CONTROLS if control.is_writable]


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.path)
def test_every_row_is_whole(control: Control):
    assert re.fullmatch(r"(/[a-z0-9_]+)+", control.path)
    assert control.description and "  " not in control.description
    assert control.is_readable or control.is_writable
    if control.kind is Kind.CHOICE:
        assert len(set(control.choices)) == len(control.choices) >= 2 and control.default in control.choices
    if control.kind is Kind.CONTINUOUS:
        assert control.minimum is not None and isinstance(control.default, float)
        assert control.minimum <= control.default <= (math.inf if control.maximum is None else control.maximum)
    if control.kind is Kind.TRIGGER:
        assert not control.is_readable and control.default is None
    else:
        assert control.default is not None


@pytest.mark.parametrize("control", WRITABLE, ids=lambda control: control.path)
def test_a_default_is_a_value_of_its_control(control: Control):
    if control.default is not None:
        assert check(control, control.default) == control.default


@given(st.sampled_from(WRITABLE), st.one_of(st.floats(), st.integers(), st.booleans(), st.text(max_size=9), st.none()))
def test_whatever_passes_is_in_range_and_stays_so(control: Control, value: object):
    try:
        checked = check(control, value)
    except BadValue as error:
        assert control.path in str(error)
        return
    assert check(control, checked) == checked
    if control.kind is Kind.CONTINUOUS:
        assert math.isfinite(checked) and control.minimum <= checked <= (control.maximum or math.inf)
    elif control.kind in (Kind.TOGGLE, Kind.TRIGGER):
        assert checked in (0, 1)
    elif control.kind is Kind.CHOICE:
        assert checked in control.choices


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, "1", None, [], {}, b"x", 1j])
def test_a_number_must_be_one(value: object):
    with pytest.raises(BadValue):
        check(REGISTRY["/deck/1/volume"], value)


def test_a_choice_is_a_name_or_a_number():
    assert check(REGISTRY["/deck/1/assign"], 0) == "left"
    assert check(REGISTRY["/deck/1/assign"], 2.0) == "right"
    assert check(REGISTRY["/mixer/crossfader/curve"], "cut") == "cut"
    assert check(REGISTRY["/session/focus"], 1) == "1"
    assert check(REGISTRY["/deck/1/pitch_range"], 0.07999999821186066) == "0.08"
    assert check(REGISTRY["/deck/1/pitch_range"], 1) == "1.0"
    for path, value in [("/deck/1/assign", 1.5), ("/deck/1/assign", -1), ("/session/focus", 0), ("/session/focus", 5)]:
        with pytest.raises(BadValue):
            check(REGISTRY[path], value)


def test_what_can_only_be_read_cannot_be_written():
    for control in CONTROLS:
        if not control.is_writable:
            with pytest.raises(BadValue, match="only be read"):
                check(control, control.default)


def test_a_playhead_is_telemetry_that_can_be_moved():
    position = REGISTRY["/deck/1/position"]
    assert position.is_writable and position.is_telemetry and not position.is_state


def test_each_deck_has_the_same_controls():
    def of(deck: int) -> set[str]:
        start = f"/deck/{deck}/"
        return {path.removeprefix(start) for path in REGISTRY if path.startswith(start)}

    assert len({frozenset(of(deck)) for deck in range(1, DECKS + 1)}) == 1
    assert {f"stem/{stem}/mute" for stem in STEMS} <= of(1)


def test_decks_sit_on_their_sides_of_the_crossfader():
    assert [REGISTRY[f"/deck/{n}/assign"].default for n in (1, 2, 3, 4)] == ["left", "right", "left", "right"]


LABELS = ("/track/title", "/bpm", "/practice/passes", "/practice/trainer/passes", "/practice/trainer/next")
"""What the earlier system's layouts only show."""


@pytest.mark.parametrize("focus", ["1", "2", "3", "4"])
def test_every_alias_names_a_control_of_the_focused_deck(focus: str):
    for alias in ALIASES:
        assert resolve(alias, focus).path.startswith((f"/deck/{focus}/", "/setlist/", "/session/focus"))
        assert resolve(alias, focus).is_writable or alias in LABELS
    assert resolve("/stem/1/mute", focus).path == f"/deck/{focus}/stem/vocals/mute"


@given(st.one_of(st.text(max_size=40), st.from_regex(r"/(deck|stem|transport)/[^/]*/[^/]*(/[^/]*)?", fullmatch=True)))
def test_a_name_is_a_control_or_an_error(path: str):
    try:
        assert resolve(path, "1").path in REGISTRY
    except UnknownControl:
        assert path not in REGISTRY and path not in ALIASES


def test_the_listing_is_plain_json():
    rows = json.loads(json.dumps(listing(), allow_nan=False))
    assert [row["path"] for row in rows] == list(REGISTRY)
    assert {"path", "kind", "unit", "min", "max", "default", "choices", "description"} <= set(rows[0])
    volume = next(row for row in rows if row["path"] == "/deck/1/volume")
    assert (volume["kind"], volume["min"], volume["max"], volume["default"]) == ("continuous", 0.0, 1.0, 1.0)
