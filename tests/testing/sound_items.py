"""Items that look odd and keep their contracts: kinks, jumps in a second derivative, functions without a bound."""

import math

import numpy as np

from polydnn.activations.activation import Activation
from polydnn.initializers.initializer import Initializer
from polydnn.losses.loss import Loss, check_same_shape
from polydnn.metrics.metric import Metric
from polydnn.optimizers.optimizer import Optimizer

__all__ = ["SOUND_ITEMS"]


def activation(name, forward, derivative):
    return ("activation", name, Activation(name, forward, derivative=derivative), None)


def loss(name, value, gradient, kind="real", prediction_range=None):
    def checked_value(prediction, target, *, xp):
        check_same_shape(name, prediction, target)
        return value(prediction, target, xp)

    def checked_gradient(prediction, target, *, xp):
        check_same_shape(name, prediction, target)
        return gradient(prediction, target, xp)

    return ("loss", name, Loss(name, checked_value, checked_gradient, target_kind=kind), prediction_range)


def kept_nan(z, slope, xp):
    return xp.where(xp.isnan(z), z, slope)


def clipped(z, low, high, xp):
    return xp.astype((z > low) & (z < high), z.dtype)


def softsign_slope(z, y, *, xp):
    return (1.0 / (1.0 + xp.abs(z))) ** 2


def chirp_slope(z, y, *, xp):
    inside = xp.clip(z, -2e3, 2e3)
    return xp.where(xp.abs(z) > 2e3, 0.0 * inside, 2.0 * inside * xp.cos(inside**2))


def thresholded(z, *, xp):
    return xp.where(z < 1.0, 0.0 * z, z)


def log_cosh(p, t, xp):
    size = xp.abs(p - t)
    return xp.mean(size + xp.log1p(xp.exp(-2.0 * size)) - math.log(2.0), axis=-1)


def pinball(p, t, xp):
    return xp.sum(xp.maximum(0.9 * (t - p), 0.1 * (p - t)), axis=-1)


def pinball_gradient(p, t, xp):
    return xp.where(p < t, -0.9 * xp.ones_like(p), 0.1 * xp.ones_like(p))


def squared_hinge(p, t, xp):
    return xp.sum(xp.maximum(1.0 - t * p, 0.0) ** 2, axis=-1)


def squared_hinge_gradient(p, t, xp):
    return -2.0 * t * xp.maximum(1.0 - t * p, 0.0)


def lion(gradient, state, parameter, *, learning_rate, step, xp):
    move = xp.sign(0.9 * state["average"] + 0.1 * gradient)
    return parameter - learning_rate * move, {"average": 0.99 * state["average"] + 0.01 * gradient}


def zeros(*names):
    def init(parameter, *, xp):
        return {name: xp.zeros_like(parameter) for name in names}

    return init


def by_norm(gradient, state, parameter, *, learning_rate, step, xp):
    return parameter - learning_rate * gradient / (xp.sqrt(xp.sum(gradient**2)) + 1e-8), state


def adadelta(gradient, state, parameter, *, learning_rate, step, xp):
    square = 0.9 * state["square"] + 0.1 * gradient**2
    move = gradient * xp.sqrt((state["moves"] + 1e-6) / (square + 1e-6))
    return parameter - learning_rate * move, {"square": square, "moves": 0.9 * state["moves"] + 0.1 * move**2}


def orthogonal(shape, stream):
    rows, columns = max(shape), min(shape)
    q, r = np.linalg.qr(stream.standard_normal((rows, columns)))
    q = q * np.sign(np.diag(r))
    return q if shape == (rows, columns) else q.T


def median_error(prediction, target, *, xp):
    if prediction.shape != target.shape:
        msg = "the shapes differ"
        raise ValueError(msg)
    errors = xp.sort(xp.reshape(xp.abs(prediction - target), (-1,)))
    return errors[errors.shape[0] // 2]


SOUND_ITEMS = (
    activation("softsign", lambda z, *, xp: z / (1.0 + xp.abs(z)), softsign_slope),
    activation(
        "hard_tanh",
        lambda z, *, xp: xp.clip(z, -1.0, 1.0),
        lambda z, y, *, xp: kept_nan(z, clipped(z, -1.0, 1.0, xp), xp),
    ),
    activation(
        "relu6", lambda z, *, xp: xp.clip(z, 0.0, 6.0), lambda z, y, *, xp: kept_nan(z, clipped(z, 0.0, 6.0, xp), xp)
    ),
    activation("thresholded", thresholded, lambda z, y, *, xp: xp.astype(z >= 1.0, z.dtype)),
    activation("square", lambda z, *, xp: z * z, lambda z, y, *, xp: 2.0 * z),
    activation("exponential", lambda z, *, xp: xp.exp(z), lambda z, y, *, xp: y),
    activation("chirp", lambda z, *, xp: xp.sin(xp.clip(z, -2e3, 2e3) ** 2), chirp_slope),
    activation("sine", lambda z, *, xp: xp.sin(z), lambda z, y, *, xp: xp.cos(z)),
    loss("log_cosh", log_cosh, lambda p, t, xp: xp.tanh(p - t) / p.shape[-1]),
    loss("pinball", pinball, pinball_gradient),
    loss("squared_hinge", squared_hinge, squared_hinge_gradient, "signs"),
    loss(
        "poisson",
        lambda p, t, xp: xp.sum(p - t * xp.log(p), axis=-1),
        lambda p, t, xp: 1.0 - t / p,
        prediction_range=(0.0, math.inf),
    ),
    ("optimizer", "lion", Optimizer("lion", zeros("average"), lion, elementwise=True), None),
    ("optimizer", "by_norm", Optimizer("by_norm", zeros(), by_norm), None),
    ("optimizer", "adadelta", Optimizer("adadelta", zeros("square", "moves"), adadelta, True, 1.0), None),
    ("initializer", "orthogonal", Initializer("orthogonal", orthogonal), None),
    ("initializer", "identity", Initializer("identity", lambda shape, stream: np.eye(*shape)), None),
    ("metric", "median_error", Metric("median_error", median_error, higher_is_better=False), None),
)
"""(kind, name, item, prediction_range): every one must pass everything."""
