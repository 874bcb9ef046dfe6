"""A whole bundle of training steps in one compiled call: gather the rows, forward, cost, backward, update."""

from collections.abc import Callable
from typing import Any

from numba import njit

from polydnn_numba.activations import activate, pull_back
from polydnn_numba.compiling import COMPILED, FINGERPRINT, kept
from polydnn_numba.dense import accumulate_gradient, backward, forward
from polydnn_numba.lanes import lanes_of, load, store
from polydnn_numba.losses import LABELS, cost
from polydnn_numba.native import meet, share_of
from polydnn_numba.updates import clip, decay, penalize, update

__all__ = [
    "COLUMNS",
    "DENSE",
    "DROPOUT",
    "FIXED",
    "KNOWN",
    "NUMBERS",
    "OUT_OF_RANGE",
    "gather_targets",
    "share_out",
    "steps",
    "total_weight",
]

COLUMNS = ("kind", "m", "n", "rows", "w", "pitch", "activation", "x", "z", "y", "mask")
"""What the table of layers says of each: ``x``, ``z`` and ``y`` are where input, pre-activation and output stand in
the workspace; ``rows`` are those of the weights, the biases among them, which begin ``pitch`` apart; a dropout has its
mask from ``mask`` on."""
KIND, M, N, ROWS, W, PITCH, ACTIVATION, X, Z, Y, MASK = range(len(COLUMNS))
DENSE, DROPOUT = 0, 1

FIXED = ("targets", "shares", "d", "other d", "spread", "block", "normalized", "loss", "optimizer")
"""What else is fixed for a plan, in whole numbers: places in the workspace, the most examples worked on at once, ..."""
TARGETS, SHARES, D, OTHER_D, SPREAD, BLOCK, NORMALIZED, LOSS, OPTIMIZER = range(len(FIXED))

NUMBERS = ("l1", "l2", "weight_decay", "clip_value", "clip_norm")
L1, L2, DECAY, CLIP_VALUE, CLIP_NORM = range(len(NUMBERS))

KNOWN = ("loss", "there", "verdict")
"""What is known of a part of a batch: its part of the loss, and whether its rows are there; of the first also how the
step ended."""
LOSS_OF_PART, THERE, VERDICT = range(len(KNOWN))
FINE, NOT_FINITE, MISSING = 0.0, 1.0, 2.0

OUT_OF_RANGE = 0


@njit(**COMPILED)
def _gather(x, order, normalized, shift, scale, work, to, s, count):
    """Lay the rows that ``order`` names out feature by feature, the last again up to s; False where there is none."""
    m = x.shape[1]
    for i in range(s):
        row = order[min(i, count - 1)]
        if row < 0 or row >= len(x):
            return False
        if normalized:
            for k in range(m):
                work[to + k * s + i] = (x[row, k] - shift[k]) / scale[k]
        else:
            for k in range(m):
                work[to + k * s + i] = x[row, k]
    return True


@njit(**COMPILED)
def gather_targets(y, labels, of_labels, order, work, to, n, s, count):
    """The targets likewise; labels become rows of 0 and 1."""
    one = work.dtype.type(1.0)
    for i in range(s):
        row = order[min(i, count - 1)]
        if of_labels:
            label = labels[row]
            for j in range(n):
                work[to + j * s + i] = one if j == label else one * 0.0
        else:
            for j in range(n):
                work[to + j * s + i] = y[row, j]


@njit(**COMPILED)
def share_out(weights, order, start, count, batch, factor, work, to):
    """The weight of each example of a block in the batch's mean."""
    one = work.dtype.type(1.0)
    for i in range(count):
        if len(weights) > 0:
            work[to + i] = weights[order[start + i]] * factor
        else:
            work[to + i] = one / batch
    for i in range(count, count + lanes_of(work)):
        work[to + i] = one * 0.0


@njit(**COMPILED)
def total_weight(weights, order, batch):
    """1 over the sum of the weights; 1 where that is 0, since a batch without weight moves nothing."""
    mass = 0.0
    for i in range(batch):
        mass += weights[order[i]]
    return 1.0 / mass if mass > 0.0 else 1.0


@njit(**COMPILED)
def _ones(work, at, s):
    for i in range(0, s, lanes_of(work)):
        store(work, at + i, 1.0)


