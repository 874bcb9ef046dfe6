"""Vectors of 64 bytes for compiled code: 16 numbers of float32 or 8 of float64, worked on side by side.

What numba compiles loop by loop is vectorized where LLVM can prove that arrays do not overlap, which it seldom can. A
vector as a value of its own needs no proof: ``load`` and ``store`` move it, and the operators and functions below
become one or two instructions each. Every operation rounds as IEEE 754 says, so that NaN and infinity travel as they do
through NumPy; a product and a sum may be fused into one rounding, no sum is reordered. ``total`` adds by halves.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic, models, overload, register_model

__all__ = [
    "BYTES",
    "add_totals",
    "copy_sign",
    "exponent",
    "keep",
    "lanes_of",
    "load",
    "mantissa",
    "peak",
    "polynomial",
    "power_of_two",
    "select_eq",
    "select_le",
    "select_lt",
    "splat",
    "sqrt",
    "store",
    "total",
]

BYTES = 64
FUSED = ("contract",)


class Lanes(types.Type):
    """A vector of the numbers that an array of ``scalar`` holds."""

    def __init__(self, scalar: Any) -> None:
        self.scalar = scalar
        self.count = BYTES * 8 // scalar.bitwidth
        super().__init__(name=f"Lanes({scalar})")


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Lanes) -> None:
        super().__init__(manager, kind, ir.VectorType(manager.lookup(kind.scalar).get_value_type(), kind.count))


# ---- building blocks of the generated code -------------------------------------------------------------------------


def _splat(builder: Any, vector: ir.VectorType, scalar: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    place = ir.Constant(ir.IntType(32), 0)
    one = builder.insert_element(undefined, scalar, place)
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None))


def _as_lanes(context: Any, builder: Any, value: Any, kind: Any, wanted: Lanes) -> Any:
    """A value of type ``kind``, a vector or a number, as a vector."""
    if isinstance(kind, Lanes):
        return value
    return _splat(builder, context.get_value_type(wanted), context.cast(builder, value, kind, wanted.scalar))


def _lanes_among(*kinds: Any) -> Lanes:
    return next(kind for kind in kinds if isinstance(kind, Lanes))


def _integers(vector: ir.VectorType) -> ir.VectorType:
    return ir.VectorType(ir.IntType(BYTES * 8 // vector.count), vector.count)


def _constant(vector: ir.VectorType, value: Any) -> Any:
    return ir.Constant(vector, [value] * vector.count)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(data, [index])


def lanes_of(array: Any) -> int:
    """How many numbers of an array make a vector: for compiled code a constant, where itemsize would be looked up."""
    return BYTES // int(array.itemsize)


@overload(lanes_of, strict=False)  # annotations and all, its signature is not that of the lambda
def _constant_lanes(array: Any) -> Any:
    count = Lanes(array.dtype).count
    return lambda array: count


# ---- memory --------------------------------------------------------------------------------------------------------


@intrinsic
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """The vector that begins at ``array[index]``; no bound is checked, and a negative index is none."""
    wanted = Lanes(array.dtype)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *args)
        vector = context.get_value_type(wanted)
        return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=array.dtype.bitwidth // 8)

    return wanted(array, types.intp), code


@intrinsic
def store(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write a vector, or a number into all its places, from ``array[index]`` on."""
    wanted = Lanes(array.dtype)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *args[:2])
        vector = _as_lanes(context, builder, args[2], signature.args[2], wanted)
        builder.store(vector, builder.bitcast(pointer, vector.type.as_pointer()), align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, types.intp, value), code


@intrinsic
def splat(typing_context: Any, array: Any, index: Any) -> Any:
    """A vector of the one number ``array[index]``; no bound is checked."""
    wanted = Lanes(array.dtype)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *args)
        return _splat(builder, context.get_value_type(wanted), builder.load(pointer))

    return wanted(array, types.intp), code


# ---- arithmetic ----------------------------------------------------------------------------------------------------


