"""Gate: the sound cut into a pattern of sixteen steps, on the beat.

    beat --> step of the pattern --> open or shut --> gain, 2 ms from one to the other --> x in

Owner: the kernel. Units: beats. Knobs: length of a step, share of a step that is open, pattern.
"""

from typing import Any, Final

import numpy as np

from audio.kernel.compiled import compiled
from audio.kernel.fx_beat import beat_at, floor_of
from audio.kernel.fx_state import choice_of

GATE_BEATS: Final = (0.0625, 0.125, 0.25, 0.5, 1.0)
"""Length of a step in beats, along the knob."""
SHARES: Final = (0.1, 1.0)
PATTERNS: Final = (
    "x...x...x...x...",
    "x.x.x.x.x.x.x.x.",
    "x.xxx.xxx.xxx.xx",
    "xxxxxxxxxxxxxxxx",
    "x..x..x.x..x..x.",
    "xxx.xx.xxxx.xx.x",
    "..x...x...x...x.",
)
"""Along the knob, four steps of the middle length a beat: x is open."""
_BITS: Final = tuple(sum(1 << step for step, mark in enumerate(line) if mark == "x") for line in PATTERNS)
_STEPS: Final = 16
_SLEW_S: Final = 0.002
_GAIN: Final = 0


@compiled
def run_gate(k: Any, unit: Any, beat: Any, rows: Any, frame: int, count: int) -> None:
    """Cut `count` frames of `rows`, from engine frame `frame` on, into the pattern."""
    steps = 1.0 / choice_of(unit.goal[0], GATE_BEATS)
    share = SHARES[0] + (SHARES[1] - SHARES[0]) * unit.goal[1]
    pattern = int(choice_of(unit.goal[2], _BITS))
    slew = np.float32(1.0 / (_SLEW_S * k.rate))
    unit.memory_frames = 1
    for n in range(count):
        place = beat_at(beat, frame + n) * steps
        step = floor_of(place)
        is_open = ((pattern >> (step & (_STEPS - 1))) & 1) == 1 and place - step < share
        goal = np.float32(1.0) if is_open else np.float32(0.0)
        if unit.fresh:
            unit.fresh = 0
            unit.state[_GAIN] = goal
        gain = unit.state[_GAIN]
        gain = min(goal, gain + slew) if goal > gain else max(goal, gain - slew)
        unit.state[_GAIN] = gain
        rows[0, n] *= gain
        rows[1, n] *= gain
