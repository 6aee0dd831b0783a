"""What a stretcher reads: the frames around a place, of every slot of a plan that is in memory there.

    slots of the plan --> in memory? --> frames at the pace of the pitch x window --> one row of real, one of imaginary

Left goes to the real rows and right to the imaginary ones, so that one transform does both.

Owner: the stretcher of the line. Units: places and paces in track frames; samples float32.
"""

from math import floor
from typing import Any, Final

import numpy as np

from audio.commands import CHUNK_FRAMES
from audio.kernel.atomics import float_at
from audio.kernel.compiled import compiled
from audio.kernel.layout import BATCH
from audio.kernel.memory import between_frames, is_ready
from audio.kernel.sinc import FRACTION_BITS, TAPS, interpolate, weigh, width_of
from audio.kernel.stretch_layout import GRAIN, OFFSET, SLOTS

_AT_GATHERED: Final = OFFSET["gathered"]
_AT_WEIGHTS: Final = OFFSET["weights"]
_ONE: Final = float(1 << FRACTION_BITS)
_MASK: Final = (1 << FRACTION_BITS) - 1
_HALF: Final = GRAIN // 2
_WEIGHTS_BYTES: Final = 8 * TAPS


@compiled
def _covers(slot: Any, place: float, pace: float) -> bool:
    """Say whether a grain around `place`, read at `pace`, is in memory."""
    reach = int(abs(pace) * _HALF) + 130
    middle = floor(place)
    if slot.frames == 0 or (middle + reach) - (middle - reach) > 64 * CHUNK_FRAMES:
        return False
    return is_ready(slot, middle - reach, middle + reach)


@compiled
def clear(row: Any) -> None:
    """Fill a row with silence."""
    for n in range(len(row)):
        row[n] = np.float32(0.0)


@compiled
def _copy(line: Any, slot: Any, real: Any, imaginary: Any, place: float, step: int) -> None:
    """Add the frames around `place`, one for one, forwards (`step` 1) or backwards (-1)."""
    window = line.window
    first = floor(place + 0.5) - step * _HALF
    if step > 0:
        start, stop = max(0, -first), min(GRAIN, slot.frames - first)
    else:
        start, stop = max(0, first - slot.frames + 1), min(GRAIN, first + 1)
    for n in range(start, stop):
        at = 2 * (first + step * n)
        real[n] += float_at(slot.audio, at) * window[n]
        imaginary[n] += float_at(slot.audio, at + 1) * window[n]


@compiled
def _interpolate(line: Any, address: int, mask: int, place: float, pace: float, to_past: bool) -> None:
    """Add frames around `place` that lie `pace` apart: weights of a batch first, then one slot after the other."""
    window = line.window
    begin = place - pace * _HALF
    index = floor(begin)
    fraction = int((begin - index) * _ONE)
    step = int(pace * _ONE)
    fast = abs(pace)
    width = width_of(fast)
    reach = int(fast * GRAIN) + width
    weights, gathered = address + _AT_WEIGHTS, address + _AT_GATHERED
    for start in range(0, GRAIN, BATCH):
        for n in range(BATCH):
            line.at[n] = index
            weigh(line.table, weights + n * _WEIGHTS_BYTES, fast, fraction)
            fraction += step
            index += fraction >> FRACTION_BITS
            fraction &= _MASK
        for number in range(SLOTS):
            if not mask >> number & 1:
                continue
            slot = line.mine.slots[number]
            real = line.past[0] if to_past else line.real[number]
            imaginary = line.past[1] if to_past else line.imaginary[number]
            back = width // 2 - 1
            inside = index - reach > 0 and index + reach < slot.frames
            for n in range(BATCH):
                if inside:
                    left, right = interpolate(slot.audio + 8 * (line.at[n] - back), weights + n * _WEIGHTS_BYTES, width)
                else:
                    left, right = between_frames(slot, line.at[n], width, weights + n * _WEIGHTS_BYTES, gathered)
                real[start + n] += left * window[start + n]
                imaginary[start + n] += right * window[start + n]


@compiled
def read_grains(line: Any, address: int, mask: int, place: float, pace: float, to_past: bool) -> None:
    """Read the grains around `place` of the slots in `mask` to their rows, or their sum to `past`.

    `pace`: track frames between two of the grain's, negative backwards; left goes to the real rows, right to the
    imaginary ones. Pre: every slot `_covers` it.
    """
    if to_past:
        clear(line.past[0])
        clear(line.past[1])
    for number in range(SLOTS):
        if mask >> number & 1 and not to_past:
            clear(line.real[number])
            clear(line.imaginary[number])
    if abs(pace) != 1.0:
        _interpolate(line, address, mask, place, pace, to_past)
        return
    step = 1 if pace > 0.0 else -1
    for number in range(SLOTS):
        if mask >> number & 1:
            real = line.past[0] if to_past else line.real[number]
            imaginary = line.past[1] if to_past else line.imaginary[number]
            _copy(line, line.mine.slots[number], real, imaginary, place, step)


@compiled
def there_of(line: Any, place: float, pace: float) -> int:
    """Return a bit for each slot of the plan that has the grain around `place` in memory."""
    there = 0
    for number in range(SLOTS):
        if line.mine.mask >> number & 1 and _covers(line.mine.slots[number], place, pace):
            there |= 1 << number
    return there
