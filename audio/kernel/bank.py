"""Banks: isolator and bipolar filter of eight stereo pairs, and how their knobs move.

    knob --> target --every TICK frames--> next value --frame by frame--> filters (lane_filters)

A deck's stems are one bank, the four decks (with two buses each, the second ones in the upper half) are another. A
pair that is at rest is passed on bit for bit, and half a bank whose pairs are all at rest is not run. A knob's first
frame has already moved; gains and cut-off follow within some 20 ms. A pair goes in and out of use by a fade, its
filters from rest.

Owner: the kernel. Units: lanes 2 p and 2 p + 1 are pair p; gains linear; knob -1 (low-pass) to 1 (high-pass).
"""

from math import pi, tan
from typing import Any, Final

import numpy as np

from audio.kernel.compiled import Single, compiled
from audio.kernel.lane_filters import FILTER_STATES, FILTER_VALUES, filter_frames, filter_still_frames
from audio.kernel.lane_isolator import EQ_STATES, EQ_VALUES, eq_frames, eq_still_frames
from audio.kernel.lane_rows import HALF, gather_half, scatter_half
from audio.kernel.lanes import LANES
from audio.units import DECKS

BANDS: Final = 3
PAIRS: Final = LANES // 2
TICK: Final = 16
"""Frames between two decisions of where a knob goes next."""

LOW_PASS_HZ: Final = (20_000.0, 50.0)
"""Cut-off of the low-pass next to the middle of the knob and at its end."""
HIGH_PASS_HZ: Final = (20.0, 12_000.0)
"""Cut-off of the high-pass next to the middle of the knob and at its end."""
FILTER_Q: Final = 0.9
"""Of each of the two sections: a touch of resonance, 24 dB an octave."""
BLEND: Final = 0.05
"""Part of the knob's way over which the filter comes in beside the dry sound."""
GAIN_S: Final = 0.003
"""Time constant of a band's gain."""
KNOB_S: Final = 0.008
"""Time constant of the filter's knob; its cut-off follows exponentially."""

_GAIN_ARRIVES: Final = np.float32(1e-5)
_KNOB_ARRIVES: Final = np.float32(1e-3)
_DAMPING: Final = np.float32(1.0 / FILTER_Q)
_MIX: Final = 3
_HALF_BYTES: Final = 4 * HALF
_HALF_PAIRS: Final = PAIRS // 2

BANK: Final = np.dtype(
    [
        ("eq_state", "<f4", (EQ_STATES, LANES)),
        ("eq_value", "<f4", (2, EQ_VALUES, LANES)),
        ("eq_next", "<f4", (EQ_VALUES, LANES)),
        ("eq_target", "<f4", (BANDS, PAIRS)),
        ("filter_state", "<f4", (FILTER_STATES, LANES)),
        ("filter_value", "<f4", (2, FILTER_VALUES, LANES)),
        ("filter_next", "<f4", (FILTER_VALUES, LANES)),
        ("side", "<f4", (LANES,)),
        ("knob", "<f4", (PAIRS,)),
        ("knob_target", "<f4", (PAIRS,)),
        ("eq_on", "<i4"),
        ("eq_moves", "<i4"),
        ("eq_left", "<i4"),
        ("filter_on", "<i4"),
        ("filter_moves", "<i4"),
        ("filter_left", "<i4"),
        ("eq_pairs", "<i4"),
        ("filter_pairs", "<i4"),
    ],
    align=True,
)
"""Everything a bank remembers. `..._value` holds values and their steps, `..._next` where they are at the next tick;
`..._left` frames are left until then. `..._pairs` has a bit for each pair in use."""


def rest_bank(bank: Any) -> None:
    """Put a zeroed BANK at rest: all bands up, all knobs in the middle."""
    bank["eq_value"][..., 0, :BANDS, :] = 1.0
    bank["eq_next"][..., :BANDS, :] = 1.0
    bank["eq_target"] = 1.0


