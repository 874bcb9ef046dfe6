"""A stand-in for the cublasLt library: it believes only what it is told through descriptors, and computes with NumPy.

Matrices are column-major with leading dimensions; every rule of the real library that can be checked here is.
"""

import ctypes
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

__all__ = ["PretendedCublasLt", "columns_of"]

DTYPES = {0: np.float32, 1: np.float64}
COMPUTES = {68: np.float32, 77: np.float32, 70: np.float64}
WIDTHS = {2: ctypes.c_int32, 3: ctypes.c_int32, 4: ctypes.c_int32, 7: ctypes.c_uint32, 8: ctypes.c_uint64}
WIDTHS |= {11: ctypes.c_uint64, 12: ctypes.c_int64}
TRANSA, TRANSB, POINTER_MODE, EPILOGUE, BIAS, AUX, AUX_LD = 3, 4, 2, 7, 8, 11, 12
EPILOGUES = {1, 4, 6, 134, 136, 152, 256}


def columns_of(pointer: int, rows: int, columns: int, stride: int, dtype: Any) -> np.ndarray[Any, Any]:
    """The column-major matrix at an address."""
    size = np.dtype(dtype).itemsize
    raw = (ctypes.c_char * (((columns - 1) * stride + rows) * size)).from_address(pointer)
    return np.ndarray((rows, columns), dtype, buffer=raw, strides=(size, stride * size))


class PretendedCublasLt:
    """Functions of the library that ``cublaslt`` calls.

    ``queue(work)`` is asked to run a product, or to record it. ``refused`` are pointer modes that the heuristic knows
    no algorithm for.
    """

    def __init__(self, queue: Callable[[Callable[[], None]], None] = lambda work: work(), refused: int = -1) -> None:
        self.made: dict[int, Any] = {}
        self.products: list[tuple[int, int, int]] = []
        self._queue, self._refused = queue, refused
        for name in [each for each in dir(self) if each.startswith("call_")]:
            setattr(self, f"cublasLt{name.removeprefix('call_')}", _plain(getattr(self, name)))

    def _make(self, reference: Any, **fields: Any) -> int:
        number = 1000 + len(self.made)
        self.made[number] = SimpleNamespace(**fields)
        reference._obj.value = number
        return 0

    def call_GetVersion(self) -> int:
        return 130100

    def call_Create(self, reference: Any) -> int:
        return self._make(reference, kind="handle")

    def call_Destroy(self, handle: Any) -> int:
        return self._destroy(handle)

    def call_MatmulDescDestroy(self, item: Any) -> int:
        return self._destroy(item)

    def call_MatrixLayoutDestroy(self, item: Any) -> int:
        return self._destroy(item)

    def call_MatmulPreferenceDestroy(self, item: Any) -> int:
        return self._destroy(item)

    def _destroy(self, item: Any) -> int:
        self.made[item.value].gone = True
        return 0

    def call_MatmulDescCreate(self, reference: Any, compute: int, scale: int) -> int:
        assert COMPUTES[compute] is DTYPES[scale]
        return self._make(reference, kind="description", compute=compute, scale=DTYPES[scale], attributes={})

    def call_MatmulDescSetAttribute(self, item: Any, number: int, reference: Any, size: int) -> int:
        value = reference._obj
        assert type(value) is WIDTHS[number]
        assert size == ctypes.sizeof(WIDTHS[number])
        self.made[item.value].attributes[number] = value.value
        return 0

    def call_MatrixLayoutCreate(self, reference: Any, kind: int, rows: int, columns: int, stride: int) -> int:
        assert stride >= rows > 0
        return self._make(reference, kind="layout", dtype=DTYPES[kind], rows=rows, columns=columns, stride=stride)

    def call_MatmulPreferenceCreate(self, reference: Any) -> int:
        return self._make(reference, kind="preference")

    def call_MatmulPreferenceSetAttribute(self, item: Any, number: int, reference: Any, size: int) -> int:
        assert (number, size) == (1, 8)
        self.made[item.value].workspace = reference._obj.value
        return 0

    def call_MatmulAlgoGetHeuristic(
        self,
        handle: Any,
        item: Any,
        a: Any,
        b: Any,
        c: Any,
        d: Any,
        preference: Any,
        wanted: int,
        found: Any,
        count: Any,
    ) -> int:
        assert self.made[preference.value].workspace > 0
        description = self.made[item.value]
        self._check(description, *(self.made[each.value] for each in (a, b, c, d)))
        if description.attributes.get(POINTER_MODE, 0) == self._refused:
            return 15
        for number in range(2):
            found[number].algorithm.data[0] = 7 + number
            found[number].state = 0
        count._obj.value = 2
        assert wanted >= 2
        return 0

    def call_Matmul(self, handle: Any, item: Any, *rest: Any) -> int:
        alpha, a, a_layout, b, b_layout, beta, c, c_layout, d, d_layout, algorithm, workspace, size, stream = rest
        assert algorithm._obj.data[0] in (7, 8)
        assert workspace
        assert size
        assert stream
        assert (c, c_layout) == (d, d_layout)
        description = self.made[item.value]
        layouts = [self.made[each.value] for each in (a_layout, b_layout, c_layout, d_layout)]
        m, n, k = self._check(description, *layouts)
        self.products.append((m, n, k))
        on_device = description.attributes.get(POINTER_MODE, 0) == 1
        scalars = None if on_device else (_number(alpha, description), _number(beta, description))

        def work() -> None:
            given = scalars or (_number(alpha, description), _number(beta, description))
            _multiply(description, (a, b, d), layouts, given)

        self._queue(work)
        return 0

    def _check(self, description: Any, a: Any, b: Any, c: Any, d: Any) -> tuple[int, int, int]:
        """The rules of shapes and types; m, n and k."""
        attributes = description.attributes
        assert attributes[EPILOGUE] in EPILOGUES
        rows_a, columns_a = (a.columns, a.rows) if attributes[TRANSA] else (a.rows, a.columns)
        rows_b, columns_b = (b.columns, b.rows) if attributes[TRANSB] else (b.rows, b.columns)
        assert columns_a == rows_b
        assert (d.rows, d.columns) == (rows_a, columns_b) == (c.rows, c.columns)
        assert {each.dtype for each in (a, b, c, d)} == {description.scale}
        if AUX in attributes:
            assert attributes[AUX_LD] % 128 == 0
            assert attributes[AUX_LD] >= d.rows
        return rows_a, columns_b, columns_a


