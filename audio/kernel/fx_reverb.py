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

from audio.kernel.atomics import float_at, put_float
from audio.kernel.compiled import compiled
from audio.kernel.fx_state import smooth, tone_share

DECAY_S: Final = (0.3, 10.0)
LOW_CUT_HZ: Final = (20.0, 1000.0)
_LINES: Final = 8
_DELAYS: Final = (1433, 1601, 1867, 2053, 2251, 2399, 2617, 2797)
"""Frames at 48 kHz, without a common factor."""
_DIFFUSERS: Final = ((113, 337, 241), (151, 293, 421))
"""The first is the shortest delay of all."""
_STAGES: Final = 3
_DIFFUSION: Final = np.float32(0.6)
_LEVEL: Final = np.float32(0.5)
_HADAMARD: Final = np.float32(1.0 / sqrt(_LINES))
_RATE: Final = 48_000
_TONE: Final = 8
_CUT: Final = 9
_CUTS: Final = 8
"""States: 0 to 7 low-passes, 8 and 9 low cuts."""
_DIFFUSER: Final = 8


@compiled
def tick_reverb(k: Any, unit: Any) -> None:
    """Decide decay, tone and low cut."""
    if unit.fresh:
        unit.memory_frames = k.rate // 8
        for line in range(_LINES):
            unit.whole[line] = _DELAYS[line] * k.rate // _RATE
        for channel in range(2):
            for stage in range(_STAGES):
                unit.whole[_DIFFUSER + channel * _STAGES + stage] = _DIFFUSERS[channel][stage] * k.rate // _RATE
    if unit.fresh or unit.moves:
        seconds = DECAY_S[0] * (DECAY_S[1] / DECAY_S[0]) ** unit.param[0]
        for line in range(_LINES):
            unit.value[line] = 10.0 ** (-3.0 * unit.whole[line] / (seconds * k.rate))
        unit.value[_TONE] = tone_share(unit.param[1], k.rate)
        hertz = LOW_CUT_HZ[0] * (LOW_CUT_HZ[1] / LOW_CUT_HZ[0]) ** unit.param[2]
        unit.value[_CUT] = 1.0 - exp(-2.0 * pi * hertz / k.rate)


@compiled
def _diffuse(unit: Any, which: int, room: int, row: Any, at: int, count: int) -> None:
    """Take frames of a row through all-pass `which`, whose ring of `room` samples lies behind the lines."""
    delay = unit.whole[_DIFFUSER + which]
    base = (_LINES + which) * room
    memory, place, unheard, last = unit.memory, unit.place, delay - unit.filled, room - 1
    for n in range(count):
        old = np.float32(0.0)
        if n >= unheard:
            old = float_at(memory, base + ((place + n - delay) & last))
        kept = row[at + n] + _DIFFUSION * old
        put_float(memory, base + ((place + n) & last), kept)
        row[at + n] = old - _DIFFUSION * kept


@compiled
def _feed(k: Any, unit: Any, room: int, line: int, row: Any, at: int, count: int) -> None:
    """Write what a line is given: the diffused sound and what the matrix has mixed for it."""
    memory, place, last, mixed = unit.memory, unit.place, room - 1, k.fx_lines[line]
    for n in range(count):
        put_float(memory, line * room + ((place + n) & last), row[at + n] * _LEVEL + _HADAMARD * mixed[n])


@compiled
def _take(k: Any, unit: Any, room: int, line: int, count: int) -> None:
    """Read what comes out of a line into `k.fx_lines`."""
    memory, place, last, taken = unit.memory, unit.place, room - 1, k.fx_lines[line]
    delay = unit.whole[line]
    unheard = delay - unit.filled
    for n in range(count):
        taken[n] = float_at(memory, line * room + ((place + n - delay) & last)) if n >= unheard else np.float32(0.0)


@compiled
def _mix(k: Any, count: int) -> None:
    """Take the lines through the matrix."""
    lines = k.fx_lines
    span = 1
    while span < _LINES:
        for line in range(_LINES):
            if line & span == 0:
                upper, lower = lines[line], lines[line + span]
                for n in range(count):
                    a, b = upper[n], lower[n]
                    upper[n] = a + b
                    lower[n] = a - b
        span *= 2


@compiled
def _piece(k: Any, unit: Any, rows: Any, at: int, count: int) -> None:
    """Reverberate frames `at` to `at + count`: no more than the shortest delay; no stage reads what it writes."""
    room = unit.line >> 3
    state, value, lines = unit.state, unit.value, k.fx_lines
    for channel in range(2):
        row = rows[channel]
        for n in range(at, at + count):
            smooth(state, _CUTS + channel, row[n], value[_CUT])
            row[n] -= state[_CUTS + channel]
        for stage in range(_STAGES):
            _diffuse(unit, channel * _STAGES + stage, room, row, at, count)
    for line in range(_LINES):
        _take(k, unit, room, line, count)
    heard = k.fx_heard
    for channel in range(2):
        row = heard[channel]
        for n in range(count):
            row[n] = np.float32(0.0) + lines[channel, n]
            row[n] -= lines[channel + 2, n]
            row[n] += lines[channel + 4, n]
            row[n] -= lines[channel + 6, n]
    tone = value[_TONE]
    for n in range(count):
        for line in range(_LINES):
            smooth(state, line, lines[line, n], tone)
            lines[line, n] = state[line] * value[line]
    _mix(k, count)
    for line in range(_LINES):
        _feed(k, unit, room, line, rows[line & 1], at, count)
    for channel in range(2):
        for n in range(count):
            rows[channel, at + n] = heard[channel, n] * _LEVEL
    unit.place += count
    unit.filled += count


@compiled
def run_reverb(k: Any, unit: Any, rows: Any, count: int) -> None:
    """Turn `count` frames of `rows` into their reverberation."""
    at = 0
    while at < count:
        run = min(count - at, unit.whole[_DIFFUSER])
        _piece(k, unit, rows, at, run)
        at += run
