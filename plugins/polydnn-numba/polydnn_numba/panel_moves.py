"""How the weights of a panel are moved: along the gradient of one block as it is made, or along one that was kept.

A gradient is kept where several blocks add up to it, or where penalties and bounds look at all of it first.
"""

import math

from numba import njit

from polydnn_numba.bundle import CLIP_NORM, CLIP_VALUE, DECAY, L1, L2
from polydnn_numba.compiling import COMPILED
from polydnn_numba.lanes import lanes_of
from polydnn_numba.panel_held import COUNT, OPTIMIZER, SCALE, SCRATCH, SLAB, SQUARES, W, extent
from polydnn_numba.panel_passes import gradient
from polydnn_numba.updates import SGD, clip_each, decay, length_of, penalize, shorten, shortening, update

__all__ = ["learn", "learn_of_kept", "penalize_and_measure", "shorten_together"]


@njit(**COMPILED)
def learn(held, index, block, q, rate, step):
    """Move a panel along the gradient of a batch of one block; whether it is finite as far as that was looked at.

    Plain descent is one product onto the weights. For others the gradient is made some rows at a time, which are still
    in the cache when the optimizer takes them up.
    """
    rows, columns, weights = extent(held, index, q)
    w, p = held.panels[index, q, W], held.p[q]
    if held.fixed[OPTIMIZER] == SGD and held.numbers[DECAY] == 0.0:
        gradient(held, index, block, q, 0, rows, -rate, 1.0, p, w)
        return True
    fine = True
    scratch = held.fixed[SCRATCH] + q * (len(held.work) - held.fixed[SCRATCH]) // len(held.p)
    slab = max(held.fixed[SLAB] // columns // lanes_of(held.work), 1) * lanes_of(held.work)
    for start in range(0, rows, slab):
        end = min(start + slab, rows)
        gradient(held, index, block, q, start, end, 1.0, 0.0, held.work, scratch)
        decaying = max(min(end, weights) - start, 0) * columns
        if not _move(held, q, w + start * columns, (end - start) * columns, decaying, held.work, scratch, rate, step):
            fine = False
    return fine


@njit(**COMPILED)
def learn_of_kept(held, index, q, rate, step):
    """Move a panel along the gradient that was kept."""
    rows, columns, weights = extent(held, index, q)
    w = held.panels[index, q, W]
    return _move(held, q, w, rows * columns, weights * columns, held.g[q], w, rate, step)


@njit(**COMPILED)
def _move(held, q, at, size, decaying, g, g_at, rate, step):
    """One step of the optimizer on ``size`` parameters, the first of which decay; what fills up a vector stays 0."""
    p, slots, lanes = held.p[q], held.slots[q], lanes_of(held.work)
    whole = (size + lanes - 1) // lanes * lanes
    if held.numbers[DECAY] > 0.0:
        decay(p, at, at + decaying, 1.0 - rate * held.numbers[DECAY])
    for i in range(size, whole):
        g[g_at + i] = 0.0
    second, third = min(1, len(slots) - 1), min(2, len(slots) - 1)  # another array where it does not have so many
    fine = update(
        held.fixed[OPTIMIZER], held.options, p[at : at + whole], g[g_at : g_at + whole],
        slots[0, at : at + whole], slots[second, at : at + whole], slots[third, at : at + whole], rate, step,
    )  # fmt: skip
    for i in range(at + size, at + whole):
        p[i] = 0.0
    return fine


# ---- what looks at all of a gradient -----------------------------------------------------------------------------


@njit(**COMPILED)
def penalize_and_measure(held, q, own):
    """Add the penalties to a panel's gradient and bound its elements; what the penalties add to the cost.

    ``own`` learns how long the gradient is then.
    """
    p, g, numbers = held.p[q], held.g[q], held.numbers
    added = 0.0
    if numbers[L1] > 0.0 or numbers[L2] > 0.0:
        for index in range(len(held.table)):
            if held.panels[index, q, COUNT] > 0:
                _, columns, weights = extent(held, index, q)
                w = held.panels[index, q, W]
                added += penalize(p, g, w, w + weights * columns, numbers[L1], numbers[L2])
    clip_each(g, numbers[CLIP_VALUE])
    if numbers[CLIP_NORM] < math.inf:
        own[SCALE], own[SQUARES] = length_of(g, numbers[CLIP_NORM])
    return added


@njit(**COMPILED)
def shorten_together(held, q, statistics):
    """Bring a panel's gradient to its part of the bound that all of them keep together."""
    norm = held.numbers[CLIP_NORM]
    if norm == math.inf:
        return
    scale = squares = 0.0
    for other in range(len(statistics)):
        scale = max(scale, statistics[other, SCALE])
    for other in range(len(statistics)):
        part = statistics[other, SCALE] / scale
        squares += statistics[other, SQUARES] * part * part
    shorten(held.g[q], scale, shortening(scale, squares, norm))