def _arithmetic(symbol: Callable[..., Any], instruction: str) -> None:
    """Teach ``symbol`` to take two vectors, or a vector and a number."""

    @intrinsic
    def compute(typing_context: Any, a: Any, b: Any) -> Any:
        wanted = _lanes_among(a, b)

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            both = [_as_lanes(context, builder, *pair, wanted) for pair in zip(args, signature.args, strict=True)]
            return getattr(builder, instruction)(*both, flags=FUSED)

        return wanted(a, b), code

    @overload(symbol, strict=False)  # annotations and all, its signature is not that of the lambda
    def taught(a: Any, b: Any) -> Any:
        if isinstance(a, Lanes) or isinstance(b, Lanes):
            return lambda a, b: compute(a, b)
        return None


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_symbol, _instruction)


def _selection(comparison: str) -> Any:
    @intrinsic
    def select(typing_context: Any, a: Any, b: Any, yes: Any, no: Any) -> Any:
        wanted = _lanes_among(a, b, yes, no)

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            four = [_as_lanes(context, builder, *pair, wanted) for pair in zip(args, signature.args, strict=True)]
            return builder.select(builder.fcmp_ordered(comparison, *four[:2]), *four[2:])

        return wanted(a, b, yes, no), code

    return select


select_le = _selection("<=")
"""``select_le(a, b, yes, no)``: ``yes`` where a <= b, else ``no``, also where one of the two is NaN."""
select_lt = _selection("<")
select_eq = _selection("==")


def _library(name: str, arguments: int) -> Any:
    """A function that LLVM has for vectors."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = args[0].type
        full_name = f"{name}.v{vector.count}f{BYTES * 8 // vector.count}"
        kind = ir.FunctionType(vector, [vector] * arguments)
        return builder.call(get_or_insert_function(builder.module, kind, full_name), args)

    if arguments == 1:
        return intrinsic(lambda typing_context, a: (a(a), code))
    return intrinsic(lambda typing_context, a, b: (a(a, b), code))


sqrt = _library("llvm.sqrt", 1)
copy_sign = _library("llvm.copysign", 2)
"""``copy_sign(a, b)``: the size of a with the sign of b."""


@intrinsic
def keep(typing_context: Any, value: Any, count: Any) -> Any:
    """The first ``count`` numbers of a vector, and zeros after them."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = args[0].type
        numbers = ir.VectorType(ir.IntType(64), vector.count)
        places = ir.Constant(numbers, list(range(vector.count)))
        inside = builder.icmp_signed("<", places, _splat(builder, numbers, args[1]))
        return builder.select(inside, args[0], _constant(vector, 0.0))

    return value(value, types.int64), code


# ---- from a vector to a number -------------------------------------------------------------------------------------


def _by_halves(builder: Any, value: Any, join: Callable[[Any, Any], Any]) -> Any:
    count = value.type.count
    while count > 1:
        count //= 2
        undefined = ir.Constant(value.type, ir.Undefined)
        halves = [
            builder.shuffle_vector(value, undefined, ir.Constant(ir.VectorType(ir.IntType(32), count), list(places)))
            for places in (range(count), range(count, 2 * count))
        ]
        value = join(*halves)
    return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))


