"""Laws of clock and timecode out, on a clock of frames: every message at its frame, no drift, jumps told."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.clocks.clock_out import CLOCK, CONTINUE, START, STOP, TICKS, ClockOut, Event, song_position
from control.clocks.mtc_out import MtcOut, full_frame, quarter_frame
from control.clocks.song import Pair, Song
from control.clocks.timecode import RATES, Rate, Timecode, at, frame_of, frames_a_day, of_frame

RATE = 48_000


def take(out: ClockOut | MtcOut, start: float, stop: float, seed: int = 1) -> list[Event]:
    """Take what is due in steps of random length, as a thread that wakes when it can."""
    dice = random.Random(seed)
    found: list[Event] = []
    now = start
    while now < stop:
        now = min(now + dice.choice((1, 64, 128, 1000, 4801)), stop)
        found += out.due(now)
    return found


@pytest.mark.parametrize("tempo", [20.0, 87.3, 120.0, 174.0, 399.9])
def test_ticks_are_at_their_frames_for_an_hour(tempo: float) -> None:
    out = ClockOut(Song(1000.0, 0.0, tempo, running=True), 1000.0)
    hour = 3600 * RATE
    messages = take(out, 1000.0, 1000.0 + hour / 60, 3)
    messages += out.due(1000.0 + hour)
    ticks = [frame for frame, data in messages if data == CLOCK]
    assert messages[0][1] == START
    for number, frame in enumerate(ticks):
        assert abs(frame - (1000.0 + number * 60 * RATE / tempo / TICKS)) < 0.01
    assert len(ticks) == pytest.approx(hour * tempo / 60 / RATE * TICKS, abs=1)


def test_how_it_is_cut_changes_nothing() -> None:
    song = Song(0.0, 3.3, 133.0, running=True)
    one, other = ClockOut(song, 0.0), ClockOut(song, 0.0)
    assert take(one, 0, 100_000, 1) == take(other, 0, 100_000, 2)


def test_start_at_the_beginning_continue_from_elsewhere() -> None:
    out = ClockOut(Song(), 0.0)
    assert {data for _, data in out.due(48_000)} == {CLOCK}, "it ticks while it stands"
    out.follow(Song(48_000, 0.0, running=True), 48_000)
    (first, begin), (second, tick) = out.due(48_100)[:2]
    assert (begin, tick) == (START, CLOCK)
    assert (first, second) == (48_000, 48_000)
    out.follow(Song(60_000, 0.0), 60_000)
    assert out.due(60_001)[0][1] == STOP
    out.follow(Song(96_000, 2.1, running=True), 96_000)
    messages = take(out, 96_000, 120_000)
    assert [data for _, data in messages[:3]] == [song_position(9), CONTINUE, CLOCK]
    assert messages[2][0] == pytest.approx(96_000 + 0.15 * 24_000)
    assert messages[1][0] == pytest.approx(messages[2][0] - 48)


def test_a_jump_is_told_and_a_hair_is_not() -> None:
    out = ClockOut(Song(0.0, 0.0, running=True), 0.0)
    before = take(out, 0, 48_000)
    out.follow(Song(48_000, 2.0 + 0.01, running=True), 48_000)
    after = take(out, 48_000, 96_000)
    assert {data for _, data in after} == {CLOCK}
    steps = [late - early for (early, _), (late, _) in pairwise(before[1:] + after)]
    assert max(steps) < 1000 + 0.011 * 24_000
    out.follow(Song(96_000, 64.1, running=True), 96_000)
    assert [data for _, data in take(out, 96_000, 110_000)][:4] == [STOP, song_position(257), CONTINUE, CLOCK]


def test_a_new_tempo_goes_on_from_the_same_beat() -> None:
    out = ClockOut(Song(0.0, 0.0, 120.0, running=True), 0.0)
    ticks = [frame for frame, data in take(out, 0, 24_000) if data == CLOCK]
    out.follow(Song(24_000, 1.0, 60.0, running=True), 24_000)
    ticks += [frame for frame, data in take(out, 24_000, 72_000) if data == CLOCK]
    assert len(ticks) == 48
    steps = [late - early for early, late in pairwise(ticks)]
    assert steps[:23] == pytest.approx([1000.0] * 23)
    assert steps[24:] == pytest.approx([2000.0] * 23)


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(20, 400), st.booleans(), st.integers(1, 30_000)), max_size=12))
def test_whatever_the_music_does_time_never_goes_back(moves: list[tuple[float, float, bool, int]]) -> None:
    now = 0.0
    out, mtc = ClockOut(Song(), now), MtcOut(Rate.PAL, Song(), now)
    for beat, tempo, running, wait in moves:
        song = Song(now, beat, tempo, beat / 2, 1.0, running)
        out.follow(song, now)
        mtc.follow(song, now)
        for made in (out, mtc):
            frames = [frame for frame, _ in made.due(now + wait)]
            assert frames == sorted(frames)
            assert all(frame < now + wait for frame in frames)
            assert len(frames) < wait / 48_000 * 400 / 60 * TICKS * 2 + 400
        now += wait


def test_the_engines_clock_there_and_back() -> None:
    pair = Pair(1_000_000, 5_000_000_000, 47_999.7)
    for frame in (0, 1_000_000, 123_456_789):
        assert pair.frame_at(pair.ns_of(frame)) == pytest.approx(frame, abs=0.01)


# -- timecode ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", Rate)
def test_names_of_a_day_are_in_order_and_all_different(rate: Rate) -> None:
    day = frames_a_day(rate)
    for number in [*range(40_000), *range(0, day, 997), day - 1]:
        assert frame_of(of_frame(number, rate)) == number
    assert str(of_frame(day - 1, rate)).startswith("23:59:59")
    assert of_frame(day, rate) == of_frame(0, rate)


def test_two_names_are_dropped_each_minute_but_every_tenth() -> None:
    names = [str(of_frame(number, Rate.NTSC)) for number in range(17_982 * 2)]
    assert names[1799:1801] == ["00:00:59;29", "00:01:00;02"]
    assert names[17_981:17_983] == ["00:09:59;29", "00:10:00;00"]
    assert str(at(3600.0, Rate.NTSC)) in ("00:59:59;29", "01:00:00;00"), "with the clock on the wall"


@pytest.mark.parametrize(("seconds", "label", "name"), [
    (0.0, "25", "00:00:00:00"), (1.0, "24", "00:00:01:00"), (59.99, "25", "00:00:59:24"), (3661.5, "30", "01:01:01:15"),
])  # fmt: skip
def test_seconds_have_names(seconds: float, label: str, name: str) -> None:
    assert str(at(seconds, RATES[label])) == name


def decoded(pieces: list[bytes]) -> tuple[int, int, int, int, int]:
    """Return hours, minutes, seconds, frames and rate of eight quarter frames, as the MTC specification reads them."""
    nibbles = [data[1] & 0xF for data in pieces]
    assert [data[1] >> 4 for data in pieces] == list(range(8))
    assert {data[0] for data in pieces} == {0xF1}
    frames, seconds, minutes = (nibbles[low] | nibbles[low + 1] << 4 for low in (0, 2, 4))
    return nibbles[6] | (nibbles[7] & 1) << 4, minutes, seconds, frames, nibbles[7] >> 1


@pytest.mark.parametrize("rate", Rate)
def test_quarter_frames_say_where_the_music_is(rate: Rate) -> None:
    offset = 3600.0
    out = MtcOut(rate, Song(480.0, position_s=10.0, running=True), 480.0, offset)
    (_, full), *quarters = take(out, 480.0, 480.0 + 70 * RATE)
    assert full == full_frame(at(3610.0, rate))
    quarter_s = 1 / (4 * float(rate.per_second))
    for (frame, _), (later, _) in pairwise(quarters):
        assert later - frame == pytest.approx(quarter_s * RATE, abs=0.01)
    begin = 0
    while begin + 8 <= len(quarters):
        pieces = [data for _, data in quarters[begin : begin + 8]]
        hours, minutes, seconds, frames, code = decoded(pieces)
        assert code == rate.code
        told = frame_of(Timecode(hours, minutes, seconds, frames, rate))
        position = offset + 10.0 + (quarters[begin][0] - 480.0) / RATE
        assert told == round(position * float(rate.per_second)), "the frame in which the first piece was sent"
        begin += 8
    assert begin > 0


def test_locating_is_a_full_frame_and_a_hair_is_not() -> None:
    out = MtcOut(Rate.PAL, Song(0.0, position_s=5.0), 0.0)
    assert out.due(48_000) == [(0.0, full_frame(at(5.0, Rate.PAL)))]
    out.follow(Song(48_000, position_s=5.01), 48_000)
    assert out.due(96_000) == []
    out.follow(Song(96_000, position_s=65.0), 96_000)
    assert out.due(96_001) == [(96_000, bytes.fromhex("f07f7f010120010500f7"))]
    out.follow(Song(96_000, position_s=65.0, running=True), 96_000)
    assert {data[0] for _, data in out.due(144_000)} == {0xF1}
    out.follow(Song(144_000, position_s=66.0), 144_000)
    assert out.due(200_000) == [(144_000, full_frame(at(66.0, Rate.PAL)))], "where it stopped"


def test_half_speed_is_half_as_many_and_backwards_none() -> None:
    half = MtcOut(Rate.PAL, Song(0.0, speed=0.5, running=True), 0.0)
    assert len(take(half, 0, 10 * RATE)) == pytest.approx(501, abs=2)
    back = MtcOut(Rate.PAL, Song(0.0, position_s=60.0, speed=-1.0, running=True), 0.0)
    assert [data[0] for _, data in take(back, 0, 10 * RATE)] == [0xF0]


def test_a_quarter_frame_is_as_the_specification_writes_it() -> None:
    code = Timecode(1, 37, 52, 16, Rate.THIRTY)
    number = frame_of(code) * 4
    pieces = [quarter_frame(number + piece, Rate.THIRTY) for piece in range(8)]
    assert b"".join(pieces) == bytes.fromhex("f100f111f124f133f145f152f161f176")
