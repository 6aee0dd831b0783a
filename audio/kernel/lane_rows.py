"""Rows of lanes: eight channels, each a row of frames, turned into rows of eight lanes, one a frame, and back.

    channel 0  ---- frames --->            frame 0: lanes 0 to 7
    ...                          <-------> ...
    channel 7  ---- frames --->            frame n: lanes 0 to 7

Owner: the kernel. Lanes 2 p and 2 p + 1 are pair p. Groups of eight frames are turned as a whole: whoever calls has
room for the last of them, and what lies there comes back as it was.
Units: samples linear; strides in floats.
"""

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba.core import types

from audio.kernel.compiled import in_llvm
from audio.kernel.lanes import FLOAT, FLOATS, LANES, WORD, Loop, load_vector, size, store_vector, turned

HALF: Final = LANES // 2
"""Lanes that are turned, and filtered, at once."""
TOO_LOUD: Final = np.float32(1e6)
"""What is not below this is no sound and counts as silence."""

_VECTOR: Final = ir.VectorType(FLOAT, HALF)
_ZERO: Final = ir.Constant(_VECTOR, [0.0] * HALF)
_LIMIT: Final = ir.Constant(_VECTOR, [float(TOO_LOUD)] * HALF)
_TURN: Final = types.void(*[types.intp] * 6)


def _channels(builder: Any, base: Any, pair_stride: Any, row_stride: Any, pairs: Any) -> list[tuple[Any, Any]]:
    """Emit where each channel begins, and whether its pair is in `pairs`."""
    found = []
    for lane in range(HALF):
        pair, side = divmod(lane, 2)
        offset = builder.add(builder.mul(pair_stride, WORD(pair)), builder.mul(row_stride, WORD(side)))
        used = builder.icmp_signed("!=", builder.and_(pairs, WORD(1 << pair)), WORD(0))
        found.append((builder.gep(base, [offset]), used))
    return found


@in_llvm
def gather_half(
    typingctx: Any, rows: Any, base: Any, pair_stride: Any, row_stride: Any, pairs: Any, groups: Any
) -> Any:  # fmt: skip
    """Turn 8 x `groups` (at least 1) frames of four pairs of channels at `base` into half the lanes at `rows`.

    Pairs that have no bit in `pairs`, and what is no sound, come out silent.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes, base = (builder.inttoptr(arg, FLOATS) for arg in args[:2])
        channels = _channels(builder, base, *args[2:5])
        loop = Loop(builder, args[5], [], HALF)
        taken = []
        for channel, used in channels:
            x = load_vector(builder, channel, loop.offset, HALF)
            clean = builder.select(builder.fcmp_ordered("<", size(builder, x), _LIMIT), x, _ZERO)
            taken.append(builder.select(used, clean, _ZERO))
        first = builder.gep(lanes, [builder.mul(loop.offset, WORD(LANES))])
        for n, frame in enumerate(turned(builder, taken)):
            store_vector(builder, frame, first, LANES * n)
        loop.end([])
        return context.get_dummy_value()

    return _TURN, codegen


@in_llvm
def scatter_half(
    typingctx: Any, rows: Any, base: Any, pair_stride: Any, row_stride: Any, pairs: Any, groups: Any
) -> Any:  # fmt: skip
    """Turn half the lanes at `rows` back into the channels at `base` whose pairs have a bit in `pairs`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes, base = (builder.inttoptr(arg, FLOATS) for arg in args[:2])
        channels = _channels(builder, base, *args[2:5])
        loop = Loop(builder, args[5], [], HALF)
        first = builder.gep(lanes, [builder.mul(loop.offset, WORD(LANES))])
        frames = [load_vector(builder, first, LANES * n, HALF) for n in range(HALF)]
        for (channel, used), back in zip(channels, turned(builder, frames), strict=True):
            kept = load_vector(builder, channel, loop.offset, HALF)
            store_vector(builder, builder.select(used, back, kept), channel, loop.offset)
        loop.end([])
        return context.get_dummy_value()

    return _TURN, codegen
