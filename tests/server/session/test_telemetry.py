"""Telemetry: what a snapshot says, under the registry's names."""

import numpy as np
import pytest

from audio.commands import SNAPSHOT
from audio.units import STEMS
from control.registry import REGISTRY
from server.protocol import EngineStatus
from server.session.telemetry import meters, values

STATUS = EngineStatus(True, "null", 48_000, 128, 0.1, 0, 2.7)


def test_a_snapshot_becomes_one_message():
    snapshot = np.zeros((), SNAPSHOT)
    snapshot["frame"] = 4_800
    snapshot["master_peak"] = (0.5, 0.25)
    snapshot["limiter_db"] = 1.5
    deck = snapshot["decks"][2]
    deck["rate"], deck["playing"], deck["peak"] = 1.25, 1, (0.125, 0.75)
    deck["stem_peak"][:] = np.arange(8) / 8
    message = meters(snapshot[()], STATUS, (0.0, 0.0, 7.5, 0.0))
    assert message.frame == 4_800 and message.master == [0.5, 0.25] and message.engine is STATUS
    third = message.decks[2]
    assert (third.position, third.rate, third.playing, third.level) == (7.5, 1.25, True, 0.75)
    assert third.stems == {stem: pytest.approx(slot / 8) for slot, stem in enumerate(STEMS)}


def test_values_are_the_telemetry_of_the_registry():
    found = values(meters(np.zeros((), SNAPSHOT)[()], STATUS, (0.0,) * 4))
    assert set(found) == {path for path, control in REGISTRY.items() if control.is_telemetry}


def test_without_an_engine_all_is_still_and_the_places_stay():
    message = meters(None, EngineStatus(False, "", 48_000, 0, 0.0, 0, 0.0), (1.0, 2.0, 3.0, 4.0))
    assert [deck.position for deck in message.decks] == [1.0, 2.0, 3.0, 4.0]
    assert not any(deck.playing or deck.level for deck in message.decks) and message.master == [0.0, 0.0]
    assert set(values(message)) == {path for path, control in REGISTRY.items() if control.is_telemetry}


def test_the_time_to_the_next_entry_is_counted_down_in_seconds_and_in_the_decks_beats():
    snapshot = np.zeros((), SNAPSHOT)
    snapshot["frame"], snapshot["decks"][1]["tempo"] = 48_000, 90.0
    found = values(meters(snapshot[()], STATUS, (0.0,) * 4, due=(48_000 * 11, 2)))
    assert (found["/setlist/next/seconds"], found["/setlist/next/beats"]) == (10.0, 15.0)
    found = values(meters(snapshot[()], STATUS, (0.0,) * 4, due=(48_000 * 11, 1)))
    assert (found["/setlist/next/seconds"], found["/setlist/next/beats"]) == (10.0, -1.0), "no grid, no beats"
    for due, left in (((100, 2), 0.0), ((-1, 2), -1.0)):
        found = values(meters(snapshot[()], STATUS, (0.0,) * 4, due=due))
        assert (found["/setlist/next/seconds"], found["/setlist/next/beats"]) == (left, left)
