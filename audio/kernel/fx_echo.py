"""Echo: what was heard some part of a beat ago, again and again.

    in --+--> line of `near` frames --> low-pass --+--> out
         '------------ x feedback <----------------'

Owner: the kernel. A new delay is faded over to (`near` to `far`), so that it neither clicks nor bends the pitch.
Units: frames at the engine rate. Knobs: delay in beats, feedback 0 to 0.95, tone.
"""

from typing import Any, Final

import numpy as np

from audio.kernel.atomics import float_at, put_float
from audio.kernel.compiled import compiled
from audio.kernel.fx_beat import frames_of
from audio.kernel.fx_state import TICK, choice_of, past, smooth, tone_share
from audio.kernel.ramps import advance, glide, snap

ECHO_BEATS: Final = (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Delays in beats, along the knob."""
MOST_FEEDBACK: Final = 0.95
_OVER: Final = 4
_SHARE: Final = 0


@compiled
def _delay_of(unit: Any, beat: Any) -> int:
    return frames_of(beat, choice_of(unit.goal[0], ECHO_BEATS), unit.line - TICK)


@compiled
def _memory_of(unit: Any) -> int:
    return max(unit.near, unit.far) + 2 * TICK


@compiled
def keeps_delay(unit: Any, beat: Any) -> bool:
    """Say whether the delay is what knob and beat want, and has been since the last tick."""
    if unit.blend.left > 0 or unit.blend.value != 0.0 or unit.memory_frames != _memory_of(unit):
        return False
    return unit.near == _delay_of(unit, beat)


@compiled
def tick_echo(k: Any, unit: Any, beat: Any) -> None:
    """Decide delay and tone."""
    frames = _delay_of(unit, beat)
    if unit.fresh:
        unit.near = frames
        unit.far = frames
        snap(unit.blend, 0.0)
    elif unit.blend.left == 0 and frames != unit.near:
        unit.far = frames
        snap(unit.blend, 0.0)
        glide(unit.blend, 1.0, _OVER * k.fade_frames)
    unit.memory_frames = _memory_of(unit)
    if unit.fresh or unit.moves:
        unit.value[_SHARE] = tone_share(unit.param[2], k.rate)


@compiled
def _run_steady(unit: Any, rows: Any, count: int) -> None:
    """Turn `count` frames of `rows` into their echo while the delay stays."""
    state, share, knob, step = unit.state, unit.value[_SHARE], unit.param[1], unit.param_step[1]
    low_left, low_right = state[0], state[1]
    memory, place, last, near = unit.memory, unit.place, unit.line - 1, unit.near
    unheard = near - unit.filled
    for n in range(count):
        knob += step
        feedback = np.float32(MOST_FEEDBACK) * knob
        left, right = np.float32(0.0), np.float32(0.0)
        if n >= unheard:
            at = 2 * ((place + n - near) & last)
            left, right = float_at(memory, at), float_at(memory, at + 1)
        if share == 1.0:
            low_left, low_right = left, right
        else:
            low_left += share * (left - low_left)
            low_right += share * (right - low_right)
        at = 2 * ((place + n) & last)
        put_float(memory, at, rows[0, n] + feedback * low_left)
        put_float(memory, at + 1, rows[1, n] + feedback * low_right)
        rows[0, n] = low_left
        rows[1, n] = low_right
    state[0], state[1] = low_left, low_right
    unit.param[1] = knob
    unit.place += count
    unit.filled += count


@compiled
def run_echo(unit: Any, rows: Any, count: int) -> None:
    """Turn `count` frames of `rows` into their echo."""
    if unit.blend.left == 0 and unit.blend.value == 0.0:
        _run_steady(unit, rows, count)
        return
    share = unit.value[_SHARE]
    for n in range(count):
        unit.param[1] += unit.param_step[1]
        feedback = np.float32(MOST_FEEDBACK) * unit.param[1]
        over = unit.blend.left > 0
        part = np.float32(advance(unit.blend))
        for channel in range(2):
            tap = past(unit, channel, unit.near)
            if over:
                tap += part * (past(unit, channel, unit.far) - tap)
            smooth(unit.state, channel, tap, share)
            heard = unit.state[channel]
            put_float(unit.memory, 2 * (unit.place & (unit.line - 1)) + channel, rows[channel, n] + feedback * heard)
            rows[channel, n] = heard
        if over and unit.blend.left == 0:
            unit.near = unit.far
            snap(unit.blend, 0.0)
        unit.place += 1
        unit.filled += 1
