"""Linear timecode as sound (SMPTE ST 12-1, bi-phase mark): where the deck in focus is, on a device channel of its own.

    playhead --at the end of each timecode frame--> its number, its 80 bits, its length --> square wave x level

It follows the playhead, with its speed: a timecode frame lasts until the playhead comes to the next one, so that it
never drifts, and after a jump the next frame has the new place's name while the bits go on. Standing, winding back and
playing backwards are silence. Every bit begins with a change of level, a one has another in its middle; the number of
zeros is even, so that each frame begins at the same level.

The channel belongs to the timecode alone while it is on: what else is sent there would make it unreadable. The master
never has it.

Owner: the kernel. What is decided depends on the state of a frame that is the same whatever the block sizes: the end of
a timecode frame, or a multiple of SEGMENT. Units: engine frames, float64; timecode frames; levels linear, float32.
"""

from math import ceil, floor
from typing import Any, Final

import numpy as np

from audio.kernel.compiled import compiled
from audio.kernel.heads import place_of
from audio.kernel.layout import SEGMENT
from audio.kernel.ramps import advance
from audio.kernel.timecode_state import BITS, DROPS, HALVES, RATES

_FAR: Final = 1 << 60
_SLOWEST: Final = 0.05
"""Slower than this is taken for standing."""
_SLEW: Final = 0.1
"""Part of its length by which a timecode frame may be shorter or longer, to meet the playhead."""
_JUMP: Final = 1.0
"""Timecode frames by which the playhead has to be elsewhere to be followed at once."""
_NAMES: Final = np.array([names for names, _ in RATES], dtype=np.int64)
_PER_SECOND: Final = np.array([rate for _, rate in RATES], dtype=np.float64)
_SYNC: Final = 0b1011_1111_1111_1100
"""The last sixteen bits, the lowest first."""
_DROP_FLAG: Final = 10
_POLARITY_25: Final = 59
_POLARITY: Final = 27
_PAL: Final = 1


@compiled
def _put(bits: Any, place: int, size: int, value: int) -> None:
    for bit in range(size):
        bits[place + bit] = value >> bit & 1


@compiled
def write_code(code: Any, number: int, rate: int) -> None:
    """Write timecode frame `number`, counted from 0, as bits and as levels of its halves; the level before it is -1."""
    bits, halves = code.bits, code.halves
    names = _NAMES[rate]
    day = 24 * 3600 * names
    if rate == DROPS:
        number %= day - 24 * 6 * 18
        tens, rest = number // 17_982, number % 17_982
        # Two names are dropped each minute but every tenth.
        number += 18 * tens + (2 * ((rest - 1800) // 1798 + 1) if rest >= 1800 else 0)
    else:
        number %= day
    frames, seconds = number % names, number // names
    minutes, hours = seconds // 60 % 60, seconds // 3600
    seconds %= 60
    for bit in range(BITS):
        bits[bit] = 0
    _put(bits, 0, 4, frames % 10)
    _put(bits, 8, 2, frames // 10)
    _put(bits, 16, 4, seconds % 10)
    _put(bits, 24, 3, seconds // 10)
    _put(bits, 32, 4, minutes % 10)
    _put(bits, 40, 3, minutes // 10)
    _put(bits, 48, 4, hours % 10)
    _put(bits, 56, 2, hours // 10)
    _put(bits, 64, 16, _SYNC)
    bits[_DROP_FLAG] = 1 if rate == DROPS else 0
    if bits.sum() % 2:
        bits[_POLARITY_25 if rate == _PAL else _POLARITY] = 1
    level = -1
    for bit in range(BITS):
        level = -level
        halves[2 * bit] = level
        if bits[bit]:
            level = -level
        halves[2 * bit + 1] = level


@compiled
def _runs(deck: Any) -> bool:
    return deck.heads[0].sounding != 0 and deck.rate.value > _SLOWEST and not deck.winding


@compiled
def _place(k: Any, deck: Any) -> float:
    """Return where the playhead is, in timecode frames."""
    seconds = max(0.0, place_of(deck.heads[0])) / k.rate + k.timecode.offset
    return seconds * _PER_SECOND[k.timecode.rate]


@compiled
def _begin(k: Any, deck: Any, number: int, begin: float, missing: float) -> int:
    """Let timecode frame `number` sound from `begin` on, `missing` timecode frames before the playhead is there."""
    code = k.timecode
    length = k.rate / (_PER_SECOND[code.rate] * deck.rate.value)
    code.number = number
    code.begin = begin
    code.end = begin + length * (1.0 + min(_SLEW, max(-_SLEW, missing)))
    code.sounding = 1
    write_code(code, number, code.rate)
    return max(1, ceil(code.end) - k.frame)


@compiled
def frames_to_code(k: Any) -> int:
    """Begin the next timecode frame if the one before is over; return how many frames lie before the next look."""
    code = k.timecode
    if code.rate < 0:
        return _FAR
    if code.sounding and k.frame < code.end:
        return max(1, ceil(code.end) - k.frame)
    deck = k.decks[code.deck]
    runs = _runs(deck)
    if not code.sounding or not runs:
        code.sounding = 0
        if not runs or k.frame & (SEGMENT - 1):
            return _FAR
        place = _place(k, deck)
        number = ceil(place)
        ahead = (number - place) * k.rate / (_PER_SECOND[code.rate] * deck.rate.value)
        return _begin(k, deck, number, k.frame + ahead, 0.0)
    place = _place(k, deck) - (k.frame - code.end) * deck.rate.value * _PER_SECOND[code.rate] / k.rate
    number = code.number + 1
    if abs(place - number) > _JUMP:
        number = max(0, int(np.rint(place)))
    return _begin(k, deck, number, code.end, number - place)


@compiled
def sound_code(k: Any, count: int) -> None:
    """Write `count` frames (at most SEGMENT, and not past the end of a timecode frame) to the timecode's channel."""
    code = k.timecode
    if code.rate < 0 or code.channel >= k.channels:
        return
    row = k.outputs[code.channel // 2, code.channel % 2]
    across = HALVES / (code.end - code.begin) if code.sounding else 0.0
    for n in range(count):
        level = np.float32(advance(code.level))
        value = np.float32(0.0)
        if code.sounding:
            # The mean over the sample: an edge between two samples is where it is.
            start = (k.frame + n - code.begin) * across
            value = _mean(code.halves, start, start + across)
        row[n] = level * value


@compiled
def _mean(halves: Any, start: float, stop: float) -> Any:
    """Return the mean level from half `start` to half `stop`, which is less than one half on."""
    if stop <= 0.0:
        return np.float32(0.0)
    first, last = floor(start), floor(stop)
    before = np.float32(0.0) if first < 0 else np.float32(halves[min(first, HALVES - 1)])
    if first == last:
        return before
    after = np.float32(halves[last]) if last < HALVES else np.float32(1.0)
    share = np.float32((stop - last) / (stop - start))
    return before + (after - before) * share
