"""Vectors of 16 float32, written out in LLVM: loops whose order of additions must not depend on the compiler.

Owner: the kernel. Lane l of a sum takes the frames whose number is l modulo 16, in order; where a run does not begin
or end on a multiple of 16 the scalar code of the caller adds to the same lanes in the same order, so the bits are the
same. Sums have no fused multiply-add: their bits are the same on every processor. Filters have, where the processor
does it (`times_plus`); theirs are the same on all that do.
"""

import platform
from typing import Any, Final

from llvmlite import ir
from numba.core import types
from numba.core.codegen import get_host_cpu_features

from audio.kernel.compiled import in_llvm

LANES: Final = 16

FLOAT: Final = ir.FloatType()
WORD: Final = ir.IntType(64)
HALF_WORD: Final = ir.IntType(32)
VECTOR: Final = ir.VectorType(FLOAT, LANES)
FLOATS: Final = FLOAT.as_pointer()

FUSES: Final = platform.machine() not in ("x86_64", "AMD64") or "+fma" in get_host_cpu_features().split(",")
"""Whether the processor multiplies and adds in one go: all that are not of x86-64, and those of 2013 and later."""


def load_vector(builder: Any, base: Any, offset: Any, lanes: int = LANES) -> Any:
    """Emit a load of 16 (or `lanes`) floats, `offset` floats (an int, or a 64-bit value) after `base`."""
    place = builder.gep(base, [WORD(offset) if isinstance(offset, int) else offset])
    return builder.load(builder.bitcast(place, ir.VectorType(FLOAT, lanes).as_pointer()), align=4)


def store_vector(builder: Any, value: Any, base: Any, offset: Any) -> None:
    """Emit a store of a vector, `offset` floats after `base`."""
    place = builder.gep(base, [WORD(offset) if isinstance(offset, int) else offset])
    builder.store(value, builder.bitcast(place, value.type.as_pointer()), align=4)


def splat(builder: Any, value: Any, lanes: int = LANES) -> Any:
    """Emit a vector of 16 (or `lanes`) whose lanes are all `value`."""
    nothing = ir.Constant(ir.VectorType(FLOAT, lanes), ir.Undefined)
    one = builder.insert_element(nothing, value, HALF_WORD(0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(HALF_WORD, lanes), [0] * lanes))


def shuffle(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    """Emit the lanes of `a` and `b`, numbered through, in `order`."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(HALF_WORD, len(order)), order))


def reduce(builder: Any, total: Any, join: Any, lanes: int = LANES, down_to: int = 1) -> Any:
    """Emit `join` over the halves of a vector until `down_to` lanes are left."""
    while lanes > down_to:
        half = lanes // 2
        low = shuffle(builder, total, total, list(range(half)))
        high = shuffle(builder, total, total, list(range(half, lanes)))
        total = join(builder, low, high)
        lanes = half
    return total


def add(builder: Any, a: Any, b: Any) -> Any:
    """Emit a sum."""
    return builder.fadd(a, b)


def larger(builder: Any, a: Any, b: Any) -> Any:
    """Emit the larger of each pair; what is not a number loses."""
    return builder.select(builder.fcmp_ordered(">", b, a), b, a)


def size(builder: Any, value: Any) -> Any:
    """Emit the magnitude of each lane."""
    lanes = value.type.count
    words = ir.VectorType(HALF_WORD, lanes)
    bits = builder.and_(builder.bitcast(value, words), ir.Constant(words, [0x7FFFFFFF] * lanes))
    return builder.bitcast(bits, value.type)


def times_plus(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Emit a x b + c for vectors, rounded once where the processor can."""
    if not FUSES:
        return builder.fadd(builder.fmul(a, b), c)
    name = f"llvm.fma.v{a.type.count}f32"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(a.type, [a.type] * 3), name)
    return builder.call(function, [a, b, c])


def minus_times(builder: Any, c: Any, a: Any, b: Any) -> Any:
    """Emit c - a x b for vectors, rounded once where the processor can."""
    return times_plus(builder, builder.fneg(a), b, c)


class Loop:
    """Emits a loop over groups of 16 (or `step`) floats that carries vectors along."""

    def __init__(self, builder: Any, groups: Any, carried: list[Any], step: int = LANES) -> None:
        """Begin a loop of `groups` (at least 1) turns that starts with the values `carried`."""
        self._builder = builder
        self._groups = groups
        entry = builder.block
        self._body = builder.append_basic_block("group")
        self._after = builder.append_basic_block("grouped")
        builder.branch(self._body)
        builder.position_at_end(self._body)
        self._turn = builder.phi(WORD)
        self._turn.add_incoming(WORD(0), entry)
        self.carried = [builder.phi(value.type) for value in carried]
        for phi, value in zip(self.carried, carried, strict=True):
            phi.add_incoming(value, entry)
        self.offset = builder.mul(self._turn, WORD(step))

    def end(self, following: list[Any]) -> list[Any]:
        """End the body; `following` is what the next turn, or whoever comes after the loop, carries on with."""
        builder = self._builder
        turn = builder.add(self._turn, WORD(1))
        self._turn.add_incoming(turn, builder.block)
        for phi, value in zip(self.carried, following, strict=True):
            phi.add_incoming(value, builder.block)
        builder.cbranch(builder.icmp_signed("<", turn, self._groups), self._body, self._after)
        builder.position_at_end(self._after)
        return following


