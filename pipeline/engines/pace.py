"""Where the playheads will be: what a separation works on is chosen for the moment in which it is done.

Owner: the thread of one separation. A segment takes seconds, in which a deck plays on; the one under the playhead now
may be behind it by then. How fast a playhead moves is seen from where it was when the segment before was begun.
Units: frames at 44.1 kHz; seconds of the clock that is handed in.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final, SupportsIndex

from audio.units import MODEL_RATE

SLOWEST: Final = 0.4
FASTEST: Final = 4.2
"""Speeds between these are a deck that plays; anything else is one that rests or has jumped. A playhead is told twice a
second, so over a segment of a second the speed that is seen is wrong by a half."""

LONGEST_S: Final = 20.0
"""Longest time that is looked ahead: a segment that took longer was held up by something else."""


class Pace:
    """Watches the playheads of a track."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._frames: tuple[int, ...] = ()
        self._speeds: tuple[float, ...] = ()
        self._seen_s = 0.0
        self._took_s = 0.0

    def aim(self, focus: int | Sequence[int] | None) -> tuple[int, ...]:
        """Return where playheads that are at `focus` will be when a segment that is begun now is done."""
        now = self._clock()
        frames = (int(focus),) if isinstance(focus, SupportsIndex) else tuple(map(int, focus or ()))
        if len(frames) == len(self._frames):
            self._took_s = min(now - self._seen_s, LONGEST_S)
            self._speeds = tuple(map(self._speed, frames, self._frames, self._speeds))
        else:
            self._speeds = (0.0,) * len(frames)
        self._frames, self._seen_s = frames, now
        ahead = self._took_s * MODEL_RATE
        return tuple(frame + int(speed * ahead) for frame, speed in zip(frames, self._speeds, strict=True))

    def _speed(self, frame: int, before: int, speed: float) -> float:
        """Return how fast a playhead moves.

        After a jump ahead it moves as before. A step back may be a loop that goes round: what is under the
        playhead comes first then.
        """
        seen = (frame - before) / MODEL_RATE / self._took_s if self._took_s > 0 else 0.0
        if seen >= FASTEST:
            return speed
        return seen if seen >= SLOWEST else 0.0
