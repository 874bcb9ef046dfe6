"""The three products of a dense layer, on activations that lie feature by feature.

A layer with m inputs and n outputs has its weights, and its biases after them, as one matrix of m (or m + 1) rows,
``pitch`` apart, in ``p`` from ``w`` on; the activations before it stand in ``work`` from ``x`` on, m rows of ``s``
examples and a row of ones for the biases. So Z = W^T X, dW = X dZ^T and dX = W dZ need no case for a bias.

``s`` is a multiple of the lanes, or 1: of a single example the rows are single numbers, and the loops run along the
units instead, in vectors that may reach past the end of a row. What stands there is read, and in ``work`` written to.
"""

from numba import njit

from polydnn_numba.compiling import COMPILED
from polydnn_numba.lanes import add_totals, keep, lanes_of, load, splat, store, total

__all__ = ["accumulate_gradient", "backward", "forward"]


@njit(**COMPILED)
def forward(p, w, pitch, work, x, z, rows, n, s):
    """Z = W^T X into ``work`` from ``z`` on: n rows of s examples, for W with ``rows`` rows."""
    if s == 1:
        _forward_one(p, w, pitch, work, x, z, rows, n)
        return
    lanes = lanes_of(work)
    blocks = n - n % 4
    for t in range(0, s, lanes):
        for j in range(0, blocks, 4):
            at = w + j
            v = load(work, x + t)
            z0, z1, z2, z3 = v * splat(p, at), v * splat(p, at + 1), v * splat(p, at + 2), v * splat(p, at + 3)
            for k in range(1, rows):
                at += pitch
                v = load(work, x + k * s + t)
                z0 = z0 + v * splat(p, at)
                z1 = z1 + v * splat(p, at + 1)
                z2 = z2 + v * splat(p, at + 2)
                z3 = z3 + v * splat(p, at + 3)
            to = z + j * s + t
            store(work, to, z0)
            store(work, to + s, z1)
            store(work, to + 2 * s, z2)
            store(work, to + 3 * s, z3)
        for j in range(blocks, n):
            store(work, z + j * s + t, _column(p, w + j, pitch, work, x + t, s, rows))


@njit(**COMPILED)
def _column(p, at, apart, work, x, s, rows):
    """One output for the lanes at ``x``; in four sums, since each addition waits for the one before."""
    z0 = load(work, x) * splat(p, at)
    z1 = z0 * 0.0
    z2, z3 = z1, z1
    k = 1
    while k + 4 <= rows:
        here, row = at + k * apart, x + k * s
        z0 = z0 + load(work, row) * splat(p, here)
        z1 = z1 + load(work, row + s) * splat(p, here + apart)
        z2 = z2 + load(work, row + 2 * s) * splat(p, here + 2 * apart)
        z3 = z3 + load(work, row + 3 * s) * splat(p, here + 3 * apart)
        k += 4
    while k < rows:
        z0 = z0 + load(work, x + k * s) * splat(p, at + k * apart)
        k += 1
    return (z0 + z1) + (z2 + z3)


@njit(**COMPILED)
def accumulate_gradient(g, w, pitch, work, x, d, rows, n, s):
    """dW = dW + X dZ^T in ``g`` from ``w`` on, with dZ in ``work`` from ``d`` on."""
    if s == 1:
        _gradient_one(g, w, pitch, work, x, d, rows, n)
        return
    pairs, blocks = rows - rows % 2, n - n % 4
    for j in range(0, blocks, 4):
        for k in range(0, pairs, 2):
            _eight_sums(g, w + k * pitch + j, pitch, work, x + k * s, d + j * s, s)
        if pairs < rows:
            _four_columns(g, w + pairs * pitch + j, work, x + pairs * s, d + j * s, s)
    quads = rows - rows % 4
    for j in range(blocks, n):
        for k in range(0, quads, 4):
            _four_sums(g, w + k * pitch + j, pitch, work, x + k * s, d + j * s, s)
        for k in range(quads, rows):
            g[w + k * pitch + j] += _sum(work, x + k * s, d + j * s, s)


@njit(**COMPILED)
def _eight_sums(g, at, pitch, work, x, d, s):
    """The gradient of two rows by four columns of W: six loads for eight products."""
    lanes = lanes_of(work)
    a0 = load(work, x) * 0.0
    a1, a2, a3, b0, b1, b2, b3 = a0, a0, a0, a0, a0, a0, a0
    for t in range(0, s, lanes):
        v0, v1 = load(work, x + t), load(work, x + s + t)
        e = load(work, d + t)
        a0, b0 = a0 + v0 * e, b0 + v1 * e
        e = load(work, d + s + t)
        a1, b1 = a1 + v0 * e, b1 + v1 * e
        e = load(work, d + 2 * s + t)
        a2, b2 = a2 + v0 * e, b2 + v1 * e
        e = load(work, d + 3 * s + t)
        a3, b3 = a3 + v0 * e, b3 + v1 * e
    add_totals(g, at, a0, a1, a2, a3)
    add_totals(g, at + pitch, b0, b1, b2, b3)


