"""Laws of the MIDI decoder: every whole message is read, anything else is a BadMessage with its bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.errors import BadMessage
from control.midi_messages import (
    ChannelPressure,
    ControlChange,
    ControlChange14,
    MidiMessage,
    NoteOff,
    NoteOn,
    Pairer,
    PitchBend,
    PolyPressure,
    ProgramChange,
    RealTime,
    SysEx,
    SystemCommon,
    decode,
    note_name,
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([0x90, 36, 100], NoteOn(1, 36, 100)),
        ([0x9F, 127, 1], NoteOn(16, 127, 1)),
        ([0x90, 36, 0], NoteOff(1, 36, 0)),
        ([0x80, 36, 64], NoteOff(1, 36, 64)),
        ([0xA2, 36, 9], PolyPressure(3, 36, 9)),
        ([0xB0, 21, 64], ControlChange(1, 21, 64)),
        ([0xC4, 7], ProgramChange(5, 7)),
        ([0xD0, 99], ChannelPressure(1, 99)),
        ([0xE0, 0, 64], PitchBend(1, 0)),
        ([0xE0, 0, 0], PitchBend(1, -8192)),
        ([0xE0, 127, 127], PitchBend(1, 8191)),
        ([0xF0, 0x7E, 0x7F, 0xF7], SysEx(b"\x7e\x7f")),
        ([0xF2, 1, 2], SystemCommon("song position", 257)),
        ([0xF8], RealTime("clock")),
        ([0xFC], RealTime("stop")),
    ],
)
def test_messages_are_read(data: list[int], message: MidiMessage) -> None:
    assert decode(data) == message
    assert str(message)


@given(st.binary(max_size=12))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        decode(data)
    except BadMessage as error:
        assert error.data == data


@pytest.mark.parametrize("data", [[], [12], [0x90, 1], [0x90, 1, 2, 3], [0x90, 200, 1], [0xF0, 1], [0xF4], [0xF8, 1]])
def test_what_is_no_message_is_refused(data: list[int]) -> None:
    with pytest.raises(BadMessage):
        decode(data)


def test_notes_have_names() -> None:
    assert [note_name(note) for note in (0, 36, 60, 127)] == ["C-1", "C2", "C4", "G9"]


def pair(pairer: Pairer, number: int, value: int) -> object:
    return pairer.pair(ControlChange(1, number, value), lambda channel, n: (channel, n) == (1, 5))


def test_both_halves_make_one_value_in_either_order() -> None:
    pairer = Pairer()
    assert pair(pairer, 5, 64) == ControlChange14(1, 5, 64 << 7)
    assert pair(pairer, 37, 33) == ControlChange14(1, 5, 64 << 7 | 33)
    assert pair(pairer, 37, 34) == ControlChange14(1, 5, 64 << 7 | 34), "an unchanged upper half may be left out"


def test_a_lower_half_alone_says_nothing_yet() -> None:
    assert pair(Pairer(), 37, 33) is None


def test_the_top_of_the_travel_is_reached_by_the_upper_half_alone() -> None:
    assert pair(Pairer(), 5, 127) == ControlChange14(1, 5, 16_383)
    assert pair(Pairer(), 5, 0) == ControlChange14(1, 5, 0)


def test_other_numbers_are_left_alone() -> None:
    pairer = Pairer()
    for number in (4, 6, 36, 38, 69, 101):
        assert pair(pairer, number, 1) == ControlChange(1, number, 1)
    assert pairer.pair(ControlChange(2, 5, 1), lambda channel, n: (channel, n) == (1, 5)) == ControlChange(2, 5, 1)
