"""Filters over 16 lanes at once, in LLVM: the isolator of three bands and the bipolar filter of a bank's channels.

    row of 16 lanes (8 stereo pairs), one row a frame --> sections --> the same rows

A section is a state-variable filter with its delay-free loop solved (Zavalishin, "The Art of VA Filter Design", 2018,
chapter 4), which stays stable however fast its cut-off moves. Lanes never touch each other, and a frame's arithmetic
is the same in any run, so the bits do not depend on block sizes.

    isolator:  x -- split at the first crossover --> low ----------------> all-pass of the second --> x low gain --.
                              '--> rest -- split at the second crossover --> middle ------------> x middle gain ---+-> y
                                                          '---------------> high ---------------> x high gain ----'

A split is a Linkwitz-Riley crossover of eighth order: low = two Butterworth low-passes of fourth order in a row, high
= the all-pass with the poles of one of them, minus low. So low + high is that all-pass, and all bands up are flat.

Owner: the kernel. Units: samples linear; `count` is at least 1.
"""

from typing import Any, Final

from llvmlite import ir
from numba.core import types

from audio.kernel.compiled import in_llvm
from audio.kernel.lanes import FLOATS, LANES, VECTOR, Loop, load_vector, splat, store_vector

SECTIONS: Final = 12
"""Sections of the isolator: five for each split, two for the all-pass of the low band."""
EQ_STATES: Final = 2 * SECTIONS
EQ_VALUES: Final = 4
"""What moves in the isolator: the gains of low, middle and high, and its share of what is heard."""
FILTER_STATES: Final = 4
FILTER_VALUES: Final = 2
"""What moves in the bipolar filter: the tangent of its cut-off, and its share of what is heard."""

_ONE: Final = ir.Constant(VECTOR, [1.0] * LANES)
_TWO: Final = ir.Constant(VECTOR, [2.0] * LANES)


class _Sections:
    """Emits sections one after the other; `states` are read and replaced in order."""

    def __init__(self, builder: Any, states: list[Any]) -> None:
        self._builder = builder
        self._states = states
        self._next = 0
        self.after: list[Any] = []

    def run(self, x: Any, factors: Any) -> tuple[Any, Any]:
        """Emit one section with factors (a1, a2, a3); return its band and low outputs."""
        builder = self._builder
        first, second = self._states[self._next : self._next + 2]
        self._next += 2
        a1, a2, a3 = factors[:3]
        rest = builder.fsub(x, second)
        band = builder.fadd(builder.fmul(a1, first), builder.fmul(a2, rest))
        low = builder.fadd(second, builder.fadd(builder.fmul(a2, first), builder.fmul(a3, rest)))
        self.after += [
            builder.fsub(builder.fmul(_TWO, band), first),
            builder.fsub(builder.fmul(_TWO, low), second),
        ]
        return band, low

    def all_pass(self, x: Any, factors: Any) -> Any:
        """Emit one section as an all-pass."""
        band, _ = self.run(x, factors)
        return self._builder.fsub(x, self._builder.fmul(factors[3], band))

    def split(self, x: Any, wide: Any, narrow: Any) -> tuple[Any, Any]:
        """Emit a crossover; return what is below and what is above."""
        band, low = self.run(x, wide)
        through = self._builder.fsub(x, self._builder.fmul(wide[3], band))
        for factors in (narrow, wide, narrow):
            _, low = self.run(low, factors)
        through = self.all_pass(through, narrow)
        return low, self._builder.fsub(through, low)


def _mixed(builder: Any, dry: Any, wet: Any, share: Any) -> Any:
    return builder.fadd(dry, builder.fmul(share, builder.fsub(wet, dry)))


