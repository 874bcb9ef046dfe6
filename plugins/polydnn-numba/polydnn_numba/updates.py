"""polydnn's optimizers, penalties and clipping in one pass over flat buffers of parameters, gradients and state."""

import math

from numba import njit

from polydnn_numba.compiling import COMPILED
from polydnn_numba.lanes import keep, lanes_of, load, peak, select_le, select_lt, sqrt, store, total

__all__ = [
    "KINDS",
    "SLOTS",
    "clip",
    "clip_each",
    "decay",
    "length_of",
    "penalize",
    "shorten",
    "shortening",
    "update",
]

KINDS = ("sgd", "momentum", "adam", "rmsprop", "adagrad")
"""The optimizers by the number that compiled code knows them under."""
SLOTS = 3
"""The most arrays that an optimizer here remembers."""
SGD, MOMENTUM, ADAM, RMSPROP, ADAGRAD = range(5)


@njit(**COMPILED)
def penalize(p, g, start, end, l1, l2):
    """Add the penalties' gradient for some weights to ``g``; what they add to the cost."""
    sizes = load(p, start) * 0.0
    squares = sizes
    for i in range(start, end, lanes_of(p)):
        w = keep(load(p, i), end - i)
        sign = select_lt(0.0, w, 1.0, select_lt(w, 0.0, -1.0, w))
        store(g, i, load(g, i) + w * l2 + sign * l1)
        sizes = sizes + w * sign
        squares = squares + w * w
    return l1 * total(sizes) + 0.5 * l2 * total(squares)


@njit(**COMPILED)
def clip(g, limit, norm):
    """Bring every element into [-limit, limit], then all together within ``norm``; inf leaves them as they are."""
    clip_each(g, limit)
    if norm < math.inf:
        scale, squares = length_of(g, norm)
        shorten(g, scale, shortening(scale, squares, norm))


@njit(**COMPILED)
def clip_each(g, limit):
    """Bring every element into [-limit, limit]; inf leaves them as they are."""
    if limit < math.inf:
        for i in range(0, len(g), lanes_of(g)):
            v = load(g, i)
            v = select_le(v, -limit, -limit, v)
            store(g, i, select_le(limit, v, limit, v))


@njit(**COMPILED)
def length_of(g, norm):
    """A scale, the size of the largest element but at least ``norm``, and the sum of all squares in units of it.

    So that no square is too large for its dtype.
    """
    top = load(g, 0)
    for i in range(0, len(g), lanes_of(g)):
        v = load(g, i)
        size = select_lt(v, 0.0, 0.0 - v, v)
        top = select_lt(top, size, size, top)
    one = g.dtype.type(1.0)
    largest = peak(top)
    scale = largest if largest > norm else one * norm
    squares = load(g, 0) * 0.0
    for i in range(0, len(g), lanes_of(g)):
        v = load(g, i) / scale
        squares = squares + v * v
    return scale, total(squares)


@njit(**COMPILED)
def shortening(scale, squares, norm):
    """By what ``g / scale`` is multiplied to be no longer than ``norm``; NaN where there is a NaN."""
    length, enough = math.sqrt(squares), norm / scale
    return norm / (enough if length <= enough else length)


@njit(**COMPILED)
def shorten(g, scale, factor):
    for i in range(0, len(g), lanes_of(g)):
        store(g, i, load(g, i) / scale * factor)


@njit(**COMPILED)
def decay(p, start, end, factor):
    """Multiply some weights by what the decay leaves of them."""
    kept = p.dtype.type(factor)
    for i in range(start, end):
        p[i] *= kept


@njit(**COMPILED)
def update(kind, numbers, p, g, slot0, slot1, slot2, rate, step):
    """One step of an optimizer whose options are in ``numbers``; whether all parameters are finite after it.

    Slots that it does not have are not looked at.
    """
    if kind == SGD:
        return _descend(p, g, rate)
    if kind == MOMENTUM:
        return _momentum(numbers, p, g, slot0, rate)
    if kind == ADAM:
        return _adam(numbers, p, g, slot0, slot1, slot2, rate, step)
    if kind == RMSPROP:
        return _rmsprop(numbers, p, g, slot0, slot1, slot2, rate)
    return _adagrad(numbers, p, g, slot0, rate)


