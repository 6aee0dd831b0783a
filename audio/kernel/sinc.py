"""Windowed-sinc interpolation between frames: the table and the vector code that uses it.

A frame between two others is a weighted sum of WIDTH frames around it; the weights are a Kaiser-windowed sinc, tabled
at PHASES places between two frames and interpolated linearly between those (Smith, "Digital Audio Resampling Home
Page", CCRMA). Played faster than recorded, a track would fold over, so there is a table for each of LEVELS speeds
with its cut-off lowered by that speed and its width grown by as much; between two speeds the weights of both tables
are blended, so that no step is heard when the speed glides. At level 0 the cut-off is half the rate itself: on whole
frames the weights are 0 and one 1, and the interpolation is a copy, bit for bit.

Owner: the table is made once per process and never changed.
Units: speeds as ratio; the table is float32 (levels, phases + 1, TAPS).

Determinism: the sums run in lanes of a fixed width, in a fixed order and without fused multiply-add, so a frame has
the same bits whatever the block size and whatever the processor's vectors are.
"""

from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types

from audio.kernel.compiled import Single, compiled, in_llvm
from audio.kernel.lanes import (
    FLOATS,
    HALF_WORD,
    LANES,
    VECTOR,
    WORD,
    Loop,
    add,
    load_vector,
    reduce,
    shuffle,
    splat,
    store_vector,
    turned,
)

