"""The isolator of three bands over 8 lanes at once, in LLVM.

    x -- split at the first crossover --> low ----------------> all-pass of the second --> x low gain --.
              '--> rest -- split at the second crossover --> middle ------------> x middle gain ---+-> y
                                          '---------------> high ---------------> x high gain ----'

A split is a Linkwitz-Riley crossover of eighth order: low = two Butterworth low-passes of fourth order in a row, high
= the all-pass with the poles of one of them, minus low. So low + high is that all-pass, and all bands up are flat. The
first crossover is low and made of state-variable sections throughout; of the second only the section that makes
low-pass and all-pass in one is, the others are in direct form. The isolator goes through a run twice: once for the
first crossover and what is below it, once for the second.

Owner: the kernel. Units: samples linear; `count` is at least 1; rows and states are LANES floats apart.
"""

from math import pi, tan
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba.core import types

from audio.kernel.compiled import in_llvm
from audio.kernel.lane_filters import direct_all, direct_low, halved, load_all, mixed, section, splat_all, store_all
from audio.kernel.lane_rows import HALF
from audio.kernel.lane_stages import Stage, run_stages
from audio.kernel.lanes import FLOATS, load_vector, minus_times, store_vector, times_plus

CROSSOVERS_HZ: Final = (200.0, 2500.0)
"""Where low ends and high begins."""
SECTIONS: Final = 12
"""Sections of the isolator: five for each split, two for the all-pass of the low band."""
EQ_STATES: Final = 2 * SECTIONS
EQ_VALUES: Final = 4
"""What moves in the isolator: the gains of low, middle and high, and its share of what is heard."""
FACTORS: Final = 7
"""Of a pair of poles: 2 a1, 2 a2, tangent, damping as the all-pass weighs it; gain and poles of the direct form."""

_BUTTERWORTH: Final = (0.5411961, 1.3065630)
"""Q of the two sections of a Butterworth filter of fourth order: the wide one and the narrow one."""
_SPLIT: Final = 10
"""States of a split."""


def crossover_factors(rate: int) -> npt.NDArray[np.float32]:
    """Return the factors of `eq_frames` at `rate` Hz, float32 (2, 2, FACTORS): of each crossover, wide then narrow."""
    found = []
    for hertz in CROSSOVERS_HZ:
        tangent = tan(pi * hertz / rate)
        square = tangent * tangent
        for q in _BUTTERWORTH:
            whole = 1.0 + tangent / q + square
            direct = square / whole, 2.0 * (square - 1.0) / whole, (1.0 - tangent / q + square) / whole
            found.append((2.0 / whole, 2.0 * tangent / whole, tangent, 1.0 / q, *direct))
    return np.array(found, np.float32).reshape(2, 2, FACTORS)


class _Poles:
    """What is made of a pair of poles."""

    def __init__(self, builder: Any, numbers: Any, which: int) -> None:
        factors = splat_all(builder, numbers, FACTORS * which, FACTORS)
        self._builder = builder
        self._section = [*factors[:3], halved(builder, factors[2])]
        self._damping = factors[3]
        self.gain = factors[4]
        self._direct = factors[5:]

    def both(self, x: Any, own: list[Any]) -> tuple[Any, Any, list[Any]]:
        """Emit low-pass and all-pass in one."""
        band, low, after = section(self._builder, x, own, self._section)
        return low, minus_times(self._builder, x, self._damping, band), after

    def low(self, x: Any, own: list[Any]) -> tuple[Any, list[Any]]:
        """Emit a low-pass."""
        _, low, after = section(self._builder, x, own, self._section)
        return low, after

    def all_pass(self, x: Any, own: list[Any]) -> tuple[Any, list[Any]]:
        """Emit an all-pass."""
        _, through, after = self.both(x, own)
        return through, after

    def direct_low(self, x: Any, own: list[Any]) -> tuple[Any, list[Any]]:
        """Emit a low-pass in direct form, which `gain` has to follow."""
        return direct_low(self._builder, x, own, self._direct)

    def direct_all(self, x: Any, own: list[Any]) -> tuple[Any, list[Any]]:
        """Emit an all-pass in direct form."""
        return direct_all(self._builder, x, own, self._direct)


def _begin_split(builder: Any, source: Any, wide: Any, low_narrow: Any, all_narrow: Any, low_wide: Any) -> list[Stage]:
    """Return the stages of a split but for the last; they hand on what is below, one section short, and the all-pass.

    States: wide; narrow low-pass, narrow all-pass; wide.
    """

    def first(offset: Any, given: list[Any], own: list[Any]) -> tuple[list[Any], list[Any]]:
        low, through, after = wide(load_vector(builder, source, offset, HALF), own)
        return [low, through], after

    def second(offset: Any, given: list[Any], own: list[Any]) -> tuple[list[Any], list[Any]]:
        low, after_low = low_narrow(given[0], own[:2])
        through, after_through = all_narrow(given[1], own[2:])
        return [low, through], after_low + after_through

    def third(offset: Any, given: list[Any], own: list[Any]) -> tuple[list[Any], list[Any]]:
        low, after = low_wide(given[0], own)
        return [low, given[1]], after

    return [first, second, third]


