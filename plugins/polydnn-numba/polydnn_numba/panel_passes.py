"""A block of examples on its way through a network in panels and back: what each panel computes between meetings."""

from numba import njit

from polydnn_numba.activations import activate, pull_back
from polydnn_numba.bundle import gather_targets, share_out
from polydnn_numba.compiling import COMPILED
from polydnn_numba.lanes import lanes_of, load, store, total
from polydnn_numba.losses import LABELS, cost
from polydnn_numba.native import NO, YES, gemm, share_of
from polydnn_numba.panel_held import (
    ACROSS,
    ACTIVATION,
    BIASED,
    COUNT,
    DRAWN,
    FIRST,
    LAST_D,
    LOSS,
    MASK,
    OUT,
    PARTIAL,
    SCRATCH,
    SHARES,
    TARGETS,
    D,
    M,
    N,
    W,
    X,
    Y,
    Z,
    in_vectors,
    input_of,
)

__all__ = ["backward", "finish", "forward", "gather", "gradient", "send_down"]


# ---- the way out -------------------------------------------------------------------------------------------------


@njit(**COMPILED)
def gather(held, rows, block, q):
    """Bring a panel's part of the inputs into place: of many examples some, of few some features of all."""
    x, work, to = rows.x, held.work, held.table[0, X]
    m, panels = x.shape[1], held.panels.shape[1]
    normalized = len(rows.shift) > 0
    if block.by_rows:
        across = held.fixed[ACROSS]
        start, end = share_of(block.count, lanes_of(held.work), panels, q)
        for i in range(start, end):
            row, at = block.order[i], to + i * across
            if normalized:
                for k in range(m):
                    work[at + k] = (x[row, k] - rows.shift[k]) / rows.scale[k]
            else:
                for k in range(m):
                    work[at + k] = x[row, k]
            work[at + m] = 1.0
        return _squares(work, to + start * across, (end - start) * across)
    start, end = share_of(m, lanes_of(held.work), panels, q)
    for i in range(block.count):
        row, at = block.order[i], to + i
        if normalized:
            for k in range(start, end):
                work[at + k * block.s] = (x[row, k] - rows.shift[k]) / rows.scale[k]
        else:
            for k in range(start, end):
                work[at + k * block.s] = x[row, k]
        if end == m:
            work[at + m * block.s] = 1.0
    return _squares(work, to + start * block.s, (end - start) * block.s)


@njit(**COMPILED)
def _squares(work, at, size):
    """The sum of the squares of ``size`` numbers, and of those that fill up the last vector."""
    sums = load(work, at) * 0.0
    for i in range(0, size, lanes_of(work)):
        v = load(work, at + i)
        sums = sums + v * v
    return float(total(sums))


@njit(**COMPILED)
def _clear(work, at, rows, s, count):
    """Zeros behind the last example of each row, where no product writes."""
    if count < s:
        for j in range(rows):
            for i in range(count, s):
                work[at + j * s + i] = 0.0


@njit(**COMPILED)
def forward(held, index, block, q):
    """The outputs of one panel of a hidden layer; the sum of their squares."""
    work, s, layer, panel = held.work, block.s, held.table[index], held.panels[index, q]
    one = work.dtype.type(1.0)
    units, first = panel[COUNT], panel[FIRST]
    turn, x, ldx = input_of(held, index, block)
    z, y = layer[Z] + first * s, layer[Y] + first * s
    gemm(
        held.blas, held.integer, YES, turn, units, block.count, layer[M] + layer[BIASED], one,
        held.p[q], panel[W], units, work, x, ldx, one * 0.0, work, z, s,
    )  # fmt: skip
    _clear(work, z, units, s, block.count)
    activate(layer[ACTIVATION], held.alphas[index], work, z, y, units, s)
    if layer[DRAWN] >= 0:
        _silence(held, index, block, q)
    if first + units == layer[N]:
        for i in range(0, s, lanes_of(held.work)):
            store(work, layer[OUT] + layer[N] * s + i, 1.0)
    return _squares(work, layer[OUT] + first * s, units * s)


@njit(**COMPILED)
def _silence(held, index, block, q):
    """Y M for the units of one panel, with M laid out unit by unit for the way back."""
    work, s, layer, panel = held.work, block.s, held.table[index], held.panels[index, q]
    units, n, lanes = panel[COUNT], layer[N], lanes_of(held.work)
    here = panel[FIRST] * s
    drawn = block.batch * layer[DRAWN] + block.start * n + panel[FIRST]
    for first in range(0, block.count, lanes):  # so few rows at a time stay in the cache for the units that follow
        for j in range(units):
            at = layer[MASK] + here + j * s
            for i in range(first, min(first + lanes, block.count)):
                work[at + i] = block.noise[drawn + i * n + j]
    _multiply(work, layer[Y] + here, layer[MASK] + here, layer[OUT] + here, units * s)


@njit(**COMPILED)
def _multiply(work, a, b, to, size):
    for i in range(0, size, lanes_of(work)):
        store(work, to + i, load(work, a + i) * load(work, b + i))