@intrinsic
def total(typing_context: Any, value: Any) -> Any:
    """The sum of a vector's numbers."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _by_halves(builder, args[0], builder.fadd)

    return value.scalar(value), code


def _fold(builder: Any, a: Any, b: Any, segment: int) -> Any:
    """Every ``segment`` long segment of one vector, or of two in a row, folded onto its first half."""
    size = a.type.count if b is None else 2 * a.type.count
    first = [start + place for start in range(0, size, segment) for place in range(segment // 2)]
    kind = ir.VectorType(ir.IntType(32), len(first))
    other = ir.Constant(a.type, ir.Undefined) if b is None else b
    masks = ([place + shift for place in first] for shift in (0, segment // 2))
    return builder.fadd(*(builder.shuffle_vector(a, other, ir.Constant(kind, mask)) for mask in masks))


def _four_totals(builder: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """The sums of four vectors, each by halves as ``total`` takes it, in a third of its instructions."""
    segment = a.type.count
    value = _fold(builder, _fold(builder, a, b, segment), _fold(builder, c, d, segment), segment // 2)
    segment //= 4
    while segment > 1:
        value = _fold(builder, value, None, segment)
        segment //= 2
    return value


@intrinsic
def add_totals(typing_context: Any, array: Any, index: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Add the sums of four vectors to ``array[index]`` and the three after it; no bound is checked."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums = _four_totals(builder, *args[2:])
        pointer = _pointer(context, builder, signature.args[0], *args[:2])
        place = builder.bitcast(pointer, sums.type.as_pointer())
        align = array.dtype.bitwidth // 8
        builder.store(builder.fadd(builder.load(place, align=align), sums), place, align=align)
        return context.get_dummy_value()

    return types.none(array, types.intp, a, b, c, d), code


@intrinsic
def peak(typing_context: Any, value: Any) -> Any:
    """The largest of a vector's numbers; NaN may be passed over."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _by_halves(builder, args[0], lambda a, b: builder.select(builder.fcmp_ordered("<", a, b), b, a))

    return value.scalar(value), code


# ---- the bits of a number ------------------------------------------------------------------------------------------

MANTISSA = {32: 23, 64: 52}
BIAS = {32: 127, 64: 1023}
ROOT_HALF = {32: 0x3F3504F3, 64: 0x3FE6A09E667F3BCD}
"""The bits of sqrt(1/2)."""


def _bits(code_of: Callable[[Any, Any, int], Any]) -> Any:
    """An intrinsic on a vector's bits: ``code_of(builder, integers, width)`` gives the vector of the result."""

    @intrinsic
    def of(typing_context: Any, value: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = args[0].type
            result = code_of(builder, builder.bitcast(args[0], _integers(vector)), value.scalar.bitwidth)
            if isinstance(result, tuple):
                return builder.sitofp(result[0], vector)
            return builder.bitcast(result, vector)

        return value(value), code

    return of


def _power(builder: Any, bits: Any, width: int) -> Any:
    shifted = builder.shl(bits, _constant(bits.type, MANTISSA[width]))
    return builder.add(shifted, _constant(bits.type, BIAS[width] << MANTISSA[width]))


def _steps_of_two(builder: Any, bits: Any, width: int) -> Any:
    above = builder.sub(bits, _constant(bits.type, ROOT_HALF[width]))
    return builder.ashr(above, _constant(bits.type, MANTISSA[width]))


def _near_one(builder: Any, bits: Any, width: int) -> Any:
    steps = _steps_of_two(builder, bits, width)
    return builder.sub(bits, builder.shl(steps, _constant(bits.type, MANTISSA[width])))


power_of_two = _bits(_power)
"""2^n for a vector that holds n in its lowest bits, as n + 1.5 * 2^mantissa bits does."""
exponent = _bits(lambda builder, bits, width: (_steps_of_two(builder, bits, width),))
"""The whole number e for which a positive v is ``mantissa(v)`` * 2^e."""
mantissa = _bits(_near_one)
"""A positive v brought by a power of two between sqrt(1/2) and sqrt(2)."""


def polynomial(short: Sequence[float], long: Sequence[float]) -> Any:
    """c_0 + c_1 v + c_2 v^2 ... by Horner's rule, with the coefficients ``short`` in float32, ``long`` in float64."""

    @intrinsic
    def evaluate(typing_context: Any, value: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            coefficients = short if value.scalar.bitwidth == 32 else long
            vector = args[0].type
            result = _constant(vector, coefficients[-1])
            for coefficient in reversed(coefficients[:-1]):
                product = builder.fmul(result, args[0], flags=FUSED)
                result = builder.fadd(product, _constant(vector, coefficient), flags=FUSED)
            return result

        return value(value), code

    return evaluate
