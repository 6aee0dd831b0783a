"""Denormal numbers off, and back to how it was: they cost a hundred times as much as others and cannot be heard.

Owner: the kernel, for the length of one block. x86-64: MXCSR bits 15 (flush to zero) and 6 (denormals are zero);
ARM: FPCR bit 24 (flush to zero). Elsewhere nothing is done.
"""

import platform
from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils, types

from audio.kernel.compiled import in_llvm

_MACHINE: Final = platform.machine().lower()
_X86: Final = _MACHINE in ("x86_64", "amd64", "i686", "i386")
_ARM: Final = _MACHINE in ("aarch64", "arm64")


def _x86_word(context: Any, builder: Any) -> Any:
    return cgutils.alloca_once(builder, ir.IntType(32))


def _call(builder: Any, name: str, pointer: Any) -> None:
    byte = ir.IntType(8).as_pointer()
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), [byte]), name)
    builder.call(function, [builder.bitcast(pointer, byte)])


@in_llvm
def float_mode(typingctx: Any) -> Any:
    """Return the processor's floating-point control word."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _X86:
            word = _x86_word(context, builder)
            _call(builder, "llvm.x86.sse.stmxcsr", word)
            return builder.zext(builder.load(word), ir.IntType(64))
        if _ARM:
            kind = ir.FunctionType(ir.IntType(64), [])
            return builder.call(ir.InlineAsm(kind, "mrs $0, fpcr", "=r", side_effect=True), [])
        return ir.Constant(ir.IntType(64), 0)

    return types.int64(), codegen


@in_llvm
def set_float_mode(typingctx: Any, mode: Any) -> Any:
    """Set the processor's floating-point control word."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _X86:
            word = _x86_word(context, builder)
            builder.store(builder.trunc(args[0], ir.IntType(32)), word)
            _call(builder, "llvm.x86.sse.ldmxcsr", word)
        elif _ARM:
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)])
            builder.call(ir.InlineAsm(kind, "msr fpcr, $0", "r", side_effect=True), [args[0]])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


FLUSH: Final = 0x8040 if _X86 else (1 << 24 if _ARM else 0)
"""Bits that flush denormals."""
EXCEPTIONS: Final = 0x3F if _X86 else 0
"""Sticky exception flags, cleared when the mode is put back, so that the caller sees none of ours."""
