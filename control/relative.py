"""Endless encoders: what their values say, and how fast they are turned.

Owner: the device that listens; `now` is monotonic seconds.
Units: clicks, right positive.
"""

from typing import Final

from control.mapping_entry import Encoding

SLOW_PER_S: Final = 15.0
"""Clicks a second up to which every click counts once."""

FAST_PER_S: Final = 100.0
"""Clicks a second from which every click counts `acceleration` times."""


def clicks(value: int, encoding: Encoding, middle: int = 64) -> int:
    """Return how many clicks to the right (left: negative) an encoder's value says; `middle` 8,192 for 14 bits."""
    match encoding:
        case Encoding.TWOS:
            return value if value < middle else value - 2 * middle
        case Encoding.OFFSET:
            return value - middle
        case Encoding.SIGN:
            return value if value < middle else middle - value


class Acceleration:
    """How much each click counts: once while turned slowly, up to `most` times while turned fast."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._was_right = True

    def factor(self, turned: int, most: float, now: float) -> float:
        """Note `turned` clicks and return what each counts, 1 to `most`. Turning back starts slowly."""
        before, self._last = self._last, now
        was_right, self._was_right = self._was_right, turned > 0
        if before is None or was_right != self._was_right or most <= 1.0:
            return 1.0
        speed = abs(turned) / max(now - before, 1e-4)
        share = min(max((speed - SLOW_PER_S) / (FAST_PER_S - SLOW_PER_S), 0.0), 1.0)
        return 1.0 + (most - 1.0) * share
