"""The CUDA kernels every plan needs: gathering rows, sums over columns, shares of weights, and the end of a step.

Kernels are text, put together for one element type and compiled as one module. What changes from step to step is read
from the device, so that a graph can be replayed: ``control`` holds pointers and the number of the step in its bundle,
``current`` the step's numbers (learning rate ...), which ``close_step`` takes from a table the host wrote beforehand.
All sums run in a fixed order, so that equal steps give equal bits. Work on (rows, columns) is cut into blocks of 32
columns and 8 rows; a row of a loss is one warp.
"""

from collections.abc import Iterable

__all__ = [
    "BLOCK",
    "COLUMNS",
    "CONTROL",
    "CURRENT",
    "GATHERED",
    "ROWS",
    "close_step_kernel",
    "gather_kernel",
    "gather_name",
    "module_text",
    "sum_kernels",
]

CONTROL = ("x", "y", "weights", "order", "table", "losses", "slot")
"""What the 64-bit words of ``control`` hold: device pointers, and at last the number of the step in its bundle."""

CURRENT = ("rate", "minus_rate", "one", "step", "scale", "offset", "shrink", "unused")
"""The numbers of a step, a row of the table: the learning rate, what ``optimizer_kernels`` makes of it, and constants
that cublasLt reads from the device."""

COLUMNS, ROWS, BLOCK = 32, 8, 256
"""Threads of a block along columns and rows; threads of a block where there is but one axis."""

GATHERED = {
    "bool": "unsigned char",
    "uint8": "unsigned char",
    "int8": "signed char",
    "uint16": "unsigned short",
    "int16": "short",
    "uint32": "unsigned int",
    "int32": "int",
    "uint64": "unsigned long long",
    "int64": "long long",
    "float32": "float",
    "float64": "double",
}
"""Element types whose rows the gather kernel reads, in C's words."""

PRELUDE = """
typedef long long whole;

__device__ inline real maximum(real a, real b) { return a != a ? a : (a > b ? a : b); }  // NaN stays NaN
__device__ inline real minimum(real a, real b) { return a != a ? a : (a < b ? a : b); }
__device__ inline bool is_finite(real a) { return a - a == real(0); }

// over the 32 threads of a row; all of them must come here
__device__ inline real row_sum(real a) {
  for (int apart = 16; apart > 0; apart /= 2) a += __shfl_xor_sync(0xffffffffu, a, apart);
  return a;
}
__device__ inline real row_maximum(real a) {
  for (int apart = 16; apart > 0; apart /= 2) a = maximum(a, __shfl_xor_sync(0xffffffffu, a, apart));
  return a;
}
__device__ inline int row_minimum(int a) {
  for (int apart = 16; apart > 0; apart /= 2) {
    int other = __shfl_xor_sync(0xffffffffu, a, apart);
    a = other < a ? other : a;
  }
  return a;
}

// over the 256 threads of a block, for all of them
__device__ inline real block_sum(real a) {
  __shared__ real parts[256];
  parts[threadIdx.x] = a;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if (threadIdx.x < half) parts[threadIdx.x] += parts[threadIdx.x + half];
    __syncthreads();
  }
  return parts[0];
}

// over the 8 rows of a block, for the thread in its first row
__device__ inline real column_sum(real a) {
  __shared__ real parts[8][32];
  parts[threadIdx.y][threadIdx.x] = a;
  __syncthreads();
  real total = real(0);
  if (threadIdx.y == 0) for (int row = 0; row < 8; ++row) total += parts[row][threadIdx.x];
  return total;
}
"""

SUMS = """
extern "C" __global__ void column_sums(const real* parts, real* sums, whole rows, whole columns) {
  whole column = whole(blockIdx.x) * 32 + threadIdx.x;
  real total = real(0);
  if (column < columns)
    for (whole row = threadIdx.y; row < rows; row += 8) total += parts[row * columns + column];
  total = column_sum(total);
  if (threadIdx.y == 0 && column < columns) sums[column] = total;
}

extern "C" __global__ void batch_shares(const real* weights, real* shares, whole rows) {
  real total = real(0);
  for (whole row = threadIdx.x; row < rows; row += 256) total += weights[row];
  total = block_sum(total);
  if (!(total > real(0))) total = real(1);
  for (whole row = threadIdx.x; row < rows; row += 256) shares[row] = weights[row] / total;
}
"""

CLOSE = """
extern "C" __global__ void close_step(unsigned long long* control, real* current, const real* values, whole rows,
                                      volatile int* broken) {
  real loss = real(0);
  for (whole row = threadIdx.x; row < rows; row += 256) loss += values[row];
  loss = block_sum(loss);
  unsigned long long slot = control[SLOT];
  __syncthreads();
  if (threadIdx.x == 0) {
    ((real*)control[LOSSES])[slot] = loss;
    if (!is_finite(loss)) *broken = 1;
    control[SLOT] = slot + 1;
  }
  if (threadIdx.x < WIDTH) current[threadIdx.x] = ((const real*)control[TABLE])[(slot + 1) * WIDTH + threadIdx.x];
}
"""

GATHER = """
extern "C" __global__ void NAME(const unsigned long long* control, whole field, TO* batch, whole rows, whole columns) {
  const FROM* source = (const FROM*)control[field];
  const long long* order = (const long long*)control[ORDER] + control[SLOT] * rows;
  for (whole row = whole(blockIdx.y) * 8 + threadIdx.y; row < rows; row += whole(gridDim.y) * 8) {
    const FROM* from = source + order[row] * columns;
    for (whole column = whole(blockIdx.x) * 32 + threadIdx.x; column < columns; column += whole(gridDim.x) * 32)
      batch[row * columns + column] = (TO)from[column];
  }
}
"""


def module_text(real: str, kernels: Iterable[str]) -> str:
    """One module for elements of C's type ``real`` ("float" or "double"); each kernel once."""
    return "\n".join([f"typedef {real} real;", PRELUDE, *dict.fromkeys(kernels)])


def sum_kernels() -> str:
    """``column_sums``: sums (columns,) of parts (rows, columns); ``batch_shares``: weights over their total.

    A batch without weight has the shares 0, so it moves nothing.
    """
    return SUMS


def close_step_kernel() -> str:
    """``close_step``: write the loss, the sum of ``values`` (rows,), and go on to the next slot and row of the table.

    ``broken`` lies in the host's memory and is written to only where the loss is not finite.
    """
    words = {"SLOT": CONTROL.index("slot"), "LOSSES": CONTROL.index("losses"), "TABLE": CONTROL.index("table")}
    return _filled(CLOSE, {**words, "WIDTH": len(CURRENT)})


def gather_name(source: str, target: str) -> str:
    """The name of the kernel that gathers rows of one type into another, by the names of dtypes.

    >>> gather_name("uint8", "float32")
    'gather_uint8_to_float32'
    """
    return f"gather_{source}_to_{target}"


def gather_kernel(source: str, target: str) -> str:
    """Rows of the array at word ``field`` of ``control``, as this step's part of ``order`` names them, cast."""
    words = {"SLOT": CONTROL.index("slot"), "ORDER": CONTROL.index("order")}
    types = {"NAME": gather_name(source, target), "FROM": GATHERED[source], "TO": GATHERED[target]}
    return _filled(GATHER, {**words, **types})


def _filled(text: str, words: dict[str, object]) -> str:
    """The template with its capital words replaced."""
    for word, value in words.items():
        text = text.replace(word, str(value))
    return text
