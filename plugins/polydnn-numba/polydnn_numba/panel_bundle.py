"""Bundles of steps of a large network: every thread keeps a panel of each layer's weights, and BLAS multiplies.

A panel is some of a layer's units with all their weights; of the last layer, some of its inputs. Only its own thread
moves it, so that it stays in the second-level cache of one processor from step to step, where a BLAS of several threads
would deal the matrix out anew at every product. Threads meet where one needs what the others computed: once a layer on
the way out, once on the way back. Which panel computes what is fixed, and so is every sum: with any number of threads
the bits are the same.

Activations lie unit by unit, as in ``bundle``: (units, s) with room for s examples, and a row of ones behind them that
meets the biases.
"""

from collections.abc import Callable
from typing import Any

from numba import njit

from polydnn_numba.bundle import total_weight
from polydnn_numba.compiling import COMPILED, FINGERPRINT, kept
from polydnn_numba.lanes import lanes_of
from polydnn_numba.native import meet
from polydnn_numba.panel_held import (
    BIASED,
    BLOCK,
    COST,
    COUNT,
    FINITE,
    FIRST,
    GRADIENTS,
    INPUTS,
    OPTIMIZER,
    SCRATCH,
    SLAB,
    Block,
    M,
    N,
    W,
    in_vectors,
)
from polydnn_numba.panel_passes import backward, finish, forward, gather, gradient, send_down
from polydnn_numba.updates import SGD, update

__all__ = ["steps"]

FAR = 1e60
"""The square of a move after which parameters are looked at one by one; far below what float32 holds."""


# ---- moving the weights ------------------------------------------------------------------------------------------


@njit(**COMPILED)
def _extent(held, index, q):
    """How many rows and columns a panel's weights have, and how many of the rows are no biases."""
    panel, layer = held.panels[index, q], held.table[index]
    if index < len(held.table) - 1:
        return layer[M] + layer[BIASED], panel[COUNT], layer[M]
    biased = layer[BIASED] if panel[FIRST] + panel[COUNT] == layer[M] else 0
    return panel[COUNT] + biased, layer[N], panel[COUNT]


@njit(**COMPILED)
def _learn(held, index, block, q, rate, step):
    """Move a panel along the gradient of a batch of one block; whether it is finite as far as that was looked at.

    Plain descent is one product onto the weights. For others the gradient is made some rows at a time, which are still
    in the cache when the optimizer takes them up.
    """
    rows, columns, weights = _extent(held, index, q)
    w, p = held.panels[index, q, W], held.p[q]
    decay = held.options[len(held.options) - 1]
    if held.fixed[OPTIMIZER] == SGD and decay == 0.0:
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
def _learn_of_all(held, index, q, rate, step):
    """Move a panel along the gradient that several blocks have added up."""
    rows, columns, weights = _extent(held, index, q)
    w = held.panels[index, q, W]
    return _move(held, q, w, rows * columns, weights * columns, held.g[q], w, rate, step)


@njit(**COMPILED)
def _move(held, q, at, size, decaying, g, g_at, rate, step):
    """One step of the optimizer on ``size`` parameters, the first of which decay; what fills up a vector stays 0."""
    p, slots, lanes = held.p[q], held.slots[q], lanes_of(held.work)
    whole = (size + lanes - 1) // lanes * lanes
    decay = held.options[len(held.options) - 1]
    if decay != 0.0:
        factor = p.dtype.type(1.0 - rate * decay)
        for i in range(at, at + decaying):
            p[i] *= factor
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


# ---- a bundle ----------------------------------------------------------------------------------------------------


@njit(**COMPILED)
def _note(held, step, q, loss, inputs, gradients, fine):
    """Add to what a panel knows of a step."""
    own = held.statistics[step % 2, q]
    own[COST] += loss
    own[INPUTS] += inputs
    own[GRADIENTS] += gradients
    if not fine:
        own[FINITE] = 0.0


@njit(**COMPILED)
def _verdict(held, step, rate):
    """The loss of a step, and whether loss and parameters are finite: the same numbers for every thread that asks."""
    loss = inputs = gradients = 0.0
    fine = True
    for q in range(len(held.p)):
        own = held.statistics[step % 2, q]
        loss += own[COST]
        inputs += own[INPUTS]
        gradients += own[GRADIENTS]
        fine = fine and own[FINITE] == 1.0
    return loss, fine and loss * 0.0 == 0.0 and rate * rate * inputs * gradients < FAR