def _plain(method: Callable[..., int]) -> Callable[..., int]:
    """A function object, which takes the attributes that ctypes declarations set."""
    return lambda *arguments: method(*arguments)


def _number(pointer: int, description: Any) -> float:
    return float(columns_of(pointer, 1, 1, 1, description.scale)[0, 0])


def _multiply(description: Any, pointers: Any, layouts: Any, scalars: tuple[float, float]) -> None:
    a_layout, b_layout, _, d_layout = layouts
    a, b, d = (
        columns_of(pointer, each.rows, each.columns, each.stride, each.dtype)
        for pointer, each in zip(pointers, (a_layout, b_layout, d_layout), strict=True)
    )
    attributes = description.attributes
    a, b = (a.T if attributes[TRANSA] else a), (b.T if attributes[TRANSB] else b)
    alpha, beta = (description.scale(each) for each in scalars)
    result = alpha * (a @ b)
    if beta:  # what D holds does not matter otherwise, not even NaN
        result = result + beta * d
    d[...] = _epilogue(attributes, result, a)


def _epilogue(attributes: Any, result: Any, a: Any) -> Any:
    which, (m, n) = attributes[EPILOGUE], result.shape
    if which == 1:
        return result
    vector = columns_of(attributes[BIAS], m, 1, m, result.dtype) if BIAS in attributes else None
    if which in (4, 6, 134):
        result = result + vector
    if which in (134, 136, 152):
        stride = attributes[AUX_LD] // 8
        mask = columns_of(attributes[AUX], stride, n, stride, np.uint8)
        if which == 134:
            bits = np.packbits(result > 0, axis=0, bitorder="little")
            mask[: bits.shape[0]] = bits
        else:
            result = np.where(np.unpackbits(mask, axis=0, bitorder="little")[:m].astype(bool), result, 0)
    if which in (6, 134):
        result = np.maximum(result, 0)
    if which == 152:
        vector[...] = result.sum(axis=1, keepdims=True)
    if which == 256:
        vector[...] = a.sum(axis=1, keepdims=True)
    return result
