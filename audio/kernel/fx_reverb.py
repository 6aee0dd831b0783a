"""Reverb: a network of eight delay lines that feed each other.

    in --> low cut --> all-passes (3 a channel) --+--> 8 lines --> low-pass, x decay --> mixing matrix --+
                                                  |       '--> out: even lines left, odd lines right     |
                                                  '------------------------------------------------------'

The matrix is Hadamard's, which keeps the energy, so what is lost is lost by the decay alone (Jot, "Digital delay
networks for designing artificial reverberators", 1991).

Owner: the kernel. Units: frames at the engine rate. Knobs: decay (60 dB) 0.3 to 10 s, tone, low cut 20 to 1000 Hz.
"""

from math import exp, pi, sqrt
from typing import Any, Final

import numpy as np

from audio.kernel.atomics import expect_at, float_at, put_float
from audio.kernel.compiled import Single, compiled
from audio.kernel.fx_lines import GROUP, LINES, diffuse_groups, line_groups
from audio.kernel.fx_state import smooth, tone_share

DECAY_S: Final = (0.3, 10.0)
LOW_CUT_HZ: Final = (20.0, 1000.0)
_DELAYS: Final = (1433, 1601, 1867, 2053, 2251, 2399, 2617, 2797)
"""Frames at 48 kHz, without a common factor."""
_DIFFUSERS: Final = ((113, 337, 241), (151, 293, 421))
_STAGES: Final = 3
_DIFFUSION: Final = np.float32(0.6)
_LEVEL: Final = np.float32(0.5)
_HADAMARD: Final = np.float32(1.0 / sqrt(LINES))
_RATE: Final = 48_000
_TONE: Final = 8
_CUT: Final = 9
_CUTS: Final = 8
"""States: 0 to 7 low-passes, 8 and 9 low cuts, 10 to 17 what the matrix mixes."""
_MIX: Final = 10
_DIFFUSER: Final = 8
_CACHE_LINE: Final = 16
"""Samples of a cache line."""


@compiled
def tick_reverb(k: Any, unit: Any) -> None:
    """Decide decay, tone and low cut."""
    if unit.fresh:
        unit.memory_frames = k.rate // 8
        for line in range(LINES):
            unit.whole[line] = _DELAYS[line] * k.rate // _RATE
        for channel in range(2):
            for stage in range(_STAGES):
                unit.whole[_DIFFUSER + channel * _STAGES + stage] = _DIFFUSERS[channel][stage] * k.rate // _RATE
    if unit.fresh or unit.moves:
        seconds = DECAY_S[0] * (DECAY_S[1] / DECAY_S[0]) ** unit.param[0]
        for line in range(LINES):
            unit.value[line] = 10.0 ** (-3.0 * unit.whole[line] / (seconds * k.rate))
        unit.value[_TONE] = tone_share(unit.param[1], k.rate)
        hertz = LOW_CUT_HZ[0] * (LOW_CUT_HZ[1] / LOW_CUT_HZ[0]) ** unit.param[2]
        unit.value[_CUT] = 1.0 - exp(-2.0 * pi * hertz / k.rate)


@compiled
def _diffuse(unit: Any, which: int, room: int, x: Single) -> Single:
    """Take a sample through all-pass `which`, whose ring of `room` samples lies behind the lines."""
    delay = unit.whole[_DIFFUSER + which]
    base = (LINES + which) * room
    old = np.float32(0.0)
    if delay <= unit.filled:
        old = float_at(unit.memory, base + ((unit.place - delay) & (room - 1)))
    kept = x + _DIFFUSION * old
    put_float(unit.memory, base + (unit.place & (room - 1)), kept)
    return old - _DIFFUSION * kept


