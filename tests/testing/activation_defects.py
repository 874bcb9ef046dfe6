"""Activations with one mistake each."""

import numpy as np

from polydnn.activations.activation import Activation
from tests.testing.planted import STRICT, Defect

__all__ = ["ACTIVATION_DEFECTS"]


def leaky(z, *, xp):
    return xp.where(z >= 0.0, z, 0.01 * z)


def leaky_derivative(z, y, *, xp):
    return xp.where(z >= 0.0, xp.ones_like(z), 0.01 * xp.ones_like(z))


def item(forward=leaky, derivative=leaky_derivative, backward=None, name="leaky", options=None):
    return Activation(name, forward, derivative=derivative, backward=backward, options=options or {})


def one(z, y, *, xp):
    return xp.ones_like(z)


def softmax(z, *, xp):
    powers = xp.exp(z - xp.max(z, axis=-1, keepdims=True))
    return powers / xp.sum(powers, axis=-1, keepdims=True)


def softmax_backward(dy, z, y, *, xp):
    return y * (dy - xp.sum(dy * y, axis=-1, keepdims=True))


# mistakes in the way back


def another_slope(z, y, *, xp):
    return xp.where(z >= 0.0, xp.ones_like(z), 0.1 * xp.ones_like(z))


def capped_far_out(z, *, xp):
    return xp.where(z > 30.0, 30.0 * xp.ones_like(z), z)


def tanh(z, *, xp):
    return xp.tanh(z)


def tanh_derivative(z, y, *, xp):
    return 1.0 - y * y


def tanh_of_y(z, y, *, xp):
    return 1.0 - xp.tanh(y) ** 2


def reversed_sign(z, y, *, xp):
    return y * y - 1.0


def doubled_product(dy, z, y, *, xp):
    return 2.0 * dy * (1.0 - y * y)


def diagonal_only(dy, z, y, *, xp):
    return dy * y * (1.0 - y)


def softmax_diagonal(z, y, *, xp):
    return y * (1.0 - y)


# mistakes of the library: NumPy, devices, dtypes, memory


def numpy_tanh(z, *, xp):
    return np.tanh(z)


def masked(z, *, xp):
    y = xp.asarray(z, copy=True)
    y[z < 0.0] = 0.01 * y[z < 0.0]
    return y


def slope_on_the_default_device(z, *, xp):
    return z * xp.ones(z.shape, dtype=z.dtype)


def beyond_the_standard(z, *, xp):
    return xp.arctan(z)


def arctan_derivative(z, y, *, xp):
    return xp.cos(y) ** 2


def ones_on_the_default_device(z, y, *, xp):
    return xp.ones(z.shape, dtype=z.dtype)


def identity(z, *, xp):
    return z


def double_precision_constant(z, *, xp):
    return xp.where(z >= 0.0, z, np.float64(0.01) * z)


def in_place(z, *, xp):
    z *= 2.0
    return z


def two(z, y, *, xp):
    return 2.0 * xp.ones_like(z)


def in_place_and_undone(z, *, xp):
    z *= 2.0
    y = z + 0.0
    z /= 2.0
    return y


def memory_order(z, *, xp):
    return xp.reshape(xp.asarray(z.ravel(order="K")), z.shape)


def approximate_elsewhere(z, *, xp):
    return xp.tanh(z) if "numpy" in xp.__name__ else z / (1.0 + xp.abs(z))


def approximate_derivative(z, y, *, xp):
    return 1.0 - y * y if "numpy" in xp.__name__ else (1.0 / (1.0 + xp.abs(z))) ** 2


# mistakes of shape and of numbers


def noisy(z, *, xp):
    return z + xp.asarray(1e-3 * np.random.Generator(np.random.PCG64()).standard_normal(z.shape), dtype=z.dtype)


def remembering():
    last = {}

    def forward(z, *, xp):
        last["y"] = xp.tanh(z)
        return last["y"]

    return item(forward, lambda z, y, *, xp: 1.0 - last["y"] ** 2)


def largest_of_all(z, *, xp):
    scale = xp.max(xp.abs(z))
    return xp.where(scale < 0.0, -z, z)


def row_lost(z, *, xp):
    return xp.squeeze(z, axis=0) if z.shape[0] == 1 else z


def standardized(z, *, xp):
    return z - xp.mean(z, axis=0, keepdims=True)


def summed(z, *, xp):
    return xp.sum(z, axis=-1)


def ramp_hiding_nan(z, *, xp):
    return xp.where(z > 0.0, z, xp.zeros_like(z))


def ramp_derivative(z, y, *, xp):
    return xp.where(z > 0.0, xp.ones_like(z), xp.zeros_like(z))


def plain_sigmoid(z, *, xp):
    return 1.0 / (1.0 + xp.exp(-z))


def sigmoid_derivative(z, y, *, xp):
    return y * (1.0 - y)


def plain_softplus(z, *, xp):
    return xp.log(1.0 + xp.exp(z))


