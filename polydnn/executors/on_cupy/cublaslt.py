"""Matrix products by cublasLt through ctypes, since CuPy's own calls of cuBLAS refuse to be captured in a graph.

cublasLt is column-major: D (m, n) = alpha op(A) (m, k) op(B) (k, n) + beta C, the leading dimensions strides of
columns. ``products`` says how row-major arrays are put into these terms. All descriptors are made, and algorithms
asked for, before any capture: on some versions the heuristic fails while a stream captures. Constants and structures
are those of cublasLt.h and library_types.h of CUDA 12 and 13.
"""

import ctypes
import importlib
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["CublasLt", "CublasLtError", "Product", "Terms", "load_library"]

REAL_32, REAL_64 = 0, 1  # CUDA_R_32F, CUDA_R_64F
COMPUTE_32, COMPUTE_64, COMPUTE_TF32 = 68, 70, 77  # CUBLAS_COMPUTE_32F, _64F, _32F_FAST_TF32
POINTER_MODE, TRANSA, TRANSB, EPILOGUE, BIAS_POINTER, AUX_POINTER, AUX_LD = 2, 3, 4, 7, 8, 11, 12
ON_DEVICE = 1  # CUBLASLT_POINTER_MODE_DEVICE
MAX_WORKSPACE_BYTES = 1
EPILOGUES = {
    "none": 1,
    "bias": 4,
    "relu_bias": 6,
    "relu_aux_bias": 134,
    "drelu": 136,
    "drelu_bgrad": 152,
    "bgrada": 256,
}
NO_ALGORITHM = 15  # CUBLAS_STATUS_NOT_SUPPORTED
STATUS = {
    1: "not initialized",
    3: "allocation failed",
    7: "invalid value",
    8: "architecture mismatch",
    11: "mapping error",
    13: "execution failed",
    14: "internal error",
    15: "not supported",
}
CANDIDATES = 8
"""How many algorithms are asked for; the heuristic puts what it holds for the fastest first."""

LIBRARIES = ("libcublasLt.so.13", "libcublasLt.so.12", "cublasLt64_13.dll", "cublasLt64_12.dll")


class CublasLtError(RuntimeError):
    """A call of cublasLt did not succeed; ``status`` is its number for the reason."""

    def __init__(self, call: str, status: int) -> None:
        super().__init__(f"{call} failed with status {status} ({STATUS.get(status, 'unknown')})")
        self.status = status


class Algorithm(ctypes.Structure):
    """cublasLtMatmulAlgo_t: 64 bytes that only the library reads."""

    _fields_ = (("data", ctypes.c_uint64 * 8),)


class Found(ctypes.Structure):
    """cublasLtMatmulHeuristicResult_t."""

    _fields_ = (
        ("algorithm", Algorithm),
        ("workspace", ctypes.c_size_t),
        ("state", ctypes.c_int),
        ("waves", ctypes.c_float),
        ("reserved", ctypes.c_int * 4),
    )


@dataclass(frozen=True)
class Terms:
    """One product in cublasLt's terms: D (m, n) = alpha op(A) op(B) + beta C with C = D.

    ``lda``, ``ldb`` and ``ldd`` are strides of columns. With ``scalars_on_device`` alpha and beta are read from device
    memory whenever the product runs, a graph's replay included. ``bias`` is a device pointer to m numbers read by the
    epilogues with "bias" and written by those with "bgrad"; ``aux`` a bit mask, ``aux_ld`` bits apart from column to
    column (a multiple of 128), written by "relu_aux" and read by "drelu".
    """

    m: int
    n: int
    k: int
    lda: int
    ldb: int
    ldd: int
    transpose_a: bool = False
    transpose_b: bool = False
    double: bool = False
    tf32: bool = False
    scalars_on_device: bool = False
    epilogue: str = "none"
    bias: int = 0
    aux: int = 0
    aux_ld: int = 0