@compiled
def _tangent(rate: int, knob: float) -> float:
    """Return tan(pi f / rate) of the cut-off that the knob stands for."""
    if knob < 0.0:
        hertz = LOW_PASS_HZ[0] * (LOW_PASS_HZ[1] / LOW_PASS_HZ[0]) ** -knob
    else:
        hertz = HIGH_PASS_HZ[0] * (HIGH_PASS_HZ[1] / HIGH_PASS_HZ[0]) ** knob
    return tan(pi * min(hertz, 0.45 * rate) / rate)


@compiled
def _clear_eq(bank: Any, pair: int) -> None:
    for state in range(EQ_STATES):
        bank.eq_state[state, 2 * pair] = 0.0
        bank.eq_state[state, 2 * pair + 1] = 0.0


@compiled
def _clear_filter(bank: Any, pair: int) -> None:
    for state in range(FILTER_STATES):
        bank.filter_state[state, 2 * pair] = 0.0
        bank.filter_state[state, 2 * pair + 1] = 0.0


@compiled
def _is_flat(bank: Any, pair: int) -> bool:
    for band in range(BANDS):  # noqa: SIM110 - compiled code has no generators
        if bank.eq_target[band, pair] != 1.0 or bank.eq_next[band, 2 * pair] != 1.0:
            return False
    return True


@compiled
def _put(values: Any, following: Any, row: int, pair: int, value: Single, goal: Single) -> None:
    """Let value `row` of a pair go from `value` to `goal` until the next tick."""
    step = (goal - value) / TICK
    for lane in range(2 * pair, 2 * pair + 2):
        values[0, row, lane] = value
        values[1, row, lane] = step
        following[row, lane] = goal


@compiled
def _tick_eq(k: Any, bank: Any) -> None:
    """Decide where the isolators are TICK frames from now."""
    share = min(1.0, TICK / (GAIN_S * k.rate))
    fade = TICK / k.fade_frames
    moves, pairs = 0, 0
    for pair in range(PAIRS):
        flat = _is_flat(bank, pair)
        for band in range(BANDS):
            value, target = bank.eq_next[band, 2 * pair], bank.eq_target[band, pair]
            goal = value
            if value != target:
                moves = 1
                goal = np.float32(value + (target - value) * share)
                if abs(target - goal) < _GAIN_ARRIVES:
                    goal = target
            _put(bank.eq_value, bank.eq_next, band, pair, value, goal)
        mix = bank.eq_next[_MIX, 2 * pair]
        goal = np.float32(max(0.0, mix - fade)) if flat else np.float32(min(1.0, mix + fade))
        if goal != mix:
            moves = 1
        _put(bank.eq_value, bank.eq_next, _MIX, pair, mix, goal)
        if mix == 0.0 and goal == 0.0:
            _clear_eq(bank, pair)
        else:
            pairs |= 1 << pair
    bank.eq_pairs = pairs
    bank.eq_on = 1 if pairs else 0
    bank.eq_moves = moves
    bank.eq_left = TICK if moves else 0


@compiled
def _next_knob(bank: Any, pair: int, share: Single) -> Single:
    """Return where the knob of a pair is at the next tick; on its way over the middle it waits there for the fade."""
    knob, target = bank.knob[pair], bank.knob_target[pair]
    if knob == target or (knob == 0.0 and bank.filter_next[1, 2 * pair] > 0.0):
        return knob
    goal = np.float32(knob + (target - knob) * share)
    if abs(target - goal) < _KNOB_ARRIVES:
        goal = target
    if knob * goal < 0.0:
        return np.float32(0.0)
    return goal


