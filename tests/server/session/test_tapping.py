"""The session's tempo by tapping: the line through the taps, what begins anew, what is no tempo."""

import numpy as np
import pytest

from audio.commands import CommandKind as Kind
from server.session import facts
from server.session.tapping import TEMPO_TAP
from tests.server.session.test_step import RATE, Session, commands


def tap(session: Session, frame: int) -> list[tuple[Kind, int, int, float]]:
    asked = commands(session.put("/session/tap", 1))
    assert asked == [(Kind.PLACE_ASK, 0, TEMPO_TAP, 0.0)]
    return commands(session.fact(facts.PlaceTold(0, 0, TEMPO_TAP, 0.0, frame)))


def test_two_taps_are_a_tempo_and_the_leader_hears_it() -> None:
    session = Session()
    assert tap(session, 1000) == []
    assert tap(session, 1000 + RATE // 2) == [(Kind.TEMPO, 0, 0, 120.0)]
    assert session["/session/tempo"] == 120.0
    session = Session()
    tap(session, 0)
    assert tap(session, round(RATE * 60 / 90)) == [(Kind.TEMPO, 0, 0, 90.0)]
    assert session["/session/tempo"] == 90.0


def test_uneven_taps_meet_in_the_middle() -> None:
    session = Session()
    chance = np.random.default_rng(1)
    for n in range(16):
        tap(session, round(n * RATE * 60 / 128 + chance.normal(0, 0.012 * RATE)))
    assert float(session["/session/tempo"]) == pytest.approx(128.0, abs=1.0)  # type: ignore[arg-type]


def test_another_tempo_begins_anew() -> None:
    session = Session()
    for n in range(8):
        tap(session, n * RATE // 2)
    at = 7 * RATE // 2
    for n in range(1, 4):
        tap(session, at + n * RATE)  # half as fast: the first is a stray, the second and third are a tempo
    assert session["/session/tempo"] == 60.0


def test_a_pause_begins_anew_and_a_double_hit_is_no_tempo() -> None:
    session = Session()
    tap(session, 0)
    tap(session, 10 * RATE)
    assert session["/session/tempo"] == 120.0
    tap(session, 10 * RATE + 100)
    assert session["/session/tempo"] == 120.0
    assert session.state.taps == (10 * RATE + 100,)


def test_letting_go_is_no_tap_and_without_an_engine_nothing_happens() -> None:
    session = Session()
    assert commands(session.put("/session/tap", 0)) == []
    assert commands(Session(connected=False).put("/session/tap", 1)) == []


def test_a_timed_tap_is_asked_for_on_its_frame() -> None:
    session = Session()
    (asked,) = [one for one in session.put("/session/tap", 1, 96_000) if hasattr(one, "frame")]
    assert asked.frame == 96_000
