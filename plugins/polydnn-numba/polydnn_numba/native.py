"""What compiled code calls and waits for: a BLAS by the address of its function, and threads that meet.

Addresses come in as numbers, not as constants of the code, so that what is compiled can be kept on disk.
"""

from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

from polydnn_numba.compiling import COMPILED

__all__ = ["APART", "NO", "YES", "gemm", "meet", "share_of"]

NO, YES = 111, 112
"""Whether CBLAS takes a matrix as it lies, or transposed."""
ROW_MAJOR = 101
ENUM = ir.IntType(32)

APART = 16
"""Places between the counters of two threads, so that none is written to a cache line that others keep looking at."""

PATIENCE = 1 << 12
"""Looks at a counter, some ten nanoseconds each, after which a thread that waits lets others have its processor."""


@intrinsic
def gemm(
    typing_context: Any, blas: Any, integer: Any, turn_a: Any, turn_b: Any, m: Any, n: Any, k: Any, alpha: Any,
    a: Any, at_a: Any, lda: Any, b: Any, at_b: Any, ldb: Any, beta: Any, c: Any, at_c: Any, ldc: Any,
) -> Any:  # fmt: skip
    """C <- alpha A B + beta C for matrices that begin somewhere in flat arrays, their rows ``ld`` apart.

    ``blas`` is the address of a ``cblas_sgemm`` or ``cblas_dgemm``, ``integer`` any number of the type of its sizes; A
    is (m, k), or lies as (k, m) where ``turn_a`` is YES. Nothing is checked.
    """
    scalar, place = c.dtype, types.intp
    sizes, matrix_a, matrix_b, matrix_c = (place,) * 3, (a, place, place), (b, place, place), (c, place, place)
    wanted = types.none(
        place, integer, place, place, *sizes, scalar, *matrix_a, *matrix_b, scalar, *matrix_c
    )  # fmt: skip

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number, size = context.get_value_type(scalar), context.get_value_type(integer)
        matrix = [number.as_pointer(), size]
        routine = ir.FunctionType(ir.VoidType(), [ENUM] * 3 + [size] * 3 + [number, *matrix, *matrix, number, *matrix])

        def fitting(value: Any, kind: Any) -> Any:
            return value if value.type == kind else builder.trunc(value, kind)

        def placed(index: int) -> list[Any]:
            array = context.make_array(signature.args[index])(context, builder, args[index])
            return [builder.gep(array.data, [args[index + 1]]), fitting(args[index + 2], size)]

        turns = [fitting(each, ENUM) for each in args[2:4]]
        extents = [fitting(each, size) for each in args[4:7]]
        builder.call(
            builder.inttoptr(args[0], routine.as_pointer()),
            [ir.Constant(ENUM, ROW_MAJOR), *turns, *extents, args[7], *placed(8), *placed(11), args[14], *placed(15)],
        )
        return context.get_dummy_value()

    return wanted, code


# ---- threads that share work, and wait for each other ----------------------------------------------------------------


@njit(**COMPILED)
def share_of(size, lanes, parts, part):
    """The part of ``size`` places that one of several sees to, in whole vectors as far as they go."""
    vectors = (size + lanes - 1) // lanes
    return min(vectors * part // parts * lanes, size), min(vectors * (part + 1) // parts * lanes, size)


@njit(**COMPILED)
def meet(counters, me, number, turn, give_way):
    """Wait until all of ``number`` threads have come here for the ``turn``-th time; what they wrote before is seen.

    ``give_way`` is the address of a function without arguments that lets other threads have the processor, or 0.
    """
    _announce(counters, me * APART, turn)
    for other in range(number):
        looks = 0
        while _announced(counters, other * APART) < turn:
            _pause()
            looks += 1
            if looks >= PATIENCE and give_way != 0:
                _call(give_way)
                looks = 0


@intrinsic
def _announce(typing_context: Any, counters: Any, index: Any, value: Any) -> Any:
    """Write a number that no other processor sees before what was written earlier."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[2], _counter(context, builder, signature, args), "release", align=8)
        return context.get_dummy_value()

    return types.none(counters, types.intp, types.int64), code


@intrinsic
def _announced(typing_context: Any, counters: Any, index: Any) -> Any:
    """Read a number anew, before anything that comes later."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_counter(context, builder, signature, args), "acquire", align=8)

    return types.int64(counters, types.intp), code


def _counter(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return builder.gep(context.make_array(signature.args[0])(context, builder, args[0]).data, [args[1]])


@intrinsic
def _pause(typing_context: Any) -> Any:
    """Tell the processor that this loop waits, where it has a word for it."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if llvmlite.binding.get_process_triple().startswith(("x86_64", "i686")):
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.none(), code


@intrinsic
def _call(typing_context: Any, address: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ENUM, [])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [])
        return context.get_dummy_value()

    return types.none(types.intp), code
