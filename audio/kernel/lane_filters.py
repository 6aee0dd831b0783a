"""Filters over 8 lanes at once, in LLVM: the isolator of three bands, the bipolar filter, the meter's weighting.

    row of 16 lanes (8 stereo pairs), one row a frame --> half of it --> sections --> the same rows

A section is a state-variable filter with its delay-free loop solved (Zavalishin, "The Art of VA Filter Design", 2018,
chapter 4), which stays stable however fast its cut-off moves. Lanes never touch each other, and a frame's arithmetic
is the same in any run, so the bits do not depend on block sizes. Whoever calls runs the halves that are in use, each by
itself: 8 lanes are what registers of today's processors hold.

    isolator:  x -- split at the first crossover --> low ----------------> all-pass of the second --> x low gain --.
                              '--> rest -- split at the second crossover --> middle ------------> x middle gain ---+-> y
                                                          '---------------> high ---------------> x high gain ----'

A split is a Linkwitz-Riley crossover of eighth order: low = two Butterworth low-passes of fourth order in a row, high
= the all-pass with the poles of one of them, minus low. So low + high is that all-pass, and all bands up are flat. The
isolator goes through a run three times, once for each box: a chain of sections so short that a processor works on
several frames of it at once.

Owner: the kernel. Units: samples linear; `count` is at least 1; rows and states are LANES floats apart.
"""

from typing import Any, Final

from llvmlite import ir
from numba.core import types

from audio.kernel.compiled import in_llvm
from audio.kernel.lane_rows import HALF
from audio.kernel.lanes import FLOAT, FLOATS, LANES, WORD, Loop, load_vector, splat, store_vector

SECTIONS: Final = 12
"""Sections of the isolator: five for each split, two for the all-pass of the low band."""
EQ_STATES: Final = 2 * SECTIONS
EQ_VALUES: Final = 4
"""What moves in the isolator: the gains of low, middle and high, and its share of what is heard."""
FILTER_STATES: Final = 4
FILTER_VALUES: Final = 2
"""What moves in the bipolar filter: the tangent of its cut-off, and its share of what is heard."""

_ONE: Final = ir.Constant(ir.VectorType(FLOAT, HALF), [1.0] * HALF)


def _load_all(builder: Any, base: Any, first: int, count: int) -> list[Any]:
    return [load_vector(builder, base, LANES * (first + n), HALF) for n in range(count)]


def _store_all(builder: Any, vectors: list[Any], base: Any, first: int) -> None:
    for n, vector in enumerate(vectors):
        store_vector(builder, vector, base, LANES * (first + n))


def _splat_all(builder: Any, base: Any, first: int, count: int) -> list[Any]:
    return [splat(builder, builder.load(builder.gep(base, [WORD(first + n)])), HALF) for n in range(count)]


class _Sections:
    """Emits sections one after the other; `states` are read and replaced in order."""

    def __init__(self, builder: Any, states: list[Any]) -> None:
        self._builder = builder
        self._states = states
        self._next = 0
        self.after: list[Any] = []

    def run(self, x: Any, factors: Any) -> tuple[Any, Any]:
        """Emit one section with factors (a1, a2, tangent); return its band and low outputs."""
        builder = self._builder
        first, second = self._states[self._next : self._next + 2]
        self._next += 2
        a1, a2, tangent = factors[:3]
        band = builder.fadd(builder.fmul(a1, first), builder.fmul(a2, builder.fsub(x, second)))
        rise = builder.fmul(tangent, band)
        low = builder.fadd(second, rise)
        self.after += [builder.fsub(builder.fadd(band, band), first), builder.fadd(low, rise)]
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


_SPLIT: Final = 10
"""States of a split."""


