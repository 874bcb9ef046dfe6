"""polydnn's activations and the way back through them, over the activations of a layer in one workspace."""

import math

from numba import njit

from polydnn_numba.compiling import COMPILED
from polydnn_numba.elementary import FAR, exp, expm1, log1p, sigmoid, tanh
from polydnn_numba.lanes import copy_sign, lanes_of, load, select_eq, select_le, select_lt, store

__all__ = ["KINDS", "OF_Z", "ROW_WISE", "activate", "pull_back"]

KINDS = (
    "identity",
    "relu",
    "sigmoid",
    "tanh",
    "elu",
    "selu",
    "silu",
    "softplus",
    "gelu",
    "approximate gelu",
    "softmax",
    "log_softmax",
)
"""The activations by the number that compiled code knows them under."""
IDENTITY, RELU, SIGMOID, TANH, ELU, SELU, SILU, SOFTPLUS, GELU, APPROXIMATE_GELU, SOFTMAX, LOG_SOFTMAX = range(12)
ROW_WISE = (SOFTMAX, LOG_SOFTMAX)
OF_Z = (SILU, GELU, APPROXIMATE_GELU)
"""Those whose derivative is not known from Y alone; all others may write Y where Z is."""

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717
SLOPE = math.sqrt(2.0 / math.pi)
CUBIC = 0.044715
FLAT = 10.0
PER_ROOT = 1.0 / math.sqrt(2.0 * math.pi)


@njit(**COMPILED)
def activate(kind, alpha, work, z, y, n, s):
    """Y = activation(Z) for n rows of s examples."""
    if kind == IDENTITY:
        return
    if kind == SOFTMAX:
        _softmax(work, z, y, n, s)
        return
    if kind == LOG_SOFTMAX:
        _log_softmax(work, z, y, n, s)
        return
    if kind == GELU:
        _gelu(work, z, y, n * s)
        return
    lanes = lanes_of(work)
    size = n * s
    if kind == RELU:
        for i in range(0, size, lanes):
            v = load(work, z + i)
            store(work, y + i, select_le(v, 0.0, 0.0, v))
    elif kind == SIGMOID:
        for i in range(0, size, lanes):
            store(work, y + i, sigmoid(load(work, z + i)))
    elif kind == TANH:
        for i in range(0, size, lanes):
            store(work, y + i, tanh(load(work, z + i)))
    elif kind == ELU:
        for i in range(0, size, lanes):
            v = load(work, z + i)
            below = expm1(select_le(0.0, v, 0.0, v))
            store(work, y + i, select_le(v, 0.0, 0.0, v) + below * alpha)
    elif kind == SELU:
        for i in range(0, size, lanes):
            v = load(work, z + i)
            below = expm1(select_le(0.0, v, 0.0, v))
            store(work, y + i, select_le(v, 0.0, 0.0, v) * SELU_SCALE + below * (SELU_SCALE * SELU_ALPHA))
    elif kind == SILU:
        for i in range(0, size, lanes):
            v = load(work, z + i)
            store(work, y + i, v * sigmoid(v))
    elif kind == SOFTPLUS:
        for i in range(0, size, lanes):
            v = load(work, z + i)
            store(work, y + i, select_le(v, 0.0, 0.0, v) + log1p(exp(copy_sign(v, v * 0.0 - 1.0))))
    elif kind == APPROXIMATE_GELU:
        for i in range(0, size, lanes):
            v = load(work, z + i)
            w = _between(v)
            store(work, y + i, v * 0.5 * (tanh(w * (w * w * (SLOPE * CUBIC) + SLOPE)) + 1.0))