class CublasLt:
    """A handle of the library with a workspace of its own, which products on one stream share.

    ``library`` is the loaded library, ``workspace`` (a device pointer) and ``workspace_bytes`` belong to the caller:
    32 MiB on Hopper and 4 MiB elsewhere are what cuBLAS itself takes. Left to itself the library would allocate for
    every capturing stream.
    """

    def __init__(self, library: Any, workspace: int, workspace_bytes: int) -> None:
        self.library = library
        self.workspace, self.workspace_bytes = workspace, workspace_bytes
        declare(library)
        self.handle = ctypes.c_void_p()
        self.check("cublasLtCreate", ctypes.byref(self.handle))
        weakref.finalize(self, destroy, library, {"cublasLtDestroy": [self.handle]})

    @property
    def version(self) -> int:
        """130100 for 13.1.0."""
        return int(self.library.cublasLtGetVersion())

    def check(self, call: str, *arguments: Any) -> None:
        """Call a function of the library; CublasLtError where it does not succeed."""
        status = int(getattr(self.library, call)(*arguments))
        if status:
            raise CublasLtError(call, status)

    def product(self, terms: Terms) -> "Product":
        """Descriptors and algorithms for ``terms``; CublasLtError where the library has no algorithm for them."""
        return Product(self, terms)


class Product:
    """A product that is ready to run: descriptors, layouts, and the algorithms found, the chosen one at ``chosen``."""

    def __init__(self, lt: CublasLt, terms: Terms) -> None:
        self.terms, self._lt = terms, lt
        self._kind = REAL_64 if terms.double else REAL_32
        self._description = self._describe()
        self._a = self._layout(*((terms.k, terms.m) if terms.transpose_a else (terms.m, terms.k)), terms.lda)
        self._b = self._layout(*((terms.n, terms.k) if terms.transpose_b else (terms.k, terms.n)), terms.ldb)
        self._d = self._layout(terms.m, terms.n, terms.ldd)
        self.algorithms = self._search()
        self.chosen = 0
        made = {"cublasLtMatmulDescDestroy": [self._description]}
        made["cublasLtMatrixLayoutDestroy"] = [self._a, self._b, self._d]
        weakref.finalize(self, destroy, lt.library, made)

    def run(self, a: int, b: int, d: int, alpha: int, beta: int, stream: int) -> None:
        """Queue the product of device pointers on a stream.

        ``alpha`` and ``beta`` are pointers too, to the host or the device as the terms say.
        """
        algorithm = ctypes.byref(self.algorithms[self.chosen])
        lt = self._lt
        operands = (alpha, a, self._a, b, self._b, beta, d, self._d, d, self._d)
        lt.check(
            "cublasLtMatmul",
            lt.handle,
            self._description,
            *operands,
            algorithm,
            lt.workspace,
            lt.workspace_bytes,
            stream,
        )

    def _describe(self) -> ctypes.c_void_p:
        terms, made = self.terms, ctypes.c_void_p()
        compute = COMPUTE_64 if terms.double else COMPUTE_TF32 if terms.tf32 else COMPUTE_32
        self._lt.check("cublasLtMatmulDescCreate", ctypes.byref(made), compute, self._kind)
        attributes: list[tuple[int, Any]] = [
            (TRANSA, ctypes.c_int32(terms.transpose_a)),
            (TRANSB, ctypes.c_int32(terms.transpose_b)),
            (EPILOGUE, ctypes.c_uint32(EPILOGUES[terms.epilogue])),
        ]
        if terms.scalars_on_device:
            attributes.append((POINTER_MODE, ctypes.c_int32(ON_DEVICE)))
        if terms.bias:
            attributes.append((BIAS_POINTER, ctypes.c_uint64(terms.bias)))
        if terms.aux:
            attributes += [(AUX_POINTER, ctypes.c_uint64(terms.aux)), (AUX_LD, ctypes.c_int64(terms.aux_ld))]
        for number, value in attributes:
            size = ctypes.sizeof(value)
            self._lt.check("cublasLtMatmulDescSetAttribute", made, number, ctypes.byref(value), size)
        return made

    def _layout(self, rows: int, columns: int, stride: int) -> ctypes.c_void_p:
        made = ctypes.c_void_p()
        self._lt.check("cublasLtMatrixLayoutCreate", ctypes.byref(made), self._kind, rows, columns, stride)
        return made

    def _search(self) -> Sequence[Algorithm]:
        """Ask the heuristic, which launches nothing."""
        lt, preference, count = self._lt, ctypes.c_void_p(), ctypes.c_int()
        limit, found = ctypes.c_size_t(lt.workspace_bytes), (Found * CANDIDATES)()
        lt.check("cublasLtMatmulPreferenceCreate", ctypes.byref(preference))
        try:
            size = ctypes.sizeof(limit)
            lt.check("cublasLtMatmulPreferenceSetAttribute", preference, MAX_WORKSPACE_BYTES, ctypes.byref(limit), size)
            layouts = (self._a, self._b, self._d, self._d)
            lt.check(
                "cublasLtMatmulAlgoGetHeuristic",
                lt.handle,
                self._description,
                *layouts,
                preference,
                CANDIDATES,
                found,
                ctypes.byref(count),
            )
        finally:
            lt.check("cublasLtMatmulPreferenceDestroy", preference)
        usable = [each.algorithm for each in found[: count.value] if each.state == 0]
        if not usable:
            call = "cublasLtMatmulAlgoGetHeuristic"
            raise CublasLtError(call, NO_ALGORITHM)
        return usable