@compiled
def _run_frames(unit: Any, rows: Any, room: int, start: int, end: int) -> None:
    """Turn frames `start` to `end` of `rows` into their reverberation, one by one."""
    state, value = unit.state, unit.value
    for n in range(start, end):
        for channel in range(2):
            x = rows[channel, n]
            smooth(state, _CUTS + channel, x, value[_CUT])
            x -= state[_CUTS + channel]
            for stage in range(_STAGES):
                x = _diffuse(unit, channel * _STAGES + stage, room, x)
            rows[channel, n] = x
        left, right = np.float32(0.0), np.float32(0.0)
        for line in range(LINES):
            delay = unit.whole[line]
            tap = np.float32(0.0)
            if delay <= unit.filled:
                tap = float_at(unit.memory, line * room + ((unit.place - delay) & (room - 1)))
            smooth(state, line, tap, value[_TONE])
            state[_MIX + line] = state[line] * value[line]
            signed = tap if line & 2 == 0 else -tap
            if line & 1:
                right += signed
            else:
                left += signed
        span = 1
        while span < LINES:
            for line in range(LINES):
                if line & span == 0:
                    a, b = state[_MIX + line], state[_MIX + line + span]
                    state[_MIX + line] = a + b
                    state[_MIX + line + span] = a - b
            span *= 2
        for line in range(LINES):
            fed = rows[line & 1, n] * _LEVEL
            put_float(unit.memory, line * room + (unit.place & (room - 1)), fed + _HADAMARD * state[_MIX + line])
        rows[0, n] = left * _LEVEL
        rows[1, n] = right * _LEVEL
        unit.place += 1
        unit.filled += 1


@compiled
def _in_one_piece(unit: Any, room: int, count: int) -> int:
    """Return how many of `count` frames come before one of the rings begins anew; 0 until all delays are filled."""
    count = min(count, room - (unit.place & (room - 1)))
    for ring in range(LINES + 2 * _STAGES):
        delay = unit.whole[ring]
        if delay > unit.filled:
            return 0
        count = min(count, room - ((unit.place - delay) & (room - 1)))
    return count


@compiled
def _expect(unit: Any, room: int, count: int) -> None:
    """Bring near what the frames after the next `count` read and write: a reverb's rings fit no near cache."""
    for ring in range(LINES + 2 * _STAGES):
        base = unit.memory + 4 * ring * room
        write = unit.place + count
        read = write - unit.whole[ring]
        for ahead in range(0, count, _CACHE_LINE):
            expect_at(base + 4 * ((write + ahead) & (room - 1)))
            expect_at(base + 4 * ((read + ahead) & (room - 1)))


@compiled
def _run_groups(unit: Any, rows: Any, room: int, at: int, groups: int) -> None:
    """Turn groups of `rows`, from frame `at` on, into their reverberation. Pre: they lie `_in_one_piece`."""
    state, value, place, last = unit.state, unit.value, unit.place, room - 1
    cut, low_left, low_right = value[_CUT], state[_CUTS], state[_CUTS + 1]
    for n in range(at, at + groups * GROUP):
        left, right = rows[0, n], rows[1, n]
        low_left += cut * (left - low_left)
        low_right += cut * (right - low_right)
        rows[0, n] = left - low_left
        rows[1, n] = right - low_right
    state[_CUTS], state[_CUTS + 1] = low_left, low_right
    for channel in range(2):
        row = rows[channel, at:]
        for stage in range(channel * _STAGES, (channel + 1) * _STAGES):
            ring = unit.memory + 4 * (LINES + stage) * room
            old = ring + 4 * ((place - unit.whole[_DIFFUSER + stage]) & last)
            diffuse_groups(row.ctypes.data, old, ring + 4 * (place & last), _DIFFUSION, groups)
    line_groups(
        rows[0, at:].ctypes.data, rows[1, at:].ctypes.data, unit.memory, room, place, unit.whole.ctypes.data,
        state.ctypes.data, value.ctypes.data, value[_TONE], _LEVEL, _HADAMARD, groups,
    )  # fmt: skip
    unit.place += groups * GROUP
    unit.filled += groups * GROUP


@compiled
def run_reverb(unit: Any, rows: Any, count: int) -> None:
    """Turn `count` frames of `rows` into their reverberation."""
    room = unit.line >> 3
    _expect(unit, room, count)
    at = 0
    while at < count:
        groups = _in_one_piece(unit, room, count - at) // GROUP
        if groups:
            _run_groups(unit, rows, room, at, groups)
            at += groups * GROUP
        else:
            end = min(count, at + GROUP)
            _run_frames(unit, rows, room, at, end)
            at = end