@njit(**COMPILED)
def pull_back(kind, alpha, work, z, y, d, n, s):
    """dZ = dY : activation'(Z), in place at ``d``."""
    if kind == IDENTITY:
        return
    if kind == SOFTMAX:
        _softmax_back(work, y, d, n, s)
        return
    if kind == LOG_SOFTMAX:
        _log_softmax_back(work, y, d, n, s)
        return
    if kind == GELU:
        _gelu_back(work, z, d, n * s)
        return
    lanes = lanes_of(work)
    size = n * s
    if kind == RELU:
        for i in range(0, size, lanes):
            store(work, d + i, load(work, d + i) * select_lt(0.0, load(work, y + i), 1.0, 0.0))
    elif kind == SIGMOID:
        for i in range(0, size, lanes):
            v = load(work, y + i)
            store(work, d + i, load(work, d + i) * (v * (1.0 - v)))
    elif kind == TANH:
        for i in range(0, size, lanes):
            v = load(work, y + i)
            store(work, d + i, load(work, d + i) * (1.0 - v * v))
    elif kind == ELU:
        for i in range(0, size, lanes):
            v = load(work, y + i)
            store(work, d + i, load(work, d + i) * select_lt(0.0, v, 1.0, v + alpha))
    elif kind == SELU:
        for i in range(0, size, lanes):
            v = load(work, y + i)
            slope = select_lt(0.0, v, SELU_SCALE, v + SELU_SCALE * SELU_ALPHA)
            store(work, d + i, load(work, d + i) * slope)
    elif kind == SILU:
        for i in range(0, size, lanes):
            v = load(work, z + i)
            w = select_le(FAR, v, FAR, v)
            t = exp(w)
            below = t + 1.0
            store(work, d + i, load(work, d + i) * ((t / below) * (w / below + 1.0)))
    elif kind == SOFTPLUS:
        for i in range(0, size, lanes):
            v = load(work, y + i)
            store(work, d + i, load(work, d + i) * (0.0 - expm1(0.0 - v)))
    elif kind == APPROXIMATE_GELU:
        for i in range(0, size, lanes):
            w = _between(load(work, z + i))
            square = w * w
            t = tanh(w * (square * (SLOPE * CUBIC) + SLOPE))
            slope = (t + 1.0) * 0.5 + w * 0.5 * (1.0 - t * t) * (square * (3.0 * SLOPE * CUBIC) + SLOPE)
            store(work, d + i, load(work, d + i) * slope)


@njit(**COMPILED)
def _between(v):
    w = select_le(FLAT, v, FLAT, v)
    return select_le(w, -FLAT, -FLAT, w)


# ---- the exact gelu, which takes the tail of the normal distribution from the C library ------------------------------


@njit(**COMPILED)
def _gelu(work, z, y, size):
    one = work.dtype.type(1.0)
    for i in range(size):
        v = work[z + i]
        if v <= -FAR:
            work[y + i] = one * 0.0
        else:
            work[y + i] = one * (v * 0.5 * math.erfc(-v * math.sqrt(0.5)))


@njit(**COMPILED)
def _gelu_back(work, z, d, size):
    for i in range(size):
        v = work[z + i]
        a = min(abs(v), FAR)
        work[d + i] *= 0.5 * math.erfc(-v * math.sqrt(0.5)) + PER_ROOT * v * math.exp(-0.5 * a * a)


# ---- across the units of an example: never with a single example's rows of one number --------------------------------


@njit(**COMPILED)
def _largest(work, z, n, s):
    """The largest of n rows, and the number of the row it stands in first."""
    best = load(work, z)
    where = best * 0.0
    for j in range(1, n):
        v = load(work, z + j * s)
        where = select_lt(best, v, float(j), where)
        best = select_lt(best, v, v, best)
    return best, where


@njit(**COMPILED)
def _softmax(work, z, y, n, s):
    for t in range(0, s, lanes_of(work)):
        best, _ = _largest(work, z + t, n, s)
        mass = best * 0.0
        for j in range(n):
            root = exp(load(work, z + j * s + t) * 0.5 - best * 0.5)  # the halves' difference cannot overflow
            mass = mass + root * root
            store(work, y + j * s + t, root * root)
        for j in range(n):
            store(work, y + j * s + t, load(work, y + j * s + t) / mass)


@njit(**COMPILED)
def _softmax_back(work, y, d, n, s):
    for t in range(0, s, lanes_of(work)):
        mean = load(work, y + t) * load(work, d + t)
        for j in range(1, n):
            mean = mean + load(work, y + j * s + t) * load(work, d + j * s + t)
        for j in range(n):
            at = d + j * s + t
            store(work, at, load(work, y + j * s + t) * (load(work, at) - mean))


@njit(**COMPILED)
def _log_softmax(work, z, y, n, s):
    for t in range(0, s, lanes_of(work)):
        best, where = _largest(work, z + t, n, s)
        others = best * 0.0
        for j in range(n):
            shifted = load(work, z + j * s + t) - best
            store(work, y + j * s + t, shifted)
            others = others + exp(shifted) * select_eq(where, float(j), 0.0, 1.0)
        rest = log1p(others)
        for j in range(n):
            store(work, y + j * s + t, load(work, y + j * s + t) - rest)


@njit(**COMPILED)
def _log_softmax_back(work, y, d, n, s):
    for t in range(0, s, lanes_of(work)):
        mass = load(work, d + t)
        for j in range(1, n):
            mass = mass + load(work, d + j * s + t)
        for j in range(n):
            at = d + j * s + t
            store(work, at, load(work, at) - exp(load(work, y + j * s + t)) * mass)