@compiled
def _tick_filter(k: Any, bank: Any) -> None:
    """Decide where the filters are TICK frames from now."""
    share = min(1.0, TICK / (KNOB_S * k.rate))
    fade = TICK / k.fade_frames
    moves, pairs = 0, 0
    for pair in range(PAIRS):
        knob, target = bank.knob[pair], bank.knob_target[pair]
        tangent, mix = bank.filter_next[0, 2 * pair], bank.filter_next[1, 2 * pair]
        goal = _next_knob(bank, pair, share)
        following = tangent
        if goal != knob and goal != 0.0:
            following = np.float32(_tangent(k.rate, goal))
        if knob == 0.0 and goal != 0.0:
            tangent = following
            _clear_filter(bank, pair)
            for lane in range(2 * pair, 2 * pair + 2):
                bank.side[lane] = 1.0 if goal < 0.0 else 0.0
        wanted = np.float32(min(1.0, abs(goal) / BLEND))
        shown = np.float32(min(wanted, mix + fade) if wanted > mix else max(wanted, mix - fade))
        if goal != knob or goal != target or shown != wanted or shown != mix:
            moves = 1
        bank.knob[pair] = goal
        _put(bank.filter_value, bank.filter_next, 0, pair, tangent, following)
        _put(bank.filter_value, bank.filter_next, 1, pair, mix, shown)
        if goal == 0.0 and mix == 0.0 and shown == 0.0:
            _clear_filter(bank, pair)
            if target != 0.0:
                pairs |= 1 << pair
        else:
            pairs |= 1 << pair
    bank.filter_pairs = pairs
    bank.filter_on = 1 if pairs else 0
    bank.filter_moves = moves
    bank.filter_left = TICK if moves else 0


@compiled
def turn_band(bank: Any, pair: int, band: int, gain: Single, heard: bool) -> None:
    """Send a band of a pair to `gain`: at once where nothing of it is heard."""
    bank.eq_target[band, pair] = gain
    bank.eq_on = 1
    bank.eq_moves = 1
    bank.eq_pairs |= 1 << pair
    if not heard:
        _put(bank.eq_value, bank.eq_next, band, pair, np.float32(gain), np.float32(gain))
        mix = np.float32(0.0) if _is_flat(bank, pair) else np.float32(1.0)
        _put(bank.eq_value, bank.eq_next, _MIX, pair, mix, mix)


@compiled
def turn_filter(k: Any, bank: Any, pair: int, knob: Single, heard: bool) -> None:
    """Send the filter of a pair to `knob`: at once where nothing of it is heard."""
    bank.knob_target[pair] = knob
    bank.filter_on = 1
    bank.filter_moves = 1
    bank.filter_pairs |= 1 << pair
    if not heard:
        bank.knob[pair] = knob
        tangent = np.float32(_tangent(k.rate, knob))
        _put(bank.filter_value, bank.filter_next, 0, pair, tangent, tangent)
        mix = np.float32(min(1.0, abs(knob) / BLEND))
        _put(bank.filter_value, bank.filter_next, 1, pair, mix, mix)
        for lane in range(2 * pair, 2 * pair + 2):
            bank.side[lane] = 1.0 if knob < 0.0 else 0.0


@compiled
def forget_pair(bank: Any, pair: int) -> None:
    """Let the filters of a pair forget what they heard."""
    _clear_eq(bank, pair)
    _clear_filter(bank, pair)


@compiled
def is_on(bank: Any) -> bool:
    """Say whether the bank has to be run."""
    return bank.eq_on != 0 or bank.filter_on != 0


@compiled
def stays_on(bank: Any) -> bool:
    """Say whether the bank will have to be run until a knob is turned."""
    for pair in range(PAIRS):
        if bank.knob_target[pair] != 0.0:
            return True
        for band in range(BANDS):
            if bank.eq_target[band, pair] != 1.0:
                return True
    return False


@compiled
def bus_pair(number: int, part: int) -> int:
    """Return which pair of the decks' bank the bus `part` of deck `number` is."""
    return DECKS * part + number