@njit(**COMPILED)
def finish(held, rows, block, factor, q):
    """A panel's examples through the last layer: their part of the loss, and the sum of its gradient's squares."""
    work, fixed, s = held.work, held.fixed, block.s
    one = work.dtype.type(1.0)
    last = len(held.table) - 1
    layer, panels = held.table[last], held.panels[last]
    n, code, alpha = layer[N], layer[ACTIVATION], held.alphas[last]
    start, end = share_of(block.count, lanes_of(held.work), len(panels), q)
    count = end - start
    if count == 0:
        return one * 0.0, 0.0
    wide = in_vectors(held, count)
    z, y, d = layer[Z] + n * start, layer[Y] + n * start, fixed[LAST_D] + n * start
    beta = one * 0.0
    for other in range(len(panels)):
        w, first, inputs = panels[other]
        if inputs > 0:
            if other == len(panels) - 1:
                inputs += layer[BIASED]
            gemm(
                held.blas, held.integer, YES, NO, n, count, inputs, one, held.p[other], w, n,
                work, layer[X] + first * s + start, s, beta, work, z, wide,
            )  # fmt: skip
            beta = one
    _clear(work, z, n, wide, count)
    activate(code, alpha, work, z, y, n, wide)
    here = block.order[start:end]
    targets, shares = fixed[TARGETS] + n * start, fixed[SHARES] + start + q * lanes_of(held.work)
    gather_targets(rows.y, rows.labels, fixed[LOSS] == LABELS, here, work, targets, n, wide, count)
    share_out(rows.weights, block.order, start, count, block.batch, factor, work, shares)
    loss = cost(fixed[LOSS], work, y, targets, shares, d, n, wide, count)
    pull_back(code, alpha, work, z, y, d, n, wide)
    return loss, _squares(work, d, n * wide)


# ---- the way back ------------------------------------------------------------------------------------------------


@njit(**COMPILED)
def backward(held, index, block, q):
    """dZ of one panel of a hidden layer; the sum of its squares."""
    work, fixed, s = held.work, held.fixed, block.s
    layer, panel = held.table[index], held.panels[index, q]
    units, first = panel[COUNT], panel[FIRST]
    d = fixed[D] + first * s
    if index == len(held.table) - 2:
        _back_from_end(held, block, q, d)
    else:
        _sum_up(held, index, first * s, units * s, d)
    if layer[DRAWN] >= 0:
        _multiply(work, d, layer[MASK] + first * s, d, units * s)
    pull_back(
        layer[ACTIVATION], held.alphas[index], work, layer[Z] + first * s, layer[Y] + first * s, d, units, s
    )  # fmt: skip
    _clear(work, d, units, s, block.count)
    return _squares(work, d, units * s)


@njit(**COMPILED)
def _back_from_end(held, block, q, d):
    work = held.work
    one = work.dtype.type(1.0)
    last = len(held.table) - 1
    n, panels = held.table[last, N], held.panels[last]
    for other in range(len(panels)):
        start, end = share_of(block.count, lanes_of(held.work), len(panels), other)
        if start < end:
            wide = in_vectors(held, end - start)
            gemm(
                held.blas, held.integer, NO, NO, panels[q, COUNT], end - start, n, one, held.p[q], panels[q, W], n,
                work, held.fixed[LAST_D] + n * start, wide, one * 0.0, work, d + start, block.s,
            )  # fmt: skip


@njit(**COMPILED)
def _partial(held, index, q):
    """Where a panel's part of dX stands that goes down to layer ``index``; two layers in a row share no place."""
    panels = held.panels.shape[1]
    return held.fixed[PARTIAL] + (index % 2 * panels + q) * (held.fixed[SCRATCH] - held.fixed[PARTIAL]) // (2 * panels)


@njit(**COMPILED)
def send_down(held, index, block, q):
    """A panel's part of the gradient with respect to its layer's inputs."""
    work, panel, m = held.work, held.panels[index, q], held.table[index, M]
    one = work.dtype.type(1.0)
    gemm(
        held.blas, held.integer, NO, NO, m, block.count, panel[COUNT], one, held.p[q], panel[W], panel[COUNT],
        work, held.fixed[D] + panel[FIRST] * block.s, block.s, one * 0.0, work, _partial(held, index - 1, q), block.s,
    )  # fmt: skip


@njit(**COMPILED)
def _sum_up(held, index, first, size, to):
    """Some rows of the gradient at a layer's outputs: the sum of what the panels above have sent down."""
    work, above = held.work, held.panels[index + 1]
    begun = False
    for q in range(len(above)):
        if above[q, COUNT] > 0:
            part = _partial(held, index, q) + first
            for i in range(0, size, lanes_of(work)):
                v = load(work, part + i)
                store(work, to + i, v + load(work, to + i) if begun else v)
            begun = True


@njit(**COMPILED)
def gradient(held, index, block, q, start, end, alpha, beta, to, at):
    """to <- alpha X dZ^T + beta to, for the rows ``start`` to ``end`` of a panel's weights, biases being the last."""
    work, panel, s = held.work, held.panels[index, q], block.s
    one = work.dtype.type(1.0)
    rows = end - start
    if index < len(held.table) - 1:
        turn, x, ldx = input_of(held, index, block)
        gemm(
            held.blas, held.integer, turn, YES, rows, panel[COUNT], block.count, one * alpha,
            work, x + start * (1 if turn == YES else ldx), ldx, work, held.fixed[D] + panel[FIRST] * s, s,
            one * beta, to, at, panel[COUNT],
        )  # fmt: skip
        return
    n, panels = held.table[index, N], held.panels.shape[1]
    for other in range(panels):
        e, until = share_of(block.count, lanes_of(held.work), panels, other)
        if e < until:
            wide = in_vectors(held, until - e)
            gemm(
                held.blas, held.integer, NO, YES, rows, n, until - e, one * alpha,
                work, held.table[index, X] + (panel[FIRST] + start) * s + e, s, work, held.fixed[LAST_D] + n * e, wide,
                one * beta, to, at, n,
            )  # fmt: skip
            beta = 1.0
