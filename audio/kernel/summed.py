"""Summed: stems that nothing tells apart are added up as they lie on the tape, and interpolated once.

    stem slots --> x level, pan, mute, solo of each --+--> frames of one track --> interpolation --> sum bus
                          '--> energy, peak

Interpolation is linear, so that is the same sound up to rounding, in a fraction of the work. It is done where, on this
frame, the deck plays stems forwards at one place alone and no take beside them, nothing of them moves, and none has a
filter, a send, an output or a loop of its own. Whether that is so depends on the state of the frame alone, and a run
ends where it may change, so blocks change no bit. Meters read the track's frames that the playhead passes over.

Owner: the kernel. Units: frames at the engine rate; gains linear, float32.
"""

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba.core import types

from audio.kernel.bank import is_on, stays_on
from audio.kernel.compiled import Single, compiled, in_llvm
from audio.kernel.heads import is_copy
from audio.kernel.lanes import FLOATS, HALF_WORD, LANES, VECTOR, Loop, larger, load_vector, reduce, size, store_vector
from audio.kernel.layout import HEADS, SEGMENT, SUM_BUS
from audio.kernel.memory import frame_at, may_read
from audio.kernel.sinc import LEVELS, WIDTH, lay_32
from audio.units import STEM_SLOTS

BACK: Final = WIDTH // 2 - 1
"""Frames before a place that its interpolation begins at."""
_GROUP: Final = LANES // 2
"""Stereo frames in a vector."""


@in_llvm
def _add_groups(typingctx: Any, to: Any, sound: Any, left: Any, right: Any, groups: Any) -> Any:
    """Add 8 x `groups` (at least 1) stereo frames at `sound`, times the gains of both channels, to those at `to`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target, source = (builder.inttoptr(arg, FLOATS) for arg in args[:2])
        gains = ir.Constant(VECTOR, ir.Undefined)
        for lane in range(LANES):
            gains = builder.insert_element(gains, args[2 + lane % 2], HALF_WORD(lane))
        loop = Loop(builder, args[4], [])
        scaled = builder.fmul(load_vector(builder, source, loop.offset), gains)
        store_vector(builder, builder.fadd(load_vector(builder, target, loop.offset), scaled), target, loop.offset)
        loop.end([])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.float32, types.float32, types.intp), codegen


_PEAKS: Final = types.UniTuple(types.float32, 2)


@in_llvm
def _measure_groups(typingctx: Any, sound: Any, sums: Any, groups: Any) -> Any:
    """Return the peaks left and right of 8 x `groups` (at least 1) stereo frames at `sound`; add the squares to the 16
    lanes at `sums`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, lanes = (builder.inttoptr(arg, FLOATS) for arg in args[:2])
        loop = Loop(builder, args[2], [load_vector(builder, lanes, 0), ir.Constant(VECTOR, [0.0] * LANES)])
        x = load_vector(builder, source, loop.offset)
        total = builder.fadd(loop.carried[0], builder.fmul(x, x))
        total, peak = loop.end([total, larger(builder, loop.carried[1], size(builder, x))])
        store_vector(builder, total, lanes, 0)
        both = reduce(builder, peak, larger, LANES, 2)
        return context.make_tuple(builder, _PEAKS, [builder.extract_element(both, HALF_WORD(n)) for n in range(2)])

    return _PEAKS(types.intp, types.intp, types.intp), codegen


@compiled
def _end_of(ramp: Any, limit: int) -> int:
    return min(limit, ramp.left) if ramp.left > 0 else limit


@compiled
def frames_to_calm(deck: Any, limit: int) -> int:
    """Return how many frames, 1 to `limit`, lie before the next one on which stems may begin to be summed."""
    run = limit
    bank = deck.stem_bank
    if stays_on(bank):
        return run
    if bank.eq_moves:
        run = min(run, max(1, bank.eq_left))
    if bank.filter_moves:
        run = min(run, max(1, bank.filter_left))
    for slot in range(STEM_SLOTS):
        run = _end_of(deck.left[slot], run)
        run = _end_of(deck.right[slot], run)
        run = _end_of(deck.send[slot], run)
        run = _end_of(deck.stem_output[slot].level, run)
    return run