def _split_states(builder: Any, memory: Any, first: int) -> list[list[Any]]:
    """Return the states of a split, by stage."""
    states = load_all(builder, memory, first, _SPLIT)
    return [states[:2], states[2:6], states[6:8], states[8:]]


def _emit_low(builder: Any, memory: Any, audio: Any, below: Any, above: Any, poles: list[_Poles], count: Any) -> None:
    """Emit the first split and the all-pass of what is below it."""
    wide, narrow, next_wide, next_narrow = poles

    def fourth(offset: Any, given: list[Any], own: list[Any]) -> tuple[list[Any], list[Any]]:
        low, after = narrow.low(given[0], own)
        store_vector(builder, builder.fsub(given[1], low), above, offset)
        return [low], after

    def fifth(offset: Any, given: list[Any], own: list[Any]) -> tuple[list[Any], list[Any]]:
        low, after = next_wide.direct_all(given[0], own)
        return [low], after

    def sixth(offset: Any, given: list[Any], own: list[Any]) -> tuple[list[Any], list[Any]]:
        low, after = next_narrow.direct_all(given[0], own)
        store_vector(builder, low, below, offset)
        return [], after

    stages = _begin_split(builder, audio, wide.both, narrow.low, narrow.all_pass, wide.low)
    ends = load_all(builder, memory, 2 * _SPLIT, EQ_STATES - 2 * _SPLIT)
    states = [*_split_states(builder, memory, 0), ends[:2], ends[2:]]
    after = run_stages(builder, count, [*stages, fourth, fifth, sixth], states)
    store_all(builder, [value for own in after[:4] for value in own], memory, 0)
    store_all(builder, after[4] + after[5], memory, 2 * _SPLIT)


def _emit_high(
    builder: Any, memory: Any, moving: Any, audio: Any, below: Any, above: Any, poles: list[_Poles], count: Any,
    moves: bool,
) -> None:  # fmt: skip
    """Emit the second split, and the sum of the bands."""
    _, _, wide, narrow = poles
    scale = builder.fmul(builder.fmul(narrow.gain, wide.gain), narrow.gain)
    values = load_all(builder, moving, 0, EQ_VALUES)
    steps = load_all(builder, moving, EQ_VALUES, EQ_VALUES)

    def fourth(offset: Any, given: list[Any], own: list[Any]) -> tuple[list[Any], list[Any]]:
        low, after = narrow.direct_low(given[0], own[:2])
        middle = builder.fmul(low, scale)
        high = builder.fsub(given[1], middle)
        gains = values
        if moves:
            gains = [builder.fadd(gain, step) for gain, step in zip(own[2:], steps, strict=True)]
        low = load_vector(builder, below, offset, HALF)
        wet = times_plus(builder, gains[1], middle, builder.fmul(gains[0], low))
        wet = times_plus(builder, gains[2], high, wet)
        dry = load_vector(builder, audio, offset, HALF)
        store_vector(builder, mixed(builder, dry, wet, gains[3]), audio, offset)
        return [], after + gains if moves else after

    stages = _begin_split(builder, above, wide.both, narrow.direct_low, narrow.direct_all, wide.direct_low)
    states = _split_states(builder, memory, _SPLIT)
    if moves:
        states[3] += values
    after = run_stages(builder, count, [*stages, fourth], states)
    store_all(builder, [*after[0], *after[1], *after[2], *after[3][:2]], memory, _SPLIT)
    store_all(builder, after[3][2:], moving, 0)


def _isolator(moves: bool) -> Any:
    """Return what emits the isolator; one whose gains do not move keeps them."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        audio, memory, moving, numbers, below, above = (builder.inttoptr(arg, FLOATS) for arg in args[:6])
        poles = [_Poles(builder, numbers, which) for which in range(4)]
        _emit_low(builder, memory, audio, below, above, poles, args[6])
        _emit_high(builder, memory, moving, audio, below, above, poles, args[6], moves)
        return context.get_dummy_value()

    return codegen


_ISOLATOR: Final = types.void(*[types.intp] * 7)


@in_llvm
def eq_frames(
    typingctx: Any, rows: Any, state: Any, values: Any, factors: Any, lows: Any, rests: Any, count: Any
) -> Any:
    """Take half of `count` rows at `rows` through the isolator, in place.

    `state`: EQ_STATES vectors. `values`: EQ_VALUES vectors, then as many that are added to them before each frame.
    `factors`: `crossover_factors`. `lows`, `rests`: room for as many rows each.
    """
    return _ISOLATOR, _isolator(moves=True)


@in_llvm
def eq_still_frames(
    typingctx: Any, rows: Any, state: Any, values: Any, factors: Any, lows: Any, rests: Any, count: Any
) -> Any:
    """Do the same, to the same bits, where nothing is to be added to the values."""
    return _ISOLATOR, _isolator(moves=False)