def destroy(library: Any, made: dict[str, list[ctypes.c_void_p]]) -> None:
    """Give back what was made; at the end of the process the library itself may be gone, so nobody asks for success."""
    for call, items in made.items():
        for each in items:
            getattr(library, call)(each)


def declare(library: Any) -> None:
    """Tell ctypes the parameters; without them pointers would pass as 32-bit numbers."""
    pointer, integer, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
    parameters = {
        "cublasLtCreate": [pointer],
        "cublasLtDestroy": [pointer],
        "cublasLtMatmulDescDestroy": [pointer],
        "cublasLtMatrixLayoutDestroy": [pointer],
        "cublasLtMatmulDescCreate": [pointer, integer, integer],
        "cublasLtMatmulDescSetAttribute": [pointer, integer, pointer, size],
        "cublasLtMatrixLayoutCreate": [pointer, integer, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_int64],
        "cublasLtMatmulPreferenceCreate": [pointer],
        "cublasLtMatmulPreferenceSetAttribute": [pointer, integer, pointer, size],
        "cublasLtMatmulPreferenceDestroy": [pointer],
        "cublasLtMatmulAlgoGetHeuristic": [*[pointer] * 7, integer, pointer, pointer],
        "cublasLtMatmul": [*[pointer] * 14, size, pointer],
    }
    for name, types in parameters.items():
        function = getattr(library, name)
        function.argtypes, function.restype = types, integer
    library.cublasLtGetVersion.argtypes, library.cublasLtGetVersion.restype = [], size


def load_library() -> Any:
    """The cublasLt that CuPy computes with, wherever it was installed; NotImplementedError where there is none.

    cuda-pathfinder, which CuPy 14 brings, knows the wheels, conda and system installations; without it the loader of
    the operating system is asked.
    """
    try:
        pathfinder = importlib.import_module("cuda.pathfinder")
        return ctypes.CDLL(pathfinder.load_nvidia_dynamic_lib("cublasLt").abs_path)
    except Exception:  # not installed, or it raises types of its own where the library is missing
        pass
    for name in LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    msg = "cublasLt was not found; pip install 'cupy-cuda13x[ctk]' (or 'cupy-cuda12x[ctk]') brings it"
    raise NotImplementedError(msg)
