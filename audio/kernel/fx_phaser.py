"""Phaser: six all-passes whose corner a wave moves up and down; beside the dry sound they make three notches.

    in --+--> 6 all-passes of first order --+--> out
         '----- x feedback, -0.9 to 0.9 <---'

Owner: the kernel. Units: frames at the engine rate. Knobs: rate 0.05 to 5 Hz, depth (0 stays at 800 Hz, 1 goes from 160
to 4000 Hz), feedback (0 in the middle).
"""

from math import pi, tan
from typing import Any, Final

import numpy as np

from audio.kernel.compiled import Single, compiled
from audio.kernel.fx_state import TICK
from audio.kernel.fx_wave import APART, move_phase, turn_of, wave_at

MIDDLE_HZ: Final = 800.0
REACH: Final = 5.0
"""The corner goes from the middle divided by this to the middle times this."""
MOST_FEEDBACK: Final = 0.9
_STAGES: Final = 6
_LAST: Final = 2 * _STAGES
"""States: the all-passes of each channel, then what came out last of each."""
_CORNER: Final = 0
_STEP: Final = 2
_NEXT: Final = 4


@compiled
def _corner(unit: Any, channel: int, rate: int) -> Single:
    swing = 2.0 * wave_at(unit.phase + APART * channel) - 1.0
    tangent = tan(pi * min(MIDDLE_HZ * REACH ** (swing * unit.param[1]), 0.4 * rate) / rate)
    return np.float32((tangent - 1.0) / (tangent + 1.0))


@compiled
def tick_phaser(k: Any, unit: Any, left: int) -> None:
    """Decide where the corners go in the `left` frames until the next tick."""
    if unit.fresh:
        unit.phase = 0.0
        unit.memory_frames = k.rate // 20
        for channel in range(2):
            unit.value[_NEXT + channel] = _corner(unit, channel, k.rate)
    move_phase(unit, turn_of(unit.goal[0], k.rate) * TICK)
    for channel in range(2):
        unit.value[_CORNER + channel] = unit.value[_NEXT + channel]
        unit.value[_NEXT + channel] = _corner(unit, channel, k.rate)
        unit.value[_STEP + channel] = (unit.value[_NEXT + channel] - unit.value[_CORNER + channel]) / left


@compiled
def run_phaser(unit: Any, rows: Any, count: int) -> None:
    """Turn `count` frames of `rows` into what is laid beside them."""
    state = unit.state
    for n in range(count):
        unit.param[2] += unit.param_step[2]
        feedback = np.float32(MOST_FEEDBACK) * (np.float32(2.0) * unit.param[2] - np.float32(1.0))
        for channel in range(2):
            unit.value[_CORNER + channel] += unit.value[_STEP + channel]
            corner = unit.value[_CORNER + channel]
            x = rows[channel, n] + feedback * state[_LAST + channel]
            for stage in range(channel * _STAGES, (channel + 1) * _STAGES):
                y = corner * x + state[stage]
                state[stage] = x - corner * y
                x = y
            state[_LAST + channel] = x
            rows[channel, n] = x
