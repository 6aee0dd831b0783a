"""What an effect unit and the beat it follows remember, and the memory its delay lines lie in.

    unit: knobs (goal) --every TICK frames--> param, frame by frame --> one of EFFECTS
          send, wet, dry: ramps round it                               line: float32, 2 x `line` samples of its own

Owner: the kernel; KernelHost gives each unit its memory before the first block and keeps it.
Units: frames at the engine rate; knobs 0 to 1; beats in beats of the deck's grid.
"""

from math import exp, pi
from typing import Any, Final

import numpy as np

from audio.kernel.atomics import float_at
from audio.kernel.compiled import Single, compiled
from audio.kernel.ramps import RAMP
from audio.units import EFFECT_PARAMS, EFFECTS

TICK: Final = 32
"""Frames between two decisions of where knobs and slow waves go next."""
ECHO: Final = EFFECTS.index("echo")
REVERB: Final = EFFECTS.index("reverb")
FLANGER: Final = EFFECTS.index("flanger")
PHASER: Final = EFFECTS.index("phaser")
CRUSHER: Final = EFFECTS.index("crusher")
GATE: Final = EFFECTS.index("gate")
REPEAT: Final = EFFECTS.index("repeat")

_LINE_S: Final = 4.0
_LONGEST_LINE: Final = 1 << 19
_TONE_HZ: Final = (500.0, 18_000.0)

EFFECT: Final = np.dtype(
    [
        ("memory", "<i8"),
        ("line", "<i8"),
        ("kind", "<i4"),
        ("wanted", "<i4"),
        ("on", "<i4"),
        ("amount", "<f4"),
        ("goal", "<f4", (EFFECT_PARAMS,)),
        ("param", "<f4", (EFFECT_PARAMS,)),
        ("param_next", "<f4", (EFFECT_PARAMS,)),
        ("param_step", "<f4", (EFFECT_PARAMS,)),
        ("moves", "<i4"),
        ("send", RAMP),
        ("wet", RAMP),
        ("dry", RAMP),
        ("running", "<i4"),
        ("fresh", "<i4"),
        ("memory_frames", "<i8"),
        ("rings_until", "<i8"),
        ("place", "<i8"),
        ("filled", "<i8"),
        ("near", "<i8"),
        ("far", "<i8"),
        ("blend", RAMP),
        ("phase", "<f8"),
        ("whole", "<i8", (16,)),
        ("value", "<f4", (16,)),
        ("state", "<f4", (32,)),
    ],
    align=True,
)
"""A unit. `kind` and `wanted` are indices into EFFECTS, `amount` is the wet knob. `running`: it holds sound or takes
it; `fresh` until the first tick after a start. What it was given last is heard for `memory_frames`, and `rings_until`
is the engine frame at which all of it has died away. `place` counts the frames written to the line, `filled` those
since the start: what was there before is never read, so nothing has to be emptied. `whole`, `value` and `state`
belong to the kind."""

BEAT: Final = np.dtype([("beat", "<f8"), ("step", "<f8"), ("frame", "<i8"), ("waits", "<i8")], align=True)
"""Beat `beat` falls on engine frame `frame`, and `step` beats pass in a frame."""


def line_frames(rate: int) -> int:
    """Return how many stereo frames a unit's line holds at `rate` Hz: a power of two, 4 s or more up to 96 kHz."""
    return min(_LONGEST_LINE, 1 << int(np.ceil(np.log2(_LINE_S * rate))))


@compiled
def choice_of(knob: float, choices: Any) -> float:
    """Return the one of `choices` that a knob from 0 to 1 stands on."""
    return choices[int(np.rint(knob * (len(choices) - 1)))]


@compiled
def tone_share(knob: float, rate: int) -> float:
    """Return the share of a step that a low-pass takes in a frame, for a tone knob: 500 Hz at 0, all of it at 1."""
    if knob > 0.999:
        return 1.0
    hertz = _TONE_HZ[0] * (_TONE_HZ[1] / _TONE_HZ[0]) ** knob
    return 1.0 - exp(-2.0 * pi * min(hertz, 0.4 * rate) / rate)


@compiled
def smooth(state: Any, index: int, x: Single, share: Single) -> None:
    """Let `state[index]` follow `x` by `share`; a share of 1 is `x` itself."""
    if share == 1.0:
        state[index] = x
    else:
        state[index] += share * (x - state[index])


@compiled
def past(unit: Any, channel: int, frames: int) -> Single:
    """Return what was written to the line `frames` (1 to line) frames before the frame that comes next."""
    if frames > unit.filled:
        return np.float32(0.0)
    return float_at(unit.memory, 2 * ((unit.place - frames) & (unit.line - 1)) + channel)