@compiled
def _runs(pairs: int, moves: int, used: int, half: int) -> bool:
    """Say whether there is something to do for half a bank: what moves goes on moving where nothing sounds."""
    own = pairs >> (half * _HALF_PAIRS) & ((1 << _HALF_PAIRS) - 1)
    return own != 0 and (moves != 0 or own & (used >> (half * _HALF_PAIRS)) != 0)


@compiled
def gather(
    bank: Any, rows: Any, base: int, half_stride: int, pair_stride: int, row_stride: int, used: int, count: int
) -> None:
    """Lay `count` frames of the channels at `base` (`lane_rows`) into the lanes; those not in `used` are silent.

    Strides in floats: from one half of the pairs to the other, from pair to pair, from left to right.
    Post: half a bank that has nothing to do is left as it is.
    """
    for half in range(2):
        first = half * _HALF_PAIRS
        if _runs(bank.eq_pairs | bank.filter_pairs, bank.eq_moves | bank.filter_moves, used, half):
            gather_half(
                rows.ctypes.data + half * _HALF_BYTES, base + 4 * half * half_stride, pair_stride, row_stride,
                used >> first, (count + HALF - 1) // HALF,
            )  # fmt: skip


@compiled
def scatter(rows: Any, base: int, half_stride: int, pair_stride: int, row_stride: int, used: int, count: int) -> None:
    """Bring `count` frames of the pairs in `used` back from the lanes to their channels."""
    for half in range(2):
        first = half * _HALF_PAIRS
        if used >> first & ((1 << _HALF_PAIRS) - 1):
            scatter_half(
                rows.ctypes.data + half * _HALF_BYTES, base + 4 * half * half_stride, pair_stride, row_stride,
                used >> first, (count + HALF - 1) // HALF,
            )  # fmt: skip


@compiled
def _run_eq(k: Any, bank: Any, rows: int, used: int, count: int) -> None:
    below, above = k.split_rows[0].ctypes.data, k.split_rows[1].ctypes.data
    for half in range(2):
        if _runs(bank.eq_pairs, bank.eq_moves, used, half):
            at = half * _HALF_BYTES
            state, values = bank.eq_state.ctypes.data + at, bank.eq_value.ctypes.data + at
            if bank.eq_moves:
                eq_frames(rows + at, state, values, k.crossovers.ctypes.data, below, above, count)
            else:
                eq_still_frames(rows + at, state, values, k.crossovers.ctypes.data, below, above, count)


@compiled
def _run_filter(bank: Any, rows: int, used: int, count: int) -> None:
    for half in range(2):
        if _runs(bank.filter_pairs, bank.filter_moves, used, half):
            at = half * _HALF_BYTES
            state, values = bank.filter_state.ctypes.data + at, bank.filter_value.ctypes.data + at
            side = bank.side.ctypes.data + at
            if bank.filter_moves:
                filter_frames(rows + at, state, values, side, _DAMPING, count)
            else:
                filter_still_frames(rows + at, state, values, side, _DAMPING, count)


@compiled
def run_bank(k: Any, bank: Any, rows: Any, used: int, count: int) -> None:
    """Take `count` frames of `rows`, float32 (frames, LANES), through what is on.

    `used` has a bit for each pair that may hold sound: the rows of the others are silent, and have been since the bank
    last forgot them.
    """
    address = rows.ctypes.data
    at = 0
    while at < count and bank.eq_on:
        if bank.eq_moves and bank.eq_left == 0:
            _tick_eq(k, bank)
            continue
        run = count - at
        if bank.eq_moves:
            run = min(run, bank.eq_left)
            bank.eq_left -= run
        _run_eq(k, bank, address + 4 * LANES * at, used, run)
        at += run
    at = 0
    while at < count and bank.filter_on:
        if bank.filter_moves and bank.filter_left == 0:
            _tick_filter(k, bank)
            continue
        run = count - at
        if bank.filter_moves:
            run = min(run, bank.filter_left)
            bank.filter_left -= run
        _run_filter(bank, address + 4 * LANES * at, used, run)
        at += run
