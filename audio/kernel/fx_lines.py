"""The reverb's delay lines eight frames at once, in LLVM: the same bits as a frame at a time.

    8 taps x 8 frames --turned--> 8 frames x 8 lines --> low-pass, frame by frame --turned back--> matrix --> 8 lines

No delay is shorter than eight frames, so no frame of a group reads what another of it writes; the low-passes alone
go frame by frame, all lines beside each other.

Owner: the kernel. Units: samples linear. Pre: what a group reads and writes of a ring lies in one piece.
"""

from typing import Any, Final

from llvmlite import ir
from numba.core import types

from audio.kernel.compiled import in_llvm
from audio.kernel.lanes import FLOAT, FLOATS, WORD, Loop, load_vector, splat, store_vector, turned

LINES: Final = 8
GROUP: Final = 8
"""Frames taken at once."""

_ZERO: Final = ir.Constant(ir.VectorType(FLOAT, GROUP), [0.0] * GROUP)


def _mixed(builder: Any, lines: list[Any]) -> list[Any]:
    """Emit Hadamard's matrix over eight vectors, but for its scale."""
    for span in (1, 2, 4):
        mixed = list(lines)
        for n in range(LINES):
            if not n & span:
                mixed[n] = builder.fadd(lines[n], lines[n + span])
                mixed[n + span] = builder.fsub(lines[n], lines[n + span])
        lines = mixed
    return lines


@in_llvm
def diffuse_groups(typingctx: Any, audio: Any, old: Any, new: Any, share: Any, groups: Any) -> Any:
    """Take 8 x `groups` frames at `audio` through an all-pass whose ring is read at `old` and written at `new`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sound, past, kept = (builder.inttoptr(arg, FLOATS) for arg in args[:3])
        part = splat(builder, args[3], GROUP)
        loop = Loop(builder, args[4], [], GROUP)
        heard = load_vector(builder, past, loop.offset, GROUP)
        keeps = builder.fadd(load_vector(builder, sound, loop.offset, GROUP), builder.fmul(part, heard))
        store_vector(builder, keeps, kept, loop.offset)
        store_vector(builder, builder.fsub(heard, builder.fmul(part, keeps)), sound, loop.offset)
        loop.end([])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.float32, types.intp), codegen


@in_llvm
def line_groups(
    typingctx: Any, left: Any, right: Any, memory: Any, room: Any, place: Any, delays: Any, state: Any, decay: Any,
    tone: Any, level: Any, scale: Any, groups: Any,
) -> Any:  # fmt: skip
    """Take 8 x `groups` frames through the lines: what they are fed lies at `left` and `right`, as what is heard will.

    `memory`: LINES rings of `room` samples, a power of two; `place`: where the next frame is written; `delays`: LINES
    words; `state` and `decay`: LINES floats each; `tone`: share of the low-passes; `level` of what goes in and comes
    out; `scale` of the matrix.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sides = [builder.inttoptr(arg, FLOATS) for arg in args[:2]]
        base, room, place = builder.inttoptr(args[2], FLOATS), args[3], args[4]
        words = builder.inttoptr(args[5], WORD.as_pointer())
        kept, losses = builder.inttoptr(args[6], FLOATS), builder.inttoptr(args[7], FLOATS)
        share, level, scale = (splat(builder, arg, LINES) for arg in args[8:11])
        is_open = builder.fcmp_ordered("==", args[8], ir.Constant(FLOAT, 1.0))
        decay = load_vector(builder, losses, 0, LINES)
        last = builder.sub(room, WORD(1))
        taps, feeds = [], []
        for line in range(LINES):
            ring = builder.gep(base, [builder.mul(room, WORD(line))])
            delay = builder.load(builder.gep(words, [WORD(line)]))
            taps.append(builder.gep(ring, [builder.and_(builder.sub(place, delay), last)]))
            feeds.append(builder.gep(ring, [builder.and_(place, last)]))
        loop = Loop(builder, args[11], [load_vector(builder, kept, 0, LINES)], GROUP)
        heard = [load_vector(builder, tap, loop.offset, GROUP) for tap in taps]
        fed = [builder.fmul(load_vector(builder, side, loop.offset, GROUP), level) for side in sides]
        for channel, side in enumerate(sides):
            total = builder.fsub(builder.fadd(_ZERO, heard[channel]), heard[channel + 2])
            total = builder.fsub(builder.fadd(total, heard[channel + 4]), heard[channel + 6])
            store_vector(builder, builder.fmul(total, level), side, loop.offset)
        low = loop.carried[0]
        frames = []
        for frame in turned(builder, heard):
            follows = builder.fadd(low, builder.fmul(share, builder.fsub(frame, low)))
            low = builder.select(is_open, frame, follows)
            frames.append(builder.fmul(low, decay))
        for line, mixed in enumerate(_mixed(builder, turned(builder, frames))):
            store_vector(builder, builder.fadd(fed[line & 1], builder.fmul(scale, mixed)), feeds[line], loop.offset)
        (low,) = loop.end([low])
        store_vector(builder, low, kept, 0)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 8, *[types.float32] * 3, types.intp), codegen
