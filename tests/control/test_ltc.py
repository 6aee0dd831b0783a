"""Laws of linear timecode: what is written can be read back from the wave, whose level is the same at every seam."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.clocks.ltc import BITS, edges, word
from control.clocks.timecode import Rate, Timecode, frames_a_day, of_frame

RATES = st.sampled_from(list(Rate))


def read(changes: list[float]) -> tuple[Timecode, int]:
    """Return the timecode and user bits of a wave of one frame, given where its level changes (the end last)."""
    shortest = min(later - early for early, later in pairwise(changes))
    bits: list[int] = []
    index = 0
    while index < len(changes) - 1:
        long = changes[index + 1] - changes[index] > 1.5 * shortest
        bits.append(0 if long else 1)
        index += 1 if long else 2
    assert len(bits) == BITS
    assert bits[64:] == [int(bit) for bit in "0011111111111101"]

    def digit(place: int, size: int) -> int:
        return sum(bits[place + bit] << bit for bit in range(size))

    frames, seconds = digit(0, 4) + 10 * digit(8, 2), digit(16, 4) + 10 * digit(24, 3)
    minutes, hours = digit(32, 4) + 10 * digit(40, 3), digit(48, 4) + 10 * digit(56, 2)
    rate = Rate.NTSC if bits[10] else Rate.THIRTY
    user = sum(digit(8 * group + 4, 4) << 4 * group for group in range(8))
    return Timecode(hours, minutes, seconds, frames, rate), user


@given(RATES, st.integers(0, 24 * 3600 * 30), st.integers(0, 2**32 - 1))
def test_what_is_written_is_read(rate: Rate, number: int, user: int) -> None:
    code = of_frame(number % frames_a_day(rate), rate)
    found, said = read([*edges(word(code, user), 100.0, 2020.0), 2020.0])
    assert (found.hours, found.minutes, found.seconds, found.frames) == (
        code.hours, code.minutes, code.seconds, code.frames,
    )  # fmt: skip
    assert found.rate.drops == rate.drops
    assert said == user


@given(RATES, st.integers(0, 24 * 3600 * 30), st.integers(0, 2**32 - 1))
def test_every_frame_begins_at_the_same_level(rate: Rate, number: int, user: int) -> None:
    bits = word(of_frame(number, rate), user)
    assert len(edges(bits, 0.0, 1920.0)) % 2 == 0
    assert bits < 2**BITS


@pytest.mark.parametrize("start", [0.0, 1601.6])
def test_changes_are_in_order_inside_the_frame(start: float) -> None:
    found = edges(word(of_frame(1799, Rate.NTSC)), start, start + 1601.6)
    assert found == sorted(found)
    assert found[0] == start
    assert found[-1] < start + 1601.6