def turned(builder: Any, rows: list[Any]) -> list[Any]:
    """Emit the transpose of eight vectors of eight."""
    for span in (4, 2, 1):
        upper = [lane if not lane & span else 8 + lane - span for lane in range(8)]
        lower = [lane + span if not lane & span else 8 + lane for lane in range(8)]
        turned = list(rows)
        for n in range(8):
            if not n & span:
                turned[n] = shuffle(builder, rows[n], rows[n + span], upper)
                turned[n + span] = shuffle(builder, rows[n], rows[n + span], lower)
        rows = turned
    return rows


_ZERO: Final = ir.Constant(VECTOR, [0.0] * LANES)


@in_llvm
def stem_groups(
    typingctx: Any, left: Any, right: Any, to_left: Any, to_right: Any, energy: Any, gain_left: Any, gain_right: Any,
    groups: Any,
) -> Any:  # fmt: skip
    """Take 16 x `groups` (at least 1) frames of a stem's bus through its gains; return the peak after them.

    Adds the squares before the gains to the 16 lanes at `energy`, and the frames after them to the rows at `to_left`
    and `to_right`; leaves zeros in the rows at `left` and `right`.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        a, b, to_a, to_b, lanes = (builder.inttoptr(arg, FLOATS) for arg in args[:5])
        gain_a, gain_b = splat(builder, args[5]), splat(builder, args[6])
        loop = Loop(builder, args[7], [load_vector(builder, lanes, 0), _ZERO])
        x, y = load_vector(builder, a, loop.offset), load_vector(builder, b, loop.offset)
        squares = builder.fadd(builder.fmul(x, x), builder.fmul(y, y))
        total = builder.fadd(loop.carried[0], squares)
        store_vector(builder, _ZERO, a, loop.offset)
        store_vector(builder, _ZERO, b, loop.offset)
        x, y = builder.fmul(x, gain_a), builder.fmul(y, gain_b)
        peak = larger(builder, loop.carried[1], larger(builder, size(builder, x), size(builder, y)))
        store_vector(builder, builder.fadd(load_vector(builder, to_a, loop.offset), x), to_a, loop.offset)
        store_vector(builder, builder.fadd(load_vector(builder, to_b, loop.offset), y), to_b, loop.offset)
        total, peak = loop.end([total, peak])
        store_vector(builder, total, lanes, 0)
        return builder.extract_element(reduce(builder, peak, larger), HALF_WORD(0))

    return types.float32(
        types.intp, types.intp, types.intp, types.intp, types.intp, types.float32, types.float32, types.intp
    ), codegen


_LEVELS: Final = types.UniTuple(types.float32, 2)


@in_llvm
def level_groups(typingctx: Any, row: Any, groups: Any) -> Any:
    """Return the peak and the sum of squares of 16 x `groups` (at least 1) floats at `row`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base = builder.inttoptr(args[0], FLOATS)
        loop = Loop(builder, args[1], [_ZERO, _ZERO])
        x = load_vector(builder, base, loop.offset)
        peak = larger(builder, loop.carried[0], size(builder, x))
        total = builder.fadd(loop.carried[1], builder.fmul(x, x))
        peak, total = loop.end([peak, total])
        values = [reduce(builder, peak, larger), reduce(builder, total, add)]
        return context.make_tuple(builder, _LEVELS, [builder.extract_element(value, HALF_WORD(0)) for value in values])

    return _LEVELS(types.intp, types.intp), codegen


PEAK_TAPS: Final = 10
PEAK_AHEAD: Final = 2
"""Those of the taps that come after the place between two samples that is looked at."""
PEAK_PHASES: Final = 3
"""Places between two samples at which the limiter looks for the wave."""


@in_llvm
def peak_groups(typingctx: Any, left: Any, right: Any, weights: Any, peaks: Any, groups: Any) -> Any:
    """Write the true peaks of 16 x `groups` (at least 1) frames of two channels to the row at `peaks`.

    Frame n has the samples n to n + PEAK_TAPS - 1 at `left` and `right` around it; `weights`: PEAK_PHASES rows of
    PEAK_TAPS, of the wave between the sample before the last PEAK_AHEAD and the first of those. The former counts as it
    is.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        channels = [builder.inttoptr(arg, FLOATS) for arg in args[:2]]
        numbers, target = (builder.inttoptr(arg, FLOATS) for arg in args[2:4])
        scalars = [builder.load(builder.gep(numbers, [WORD(n)])) for n in range(PEAK_PHASES * PEAK_TAPS)]
        loop = Loop(builder, args[4], [])
        peak = _ZERO
        for base in channels:
            frames = [load_vector(builder, base, builder.add(loop.offset, WORD(tap))) for tap in range(PEAK_TAPS)]
            peak = larger(builder, peak, size(builder, frames[-PEAK_AHEAD - 1]))
            for phase in range(PEAK_PHASES):
                wave = _ZERO
                for tap, frame in enumerate(frames):
                    weight = splat(builder, scalars[PEAK_TAPS * phase + tap])
                    wave = builder.fadd(wave, builder.fmul(weight, frame))
                peak = larger(builder, peak, size(builder, wave))
        store_vector(builder, peak, target, loop.offset)
        loop.end([])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.intp, types.intp), codegen