@njit(**COMPILED)
def _silence(noise, work, x, y, mask, n, s, count):
    """Y = X * M, with the rows of M laid out feature by feature beside it."""
    for i in range(s):
        at = min(i, count - 1) * n
        for j in range(n):
            work[mask + j * s + i] = noise[at + j]
    _product(work, x, mask, y, n * s)


@njit(**COMPILED)
def _product(work, a, b, to, size):
    for i in range(0, size, lanes_of(work)):
        store(work, to + i, load(work, a + i) * load(work, b + i))


@njit(**COMPILED)
def _predict(table, alphas, fixed, p, work, noise, batch, start, s, wide, count):
    """Forward through all layers. Of a single example the outputs are spread to vectors ``wide`` apart."""
    last = len(table) - 1
    drawn = 0
    for index in range(len(table)):
        layer = table[index]
        n, x, z, y = layer[N], layer[X], layer[Z], layer[Y]
        if layer[KIND] == DROPOUT:
            _silence(noise[drawn + start * n : drawn + batch * n], work, x, y, layer[MASK], n, s, count)
            drawn += batch * n
        else:
            to = z if s == wide or index < last else fixed[SPREAD]
            forward(p, layer[W], layer[PITCH], work, x, to, layer[ROWS], n, s)
            if to != z:
                for j in range(n):
                    work[z + j * wide] = work[to + j]
            activate(layer[ACTIVATION], alphas[index], work, z, y, n, s if index < last else wide)
        if index < last:
            _ones(work, y + n * s, s)


@njit(**COMPILED)
def _differentiate(table, alphas, fixed, p, g, work, s, wide):
    """Back through all layers, from the gradient at the output; adds to ``g``."""
    d, other = fixed[D], fixed[OTHER_D]
    for back in range(len(table)):
        index = len(table) - 1 - back
        layer = table[index]
        n = layer[N]
        if layer[KIND] == DROPOUT:
            _product(work, d, layer[MASK], d, n * s)
            continue
        pull_back(layer[ACTIVATION], alphas[index], work, layer[Z], layer[Y], d, n, wide if back == 0 else s)
        if back == 0 and s < wide:
            for j in range(n):
                work[d + j] = work[d + j * wide]
        accumulate_gradient(g, layer[W], layer[PITCH], work, layer[X], d, layer[ROWS], n, s)
        if layer[W] == 0:
            return
        backward(p, layer[W], layer[PITCH], work, d, other, layer[M], n, s)
        d, other = other, d


@njit(**COMPILED)
def _count_missing(rows, number):
    """How many of ``rows`` are none of that number of rows."""
    missing = 0
    for i in range(len(rows)):
        if rows[i] < 0 or rows[i] >= number:
            missing += 1
    return missing


@njit(**COMPILED)
def _differentiate_batch(
    x, y, labels, weights, rows, batch, first, end, table, alphas, fixed, shift, scale, p, g, work, noise
):  # fmt: skip
    """Add the gradient of examples ``first`` to ``end`` of a batch to ``g``, a block of them at a time.

    Whether the rows are there, and the cost.
    """
    lanes = lanes_of(work)
    one = work.dtype.type(1.0)
    row_wise = fixed[BLOCK] < 0
    block = abs(fixed[BLOCK])
    last = table[len(table) - 1]
    loss = one * 0.0
    factor = one
    for start in range(first, end, block):
        count = min(block, end - start)
        s = (count + lanes - 1) // lanes * lanes
        wide = s
        if batch == 1 and not row_wise:
            s = 1
        here = rows[start : start + count]
        if not _gather(x, here, fixed[NORMALIZED], shift, scale, work, table[0][X], s, count):
            return False, loss
        if start == first and len(weights) > 0:
            if _count_missing(rows, len(x)) > 0:
                return False, loss
            factor = one * total_weight(weights, rows, batch)
        _ones(work, table[0][X] + table[0][M] * s, s)
        gather_targets(y, labels, fixed[LOSS] == LABELS, here, work, fixed[TARGETS], last[N], wide, count)
        share_out(weights, rows, start, count, batch, factor, work, fixed[SHARES])
        _predict(table, alphas, fixed, p, work, noise, batch, start, s, wide, count)
        loss += cost(fixed[LOSS], work, last[Y], fixed[TARGETS], fixed[SHARES], fixed[D], last[N], wide, count)
        _differentiate(table, alphas, fixed, p, g, work, s, wide)
    return True, loss