@in_llvm
def eq_frames(typingctx: Any, rows: Any, state: Any, values: Any, factors: Any, count: Any) -> Any:
    """Take `count` rows at `rows` through the isolator, in place.

    `state`: EQ_STATES vectors. `values`: EQ_VALUES vectors, then as many that are added to them before each frame.
    `factors`: for each crossover, wide section then narrow, (a1, a2, a3, 2k).
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        audio, memory, moving, numbers = (builder.inttoptr(arg, FLOATS) for arg in args[:4])
        states = [load_vector(builder, memory, LANES * n) for n in range(EQ_STATES)]
        gains = [load_vector(builder, moving, LANES * n) for n in range(EQ_VALUES)]
        steps = [load_vector(builder, moving, LANES * (EQ_VALUES + n)) for n in range(EQ_VALUES)]
        scalars = [builder.load(builder.gep(numbers, [ir.IntType(64)(n)])) for n in range(16)]
        first_wide, first_narrow, second_wide, second_narrow = (
            [splat(builder, scalar) for scalar in scalars[4 * n : 4 * n + 4]] for n in range(4)
        )
        loop = Loop(builder, args[4], states + gains)
        x = load_vector(builder, audio, loop.offset)
        gains = [builder.fadd(gain, step) for gain, step in zip(loop.carried[EQ_STATES:], steps, strict=True)]
        sections = _Sections(builder, loop.carried[:EQ_STATES])
        low, rest = sections.split(x, first_wide, first_narrow)
        middle, high = sections.split(rest, second_wide, second_narrow)
        low = sections.all_pass(sections.all_pass(low, second_wide), second_narrow)
        wet = builder.fadd(
            builder.fadd(builder.fmul(gains[0], low), builder.fmul(gains[1], middle)), builder.fmul(gains[2], high)
        )
        store_vector(builder, _mixed(builder, x, wet, gains[3]), audio, loop.offset)
        after = loop.end(sections.after + gains)
        for n, vector in enumerate(after[:EQ_STATES]):
            store_vector(builder, vector, memory, LANES * n)
        for n, vector in enumerate(after[EQ_STATES:]):
            store_vector(builder, vector, moving, LANES * n)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.intp, types.intp), codegen


@in_llvm
def filter_frames(typingctx: Any, rows: Any, state: Any, values: Any, side: Any, damping: Any, count: Any) -> Any:
    """Take `count` rows at `rows` through two sections each, in place.

    `state`: FILTER_STATES vectors. `values`: FILTER_VALUES vectors, then as many that are added to them before each
    frame. `side`: one vector, 1 where the low-pass is heard and 0 where the high-pass is. `damping`: 1 / Q.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        audio, memory, moving, sides = (builder.inttoptr(arg, FLOATS) for arg in args[:4])
        resistance = splat(builder, args[4])
        is_low = load_vector(builder, sides, 0)
        states = [load_vector(builder, memory, LANES * n) for n in range(FILTER_STATES)]
        values = [load_vector(builder, moving, LANES * n) for n in range(FILTER_VALUES)]
        steps = [load_vector(builder, moving, LANES * (FILTER_VALUES + n)) for n in range(FILTER_VALUES)]
        loop = Loop(builder, args[5], states + values)
        x = load_vector(builder, audio, loop.offset)
        tangent = builder.fadd(loop.carried[FILTER_STATES], steps[0])
        share = builder.fadd(loop.carried[FILTER_STATES + 1], steps[1])
        below = builder.fadd(_ONE, builder.fmul(tangent, builder.fadd(tangent, resistance)))
        a1 = builder.fdiv(_ONE, below)
        a2 = builder.fmul(tangent, a1)
        a3 = builder.fmul(tangent, a2)
        sections = _Sections(builder, loop.carried[:FILTER_STATES])
        wet = x
        for _ in range(2):
            band, low = sections.run(wet, (a1, a2, a3))
            high = builder.fsub(builder.fsub(wet, builder.fmul(resistance, band)), low)
            wet = _mixed(builder, high, low, is_low)
        store_vector(builder, _mixed(builder, x, wet, share), audio, loop.offset)
        after = loop.end([*sections.after, tangent, share])
        for n, vector in enumerate(after[:FILTER_STATES]):
            store_vector(builder, vector, memory, LANES * n)
        for n, vector in enumerate(after[FILTER_STATES:]):
            store_vector(builder, vector, moving, LANES * n)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.intp, types.float32, types.intp), codegen


WEIGH_STATES: Final = 4


@in_llvm
def weigh_frames(typingctx: Any, rows: Any, state: Any, factors: Any, squares: Any, count: Any) -> Any:
    """Take `count` rows at `rows` through two sections, and add the squares to the vector at `squares`.

    `state`: WEIGH_STATES vectors. `factors`: for each section a1, a2, a3, and what its input, band and low weigh.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        audio, memory, numbers, sums = (builder.inttoptr(arg, FLOATS) for arg in args[:4])
        states = [load_vector(builder, memory, LANES * n) for n in range(WEIGH_STATES)]
        scalars = [builder.load(builder.gep(numbers, [ir.IntType(64)(n)])) for n in range(12)]
        factor = [splat(builder, scalar) for scalar in scalars]
        loop = Loop(builder, args[4], [*states, load_vector(builder, sums, 0)])
        x = load_vector(builder, audio, loop.offset)
        sections = _Sections(builder, loop.carried[:WEIGH_STATES])
        for section in range(2):
            own = factor[6 * section : 6 * section + 6]
            band, low = sections.run(x, own)
            x = builder.fadd(
                builder.fadd(builder.fmul(own[3], x), builder.fmul(own[4], band)), builder.fmul(own[5], low)
            )
        total = builder.fadd(loop.carried[WEIGH_STATES], builder.fmul(x, x))
        after = loop.end([*sections.after, total])
        for n, vector in enumerate(after[:WEIGH_STATES]):
            store_vector(builder, vector, memory, LANES * n)
        store_vector(builder, after[WEIGH_STATES], sums, 0)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.intp, types.intp), codegen
