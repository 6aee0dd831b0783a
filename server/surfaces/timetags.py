"""OSC time tags to engine frames, through the engine's clock pair.

Owner: nobody; pure, the clocks are arguments.
Units: nanoseconds of the system clock (since 1970) and of the monotonic clock; engine frames.

A tag names the moment at which something is to be heard, so the output's latency is taken off. Senders on other
machines must have their clocks set (NTP does); a tag in the past, by however much, means now.
"""

from typing import Final

from control.osc_codec import IMMEDIATELY, NTP_EPOCH_S
from server.surfaces.show_port import Clock

MAX_AHEAD_S: Final = 60.0
"""A tag further ahead than this is taken for a wrong clock."""


class TooFarAhead(ValueError):
    """The time tag is more than a minute ahead; is the sender's clock right?"""


def frame_of(timetag: int, clock: Clock | None, wall_ns: int, monotonic_ns: int) -> int | None:
    """Return the frame a tag names, or None for now.

    `wall_ns` and `monotonic_ns` are the two clocks read together. Raises TooFarAhead.
    """
    if timetag <= IMMEDIATELY:
        return None
    ahead_ns = (timetag * 1_000_000_000 >> 32) - NTP_EPOCH_S * 1_000_000_000 - wall_ns
    if ahead_ns <= 0:
        return None
    if ahead_ns > MAX_AHEAD_S * 1e9:
        raise TooFarAhead((TooFarAhead.__doc__ or "").strip())
    if clock is None:
        return None
    elapsed_ns = monotonic_ns - clock.monotonic_ns
    now = clock.frame + elapsed_ns * clock.rate / 1e9
    frame = round(now + ahead_ns * clock.rate / 1e9) - clock.latency_frames
    return frame if frame > now else None