@njit(**COMPILED)
def _weights_of(layer):
    """How much room a layer's weights take, their biases not among them."""
    return layer[M] * layer[PITCH] if layer[KIND] == DENSE else 0


@njit(**COMPILED)
def _move(table, fixed, numbers, options, p, g, slots, rate, step):
    """Bound the gradient and move the parameters along it; whether they are finite."""
    clip(g, numbers[CLIP_VALUE], numbers[CLIP_NORM])
    if numbers[DECAY] > 0.0:
        for layer in table:
            decay(p, layer[W], layer[W] + _weights_of(layer), 1.0 - rate * numbers[DECAY])
    return update(fixed[OPTIMIZER], options, p, g, slots[0], slots[1], slots[2], rate, step)


@njit(**COMPILED)
def _learn(table, fixed, numbers, options, p, g, slots, rate, step, known, loss):
    """Move the parameters along the sum of the parts' gradients; how that ended."""
    total_loss = p.dtype.type(known[0, LOSS_OF_PART])
    there = known[0, THERE] == 1.0
    own = g[0]
    for part in range(1, len(g)):
        total_loss += p.dtype.type(known[part, LOSS_OF_PART])
        there = there and known[part, THERE] == 1.0
        other = g[part]
        for i in range(0, len(own), lanes_of(own)):
            store(own, i, load(own, i) + load(other, i))
    if not there:
        return MISSING
    if numbers[L1] > 0.0 or numbers[L2] > 0.0:
        for layer in table:
            total_loss += penalize(p, own, layer[W], layer[W] + _weights_of(layer), numbers[L1], numbers[L2])
    fine = _move(table, fixed, numbers, options, p, own, slots, rate, step)
    loss[0] = total_loss
    return FINE if total_loss * 0.0 == 0.0 and fine else NOT_FINITE


def _compiled() -> Callable[..., Any]:
    """The bundle, compiled when it is first called with a dtype, and kept on disk."""
    fingerprint = FINGERPRINT

    @kept
    def steps(
        x, y, labels, weights, order, batch, rates, first_step, noise, losses, fixed,
        table, alphas, numbers, options, shift, scale, p, g, slots, work, known,
        parts, counters, give_way, me, threads,
    ):  # fmt: skip
        """One thread's part of len(rates) steps; how many were run, OUT_OF_RANGE where ``order`` names no row.

        After a step whose loss or parameters are not finite it stops, and gives the number of steps below zero.

        ``x`` (rows, features), ``y`` (rows, outputs) or ``labels`` (rows,), ``weights`` (rows,) or empty, ``order``
        (steps * batch,); ``p`` and the rows of ``slots`` are flat and as long as whole vectors; ``noise`` holds for
        every step the masks of its dropouts, one after the other. A batch is cut into ``parts``, each with a row of
        ``g``, of ``work`` and of ``known`` (KNOWN); the first thread adds their gradients up and moves the parameters.
        """
        noise_of_step = len(noise) // len(rates)
        _ = fingerprint
        lanes, turn = lanes_of(work), 1
        for done in range(len(rates)):
            rows = order[done * batch : (done + 1) * batch]
            drawn = noise[done * noise_of_step : (done + 1) * noise_of_step]
            for part in range(me, parts, threads):
                own, desk = g[part], work[part]
                for i in range(0, len(own), lanes):
                    store(own, i, 0.0)
                first, end = share_of(batch, lanes, parts, part)
                there, cost_of_part = _differentiate_batch(
                    x, y, labels, weights, rows, batch, first, end, table, alphas, fixed, shift, scale, p, own, desk,
                    drawn,
                )  # fmt: skip
                known[part, LOSS_OF_PART], known[part, THERE] = cost_of_part, there
            if threads > 1:
                meet(counters, me, threads, turn, give_way)
            if me == 0:
                known[0, VERDICT] = _learn(
                    table, fixed, numbers, options, p, g[:parts], slots, rates[done], first_step + done, known,
                    losses[done : done + 1],
                )  # fmt: skip
            if threads > 1:
                meet(counters, me, threads, turn + 1, give_way)
                turn += 2
            if known[0, VERDICT] == MISSING:
                return OUT_OF_RANGE
            if known[0, VERDICT] == NOT_FINITE:
                return -done - 1
        return len(rates)

    return steps


steps = _compiled()