@in_llvm
def eq_frames(
    typingctx: Any, rows: Any, state: Any, values: Any, factors: Any, lows: Any, rests: Any, count: Any
) -> Any:
    """Take half of `count` rows at `rows` through the isolator, in place.

    `state`: EQ_STATES vectors. `values`: EQ_VALUES vectors, then as many that are added to them before each frame.
    `factors`: for each crossover, wide section then narrow, (a1, a2, tangent, 2k). `lows`, `rests`: room for as many
    rows each.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        audio, memory, moving, numbers, below, above = (builder.inttoptr(arg, FLOATS) for arg in args[:6])
        first_wide, first_narrow, second_wide, second_narrow = (
            _splat_all(builder, numbers, 4 * n, 4) for n in range(4)
        )
        loop = Loop(builder, args[6], _load_all(builder, memory, 0, _SPLIT))
        sections = _Sections(builder, loop.carried)
        low, rest = sections.split(load_vector(builder, audio, loop.offset, HALF), first_wide, first_narrow)
        store_vector(builder, low, below, loop.offset)
        store_vector(builder, rest, above, loop.offset)
        _store_all(builder, loop.end(sections.after), memory, 0)

        loop = Loop(builder, args[6], _load_all(builder, memory, 2 * _SPLIT, EQ_STATES - 2 * _SPLIT))
        sections = _Sections(builder, loop.carried)
        low = sections.all_pass(load_vector(builder, below, loop.offset, HALF), second_wide)
        store_vector(builder, sections.all_pass(low, second_narrow), below, loop.offset)
        _store_all(builder, loop.end(sections.after), memory, 2 * _SPLIT)

        steps = _load_all(builder, moving, EQ_VALUES, EQ_VALUES)
        values = _load_all(builder, moving, 0, EQ_VALUES)
        loop = Loop(builder, args[6], _load_all(builder, memory, _SPLIT, _SPLIT) + values)
        gains = [builder.fadd(gain, step) for gain, step in zip(loop.carried[_SPLIT:], steps, strict=True)]
        sections = _Sections(builder, loop.carried[:_SPLIT])
        middle, high = sections.split(load_vector(builder, above, loop.offset, HALF), second_wide, second_narrow)
        low = load_vector(builder, below, loop.offset, HALF)
        wet = builder.fadd(
            builder.fadd(builder.fmul(gains[0], low), builder.fmul(gains[1], middle)), builder.fmul(gains[2], high)
        )
        dry = load_vector(builder, audio, loop.offset, HALF)
        store_vector(builder, _mixed(builder, dry, wet, gains[3]), audio, loop.offset)
        after = loop.end(sections.after + gains)
        _store_all(builder, after[:_SPLIT], memory, _SPLIT)
        _store_all(builder, after[_SPLIT:], moving, 0)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 7), codegen


def _filter(moves: bool) -> Any:
    """Return what emits the bipolar filter; one whose values do not move has its factors found once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        audio, memory, moving, sides = (builder.inttoptr(arg, FLOATS) for arg in args[:4])
        resistance = splat(builder, args[4], HALF)
        is_low = load_vector(builder, sides, 0, HALF)
        states = _load_all(builder, memory, 0, FILTER_STATES)
        tangent, share = _load_all(builder, moving, 0, FILTER_VALUES)
        steps = _load_all(builder, moving, FILTER_VALUES, FILTER_VALUES)

        def factors(tangent: Any) -> tuple[Any, Any, Any]:
            whole = builder.fadd(_ONE, builder.fmul(tangent, builder.fadd(tangent, resistance)))
            a1 = builder.fdiv(_ONE, whole)
            return a1, builder.fmul(tangent, a1), tangent

        found = None if moves else factors(tangent)
        loop = Loop(builder, args[5], [*states, tangent, share] if moves else states)
        x = load_vector(builder, audio, loop.offset, HALF)
        if moves:
            tangent = builder.fadd(loop.carried[FILTER_STATES], steps[0])
            share = builder.fadd(loop.carried[FILTER_STATES + 1], steps[1])
            found = factors(tangent)
        sections = _Sections(builder, loop.carried[:FILTER_STATES])
        wet = x
        for _ in range(2):
            band, low = sections.run(wet, found)
            high = builder.fsub(builder.fsub(wet, builder.fmul(resistance, band)), low)
            wet = _mixed(builder, high, low, is_low)
        store_vector(builder, _mixed(builder, x, wet, share), audio, loop.offset)
        after = loop.end([*sections.after, tangent, share] if moves else sections.after)
        _store_all(builder, after[:FILTER_STATES], memory, 0)
        if moves:
            _store_all(builder, after[FILTER_STATES:], moving, 0)
        return context.get_dummy_value()

    return codegen


_FILTER: Final = types.void(types.intp, types.intp, types.intp, types.intp, types.float32, types.intp)


@in_llvm
def filter_frames(typingctx: Any, rows: Any, state: Any, values: Any, side: Any, damping: Any, count: Any) -> Any:
    """Take half of `count` rows at `rows` through two sections each, in place.

    `state`: FILTER_STATES vectors. `values`: FILTER_VALUES vectors, then as many that are added to them before each
    frame. `side`: one vector, 1 where the low-pass is heard and 0 where the high-pass is. `damping`: 1 / Q.
    """
    return _FILTER, _filter(moves=True)


@in_llvm
def filter_still_frames(typingctx: Any, rows: Any, state: Any, values: Any, side: Any, damping: Any, count: Any) -> Any:
    """Do the same, to the same bits, where nothing is to be added to the values."""
    return _FILTER, _filter(moves=False)


WEIGH_STATES: Final = 4


@in_llvm
def weigh_frames(typingctx: Any, rows: Any, state: Any, factors: Any, squares: Any, count: Any) -> Any:
    """Take half of `count` rows at `rows` through two sections, and add the squares to the vector at `squares`.

    `state`: WEIGH_STATES vectors. `factors`: for each section a1, a2, tangent, and what its input, band and low weigh.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        audio, memory, numbers, sums = (builder.inttoptr(arg, FLOATS) for arg in args[:4])
        factors = _splat_all(builder, numbers, 0, 12)
        loop = Loop(
            builder, args[4], [*_load_all(builder, memory, 0, WEIGH_STATES), load_vector(builder, sums, 0, HALF)]
        )
        x = load_vector(builder, audio, loop.offset, HALF)
        sections = _Sections(builder, loop.carried[:WEIGH_STATES])
        for own in (factors[:6], factors[6:]):
            band, low = sections.run(x, own)
            x = builder.fadd(
                builder.fadd(builder.fmul(own[3], x), builder.fmul(own[4], band)), builder.fmul(own[5], low)
            )
        total = builder.fadd(loop.carried[WEIGH_STATES], builder.fmul(x, x))
        after = loop.end([*sections.after, total])
        _store_all(builder, after[:WEIGH_STATES], memory, 0)
        store_vector(builder, after[WEIGH_STATES], sums, 0)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), codegen