@njit(**COMPILED)
def _four_columns(g, at, work, x, d, s):
    """The gradient of one row of four columns of W."""
    lanes = lanes_of(work)
    a0 = load(work, x) * 0.0
    a1, a2, a3 = a0, a0, a0
    for t in range(0, s, lanes):
        v = load(work, x + t)
        a0 = a0 + v * load(work, d + t)
        a1 = a1 + v * load(work, d + s + t)
        a2 = a2 + v * load(work, d + 2 * s + t)
        a3 = a3 + v * load(work, d + 3 * s + t)
    add_totals(g, at, a0, a1, a2, a3)


@njit(**COMPILED)
def _four_sums(g, at, pitch, work, x, d, s):
    """The gradient of four rows of one column of W."""
    lanes = lanes_of(work)
    a0 = load(work, x) * 0.0
    a1, a2, a3 = a0, a0, a0
    for t in range(0, s, lanes):
        e = load(work, d + t)
        a0 = a0 + load(work, x + t) * e
        a1 = a1 + load(work, x + s + t) * e
        a2 = a2 + load(work, x + 2 * s + t) * e
        a3 = a3 + load(work, x + 3 * s + t) * e
    g[at] += total(a0)
    g[at + pitch] += total(a1)
    g[at + 2 * pitch] += total(a2)
    g[at + 3 * pitch] += total(a3)


@njit(**COMPILED)
def _sum(work, x, d, s):
    lanes = lanes_of(work)
    a = load(work, x) * load(work, d)
    for t in range(lanes, s, lanes):
        a = a + load(work, x + t) * load(work, d + t)
    return total(a)


@njit(**COMPILED)
def backward(p, w, pitch, work, d, dx, m, n, s):
    """dX = W dZ into ``work`` from ``dx`` on, for the m inputs that are no bias."""
    if s == 1:
        _backward_one(p, w, pitch, work, d, dx, m, n)
        return
    lanes = lanes_of(work)
    blocks = m - m % 4
    for t in range(0, s, lanes):
        for k in range(0, blocks, 4):
            at = w + k * pitch
            e = load(work, d + t)
            x0, x1, x2, x3 = (
                e * splat(p, at),
                e * splat(p, at + pitch),
                e * splat(p, at + 2 * pitch),
                e * splat(p, at + 3 * pitch),
            )
            for j in range(1, n):
                e = load(work, d + j * s + t)
                at += 1
                x0 = x0 + e * splat(p, at)
                x1 = x1 + e * splat(p, at + pitch)
                x2 = x2 + e * splat(p, at + 2 * pitch)
                x3 = x3 + e * splat(p, at + 3 * pitch)
            to = dx + k * s + t
            store(work, to, x0)
            store(work, to + s, x1)
            store(work, to + 2 * s, x2)
            store(work, to + 3 * s, x3)
        for k in range(blocks, m):
            store(work, dx + k * s + t, _column(p, w + k * pitch, 1, work, d + t, s, n))


# ---- a single example: vectors along the units, which reach past a row's end ----------------------------------------


@njit(**COMPILED)
def _forward_one(p, w, pitch, work, x, z, rows, n):
    if n == 1:
        store(work, z, _product_of_rows(p, w, work, x, rows))
        return
    for j in range(0, n, lanes_of(work)):
        at = w + j
        v = load(p, at) * splat(work, x)
        for k in range(1, rows):
            at += pitch
            v = v + load(p, at) * splat(work, x + k)
        store(work, z + j, v)


@njit(**COMPILED)
def _gradient_one(g, w, pitch, work, x, d, rows, n):
    lanes = lanes_of(work)
    if n == 1:
        e = splat(work, d)
        for k in range(0, rows, lanes):
            store(g, w + k, load(g, w + k) + keep(load(work, x + k) * e, rows - k))
        return
    for j in range(0, n, lanes):
        e = keep(load(work, d + j), n - j)
        at = w + j
        for k in range(rows):
            store(g, at, load(g, at) + e * splat(work, x + k))  # adds nothing to what follows the row
            at += pitch


@njit(**COMPILED)
def _backward_one(p, w, pitch, work, d, dx, m, n):
    if n == 1:
        e = splat(work, d)
        for k in range(0, m, lanes_of(work)):
            store(work, dx + k, load(p, w + k) * e)
        return
    for k in range(m):
        work[dx + k] = _product_of_rows(p, w + k * pitch, work, d, n)


@njit(**COMPILED)
def _product_of_rows(p, w, work, x, n):
    """The sum of n products of a row of ``p`` and one of ``work``."""
    lanes = lanes_of(work)
    v = load(p, w) * load(work, x)
    whole = n - n % lanes
    if whole == 0:
        return total(keep(v, n))
    for j in range(lanes, whole, lanes):
        v = v + load(p, w + j) * load(work, x + j)
    if whole < n:
        v = v + keep(load(p, w + whole) * load(work, x + whole), n - whole)
    return total(v)
