"""The slow wave that moves flanger and phaser.

Owner: the kernel. Units: phase in turns, the wave 0 to 1; knob 0 to 1 for 0.05 to 5 Hz.
"""

from typing import Any, Final

from audio.kernel.compiled import compiled

WAVE_HZ: Final = (0.05, 5.0)
APART: Final = 0.25
"""How far the right channel is ahead of the left, in turns."""


@compiled
def turn_of(knob: float, rate: int) -> float:
    """Return how far the wave turns in a frame."""
    return WAVE_HZ[0] * (WAVE_HZ[1] / WAVE_HZ[0]) ** knob / rate


@compiled
def wave_at(phase: float) -> float:
    """Return the wave at a phase from 0 to 2: close to a sine, without one being computed."""
    place = abs(2.0 * (phase - int(phase)) - 1.0)
    return place * place * (3.0 - 2.0 * place)


@compiled
def move_phase(unit: Any, by: float) -> None:
    """Move the unit's phase."""
    unit.phase += by
    if unit.phase >= 1.0:
        unit.phase -= 1.0
