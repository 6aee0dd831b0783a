"""Filters over 8 lanes at once, in LLVM: their sections, the bipolar filter, the meter's weighting.

    row of 16 lanes (8 stereo pairs), one row a frame --> half of it --> sections --> the same rows

A section is a state-variable filter with its delay-free loop solved (Zavalishin, "The Art of VA Filter Design", 2018,
chapter 4), which stays stable however fast its cut-off moves, and is exact at low ones. One whose cut-off stands, and
is not low, may be in direct form, transposed (Smith, "Introduction to Digital Filters", CCRMA), in half the work. Lanes
never touch each other, and a frame's arithmetic is the same in any run, so the bits do not depend on block sizes.
Whoever calls runs the halves that are in use, each by itself: 8 lanes are what registers of today's processors hold.

Owner: the kernel. Units: samples linear; `count` is at least 1; rows and states are LANES floats apart.
"""

from typing import Any, Final

from llvmlite import ir
from numba.core import types

from audio.kernel.compiled import in_llvm
from audio.kernel.lane_rows import HALF
from audio.kernel.lane_stages import run_stages
from audio.kernel.lanes import (
    FLOAT,
    FLOATS,
    LANES,
    WORD,
    load_vector,
    minus_times,
    splat,
    store_vector,
    times_plus,
)

FILTER_STATES: Final = 4
FILTER_VALUES: Final = 2
"""What moves in the bipolar filter: the tangent of its cut-off, and its share of what is heard."""

HALF_VECTOR: Final = ir.VectorType(FLOAT, HALF)
_ZERO: Final = ir.Constant(HALF_VECTOR, [0.0] * HALF)
_HALF: Final = ir.Constant(HALF_VECTOR, [0.5] * HALF)
_ONE: Final = ir.Constant(HALF_VECTOR, [1.0] * HALF)
_TWO: Final = ir.Constant(HALF_VECTOR, [2.0] * HALF)


def load_all(builder: Any, base: Any, first: int, count: int) -> list[Any]:
    """Emit loads of `count` half rows, from row `first` on."""
    return [load_vector(builder, base, LANES * (first + n), HALF) for n in range(count)]


def store_all(builder: Any, vectors: list[Any], base: Any, first: int) -> None:
    """Emit stores of half rows, from row `first` on."""
    for n, vector in enumerate(vectors):
        store_vector(builder, vector, base, LANES * (first + n))


def splat_all(builder: Any, base: Any, first: int, count: int) -> list[Any]:
    """Emit `count` vectors, each of one of the floats from `first` on."""
    return [splat(builder, builder.load(builder.gep(base, [WORD(first + n)])), HALF) for n in range(count)]


def halved(builder: Any, value: Any) -> Any:
    """Emit half of `value`."""
    return builder.fmul(value, _HALF)


def section(builder: Any, x: Any, states: list[Any], factors: list[Any]) -> tuple[Any, Any, list[Any]]:
    """Emit one section; return twice its band output, its low output, and its states after the frame.

    `factors`: 2 a1, 2 a2, tangent, half of it.
    """
    first, second = states
    a1, a2, tangent, half = factors[:4]
    band = times_plus(builder, a1, first, builder.fmul(a2, builder.fsub(x, second)))
    low = times_plus(builder, half, band, second)
    return band, low, [builder.fsub(band, first), times_plus(builder, tangent, band, second)]


def direct_low(builder: Any, x: Any, states: list[Any], poles: list[Any]) -> tuple[Any, list[Any]]:
    """Emit a low-pass section in direct form, 1 / gain of it too loud; return its output and its states after.

    `poles`: what the last output weighs, and the one before it.
    """
    y = builder.fadd(x, states[0])
    first = minus_times(builder, times_plus(builder, _TWO, x, states[1]), poles[0], y)
    return y, [first, minus_times(builder, x, poles[1], y)]


def direct_all(builder: Any, x: Any, states: list[Any], poles: list[Any]) -> tuple[Any, list[Any]]:
    """Emit the all-pass with the same poles in direct form; return its output and its states after."""
    y = times_plus(builder, poles[1], x, states[0])
    first = times_plus(builder, poles[0], builder.fsub(x, y), states[1])
    return y, [first, minus_times(builder, x, poles[1], y)]