@njit(**COMPILED)
def _written(p, i, value, found):
    """Write a vector of parameters; ``found``, which stays 0 as long as all that is written is finite."""
    store(p, i, value)
    return found + value * 0.0  # NaN for NaN and for infinity


@njit(**COMPILED)
def _descend(p, g, rate):
    found = load(p, 0) * 0.0
    for i in range(0, len(p), lanes_of(p)):
        found = _written(p, i, load(p, i) - load(g, i) * rate, found)
    return total(found) == 0.0


@njit(**COMPILED)
def _momentum(numbers, p, g, velocity, rate):
    momentum, nesterov = numbers[0], numbers[1] != 0.0
    found = load(p, 0) * 0.0
    for i in range(0, len(p), lanes_of(p)):
        v = load(velocity, i) * momentum + load(g, i)
        store(velocity, i, v)
        move = load(g, i) + v * momentum if nesterov else v
        found = _written(p, i, load(p, i) - move * rate, found)
    return total(found) == 0.0


@njit(**COMPILED)
def _adam(numbers, p, g, means, squares, largest, rate, step):
    beta1, beta2, eps = numbers[0], numbers[1], numbers[2]
    amsgrad, inside, hat = numbers[3] != 0.0, numbers[4] != 0.0, numbers[5] != 0.0
    weight = (1.0 - beta2 ** float(step)) / (1.0 - beta2)
    scale = rate * (1.0 - beta1) / (1.0 - beta1 ** float(step)) * math.sqrt(weight)
    if hat:
        weight = 1.0 / (1.0 - beta2)
    under, after = (eps * weight, 0.0) if inside else (0.0, eps * math.sqrt(weight))
    found = load(p, 0) * 0.0
    for i in range(0, len(p), lanes_of(p)):
        v = load(g, i)
        first = load(means, i) * beta1 + v
        second = load(squares, i) * beta2 + v * v
        store(means, i, first)
        store(squares, i, second)
        if amsgrad:
            top = load(largest, i)
            second = select_le(second, top, top, second)
            store(largest, i, second)
        found = _written(p, i, load(p, i) - first / (sqrt(second + under) + after) * scale, found)
    return total(found) == 0.0


@njit(**COMPILED)
def _rmsprop(numbers, p, g, squares, means, velocity, rate):
    keeps, momentum, eps = numbers[0], numbers[1], numbers[2]
    centered, inside = numbers[3] != 0.0, numbers[4] != 0.0
    fresh = 1.0 - keeps
    scale = 1.0 / math.sqrt(fresh)
    under, after = (eps / fresh, 0.0) if inside else (0.0, eps * scale)
    found = load(p, 0) * 0.0
    for i in range(0, len(p), lanes_of(p)):
        v = load(g, i)
        spread = load(squares, i) * keeps + v * v
        store(squares, i, spread)
        if centered:
            mean = load(means, i) * keeps + v
            store(means, i, mean)
            spread = spread - mean * mean * fresh
            spread = select_le(spread, 0.0, 0.0, spread)
        move = v / (sqrt(spread + under) + after)
        if momentum > 0.0:
            move = load(velocity, i) * momentum + move
            store(velocity, i, move)
        found = _written(p, i, load(p, i) - move * (rate * scale), found)
    return total(found) == 0.0


@njit(**COMPILED)
def _adagrad(numbers, p, g, squares, rate):
    eps, inside = numbers[0], numbers[1] != 0.0
    under, after = (eps, 0.0) if inside else (0.0, eps)
    found = load(p, 0) * 0.0
    for i in range(0, len(p), lanes_of(p)):
        v = load(g, i)
        sum_of_all = load(squares, i) + v * v
        store(squares, i, sum_of_all)
        found = _written(p, i, load(p, i) - v * rate / (sqrt(sum_of_all + under) + after), found)
    return total(found) == 0.0
