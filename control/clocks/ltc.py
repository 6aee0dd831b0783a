"""Linear timecode: the 80 bits of a frame and the square wave that carries them (SMPTE ST 12-1, bi-phase mark).

Owner: nobody; pure. Whoever makes sound of it takes the wave, `edges`, frame by frame.
Units: bits from the first that is sent; edges in samples.

Every bit begins with a change of level; a one has another in its middle. One bit of the frame makes the number of zeros
even, so each frame begins at the same level and the wave can be cut at any frame.
"""

from typing import Final

from control.clocks.timecode import Rate, Timecode

BITS: Final = 80
SYNC: Final = 0b1011_1111_1111_1100
"""The last sixteen bits, as a number whose lowest bit is sent first: 0011 1111 1111 1101 on the wire."""

_DROP: Final = 10
_POLARITY: Final = {Rate.PAL: 59}
_POLARITY_ELSE: Final = 27


def word(code: Timecode, user: int = 0) -> int:
    """Return the bits of a frame, the lowest sent first. `user` is 32 bits for whatever one likes, four to a group."""
    found = SYNC << 64
    for place, value in (
        (0, code.frames % 10), (8, code.frames // 10), (16, code.seconds % 10), (24, code.seconds // 10),
        (32, code.minutes % 10), (40, code.minutes // 10), (48, code.hours % 10), (56, code.hours // 10),
    ):  # fmt: skip
        found |= value << place
    for group in range(8):
        found |= (user >> 4 * group & 0xF) << 8 * group + 4
    found |= code.rate.drops << _DROP
    if found.bit_count() % 2:
        found |= 1 << _POLARITY.get(code.rate, _POLARITY_ELSE)
    return found


def edges(bits: int, start: float, stop: float) -> list[float]:
    """Return where the level changes in a frame that lasts from `start` to `stop`, the change at `start` among them."""
    length = (stop - start) / BITS
    found: list[float] = []
    for bit in range(BITS):
        begin = start + bit * length
        found.append(begin)
        if bits >> bit & 1:
            found.append(begin + length / 2)
    return found
