"""The strip's controls in the show: what reaches the engine, what comes back after a restart, automatic gain."""

import pytest

from audio.commands import CommandKind
from control.registry import REGISTRY
from server.session.auto_gain import TARGET, gain_db
from server.session.effects import EngineCommand
from server.session.facts import AudibleDeck, DeckLoaded, EngineRestored, Fact, TrackMeasured
from server.session.intent import Intent
from server.session.state import State, initial
from server.session.step import step


class Desk:
    """A show with an engine, and what the engine was told."""

    def __init__(self) -> None:
        self.state: State = initial()
        self.take(EngineRestored((AudibleDeck(),) * 4, 48_000))

    def take(self, event: Intent | Fact) -> list[EngineCommand]:
        self.state, effects = step(self.state, event, 0.0)
        return [effect for effect in effects if isinstance(effect, EngineCommand)]

    def set(self, path: str, value: object) -> list[EngineCommand]:
        return self.take(Intent(path, value, "test"))

    def loaded(self, loudness: float | None, deck: int = 0) -> list[EngineCommand]:
        self.set(f"/deck/{deck + 1}/load", "song")
        token = self.state.decks[deck].loading
        self.take(DeckLoaded(deck, token, "Song", "", 60.0))
        return self.take(TrackMeasured(deck, token, loudness))


@pytest.mark.parametrize(
    ("path", "value", "sent"),
    [
        ("/deck/2/eq/low", -6.0206, (CommandKind.DECK_EQ, 1, 0, 0.5)),
        ("/deck/2/eq/high", 12.0, (CommandKind.DECK_EQ, 1, 2, 10**0.6)),
        ("/deck/3/eq/mid/kill", 1, (CommandKind.DECK_KILL, 2, 1, 1.0)),
        ("/deck/1/filter", -0.5, (CommandKind.DECK_FILTER, 0, 0, -0.5)),
        ("/deck/1/stem/drums/filter", 0.5, (CommandKind.STEM_FILTER, 0, 1, 0.5)),
        ("/deck/1/stem/piano/eq/mid", 6.0206, (CommandKind.STEM_EQ_MID, 0, 5, 2.0)),
        ("/deck/4/pfl", 1, (CommandKind.DECK_PFL, 3, 0, 1.0)),
        ("/deck/4/output", "5-6", (CommandKind.DECK_OUTPUT, 3, 0, 2.0)),
        ("/deck/1/stem/bass/output", "7-8", (CommandKind.STEM_OUTPUT, 0, 2, 3.0)),
        ("/mixer/headphones", 0.5, (CommandKind.HEADPHONES, 0, 0, 0.5)),
        ("/mixer/cue_mix", 0.25, (CommandKind.CUE_MIX, 0, 0, 0.25)),
        ("/mixer/split_cue", 1, (CommandKind.SPLIT_CUE, 0, 0, 1.0)),
        ("/mixer/booth", 0.1, (CommandKind.BOOTH, 0, 0, 0.1)),
        ("/mixer/booth/output", "off", (CommandKind.BOOTH_OUTPUT, 0, 0, 0.0)),
        ("/mixer/headphones/output", "7-8", (CommandKind.HEADPHONES_OUTPUT, 0, 0, 3.0)),
        ("/mixer/crossfader/reverse", 1, (CommandKind.CROSSFADER_REVERSE, 0, 0, 1.0)),
    ],
)
def test_a_control_is_one_command(path: str, value: object, sent: tuple[CommandKind, int, int, float]) -> None:
    desk = Desk()
    (made,) = desk.set(path, value)
    assert (made.kind, made.deck, made.slot) == sent[:3]
    assert made.a == pytest.approx(sent[3], rel=1e-4)
    again = desk.take(EngineRestored((AudibleDeck(),) * 4, 48_000))
    assert made.a in [one.a for one in again if (one.kind, one.deck, one.slot) == sent[:3]], "a new engine is told"


@pytest.mark.parametrize("path", ["/deck/1/eq/low", "/deck/1/stem/drums/eq/high"])
def test_an_equaliser_goes_from_minus_26_to_12_db(path: str) -> None:
    assert (REGISTRY[path].minimum, REGISTRY[path].maximum, REGISTRY[path].default) == (-26.0, 12.0, 0.0)


def test_automatic_gain_brings_a_track_to_the_target() -> None:
    desk = Desk()
    desk.set("/deck/1/auto_gain", 1)
    (made,) = desk.loaded(-10.0)
    assert made.kind == CommandKind.DECK_AUTO_GAIN and made.a == pytest.approx(10 ** (-4.0 / 20))
    assert desk.state.controls["/deck/1/track_loudness"] == -10.0
    told = desk.set(TARGET, -9.0)
    assert [one.a for one in told] == pytest.approx([10 ** (1.0 / 20), 1.0, 1.0, 1.0])
    (off,) = desk.set("/deck/1/auto_gain", 0)
    assert off.a == 1.0


def test_a_track_nobody_has_measured_plays_as_it_is() -> None:
    desk = Desk()
    desk.set("/deck/1/auto_gain", 1)
    (made,) = desk.loaded(None)
    assert made.a == 1.0 and desk.state.controls["/deck/1/track_loudness"] == -70.0
    (later,) = desk.take(TrackMeasured(0, desk.state.decks[0].token, -20.0))
    assert later.a == pytest.approx(10 ** (6.0 / 20))


def test_a_late_measurement_of_another_track_changes_nothing() -> None:
    desk = Desk()
    desk.set("/deck/1/auto_gain", 1)
    desk.loaded(-10.0)
    assert desk.take(TrackMeasured(0, desk.state.decks[0].token + 1, -20.0)) == []


@pytest.mark.parametrize(("loudness", "gain"), [(-14.0, 0.0), (-8.0, -6.0), (-40.0, 12.0), (5.0, -12.0), (-70.0, 0.0)])
def test_the_gain_is_bounded(loudness: float, gain: float) -> None:
    assert gain_db(-14.0, loudness) == gain
