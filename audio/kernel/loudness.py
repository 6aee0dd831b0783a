"""Loudness of the decks and of the master, as it is measured on air: short-term and momentary, in LUFS.

    deck after its fader, master as it goes out --> K weighting --> squares, left + right --> mean of HOP --> ring
                                                  short-term: mean of the last 3 s    momentary: of the last 0.4 s

Owner: the kernel. After ITU-R BS.1770-4 and EBU Tech 3341; the two filters are the standard's, as state-variable
sections (analogue prototypes: De Man, "Evaluation of Implementations of the EBU R128 Loudness Measurement", 2018).
Units: LUFS, at least QUIETEST; lanes 0 and 1 are the master, 2 d + 2 and 2 d + 3 deck d.
"""

from math import log10, pi, tan
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from audio.kernel.atomics import copy_bytes
from audio.kernel.compiled import compiled
from audio.kernel.lane_filters import weigh_frames
from audio.kernel.lane_rows import HALF, gather_half
from audio.kernel.lanes import LANES
from audio.kernel.layout import HOPS, METERED, SEGMENT
from audio.units import DECKS

QUIETEST: Final = -70.0
"""What silence reads as; the standard's gate."""
HOPS_A_SECOND: Final = 10
MOMENTARY_HOPS: Final = 4
MASTER: Final = DECKS
_RING_S: Final = 0.5
_SHELF_HZ: Final = 1681.974450955533
_SHELF_Q: Final = 0.7071752369554196
_SHELF_DB: Final = 3.999843853973347
_PASS_HZ: Final = 38.13547087602444
_PASS_Q: Final = 0.5003270373238773


def weighting_factors(rate: int) -> npt.NDArray[np.float32]:
    """Return the factors of `weigh_frames` at `rate` Hz, float32 (2, 6)."""
    gain = 10.0 ** (_SHELF_DB / 40.0)
    shelf = _section(tan(pi * _SHELF_HZ / rate), 1.0 / _SHELF_Q)
    turn = tan(pi * _PASS_HZ / rate)
    over = 1.0 + turn / _PASS_Q + turn * turn  # the standard's high-pass is not normalised: its passband gain is this
    high = _section(turn, 1.0 / _PASS_Q)
    # Twice the band is what a section gives.
    weights = (
        (gain * gain, (1.0 - gain) * gain / _SHELF_Q / 2.0, 1.0 - gain * gain),
        (over, -over / _PASS_Q / 2.0, -over),
    )
    return np.array([(*shelf, *weights[0]), (*high, *weights[1])], np.float32)


def _section(tangent: float, damping: float) -> tuple[float, float, float]:
    a1 = 2.0 / (1.0 + tangent * (tangent + damping))
    return a1, tangent * a1, tangent


@compiled
def _lane(which: int) -> int:
    """Return the first of the two lanes of what is measured."""
    return 0 if which == MASTER else 2 * which + 2


@compiled
def listen(k: Any, which: int, left: Any, right: Any, count: int) -> None:
    """Note `count` frames of what is measured as `which`: a deck by its number, or MASTER."""
    n = 0
    while n < count and left[n] == 0.0 and right[n] == 0.0:
        n += 1
    if n == count:
        return
    lane = _lane(which)
    copy_bytes(k.loud_rows[lane].ctypes.data, left.ctypes.data, 4 * count)
    copy_bytes(k.loud_rows[lane + 1].ctypes.data, right.ctypes.data, 4 * count)
    k.loud_pairs |= 1 << (lane // 2)
    k.loud_until = k.frame + int(_RING_S * k.rate)
    if lane >= HALF:
        k.upper_loud_until = k.loud_until


@compiled
def _level(k: Any, which: int, hops: int) -> float:
    total = np.float32(0.0)
    for back in range(hops):
        total += k.hop_power[which, (k.hop + HOPS - 1 - back) % HOPS]
    mean = total / hops
    if mean <= 0.0:
        return QUIETEST
    return max(QUIETEST, -0.691 + 10.0 * log10(mean))


@compiled
def _end_hop(k: Any) -> None:
    """Close a hop: its means go into the ring, and the readings follow."""
    frames = np.float32(k.rate // HOPS_A_SECOND)
    for which in range(METERED):
        lane = _lane(which)
        k.hop_power[which, k.hop] = (k.hop_squares[lane] + k.hop_squares[lane + 1]) / frames
        k.hop_squares[lane] = 0.0
        k.hop_squares[lane + 1] = 0.0
    k.hop = (k.hop + 1) % HOPS
    for which in range(METERED):
        k.short_term[which] = _level(k, which, HOPS)
        k.momentary[which] = _level(k, which, MOMENTARY_HOPS)


@compiled
def _gather(k: Any, half: int, count: int) -> None:
    """Lay what was noted into half the lanes; what was not heard is silent."""
    gather_half(
        k.loud_lanes.ctypes.data + 4 * HALF * half, k.loud_rows[half * HALF].ctypes.data, 2 * SEGMENT, SEGMENT,
        k.loud_pairs >> (half * HALF // 2), (count + HALF - 1) // HALF,
    )  # fmt: skip


@compiled
def _weigh(k: Any, half: int, at: int, count: int) -> None:
    """Weigh `count` rows, from row `at` on, of half the lanes."""
    by = 4 * HALF * half
    weigh_frames(
        k.loud_lanes.ctypes.data + 4 * LANES * at + by, k.weigh_state.ctypes.data + by, k.weighting.ctypes.data,
        k.hop_squares.ctypes.data + by, count,
    )  # fmt: skip


@compiled
def measure_loudness(k: Any, count: int) -> None:
    """Weigh the `count` frames that were noted, and forget them."""
    hop = k.rate // HOPS_A_SECOND
    lower, upper = k.loud_until > k.frame, k.upper_loud_until > k.frame
    if lower:
        _gather(k, 0, count)
    if upper:
        _gather(k, 1, count)
    k.loud_pairs = 0
    at = 0
    while at < count:
        run = min(count - at, hop - k.hop_frames)
        if lower:
            _weigh(k, 0, at, run)
        if upper:
            _weigh(k, 1, at, run)
        k.hop_frames += run
        at += run
        if k.hop_frames == hop:
            k.hop_frames = 0
            _end_hop(k)
