"""The sampler's time: hits that wait for their beat, and the step sequencer.

    leading deck's beat, else the session's tempo --> clock --> first frame of a beat's multiple --> strike

The clock is taken from the leading deck every SEGMENT frames of the engine's counter, wherever blocks begin, and is a
straight line between; without a leader it goes on from where it is. A beat falls on the first frame that is not before
it.

Owner: the kernel. Units: beats of the session; steps of the sequencer count with the clock, and bars with its beat 0.
"""

from math import ceil
from typing import Any, Final

from audio.kernel.compiled import compiled
from audio.kernel.layout import NONE, SEGMENT
from audio.kernel.sampler import strike
from audio.units import BANKS, PADS, STEPS

_JUMP_BEATS: Final = 0.02
"""The leader's beat being off by more than this is a jump: steps and hits are sought anew."""
_NEAR: Final = 1e-6
"""Part of a frame by which a beat may be late and still fall on it."""
_NEVER: Final = 1 << 60
_MOST: Final = 4
"""Steps struck at once, at most."""


@compiled
def beat_now(k: Any) -> float:
    """Return the clock's beat on this frame."""
    return k.sampler.beat + (k.frame - k.sampler.anchor) * k.sampler.step


@compiled
def _frame_of(k: Any, beat: float) -> int:
    """Return the engine frame that `beat` falls on; _NEVER while the clock does not go forwards."""
    sampler = k.sampler
    if sampler.step <= 0.0:
        return _NEVER
    return sampler.anchor + ceil(min((beat - sampler.beat) / sampler.step, 1e15) - _NEAR)


@compiled
def _next_line(beat: float, unit: float) -> float:
    """Return the first multiple of `unit` that is not before `beat`."""
    return ceil(beat / unit - 1e-9) * unit


@compiled
def _line_of(sampler: Any, number: int) -> float:
    """Return the beat that step `number` of the clock falls on."""
    late = sampler.swing if number & 1 else 0.0
    return (number + late) * sampler.step_beats


@compiled
def seek_step(k: Any) -> None:
    """Find the step that comes next; one that has just been jumped over is made good."""
    sampler = k.sampler
    beat = beat_now(k)
    if k.frame - sampler.struck > 2 * SEGMENT:
        beat -= SEGMENT * max(sampler.step, 0.0)
    sampler.next = ceil(beat / sampler.step_beats - 1e-9)
    before = sampler.next - 1
    if before & 1 and _line_of(sampler, before) >= beat:
        sampler.next = before


@compiled
def _seek_all(k: Any) -> None:
    """Find steps and beats anew after the clock has jumped."""
    beat = beat_now(k)
    if k.sampler.run:
        seek_step(k)
    if k.sampler.waiting:
        for number in range(BANKS * PADS):
            pad = k.sampler.pads[number]
            if pad.waiting:
                pad.due = _next_line(beat, pad.quantize)


@compiled
def keep_time(k: Any) -> None:
    """Bring the clock up to date."""
    sampler = k.sampler
    if k.leader != NONE:
        if k.frame & (SEGMENT - 1) == 0:
            leader = k.decks[k.leader]
            off = leader.beat - beat_now(k)
            jumped = not sampler.led or abs(off) > _JUMP_BEATS
            sampler.beat = leader.beat
            sampler.step = leader.beat_step
            sampler.anchor = k.frame
            sampler.led = 1
            if jumped:
                _seek_all(k)
    elif sampler.led or k.tempo != sampler.tempo or sampler.step <= 0.0:
        sampler.beat = beat_now(k)
        sampler.anchor = k.frame
        sampler.tempo = k.tempo
        sampler.step = k.tempo / (60.0 * k.rate)
        sampler.led = 0


@compiled
def hit(k: Any, number: int, velocity: float) -> None:
    """Hit a pad: now, or on the beat it is quantised to."""
    pad = k.sampler.pads[number]
    if pad.quantize <= 0.0 or k.sampler.step <= 0.0:
        strike(k, number, velocity, 0)
        return
    if not pad.waiting:
        pad.waiting = 1
        k.sampler.waiting += 1
    pad.velocity = velocity
    pad.due = _next_line(beat_now(k), pad.quantize)


@compiled
def forget_hit(k: Any, number: int) -> None:
    """Forget a hit that waits for its beat."""
    pad = k.sampler.pads[number]
    if pad.waiting:
        pad.waiting = 0
        k.sampler.waiting -= 1


@compiled
def run_sequencer(k: Any, on: bool) -> None:
    """Start on the next step of the leader's beat, or where nobody leads with the first step at once; or stop."""
    sampler = k.sampler
    if on and not sampler.run:
        if not sampler.led:
            sampler.beat = 0.0
            sampler.anchor = k.frame
            for number in range(BANKS * PADS):
                sampler.pads[number].due = 0.0
        sampler.next = ceil(beat_now(k) / sampler.step_beats - 1e-9)
        sampler.column = -1
    sampler.run = 1 if on else 0


@compiled
def _step(k: Any, number: int) -> None:
    """Strike every pad that has something on this step."""
    sampler = k.sampler
    column = number % sampler.length
    sampler.column = column
    sampler.struck = k.frame
    frames = max(1, int(sampler.step_beats / max(sampler.step, 1e-12)))
    for pad in range(PADS):
        place = sampler.bank * PADS + pad
        velocity = sampler.pattern[place, column]
        if velocity > 0.0:
            strike(k, place, float(velocity), frames)


@compiled
def strike_due(k: Any) -> None:
    """Strike what falls on this frame."""
    sampler = k.sampler
    if sampler.waiting:
        for number in range(BANKS * PADS):
            pad = sampler.pads[number]
            if pad.waiting and (sampler.step <= 0.0 or _frame_of(k, pad.due) <= k.frame):
                forget_hit(k, number)
                strike(k, number, float(pad.velocity), 0)
    if sampler.run:
        for _ in range(_MOST):
            if _frame_of(k, _line_of(sampler, sampler.next)) > k.frame:
                break
            _step(k, sampler.next)
            sampler.next += 1


@compiled
def frames_to_strike(k: Any) -> int:
    """Return how many frames lie before the next one that something falls on; a large number when there is none."""
    sampler = k.sampler
    frame = _NEVER
    if sampler.waiting:
        for number in range(BANKS * PADS):
            pad = sampler.pads[number]
            if pad.waiting:
                frame = min(frame, _frame_of(k, pad.due))
    if sampler.run:
        frame = min(frame, _frame_of(k, _line_of(sampler, sampler.next)))
    return max(1, frame - k.frame)


@compiled
def set_step(k: Any, pad: int, step: int, velocity: float) -> bool:
    """Put a velocity on one step of a pad; False where there is no such step."""
    if not 0 <= step < STEPS:
        return False
    k.sampler.pattern[pad, step] = velocity
    return True
