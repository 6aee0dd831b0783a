"""MIDI learn recognises what a hand is moving, from messages as controllers send them."""

import pytest

from control.control import UnknownControl
from control.errors import CannotLearn
from control.learn import LATCH_S, QUIET_S, Learned, Learner, encoding_of
from control.mapping_entry import Encoding, Mode, Takeover
from control.midi_messages import ControlChange, decode
from control.midi_source import SourceKind
from control.relative import clicks

VOLUME = "/deck/1/stem/vocals/volume"
MUTE = "/deck/1/stem/vocals/mute"


def learn(path: str, *messages: tuple[int, ...], learner: Learner | None = None) -> Learned | None:
    learner = learner or Learner()
    learner.arm(path)
    now = 100.0
    for data in messages:
        now += 0.01
        learned = learner.hear("desk", decode(data), now)
        if learned is not None:
            return learned
    assert learner.tick(now + QUIET_S / 2) is None
    return learner.tick(now + QUIET_S)


def cc(number: int, *values: int) -> list[tuple[int, ...]]:
    return [(0xB0, number, value) for value in values]


def test_a_note_is_clear_at_once() -> None:
    learned = learn(MUTE, (0x99, 36, 100))
    assert learned is not None
    assert (str(learned.entry.source), learned.entry.mode, learned.port) == ("note 10/36", Mode.TOGGLE, "desk")


def test_aftertouch_clock_and_letting_go_are_not_what_is_meant() -> None:
    learned = learn(MUTE, (0xF8,), (0xD0, 50), (0xA0, 36, 50), (0x80, 40, 0), (0xFE,), (0xB0, 123, 0), (0x90, 41, 9))
    assert learned is not None
    assert str(learned.entry.source) == "note 1/41"


@pytest.mark.parametrize("values", [range(20, 40), [64], [127], [0, 127], [127, 0], [1, 2, 3, 4], [66, 65, 64, 63, 62]])
def test_faders_and_buttons_are_cc(values: list[int]) -> None:
    learned = learn(VOLUME, *cc(21, *values))
    assert learned is not None
    assert (str(learned.entry.source), learned.entry.mode) == ("cc 1/21", Mode.ABSOLUTE)


@pytest.mark.parametrize(
    ("values", "encoding"),
    [
        ([1, 1, 1, 2, 1], Encoding.TWOS),
        ([127, 127, 126, 127], Encoding.TWOS),
        ([1, 1, 127, 127], Encoding.TWOS),
        ([65, 65, 66, 65], Encoding.OFFSET),
        ([63, 63, 62, 63], Encoding.OFFSET),
        ([65, 65, 63, 63], Encoding.OFFSET),
        ([1, 1, 65, 65], Encoding.SIGN),
    ],
)
def test_endless_encoders_are_relative(values: list[int], encoding: Encoding) -> None:
    learned = learn(VOLUME, *cc(21, *values))
    assert learned is not None
    assert (learned.entry.mode, learned.entry.encoding) == (Mode.RELATIVE, encoding)
    assert encoding_of(values) is encoding


def test_two_halves_are_one_fader_in_either_order() -> None:
    high_first = [m for value in range(10, 20) for m in (*cc(5, value), *cc(37, value * 6))]
    low_first = [m for value in range(10, 20) for m in (*cc(37, value * 6), *cc(5, value))]
    for messages in (high_first, low_first):
        learned = learn(VOLUME, *messages)
        assert learned is not None
        assert (learned.entry.source.kind, learned.entry.source.number) == (SourceKind.CC14, 5)


def test_pitch_bend_and_program() -> None:
    bend = learn("/mixer/crossfader", (0xE0, 0, 64), (0xE0, 5, 64))
    program = learn("/deck/1/stop", (0xC3, 7))
    assert bend is not None
    assert program is not None
    assert (str(bend.entry.source), str(program.entry.source)) == ("pitchbend 1", "program 4/7")


def test_the_knob_that_moves_most_is_meant() -> None:
    learned = learn(VOLUME, *cc(30, 5), *cc(21, 1, 2, 3, 4, 5), *cc(31, 9))
    assert learned is not None
    assert learned.entry.source.number == 21


def test_only_one_is_learned_and_cancel_ends_it() -> None:
    learner = Learner()
    assert learn(MUTE, (0x90, 1, 1), learner=learner) is not None
    assert learner.path is None
    assert learner.hear("desk", decode((0x90, 2, 1)), 1.0) is None
    learner.arm(MUTE)
    assert learner.hear("desk", ControlChange(1, 5, 5), 2.0) is None
    assert learner.cancel() == MUTE
    assert learner.tick(99.0) is None
    assert learner.cancel() is None


@pytest.mark.parametrize(
    ("path", "error"), [("/nope", UnknownControl), ("/deck/1/title", CannotLearn), ("/deck/1/load", CannotLearn)]
)
def test_what_cannot_be_learned_is_said_at_once(path: str, error: type[Exception]) -> None:
    learner = Learner()
    with pytest.raises(error):
        learner.arm(path)
    assert learner.path is None


def test_clicks() -> None:
    assert [clicks(value, Encoding.TWOS) for value in (1, 3, 127, 125)] == [1, 3, -1, -3]
    assert [clicks(value, Encoding.OFFSET) for value in (65, 67, 63, 64)] == [1, 3, -1, 0]
    assert [clicks(value, Encoding.SIGN) for value in (1, 3, 65, 67)] == [1, 3, -1, -3]


def test_nrpn_is_learned_from_its_parts() -> None:
    parts = [m for value in range(8) for m in ((0xB0, 99, 2), (0xB0, 98, 44), (0xB0, 6, value * 9), (0xB0, 38, 1))]
    learned = learn(VOLUME, *parts)
    assert learned is not None
    assert str(learned.entry.source) == "nrpn 1/300"


def test_a_button_that_keeps_its_place_is_told_from_one_that_comes_back() -> None:
    learner = Learner()
    learner.arm(MUTE)
    assert learner.hear("desk", ControlChange(1, 50, 127), 1.0) is None
    assert learner.tick(1.0 + QUIET_S) is None, "it may still come back"
    latching = learner.tick(1.0 + LATCH_S)
    assert latching is not None
    assert (latching.entry.mode, latching.entry.takeover) == (Mode.ABSOLUTE, Takeover.JUMP)
    button = learn(MUTE, *cc(50, 127, 0))
    assert button is not None
    assert button.entry.mode is Mode.TOGGLE


def test_a_learned_fader_knows_where_it_stands() -> None:
    learned = learn(VOLUME, *cc(21, 60, 61, 62, 63, 64))
    assert learned is not None
    assert learned.place == 0.5
