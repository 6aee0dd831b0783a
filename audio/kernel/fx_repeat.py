"""Beat repeat: a slice of the beat, taken at the start and again every few beats, played over and over.

    in --+--> slice (two places in the line, in turns) --> over and over, quieter each time --+--> out
         '--> out as it is, while the slice is being taken ---------------------------------- '

Owner: the kernel. Every seam is faded over within 2 ms; a slice goes on beyond its end for that.
Units: frames at the engine rate. Knobs: length of the slice in beats, loss from one time to the next 0 to 12 dB, beats
from one slice to the next.
"""

from typing import Any, Final

import numpy as np

from audio.kernel.atomics import float_at, put_float
from audio.kernel.compiled import Single, compiled
from audio.kernel.fx_beat import beat_at, floor_of, frames_of
from audio.kernel.fx_state import choice_of

REPEAT_BEATS: Final = (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
AGAIN_BEATS: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
LOSS_DB: Final = 12.0
_SEAM_S: Final = 0.002

_HALF: Final = 0
_TAKEN: Final = 1
_WANTED: Final = 2
_AT: Final = 3
_LENGTH: Final = 4
_SEAM: Final = 5
_LAST: Final = 6
_GRID: Final = 7
_OLD_HALF: Final = 8
"""Whole numbers: the half of the line in use, frames written to it and wanted, where playback is in the slice, its
length, frames left of a seam, the place that the seam fades out from, the number of the slice on the grid, the half of
that place."""
_GAIN: Final = 0
_OLD_GAIN: Final = 1


@compiled
def _take(k: Any, unit: Any, beat: Any, seam: int) -> None:
    """Begin a new slice with the frame that comes next, in the other half of the line."""
    whole = unit.whole
    whole[_OLD_HALF], whole[_LAST] = whole[_HALF], whole[_AT]
    unit.state[_OLD_GAIN] = unit.state[_GAIN]
    whole[_SEAM] = 0 if unit.fresh or whole[_TAKEN] < whole[_LENGTH] else seam
    whole[_HALF] = 1 - whole[_HALF]
    whole[_TAKEN], whole[_AT] = 0, 0
    whole[_LENGTH] = max(2 * seam, frames_of(beat, choice_of(unit.goal[0], REPEAT_BEATS), unit.line // 2 - 2 * seam))
    whole[_WANTED] = whole[_LENGTH] + 2 * seam
    unit.state[_GAIN] = 1.0
    unit.memory_frames = whole[_WANTED] + seam


@compiled
def _wrap(k: Any, unit: Any, beat: Any, seam: int) -> None:
    """Begin the slice anew: shorter, or as long as it was taken, where the knob has moved."""
    whole = unit.whole
    whole[_OLD_HALF], whole[_LAST], whole[_SEAM] = whole[_HALF], whole[_AT], seam
    unit.state[_OLD_GAIN] = unit.state[_GAIN]
    whole[_AT] = 0
    unit.state[_GAIN] *= np.float32(10.0 ** (-LOSS_DB / 20.0 * unit.goal[1] ** 2))
    length = frames_of(beat, choice_of(unit.goal[0], REPEAT_BEATS), unit.line // 2 - 2 * seam)
    whole[_LENGTH] = max(2 * seam, min(length, whole[_WANTED] - 2 * seam))


@compiled
def _at(unit: Any, half: int, channel: int, frame: int) -> Single:
    return float_at(unit.memory, half * unit.line + 2 * frame + channel)


@compiled
def run_repeat(k: Any, unit: Any, beat: Any, rows: Any, frame: int, count: int) -> None:
    """Turn `count` frames of `rows`, from engine frame `frame` on, into the slice."""
    whole = unit.whole
    seam = int(_SEAM_S * k.rate)
    slices = 1.0 / choice_of(unit.goal[2], AGAIN_BEATS)
    for n in range(count):
        slice_of = floor_of(beat_at(beat, frame + n) * slices)
        if unit.fresh or (slice_of != whole[_GRID] and whole[_SEAM] == 0):
            _take(k, unit, beat, seam)
            whole[_GRID] = slice_of
            unit.fresh = 0
        live = whole[_TAKEN] < whole[_WANTED] - 2 * seam
        if whole[_TAKEN] < whole[_WANTED]:
            for channel in range(2):
                put_float(unit.memory, whole[_HALF] * unit.line + 2 * whole[_TAKEN] + channel, rows[channel, n])
            whole[_TAKEN] += 1
        # Two seams never meet: just before a new slice the old one goes on beyond its end.
        over = whole[_AT] - whole[_LENGTH]
        if not live and over >= 0:
            soon = floor_of(beat_at(beat, frame + n + seam) * slices)
            if soon == slice_of or over >= seam:
                _wrap(k, unit, beat, seam)
        part = np.float32(1.0)
        if whole[_SEAM] > 0:
            part = np.float32(1.0) - np.float32(whole[_SEAM]) / np.float32(seam + 1)
        for channel in range(2):
            heard = _at(unit, whole[_HALF], channel, whole[_AT]) * unit.state[_GAIN]
            if whole[_SEAM] > 0:
                old = _at(unit, whole[_OLD_HALF], channel, whole[_LAST]) * unit.state[_OLD_GAIN]
                heard = heard * part + old * (np.float32(1.0) - part)
            rows[channel, n] = heard
        if whole[_SEAM] > 0:
            whole[_SEAM] -= 1
            whole[_LAST] += 1
        whole[_AT] += 1