def stable_sigmoid(z, y, *, xp):
    return 0.5 + 0.5 * xp.tanh(0.5 * z)


def plain_softmax(z, *, xp):
    powers = xp.exp(z)
    return powers / xp.sum(powers, axis=-1, keepdims=True)


def cancelling(z, *, xp):
    return ((1.0 + xp.tanh(z) / 5e4) - 1.0) * 5e4


def cancelling_derivative(z, y, *, xp):
    return 1.0 - xp.tanh(z) ** 2


def logarithm_of_everything(z, *, xp):
    return xp.where(z > 0.0, xp.log(1.0 + z), z)


def logarithm_derivative(z, y, *, xp):
    return xp.where(z > 0.0, 1.0 / (1.0 + xp.abs(z)), xp.ones_like(z))


def broken(z, *, xp):
    return z.missing


def undocumented():
    return item()


def defect(mistake, check, made, says, backend="numpy"):
    return Defect(mistake, "activation", check, made, says, backend)


ACTIVATION_DEFECTS = (
    defect("the derivative has another slope", "derivative", item(derivative=another_slope), "found     0.1 from"),
    defect("the derivative takes y for z", "derivative", item(tanh, tanh_of_y), "where     z["),
    defect("the derivative has the wrong sign", "derivative", item(tanh, reversed_sign), "sign is reversed everywhere"),
    defect("the derivative is wrong far out", "derivative", item(capped_far_out, one), "where     z[0, 0] = 50"),
    defect("backward doubles", "derivative_and_backward", item(tanh, tanh_derivative, doubled_product), "2 times the"),
    defect("backward leaves out the other units", "backward", item(softmax, None, diagonal_only), "sum(dy * forward)"),
    defect("softmax is declared elementwise", "elementwise", item(softmax, softmax_diagonal), "after unit 0 alone"),
    defect(
        "NumPy stands where xp should",
        "portable",
        item(numpy_tanh, tanh_derivative),
        "a NumPy function was given",
        STRICT,
    ),
    defect("a boolean mask is assigned to", "portable", item(masked), "do not select by a boolean mask", STRICT),
    defect(
        "devices are mixed",
        "portable",
        item(slope_on_the_default_device, one),
        "an array was made elsewhere",
        STRICT,
    ),
    defect(
        "a function is not in the standard",
        "portable",
        item(beyond_the_standard, arctan_derivative),
        "not in the Array API standard",
        STRICT,
    ),
    defect(
        "an array is made on the default device",
        "device",
        item(identity, ones_on_the_default_device),
        "device=",
        STRICT,
    ),
    defect("a constant is a NumPy float64", "dtype", item(double_precision_constant), "found     float64"),
    defect("z is doubled in place", "inputs_unchanged", item(in_place, two), "z after forward(z)"),
    defect("z is doubled in place and restored", "read_only", item(in_place_and_undone, two), "read-only"),
    defect("numbers are taken in memory order", "strided", item(memory_order, one), "Fortran-ordered"),
    defect(
        "other libraries get an approximation",
        "same_as_numpy",
        item(approximate_elsewhere, approximate_derivative),
        "on NumPy",
        STRICT,
    ),
    defect("noise is added", "deterministic", item(noisy, one), "the second call"),
    defect("the last output is remembered", "deterministic", remembering(), "the second call, derivative(z, y)"),
    defect("the maximum over everything is taken", "empty", item(largest_of_all, one), "zero-size array"),
    defect("a single row loses its axis", "one_row", item(row_lost, one), "row 0 alone"),
    defect("rows are standardized together", "one_row", item(standardized, one), "rows must not mix"),
    defect("units are summed", "shape", item(summed, one), "found     shape (4,)"),
    defect(
        "NaN takes the other branch", "nan_kept", item(ramp_hiding_nan, ramp_derivative), "found     0 from forward"
    ),
    defect(
        "the sigmoid overflows inside", "large_input", item(plain_sigmoid, sigmoid_derivative), "overflow encountered"
    ),
    defect("softplus becomes infinite", "large_input", item(plain_softplus, stable_sigmoid), "found     inf from"),
    defect(
        "softmax without its maximum", "large_input", item(plain_softmax, None, softmax_backward), "found     nan from"
    ),
    defect("close numbers are subtracted", "accuracy", item(cancelling, cancelling_derivative), "in float32"),
    defect(
        "a logarithm is taken of what is not used",
        "runs",
        item(logarithm_of_everything, logarithm_derivative),
        "invalid value encountered in log",
    ),
    defect("forward raises", "runs", item(broken), "AttributeError"),
    defect("the name has capitals and a hyphen", "name", item(name="Leaky-ReLU"), "'Leaky-ReLU'"),
    defect("an option is an array", "options", item(options={"slopes": np.ones(2)}), "'slopes'"),
    defect("the factory has no docstring", "docstring", undocumented, "a docstring on undocumented"),
)
