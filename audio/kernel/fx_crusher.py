"""Bit-crusher: fewer bits, fewer samples a second.

    in --> held for 1 to 96 frames --> rounded to 16 down to 2 bits --> low-pass --> out

Owner: the kernel. Units: frames at the engine rate. Knobs: bits, hold, tone. Silence is rounded to silence.
"""

from typing import Any, Final

import numpy as np

from audio.kernel.compiled import compiled
from audio.kernel.fx_state import smooth, tone_share

BITS: Final = (16.0, 2.0)
HOLD_FRAMES: Final = 96.0
_SCALE: Final = 0
_TURN: Final = 1
_SHARE: Final = 2
_HELD: Final = 0
_TONE: Final = 2


@compiled
def tick_crusher(k: Any, unit: Any) -> None:
    """Decide bits, hold and tone."""
    if unit.fresh:
        unit.phase = 1.0
        unit.memory_frames = 2 * int(HOLD_FRAMES)
    if unit.fresh or unit.moves:
        unit.value[_SCALE] = 2.0 ** (BITS[0] + (BITS[1] - BITS[0]) * unit.param[0] - 1.0)
        unit.value[_TURN] = HOLD_FRAMES ** -unit.param[1]
        unit.value[_SHARE] = tone_share(unit.param[2], k.rate)


@compiled
def run_crusher(unit: Any, rows: Any, count: int) -> None:
    """Crush `count` frames of `rows`."""
    scale, turn, share = unit.value[_SCALE], unit.value[_TURN], unit.value[_SHARE]
    state = unit.state
    for n in range(count):
        if unit.phase >= 1.0:
            unit.phase -= 1.0
            for channel in range(2):
                state[_HELD + channel] = np.rint(rows[channel, n] * scale) / scale
        unit.phase += turn
        for channel in range(2):
            smooth(state, _TONE + channel, state[_HELD + channel], share)
            rows[channel, n] = state[_TONE + channel]