PHASE_BITS: Final = 8
PHASES: Final = 1 << PHASE_BITS
FRACTION_BITS: Final = 56
"""A place between two frames is counted in 2^-56 frames: every speed that a double can hold from 0.25 on is a whole
number of them, so a position never drifts and is the same whatever the block size."""
TAPS: Final = 128
"""Widest filter, and the row length of the table; narrower filters lie in its middle."""
WIDTH: Final = 32
"""Taps at speeds up to 1."""
LEVELS: Final = (1.08, 1.25, 1.414, 1.587, 1.782, 2.0, 2.378, 2.828, 3.364, 4.0)
"""Speeds. The first serves all slower ones too: up to 1.08 what folds over lands above 22 kHz of a 48 kHz rate."""
WIDTHS: Final = (WIDTH, *(min(TAPS, -(-int(np.ceil(WIDTH * speed)) // 16) * 16) for speed in LEVELS[1:]))
CUTOFF: Final = 0.95
"""Cut-off (-6 dB) of every level but the first, as part of half the rate the track is heard at."""
BETA: Final = 9.0
"""Kaiser window: 90 dB down beyond the transition band."""

ROW: Final = TAPS
LEVEL: Final = (PHASES + 1) * ROW
_PART_BITS: Final = 24
_PART_SHIFT: Final = FRACTION_BITS - PHASE_BITS - _PART_BITS
_PART_MASK: Final = (1 << _PART_BITS) - 1
_PART_UNIT: Final = np.float32(2.0**-_PART_BITS)


@cache
def table() -> npt.NDArray[np.float32]:
    """Return the weights, float32 (levels, PHASES + 1, TAPS), read-only.

    Tap t of phase p weighs frame index + t - (TAPS / 2 - 1) for a place p / PHASES after `index`.
    Thread-safe: yes. Realtime-safe: no.
    """
    taps = np.arange(TAPS) - (TAPS // 2 - 1)
    phases = np.arange(PHASES + 1) / PHASES
    distance = taps[None, :] - phases[:, None]
    weights = np.empty((len(LEVELS), PHASES + 1, TAPS))
    for level, (speed, width) in enumerate(zip(LEVELS, WIDTHS, strict=True)):
        cutoff = 1.0 if level == 0 else CUTOFF / speed
        reach = distance / (width / 2)
        window = np.where(np.abs(reach) <= 1.0, np.i0(BETA * np.sqrt(np.maximum(0.0, 1.0 - reach**2))), 0.0)
        row = cutoff * np.sinc(cutoff * distance) * window
        outside = (taps <= -width // 2) | (taps > width // 2)
        row[:, outside] = 0.0
        weights[level] = row / row.sum(axis=1, keepdims=True)
    weights[0, 0] = taps == 0
    weights[0, PHASES] = taps == 1
    made = weights.astype(np.float32)
    made.flags.writeable = False
    return made


def _double(builder: Any, target: Any, weights: Any) -> None:
    """Emit stores of each of 16 weights twice, once for each channel."""
    for half in range(2):
        order = [8 * half + lane // 2 for lane in range(LANES)]
        store_vector(builder, shuffle(builder, weights, weights, order), target, LANES * half)


def _between(builder: Any, a: Any, b: Any, part: Any) -> Any:
    return builder.fadd(a, builder.fmul(part, builder.fsub(b, a)))


@in_llvm
def _weights_16(typingctx: Any, target: Any, row: Any, part: Any) -> Any:
    """Write 16 weights, doubled, to `target`: the row at `row` and the next one, blended by `part`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        to, base = (builder.inttoptr(arg, FLOATS) for arg in args[:2])
        share = splat(builder, args[2])
        _double(builder, to, _between(builder, load_vector(builder, base, 0), load_vector(builder, base, ROW), share))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.float32), codegen


@in_llvm
def _blended_16(typingctx: Any, target: Any, row: Any, part: Any, level: Any) -> Any:
    """Write 16 weights, doubled: as `_weights_16`, blended by `level` with the same of the level above."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        to, base = (builder.inttoptr(arg, FLOATS) for arg in args[:2])
        share, upper = splat(builder, args[2]), splat(builder, args[3])
        rows = [load_vector(builder, base, offset) for offset in (0, ROW, LEVEL, LEVEL + ROW)]
        low, high = _between(builder, rows[0], rows[1], share), _between(builder, rows[2], rows[3], share)
        _double(builder, to, _between(builder, low, high, upper))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.float32, types.float32), codegen


_PAIR: Final = types.UniTuple(types.float32, 2)


def _pair(context: Any, builder: Any, total: Any) -> Any:
    """Emit the sums of the even and of the odd lanes: left and right."""
    both = reduce(builder, total, add, LANES, 2)
    return context.make_tuple(builder, _PAIR, [builder.extract_element(both, HALF_WORD(lane)) for lane in range(2)])


@in_llvm
def _dot_32(typingctx: Any, audio: Any, weights: Any) -> Any:
    """Return left and right: 32 stereo frames at `audio` times 32 doubled weights."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sound, taps = (builder.inttoptr(arg, FLOATS) for arg in args)
        parts = [
            builder.fmul(load_vector(builder, sound, LANES * n), load_vector(builder, taps, LANES * n))
            for n in range(4)
        ]
        total = builder.fadd(builder.fadd(parts[0], parts[1]), builder.fadd(parts[2], parts[3]))
        return _pair(context, builder, total)

    return _PAIR(types.intp, types.intp), codegen


@in_llvm
def lay_32(
    typingctx: Any, sources: Any, targets: Any, parts: Any, places: Any, weights: Any, count: Any, stride: Any,
    gain: Any,
) -> Any:  # fmt: skip
    """Add `count` frames of each of `parts` (both at least 1) sounds to its row: what `_dot_32` gives, times `gain`.

    `sources`: an address for each part, at which the first tap of place 0 lies; `targets`: the address of its left
    row, with the right one `stride` floats behind it; `places`: a word for each frame; `weights`: 64 for each frame. A
    frame's weights stay in registers while all parts are gone through.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = WORD.as_pointer()
        of, to, at = (builder.inttoptr(args[n], words) for n in (0, 1, 3))
        parts, stride, gain = args[2], args[6], args[7]
        row = builder.inttoptr(args[4], FLOATS)
        frames = Loop(builder, args[5], [], 1)
        n = frames.offset
        own = builder.gep(row, [builder.mul(n, WORD(2 * WIDTH))])
        taps = [load_vector(builder, own, LANES * group) for group in range(4)]
        place = builder.mul(builder.load(builder.gep(at, [n])), WORD(8))
        loop = Loop(builder, parts, [], 1)
        start = builder.load(builder.gep(of, [loop.offset]))
        sound = builder.inttoptr(builder.add(start, place), FLOATS)
        pieces = [builder.fmul(load_vector(builder, sound, LANES * group), taps[group]) for group in range(4)]
        total = builder.fadd(builder.fadd(pieces[0], pieces[1]), builder.fadd(pieces[2], pieces[3]))
        both = reduce(builder, total, add, LANES, 2)
        left = builder.gep(builder.inttoptr(builder.load(builder.gep(to, [loop.offset])), FLOATS), [n])
        for channel, target in enumerate((left, builder.gep(left, [stride]))):
            value = builder.fmul(builder.extract_element(both, HALF_WORD(channel)), gain)
            builder.store(builder.fadd(builder.load(target), value), target)
        loop.end([])
        frames.end([])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 7, types.float32), codegen


TOGETHER: Final = 4
"""Sounds that are interpolated at once: their channels fill a row of eight."""


@in_llvm
def lay_four(typingctx: Any, rows: Any, sources: Any, places: Any, weights: Any, count: Any) -> Any:
    """Write `count` (at least 1) rows of eight at `rows`: left and right of TOGETHER sounds, what `_dot_32` gives.

    `sources`: an address for each sound, at which the first tap of place 0 lies; `places`: a word for each frame;
    `weights`: 64 for each frame.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target, of, at, row = (
            builder.inttoptr(arg, kind)
            for arg, kind in zip(args, (FLOATS, WORD.as_pointer(), WORD.as_pointer(), FLOATS), strict=False)
        )
        starts = [builder.load(builder.gep(of, [WORD(part)])) for part in range(TOGETHER)]
        frames = Loop(builder, args[4], [], 1)
        n = frames.offset
        own = builder.gep(row, [builder.mul(n, WORD(2 * WIDTH))])
        taps = [load_vector(builder, own, LANES * group) for group in range(4)]
        place = builder.mul(builder.load(builder.gep(at, [n])), WORD(8))
        halves = []
        for start in starts:
            sound = builder.inttoptr(builder.add(start, place), FLOATS)
            pieces = [builder.fmul(load_vector(builder, sound, LANES * group), taps[group]) for group in range(4)]
            total = builder.fadd(builder.fadd(pieces[0], pieces[1]), builder.fadd(pieces[2], pieces[3]))
            halves.append(reduce(builder, total, add, LANES, LANES // 2))
        # The sums go on as in `reduce`, of two sounds at once, then of all.
        low, high = [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]
        two = [
            builder.fadd(*(shuffle(builder, halves[part], halves[part + 2], order) for order in (low, high)))
            for part in range(2)
        ]
        low, high = [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]
        all_four = builder.fadd(*(shuffle(builder, two[0], two[1], order) for order in (low, high)))
        store_vector(builder, all_four, target, builder.mul(n, WORD(2 * TOGETHER)))
        frames.end([])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), codegen


@in_llvm
def add_four(typingctx: Any, targets: Any, rows: Any, groups: Any, stride: Any, gain: Any) -> Any:
    """Add 8 x `groups` (at least 1) rows of eight at `rows`, times `gain`, to the channels of TOGETHER sounds.

    `targets`: an address for each sound, of its left row; the right one lies `stride` floats behind it.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        to, source = builder.inttoptr(args[0], WORD.as_pointer()), builder.inttoptr(args[1], FLOATS)
        level = splat(builder, args[4], 2 * TOGETHER)
        channels = []
        for part in range(TOGETHER):
            left = builder.inttoptr(builder.load(builder.gep(to, [WORD(part)])), FLOATS)
            channels += [left, builder.gep(left, [args[3]])]
        loop = Loop(builder, args[2], [], 2 * TOGETHER)
        first = builder.gep(source, [builder.mul(loop.offset, WORD(2 * TOGETHER))])
        frames = [load_vector(builder, first, 2 * TOGETHER * n, 2 * TOGETHER) for n in range(2 * TOGETHER)]
        for channel, row in zip(channels, turned(builder, frames), strict=True):
            before = load_vector(builder, channel, loop.offset, 2 * TOGETHER)
            store_vector(builder, builder.fadd(before, builder.fmul(row, level)), channel, loop.offset)
        loop.end([])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4, types.float32), codegen


@in_llvm
def _dot_groups(typingctx: Any, audio: Any, weights: Any, groups: Any) -> Any:
    """Return left and right: 8 x `groups` stereo frames at `audio` times as many doubled weights."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sound, taps = (builder.inttoptr(arg, FLOATS) for arg in args[:2])
        loop = Loop(builder, args[2], [ir.Constant(VECTOR, [0.0] * LANES)])
        part = builder.fmul(load_vector(builder, sound, loop.offset), load_vector(builder, taps, loop.offset))
        (total,) = loop.end([builder.fadd(loop.carried[0], part)])
        return _pair(context, builder, total)

    return _PAIR(types.intp, types.intp, types.intp), codegen


@compiled
def level_of(speed: float) -> int:
    """Return the level whose table, blended with the next, serves `speed` (0 or more): the last one not above it."""
    level = 0
    while level < len(LEVELS) - 2 and speed >= LEVELS[level + 1]:
        level += 1
    return level


@compiled
def width_of(speed: float) -> int:
    """Return how many frames one output frame at `speed` (0 or more) is made of: a multiple of 16."""
    if speed <= LEVELS[0]:
        return WIDTH
    return WIDTHS[level_of(speed) + 1]


@compiled
def weigh(table_address: int, target: int, speed: float, fraction: int) -> None:
    """Write the doubled weights for a place `fraction` (in 2^-FRACTION_BITS) after a frame, at `speed`, to `target`.

    Pre: 0 <= fraction < 2^FRACTION_BITS, speed >= 0, room for 2 x width_of(speed) float32 at `target`.
    """
    phase = fraction >> (FRACTION_BITS - PHASE_BITS)
    part = np.float32((fraction >> _PART_SHIFT) & _PART_MASK) * _PART_UNIT
    if speed <= LEVELS[0]:
        row = table_address + 4 * (phase * ROW + TAPS // 2 - WIDTH // 2)
        _weights_16(target, row, part)
        _weights_16(target + 128, row + 64, part)
        return
    level = level_of(speed)
    width = WIDTHS[level + 1]
    row = table_address + 4 * (level * LEVEL + phase * ROW + TAPS // 2 - width // 2)
    share = np.float32(min(1.0, (speed - LEVELS[level]) / (LEVELS[level + 1] - LEVELS[level])))
    for tap in range(0, width, LANES):
        _blended_16(target + 8 * tap, row + 4 * tap, part, share)


@compiled
def interpolate(audio: int, weights: int, width: int) -> tuple[Single, Single]:
    """Return left and right: `width` stereo frames at address `audio` times the doubled weights at `weights`.

    Pre: width is a multiple of 16; all frames may be read.
    """
    if width == WIDTH:
        return _dot_32(audio, weights)
    return _dot_groups(audio, weights, width // 8)