@compiled
def can_sum(deck: Any, head: Any) -> bool:
    """Say whether the deck's stems are to be summed on this frame; `head` is its playhead."""
    for which in range(1, HEADS):
        if deck.heads[which].sounding:
            return False
    if head.fade.left > 0 or head.fade.value != 1.0 or head.blend != 1.0 or head.blend_to != 1.0 or head.tail != 1.0:
        return False
    if head.stretch != 0.0 or head.stretch_to != 0.0:
        return False
    if deck.rate.left > 0 or deck.rate.value <= 0.0 or deck.rate.value > LEVELS[0]:
        return False
    if is_copy(deck, head) or is_on(deck.stem_bank):
        return False
    if deck.tapes[head.tape].take.audio != 0:
        return False
    mask = deck.tapes[head.tape].mask
    for slot in range(STEM_SLOTS):
        if mask >> slot & 1:
            layer, route, send = deck.layers[slot], deck.stem_output[slot], deck.send[slot]
            if deck.left[slot].left > 0 or deck.right[slot].left > 0 or layer.shift != 0 or layer.fade.left > 0:
                return False
            if route.pair != 0 or route.wanted != 0 or route.level.left > 0 or send.left > 0 or send.value != 1.0:
                return False
    return True


@compiled
def _add_stem(k: Any, stem: Any, low: int, count: int, left: Single, right: Single) -> None:
    """Add `count` frames of a stem, from track frame `low` on, to the sum."""
    total = k.total
    done = 0
    if may_read(stem, low, low + count - 1):
        groups = count // _GROUP
        if groups:
            _add_groups(total.ctypes.data, stem.audio + 8 * low, left, right, groups)
        done = groups * _GROUP
    for n in range(done, count):
        a, b = frame_at(stem, low + n)
        total[2 * n] += a * left
        total[2 * n + 1] += b * right


@compiled
def _measure(deck: Any, slot: int, stem: Any, first: int, last: int) -> None:
    """Let energy and peak of a stem follow the track frames `first` to `last`, the latter left out."""
    sums = deck.energy_sum[slot]
    high_left, high_right = np.float32(0.0), np.float32(0.0)
    ready = may_read(stem, first, last - 1)
    n = first
    while n < last:
        groups = (last - n) // _GROUP
        if ready and groups and n & (_GROUP - 1) == 0:
            left, right = _measure_groups(stem.audio + 8 * n, sums.ctypes.data, groups)
            n += groups * _GROUP
        else:
            a, b = frame_at(stem, n)
            lane = 2 * n & (LANES - 1)
            sums[lane] += a * a
            sums[lane + 1] += b * b
            left, right = abs(a), abs(b)
            n += 1
        high_left = left if left > high_left else high_left
        high_right = right if right > high_right else high_right
    high = max(high_left * deck.left[slot].value, high_right * deck.right[slot].value)
    deck.sum_peak[slot] = max(deck.sum_peak[slot], high)


@compiled
def measure_stems(deck: Any, tape: Any, first: int, last: int) -> None:
    """Let the stems' meters follow the track frames `first` to `last`, the latter left out."""
    for slot in range(STEM_SLOTS):
        if tape.mask >> slot & 1:
            _measure(deck, slot, tape.stems[slot], first, last)


@compiled
def lay_sum(k: Any, deck: Any, tape: Any, start: int, count: int, weights: int) -> None:
    """Add `count` frames of the sum of a tape's stems to the sum bus, from `start` on.

    Pre: `can_sum`; their places lie in `k.places`, at most BATCH, their weights at `weights`.
    """
    places = k.places
    low = places[0] - BACK
    frames = places[count - 1] - places[0] + WIDTH
    for n in range(2 * frames):
        k.total[n] = np.float32(0.0)
    for slot in range(STEM_SLOTS):
        if tape.mask >> slot & 1:
            _add_stem(k, tape.stems[slot], low, frames, deck.left[slot].value, deck.right[slot].value)
    k.sources[0] = k.total.ctypes.data - 8 * (BACK + low)
    k.targets[0] = k.bus[SUM_BUS, 0].ctypes.data + 4 * start
    lay_32(
        k.sources.ctypes.data, k.targets.ctypes.data, 1, k.places.ctypes.data, weights, count, SEGMENT,
        np.float32(1.0),
    )  # fmt: skip
