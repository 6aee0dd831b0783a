"""Ramps: nothing that is heard jumps.

Owner: the kernel. A ramp moves by equal steps, one a frame, and lands exactly on its target, so where a block ends
changes nothing. The first frame after a command has already moved.
Units: gains linear, lengths in frames.
"""

from typing import Any, Final

import numpy as np

from audio.kernel.compiled import Single, compiled

RAMP: Final = np.dtype([("value", "<f4"), ("target", "<f4"), ("step", "<f4"), ("left", "<i4")], align=True)
"""A value on its way: `left` more frames of `step`, then exactly `target`."""

RATE_RAMP: Final = np.dtype([("value", "<f8"), ("target", "<f8"), ("step", "<f8"), ("left", "<i8")], align=True)
"""The same for a speed, in double precision."""


@compiled
def snap(ramp: Any, value: Single) -> None:
    """Put the ramp at `value` at once: only where nothing of it is heard."""
    ramp.value = value
    ramp.target = value
    ramp.step = 0.0
    ramp.left = 0


@compiled
def glide(ramp: Any, target: Single, frames: int) -> None:
    """Send the ramp to `target` over `frames`; one that goes there already is left alone."""
    goal = np.float32(target)
    if ramp.target == goal:
        return
    ramp.target = goal
    ramp.step = (goal - ramp.value) / np.float32(frames)
    ramp.left = frames


@compiled
def advance(ramp: Any) -> float:
    """Move one frame and return the new value."""
    if ramp.left > 0:
        ramp.left -= 1
        if ramp.left == 0:
            ramp.value = ramp.target
        else:
            ramp.value += ramp.step
    return ramp.value


@compiled
def glide_rate(ramp: Any, target: Single, frames: int) -> None:
    """Send a speed to `target` over `frames`."""
    if ramp.target == target:
        return
    ramp.target = target
    ramp.step = (target - ramp.value) / frames
    ramp.left = frames


@compiled
def snap_rate(ramp: Any, value: Single) -> None:
    """Put a speed at `value` at once."""
    ramp.value = value
    ramp.target = value
    ramp.step = 0.0
    ramp.left = 0


@compiled
def advance_rate(ramp: Any) -> float:
    """Move one frame and return the new speed."""
    if ramp.left > 0:
        ramp.left -= 1
        if ramp.left == 0:
            ramp.value = ramp.target
        else:
            ramp.value += ramp.step
    return ramp.value


@compiled
def clamp(value: float, low: float, high: float) -> float:
    """Return `value`, or the limit that it is beyond."""
    return min(high, max(low, value))


@compiled
def approach(value: float, target: float, step: float) -> float:
    """Return `value` moved towards `target` by at most `step`."""
    if value < target:
        return min(target, value + step)
    return max(target, value - step)