def mixed(builder: Any, dry: Any, wet: Any, share: Any) -> Any:
    """Emit what goes from `dry` to `wet` by `share`."""
    return times_plus(builder, share, builder.fsub(wet, dry), dry)


def _filter(moves: bool) -> Any:
    """Return what emits the bipolar filter; one whose values do not move has its factors found once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        audio, memory, moving, sides = (builder.inttoptr(arg, FLOATS) for arg in args[:4])
        resistance = splat(builder, args[4], HALF)
        half_resistance = halved(builder, resistance)
        is_low = builder.fcmp_ordered(">", load_vector(builder, sides, 0, HALF), _ZERO)
        states = load_all(builder, memory, 0, FILTER_STATES)
        values = load_all(builder, moving, 0, FILTER_VALUES)
        steps = load_all(builder, moving, FILTER_VALUES, FILTER_VALUES)

        def factors(tangent: Any) -> list[Any]:
            whole = times_plus(builder, tangent, builder.fadd(tangent, resistance), _ONE)
            a1 = builder.fdiv(_TWO, whole)
            return [a1, builder.fmul(tangent, a1), tangent, halved(builder, tangent)]

        def shaped(x: Any, states: list[Any], found: list[Any]) -> tuple[Any, list[Any]]:
            band, low, after = section(builder, x, states, found)
            high = builder.fsub(minus_times(builder, x, half_resistance, band), low)
            return builder.select(is_low, low, high), after

        found = [] if moves else [*factors(values[0]), values[1]]

        def first(offset: Any, given: list[Any], own: list[Any]) -> tuple[list[Any], list[Any]]:
            x = load_vector(builder, audio, offset, HALF)
            if not moves:
                wet, after = shaped(x, own, found)
                return [x, wet], after
            tangent, share = (builder.fadd(value, step) for value, step in zip(own[2:], steps, strict=True))
            now = factors(tangent)
            wet, after = shaped(x, own[:2], now)
            return [x, wet, *now, share], [*after, tangent, share]

        def second(offset: Any, given: list[Any], own: list[Any]) -> tuple[list[Any], list[Any]]:
            x, wet, *now = [*given, *found]
            wet, after = shaped(wet, own, now)
            store_vector(builder, mixed(builder, x, wet, now[4]), audio, offset)
            return [], after

        starts = [[*states[:2], *values] if moves else states[:2], states[2:]]
        after = run_stages(builder, args[5], [first, second], starts)
        store_all(builder, [*after[0][:2], *after[1]], memory, 0)
        if moves:
            store_all(builder, after[0][2:], moving, 0)
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

    `state`: WEIGH_STATES vectors. `factors`: for each section 2 a1, 2 a2, tangent, and what its input, twice its band
    and its low weigh.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        audio, memory, numbers, sums = (builder.inttoptr(arg, FLOATS) for arg in args[:4])
        sections = [splat_all(builder, numbers, 6 * n, 6) for n in range(2)]
        states = load_all(builder, memory, 0, WEIGH_STATES)
        total = load_vector(builder, sums, 0, HALF)

        def weighed(x: Any, own: list[Any], factors: list[Any]) -> tuple[Any, list[Any]]:
            a1, a2, tangent, of_x, of_band, of_low = factors
            band, low, after = section(builder, x, own, [a1, a2, tangent, halved(builder, tangent)])
            y = times_plus(builder, of_low, low, times_plus(builder, of_band, band, builder.fmul(of_x, x)))
            return y, after

        def first(offset: Any, given: list[Any], own: list[Any]) -> tuple[list[Any], list[Any]]:
            y, after = weighed(load_vector(builder, audio, offset, HALF), own, sections[0])
            return [y], after

        def second(offset: Any, given: list[Any], own: list[Any]) -> tuple[list[Any], list[Any]]:
            y, after = weighed(given[0], own[:2], sections[1])
            return [], [*after, times_plus(builder, y, y, own[2])]

        after = run_stages(builder, args[4], [first, second], [states[:2], [*states[2:], total]])
        store_all(builder, [*after[0], *after[1][:2]], memory, 0)
        store_vector(builder, after[1][2], sums, 0)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), codegen
