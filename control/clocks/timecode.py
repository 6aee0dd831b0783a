"""SMPTE timecode: hours, minutes, seconds and frames at the four usual rates.

Owner: nobody; pure.
Units: seconds of real time; video frames (never engine frames in this file).

29.97 counts thirty names a second and drops two of them each minute but every tenth, so that it stays with the clock on
the wall (SMPTE ST 12-1). A day has 24 hours; what is beyond begins again.
"""

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Final


class Rate(Enum):
    """A frame rate: its name, frames a second, how many names a second counts, and its number in MTC."""

    FILM = ("24", Fraction(24), 24, 0)
    PAL = ("25", Fraction(25), 25, 1)
    NTSC = ("29.97", Fraction(30_000, 1001), 30, 2)
    THIRTY = ("30", Fraction(30), 30, 3)

    def __init__(self, label: str, per_second: Fraction, count: int, code: int) -> None:
        self.label = label
        self.per_second = per_second
        self.count = count
        self.code = code

    @property
    def drops(self) -> bool:
        """Whether names are dropped."""
        return self is Rate.NTSC


RATES: Final = {rate.label: rate for rate in Rate}
"""Rates by name."""

_DROPPED_PER_10_MIN: Final = 18


@dataclass(frozen=True, slots=True)
class Timecode:
    """One frame's name."""

    hours: int
    minutes: int
    seconds: int
    frames: int
    rate: Rate

    def __str__(self) -> str:
        """Return it as it is written, with a semicolon before the frames of a drop rate."""
        mark = ";" if self.rate.drops else ":"
        return f"{self.hours:02}:{self.minutes:02}:{self.seconds:02}{mark}{self.frames:02}"


def frames_a_day(rate: Rate) -> int:
    """Return how many frames have a name."""
    names = 24 * 3600 * rate.count
    return names - 144 * _DROPPED_PER_10_MIN if rate.drops else names


def of_frame(number: int, rate: Rate) -> Timecode:
    """Return the name of frame `number`, counted from 0."""
    number %= frames_a_day(rate)
    if rate.drops:
        tens, rest = divmod(number, 17_982)
        number += _DROPPED_PER_10_MIN * tens
        if rest >= 1800:
            number += 2 * ((rest - 1800) // 1798 + 1)
    seconds, frames = divmod(number, rate.count)
    minutes, seconds = divmod(seconds, 60)
    return Timecode(minutes // 60, minutes % 60, seconds, frames, rate)


def frame_of(code: Timecode) -> int:
    """Return the number of the frame with this name."""
    minutes = code.hours * 60 + code.minutes
    number = (minutes * 60 + code.seconds) * code.rate.count + code.frames
    return number - 2 * (minutes - minutes // 10) if code.rate.drops else number


def at(seconds: float, rate: Rate) -> Timecode:
    """Return the name of the frame that is shown `seconds` after 00:00:00:00."""
    return of_frame(int(Fraction(seconds).limit_denominator(10**9) * rate.per_second), rate)
