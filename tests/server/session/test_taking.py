"""The switches of takes: one deck at a time, and the engine hears which; levels come back with the song."""

from audio.commands import CommandKind as Kind
from control.registry import FOCUSED
from server.session.rehearsing import KEPT
from tests.server.session.test_step import Session, commands


def test_one_deck_is_played_along_with_at_a_time() -> None:
    session = Session()
    assert commands(session.put("/deck/2/take/record", 1)) == [(Kind.INPUT_TAKE, 0, 0, 2.0)]
    assert commands(session.put("/practice/take/record", 1)) == [(Kind.INPUT_TAKE, 0, 0, 1.0)]
    assert (session["/deck/1/take/record"], session["/deck/2/take/record"]) == (1, 0)
    assert commands(session.put("/deck/2/take/record", 0)) == [] and session["/deck/1/take/record"] == 1
    assert commands(session.put("/deck/1/take/record", 0)) == [(Kind.INPUT_TAKE, 0, 0, 0.0)]
    assert session["/deck/1/take/record"] == 0


def test_levels_reach_the_engine_and_come_back_with_the_song() -> None:
    session = Session()
    for name, kind, value in (
        ("volume", Kind.TAKE_VOLUME, 0.5),
        ("mute", Kind.TAKE_MUTE, 1),
        ("pan", Kind.TAKE_PAN, -0.5),
    ):
        assert commands(session.put(f"/deck/3/take/{name}", value)) == [(kind, 2, 0, float(value))]
        assert f"take/{name}" in KEPT and f"/practice/take/{name}" in FOCUSED["1"]
    assert "take/record" not in KEPT
