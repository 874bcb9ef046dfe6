"""CUDA kernels for the built-in activations: bias and activation forward, slope and bias gradient backward."""

from typing import NamedTuple

from polydnn.activations.activation import Activation

__all__ = ["KernelForm", "activation_kernels", "kernel_form"]


class KernelForm(NamedTuple):
    """An activation in C: its value from ``z``, its slope from ``z`` and ``y``, whether the slope asks for z at all."""

    name: str
    value: str
    slope: str
    needs_z: bool = False


IDENTITY = KernelForm("identity", "z", "real(1)")
LOGISTIC = "real t = exp(minimum(z, real(40)));"
PER_ROOT, ROOT_HALF = "0.39894228040143267794", "0.70710678118654752440"
SLOPE, CUBIC = "0.79788456080286535588", "0.044715"
GATE = f"real w = minimum(maximum(z, real(-10)), real(10)); real square = w * w; \
real t = tanh(w * (real({SLOPE}) + real({SLOPE} * {CUBIC}) * square));"
SCALE, ALPHA = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"

FORMS = {
    "identity": IDENTITY,
    "relu": KernelForm("relu", "maximum(z, real(0))", "(y > real(0) ? real(1) : real(0))"),
    "sigmoid": KernelForm("sigmoid", f"{LOGISTIC} t / (real(1) + t)", "y * (real(1) - y)"),
    "tanh": KernelForm("tanh", "tanh(z)", "real(1) - y * y"),
    "softplus": KernelForm("softplus", "maximum(z, real(0)) + log1p(exp(-fabs(z)))", "-expm1(-y)"),
    "selu": KernelForm(
        "selu",
        f"real({SCALE}) * maximum(z, real(0)) + real({SCALE} * {ALPHA}) * expm1(minimum(z, real(0)))",
        f"(y > real(0) ? real({SCALE}) : y + real({SCALE} * {ALPHA}))",
    ),
    "silu": KernelForm(
        "silu",
        f"{LOGISTIC} z * (t / (real(1) + t))",
        "real w = minimum(z, real(40)); real t = exp(w); real d = real(1) + t; (t / d) * (real(1) + w / d)",
        needs_z=True,
    ),
    "gelu": KernelForm(
        "gelu",
        f"real a = minimum(fabs(z), real(40)); maximum(z, real(0)) - a * (real(0.5) * erfc(a * real({ROOT_HALF})))",
        "real a = minimum(fabs(z), real(40)); "
        f"real(0.5) * erfc(-z * real({ROOT_HALF})) + (real({PER_ROOT}) * z) * exp(real(-0.5) * a * a)",
        needs_z=True,
    ),
    "gelu_approximate": KernelForm(
        "gelu_approximate",
        f"{GATE} (real(0.5) * z) * (real(1) + t)",
        f"{GATE} real(0.5) * (real(1) + t) + (real(0.5) * w) * (real(1) - t * t) "
        f"* (real({SLOPE}) + real(3.0 * {SLOPE} * {CUBIC}) * square)",
        needs_z=True,
    ),
}

TEXT = """
__device__ inline real NAME_value(real z) { VALUE }
__device__ inline real NAME_slope(real z, real y) { SLOPE }

// y = f(z + bias); where z and y are two arrays, z keeps z + bias
extern "C" __global__ void NAME_forward(real* z, real* y, const real* bias, whole rows, whole columns) {
  for (whole column = whole(blockIdx.x) * 32 + threadIdx.x; column < columns; column += whole(gridDim.x) * 32) {
    real own = bias ? bias[column] : real(0);
    for (whole row = whole(blockIdx.y) * 8 + threadIdx.y; row < rows; row += whole(gridDim.y) * 8) {
      whole at = row * columns + column;
      real sum = z[at] + own;
      if (z != y) z[at] = sum;
      y[at] = NAME_value(sum);
    }
  }
}

// dz = dy f'(z), and the sums of its columns over the rows of this block, one row of sums for each blockIdx.y
extern "C" __global__ void NAME_backward(const real* dy, const real* z, const real* y, real* dz, real* sums,
                                         whole rows, whole columns, whole rows_per_block) {
  whole column = whole(blockIdx.x) * 32 + threadIdx.x;
  whole first = blockIdx.y * rows_per_block;
  whole end = first + rows_per_block < rows ? first + rows_per_block : rows;
  real total = real(0);
  if (column < columns)
    for (whole row = first + threadIdx.y; row < end; row += 8) {
      whole at = row * columns + column;
      real found = dy[at] * NAME_slope(z[at], y[at]);
      dz[at] = found;
      total += found;
    }
  total = column_sum(total);
  if (sums && threadIdx.y == 0 && column < columns) sums[blockIdx.y * columns + column] = total;
}
"""


def kernel_form(activation: Activation) -> KernelForm | None:
    """The built-in activation in C; None for a plug-in's, whatever its name, and for those that work on rows."""
    room, _, module = getattr(activation.forward, "__module__", "").rpartition(".")
    if room != "polydnn.activations":
        return None
    if module == "elu":
        return _elu(float(activation.options["alpha"]))
    return FORMS.get("gelu_approximate" if module == "gelu" and activation.options["approximate"] else module)


def _elu(alpha: float) -> KernelForm:
    name = "elu_" + alpha.hex().translate(str.maketrans(".-+", "dmq"))
    value = f"maximum(z, real(0)) + real({alpha!r}) * expm1(minimum(z, real(0)))"
    return KernelForm(name, value, f"(y > real(0) ? real(1) : y + real({alpha!r}))")


def activation_kernels(form: KernelForm) -> str:
    """``<name>_forward`` and ``<name>_backward``; bias and sums may be null pointers."""
    text = TEXT
    for word, expression in (("VALUE", form.value), ("SLOPE", form.slope)):
        *steps, result = expression.split("; ")
        text = text.replace(word, " ".join([*(f"{each};" for each in steps), f"return {result};"]))
    return text.replace("NAME", form.name)
