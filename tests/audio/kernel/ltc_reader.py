"""A reader of linear timecode, written from SMPTE ST 12-1 alone: it shares nothing with the writer.

Units: samples; names as (hours, minutes, seconds, frames, drops).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

SYNC = "0011111111111101"
"""The last sixteen bits of a frame, in the order on the wire."""


@dataclass(frozen=True)
class Read:
    """One frame that was read: its name, and the samples between which it lay."""

    hours: int
    minutes: int
    seconds: int
    frames: int
    drops: bool
    begin: float
    end: float

    @property
    def name(self) -> str:
        return f"{self.hours:02}:{self.minutes:02}:{self.seconds:02}{';' if self.drops else ':'}{self.frames:02}"


def crossings(sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return where the signal goes through zero, to a part of a sample; silence in between is a gap."""
    wave = sound.astype(np.float64)
    signs = np.sign(wave)
    at = np.flatnonzero(signs[:-1] * signs[1:] < 0)
    exact = at + wave[at] / (wave[at] - wave[at + 1])
    zeros = np.flatnonzero((signs[1:-1] == 0) & (signs[:-2] * signs[2:] < 0)) + 1.0
    return np.sort(np.concatenate([exact, zeros]))


def read_ltc(sound: npt.NDArray[np.float32]) -> list[Read]:
    """Return every whole frame in `sound`, in order."""
    edges = crossings(sound)
    bits: list[tuple[str, float, float]] = []
    half: float | None = None
    length = float(np.median(np.diff(edges))) * 1.5 if len(edges) > 1 else 0.0
    for begin, end in pairwise(edges):
        wide = end - begin
        if wide > 1.6 * length:
            bits.append(("gap", begin, end))
            half = None
        elif wide > 0.75 * length:
            bits.append(("0", begin, end))
            length += 0.2 * (wide - length)
            half = None
        elif half is None:
            half = begin
        else:
            bits.append(("1", half, end))
            length += 0.2 * (end - half - length)
            half = None
    found: list[Read] = []
    text = "".join(bit if bit in "01" else "x" for bit, _, _ in bits)
    at = text.find(SYNC)
    while at >= 0:
        begin = at - 64
        if begin >= 0 and "x" not in text[begin : at + 16]:
            found.append(_frame(text[begin : at + 16], bits[begin][1], bits[at + 15][2]))
        at = text.find(SYNC, at + 1)
    return found


def _frame(bits: str, begin: float, end: float) -> Read:
    def number(place: int, size: int) -> int:
        return int(bits[place : place + size][::-1], 2)

    assert bits.count("0") % 2 == 0, "a frame has an even number of zeros"
    assert all(number(4 + 8 * group, 4) == 0 for group in range(8)), "nobody wrote user bits"
    return Read(
        number(48, 4) + 10 * number(56, 2), number(32, 4) + 10 * number(40, 3), number(16, 4) + 10 * number(24, 3),
        number(0, 4) + 10 * number(8, 2), bits[10] == "1", begin, end,
    )  # fmt: skip
