"""CUDA kernels that give a batch's losses and their gradient in one pass, a warp to a row."""

from typing import NamedTuple

from polydnn.losses.loss import LogitsForm, Loss
from polydnn.types import Array

__all__ = ["LossKernel", "loss_kernel", "loss_kernels"]


class LossKernel(NamedTuple):
    """The kernel of a built-in loss, and what its target is gathered as: "labels" (int64) or "rows" (real)."""

    name: str
    target: str


HEAD = """
extern "C" __global__ void NAME(const real* output, const TARGET* target, const real* shares, real even, real* gradient,
                                real* values, whole rows, whole outputs) {
  whole wanted = whole(blockIdx.x) * 8 + threadIdx.y;
  bool live = wanted < rows;
  whole row = live ? wanted : rows - 1;  // idle rows go along, for the sums are taken by all threads
  const real* z = output + row * outputs;
  real share = shares ? shares[row] : even;
  real value = real(0);
"""

TAIL = """
  if (live && threadIdx.x == 0) values[row] = value * share;
}
"""

# The sum of exponentials without its largest term, corrected for the rounding of z - m as categorical_cross_entropy is.
SOFTMAX = """
  real m = z[0];
  for (whole j = threadIdx.x; j < outputs; j += 32) m = maximum(m, z[j]);
  m = row_maximum(m);
  int leader = 2147483647;
  for (whole j = threadIdx.x; j < outputs; j += 32) if (z[j] == m && j < leader) leader = int(j);
  leader = row_minimum(leader);
  real others = real(0), rest = real(0);
  for (whole j = threadIdx.x; j < outputs; j += 32) {
    real s = z[j] - m, back = s - z[j];
    real lost = (z[j] - (s - back)) - (m + back), e = exp(s);
    real other = j == leader ? real(0) : real(1);
    others += e * other;
    rest += e * (other + lost);
  }
  others = row_sum(others);
  rest = log1p(row_sum(rest));
"""

LABELS = """
  whole label = target[row];
  for (whole j = threadIdx.x; j < outputs; j += 32)
    if (live) {
      real p = exp(z[j] - m) / (real(1) + others);
      gradient[row * outputs + j] = (p - (j == label ? real(1) : real(0))) * share;
    }
  value = label < 0 || label >= outputs ? real(0) / (m - m) : rest - (z[label] - m);
"""

PROBABILITIES = """
  const real* t = target + row * outputs;
  real mass = real(0);
  for (whole j = threadIdx.x; j < outputs; j += 32) {
    mass += t[j];
    value += t[j] * (rest - (z[j] - m));
  }
  mass = row_sum(mass);
  value = row_sum(value);
  for (whole j = threadIdx.x; j < outputs; j += 32)
    if (live) gradient[row * outputs + j] = (exp(z[j] - m) / (real(1) + others) * mass - t[j]) * share;
"""

SQUARES = """
  const real* t = target + row * outputs;
  for (whole j = threadIdx.x; j < outputs; j += 32) {
    real error = z[j] - t[j];
    value += error * error;
    if (live) gradient[row * outputs + j] = error * (SLOPE) * share;
  }
  value = row_sum(value) * (FACTOR);
"""

BINARY = """
  const real* t = target + row * outputs;
  for (whole j = threadIdx.x; j < outputs; j += 32) {
    real e = exp(minimum(z[j], real(40)));
    value += maximum(z[j], real(0)) - t[j] * z[j] + log1p(exp(-fabs(z[j])));
    if (live) gradient[row * outputs + j] = (e / (real(1) + e) - t[j]) * share;
  }
  value = row_sum(value);
"""

BODIES = {
    "softmax_cross_entropy_labels": SOFTMAX + LABELS,
    "softmax_cross_entropy_rows": SOFTMAX + PROBABILITIES,
    "sigmoid_cross_entropy": BINARY,
    "mean_squared_error": SQUARES.replace("SLOPE", "real(2) / outputs").replace("FACTOR", "real(1) / outputs"),
    "sum_squared_error": SQUARES.replace("SLOPE", "real(1)").replace("FACTOR", "real(0.5)"),
}


def loss_kernel(loss: Loss, form: LogitsForm | None, y: Array, outputs: int) -> LossKernel | None:
    """The kernel for a loss (its stable form where the plan has one) and targets like ``y``; None where there is none.

    A target of another shape than the loss takes is left to the loss itself, which says so.
    """
    module = getattr((form or loss).value, "__module__", "")
    as_rows = y.ndim == 2 and y.shape[1] == outputs
    if module == "polydnn.losses.categorical_cross_entropy" and form is not None:
        if y.ndim == 1 and y.dtype.kind in "iu":
            return LossKernel("softmax_cross_entropy_labels", "labels")
        return LossKernel("softmax_cross_entropy_rows", "rows") if as_rows else None
    if module == "polydnn.losses.binary_cross_entropy" and form is not None and as_rows:
        return LossKernel("sigmoid_cross_entropy", "rows")
    if module in ("polydnn.losses.mean_squared_error", "polydnn.losses.sum_squared_error") and as_rows:
        return LossKernel(module.rpartition(".")[2], "rows")
    return None


def loss_kernels(kernel: LossKernel) -> str:
    """The text: values (rows,) times shares, and gradient (rows, outputs) of their sum.

    ``shares`` (rows,) may be a null pointer, which gives every row the share ``even``. A label out of range has the
    value NaN, as in the reference.
    """
    target = "whole" if kernel.target == "labels" else "real"
    return HEAD.replace("NAME", kernel.name).replace("TARGET", target) + BODIES[kernel.name] + TAIL