@njit(**COMPILED)
def _meet(held, me, threads, turn):
    if threads > 1:
        meet(held.counters, me, threads, turn, held.give_way)
    return turn + 1


@njit(**COMPILED)
def _of_block(held, rows, block, factor, blocks, rate, step, me, threads, turn):
    """Forward and backward of a block, by one thread of several; the number of the next meeting.

    Of a single block the weights are moved on the way back, of several the gradients are added up.
    """
    panels, last = held.panels.shape[1], len(held.table) - 1
    for q in range(me, panels, threads):
        if block.start == 0:
            held.statistics[step % 2, q] = 0.0
            held.statistics[step % 2, q, FINITE] = 1.0
        _note(held, step, q, 0.0, gather(held, rows, block, q) + block.count, 0.0, True)
    turn = _meet(held, me, threads, turn)
    for index in range(last):
        for q in range(me, panels, threads):
            if held.panels[index, q, COUNT] > 0:
                _note(held, step, q, 0.0, forward(held, index, block, q), 0.0, True)
        turn = _meet(held, me, threads, turn)
    for q in range(me, panels, threads):
        loss, squares = finish(held, rows, block, factor, q)
        _note(held, step, q, loss, 0.0, squares, True)
    turn = _meet(held, me, threads, turn)
    beta = 0.0 if block.start == 0 else 1.0
    for back in range(last):
        index = last - 1 - back
        for q in range(me, panels, threads):
            if held.panels[index, q, COUNT] == 0:
                continue
            _note(held, step, q, 0.0, 0.0, backward(held, index, block, q), True)
            if index > 0:
                send_down(held, index, block, q)
            for learning in range(index, index + 1 if back > 0 else last + 1):
                if blocks == 1:
                    _note(held, step, q, 0.0, 0.0, 0.0, _learn(held, learning, block, q, rate, step))
                else:
                    every, at = _extent(held, learning, q)[0], held.panels[learning, q, W]
                    gradient(held, learning, block, q, 0, every, 1.0, beta, held.g[q], at)
        turn = _meet(held, me, threads, turn)
    return turn


def _compiled() -> Callable[..., Any]:
    """The bundle, compiled when it is first called with a dtype, and kept on disk."""
    fingerprint = FINGERPRINT

    @kept
    def steps(held, rows, order, batch, rates, first_step, losses, me, threads):
        """One thread's part of ``len(rates)`` steps, each on ``batch`` rows that ``order`` names.

        ``threads`` of them have to be called at the same time, numbered from 0 by ``me``; their counters must be 0.
        How many steps were taken, below zero where the last one left something that may not be finite.
        """
        _ = fingerprint
        panels, lanes = held.panels.shape[1], lanes_of(held.work)
        one = held.work.dtype.type(1.0)
        blocks = (batch + held.fixed[BLOCK] - 1) // held.fixed[BLOCK]
        turn = 1
        for done in range(len(rates)):
            chosen = order[done * batch : (done + 1) * batch]
            rate, step = rates[done], first_step + done
            factor = one * total_weight(rows.weights, chosen, batch) if len(rows.weights) > 0 else one * 1.0
            for number in range(blocks):
                start, end = batch * number // blocks, batch * (number + 1) // blocks
                count = end - start
                s = 1 if count == 1 else in_vectors(held, count)
                block = Block(chosen[start:end], start, count, batch, s, count > lanes)
                turn = _of_block(held, rows, block, factor, blocks, rate, step, me, threads, turn)
            if blocks > 1:
                for q in range(me, panels, threads):
                    for index in range(len(held.table)):
                        if held.panels[index, q, COUNT] > 0:
                            _note(held, step, q, 0.0, 0.0, 0.0, _learn_of_all(held, index, q, rate, step))
                turn = _meet(held, me, threads, turn)
            loss, fine = _verdict(held, step, rate)
            if me == 0:
                losses[done] = loss
            if not fine:
                return -done - 1
        return len(rates)

    return steps


steps = _compiled()
