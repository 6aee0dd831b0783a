"""Loads and stores that other processors see in order, and typed views of raw addresses, as Numba intrinsics.

Owner: the kernel. Numba has no atomics on the CPU; LLVM has: `load acquire` and `store release` are right on x86-64
and ARM. Realtime-safe: yes, each is one machine instruction.

Pre: every address is mapped, and aligned to the size that is loaded or stored.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from audio.kernel.compiled import in_llvm


def _load(bits: int) -> Any:
    def load(typingctx: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            width = ir.IntType(bits)
            pointer = builder.inttoptr(args[0], width.as_pointer())
            value = builder.load_atomic(pointer, ordering="acquire", align=bits // 8)
            return value if bits == 64 else builder.zext(value, ir.IntType(64))

        return types.int64(types.intp), codegen

    return load


@in_llvm
def load_acquire(typingctx: Any, address: Any) -> Any:
    """Load a 64-bit word at `address`; nothing after it is loaded before."""
    return _load(64)(typingctx, address)


@in_llvm
def load_acquire_byte(typingctx: Any, address: Any) -> Any:
    """Load a byte at `address`; nothing after it is loaded before."""
    return _load(8)(typingctx, address)


@in_llvm
def store_release(typingctx: Any, address: Any, value: Any) -> Any:
    """Store a 64-bit word at `address`; nothing before it is stored after."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        builder.store_atomic(args[1], pointer, ordering="release", align=8)
        return context.get_dummy_value()

    return types.void(types.intp, types.int64), codegen


@in_llvm
def fence(typingctx: Any) -> Any:
    """Keep every load and store before this one before all that come after it."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), codegen


@in_llvm
def record_at(typingctx: Any, address: Any, record: Any) -> Any:
    """Return the record of Numba type `record` that lies at `address`."""
    kind = record.instance_type if isinstance(record, types.TypeRef) else record.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(kind))

    return kind(types.intp, record), codegen


@in_llvm
def float_at(typingctx: Any, address: Any, index: Any) -> Any:
    """Return float32 number `index` of the array at `address`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base = builder.inttoptr(args[0], ir.FloatType().as_pointer())
        return builder.load(builder.gep(base, [args[1]]))

    return types.float32(types.intp, types.intp), codegen


@in_llvm
def double_at(typingctx: Any, address: Any, index: Any) -> Any:
    """Return float64 number `index` of the array at `address`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base = builder.inttoptr(args[0], ir.DoubleType().as_pointer())
        return builder.load(builder.gep(base, [args[1]]))

    return types.float64(types.intp, types.intp), codegen


@in_llvm
def put_float(typingctx: Any, address: Any, index: Any, value: Any) -> Any:
    """Set float32 number `index` of the array at `address`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base = builder.inttoptr(args[0], ir.FloatType().as_pointer())
        builder.store(args[2], builder.gep(base, [args[1]]))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.float32), codegen


@in_llvm
def copy_bytes(typingctx: Any, target: Any, source: Any, count: Any) -> Any:
    """Copy `count` bytes from `source` to `target`; they do not overlap."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        to = builder.inttoptr(args[0], byte)
        of = builder.inttoptr(args[1], byte)
        cgutils.raw_memcpy(builder, to, of, args[2], 1)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), codegen


@in_llvm
def expect_at(typingctx: Any, address: Any) -> Any:
    """Let the processor bring the cache line at `address` near: it is read or written soon. Any address will do."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        # To be read, into every cache, data.
        builder.call(function, [builder.inttoptr(args[0], byte), word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(types.intp), codegen


@in_llvm
def as_address(typingctx: Any, pointer: Any) -> Any:
    """Return the address that a C pointer holds."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ptrtoint(args[0], ir.IntType(64))

    return types.intp(pointer), codegen


@in_llvm
def call_block(typingctx: Any, function: Any, state: Any, out: Any, frames: Any) -> Any:
    """Call the C function void(address, address, count) at address `function`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [word, word, word])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.intp), codegen
