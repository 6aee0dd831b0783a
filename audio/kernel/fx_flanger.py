"""Flanger: the sound beside itself, some milliseconds late and never the same.

    in --+--> line, 1 to 9 ms, moved by a wave --+--> out
         '--------- x feedback, -0.9 to 0.9 <----'

Owner: the kernel. Units: frames at the engine rate. Knobs: rate 0.05 to 5 Hz, depth, feedback (0 in the middle).
"""

from typing import Any, Final

import numpy as np

from audio.kernel.atomics import put_float
from audio.kernel.compiled import compiled
from audio.kernel.fx_state import past
from audio.kernel.fx_wave import APART, move_phase, turn_of, wave_at

SHORTEST_S: Final = 0.001
SWING_S: Final = 0.008
MOST_FEEDBACK: Final = 0.9


@compiled
def tick_flanger(k: Any, unit: Any) -> None:
    """Start the wave."""
    if unit.fresh:
        unit.phase = 0.0
        unit.memory_frames = k.rate // 50


@compiled
def run_flanger(k: Any, unit: Any, rows: Any, count: int) -> None:
    """Turn `count` frames of `rows` into what is laid beside them."""
    turn = turn_of(unit.goal[0], k.rate)
    for n in range(count):
        unit.param[1] += unit.param_step[1]
        unit.param[2] += unit.param_step[2]
        feedback = np.float32(MOST_FEEDBACK) * (np.float32(2.0) * unit.param[2] - np.float32(1.0))
        for channel in range(2):
            swing = wave_at(unit.phase + APART * channel) * unit.param[1]
            frames = k.rate * (SHORTEST_S + SWING_S * swing)
            whole = int(frames)
            part = np.float32(frames - whole)
            tap = past(unit, channel, whole)
            tap += part * (past(unit, channel, whole + 1) - tap)
            put_float(unit.memory, 2 * (unit.place & (unit.line - 1)) + channel, rows[channel, n] + feedback * tap)
            rows[channel, n] = tap
        move_phase(unit, turn)
        unit.place += 1
        unit.filled += 1
