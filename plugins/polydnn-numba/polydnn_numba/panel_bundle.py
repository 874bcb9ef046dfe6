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
from polydnn_numba.panel_held import BLOCK, COST, COUNT, FINITE, GRADIENTS, INPUTS, Block, W, extent, in_vectors
from polydnn_numba.panel_moves import learn, learn_of_kept, penalize_and_measure, shorten_together
from polydnn_numba.panel_passes import backward, finish, forward, gather, gradient, send_down

__all__ = ["steps"]

FAR = 1e60
"""The square of a move after which parameters are looked at one by one; far below what float32 holds."""


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
def _of_block(held, rows, block, factor, keeping, rate, step, me, threads, turn):
    """Forward and backward of a block, by one thread of several; the number of the next meeting.

    The weights are moved on the way back, or the gradients added up where they are kept.
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
                if keeping:
                    every, at = extent(held, learning, q)[0], held.panels[learning, q, W]
                    gradient(held, learning, block, q, 0, every, 1.0, beta, held.g[q], at)
                else:
                    _note(held, step, q, 0.0, 0.0, 0.0, learn(held, learning, block, q, rate, step))
        turn = _meet(held, me, threads, turn)
    return turn


def _compiled() -> Callable[..., Any]:
    """The bundle, compiled when it is first called with a dtype, and kept on disk."""
    fingerprint = FINGERPRINT

    @kept
    def steps(held, rows, together, order, batch, rates, first_step, losses, me, threads):
        """One thread's part of ``len(rates)`` steps, each on ``batch`` rows that ``order`` names.

        ``together`` says that all gradients are looked at before any weight is moved.
        ``threads`` of them have to be called at the same time, numbered from 0 by ``me``; their counters must be 0.
        How many steps were taken, below zero where the last one left something that may not be finite.
        """
        _ = fingerprint
        panels, lanes = held.panels.shape[1], lanes_of(held.work)
        one = held.work.dtype.type(1.0)
        blocks = (batch + held.fixed[BLOCK] - 1) // held.fixed[BLOCK]
        noise_of_step = len(rows.noise) // len(rates)
        turn = 1
        for done in range(len(rates)):
            chosen = order[done * batch : (done + 1) * batch]
            drawn = rows.noise[done * noise_of_step : (done + 1) * noise_of_step]
            rate, step = rates[done], first_step + done
            factor = one * total_weight(rows.weights, chosen, batch) if len(rows.weights) > 0 else one * 1.0
            for number in range(blocks):
                start, end = batch * number // blocks, batch * (number + 1) // blocks
                count = end - start
                s = 1 if count == 1 else in_vectors(held, count)
                block = Block(chosen[start:end], start, count, batch, s, count > lanes, drawn)
                turn = _of_block(held, rows, block, factor, blocks > 1 or together, rate, step, me, threads, turn)
            if together:
                for q in range(me, panels, threads):
                    added = penalize_and_measure(held, q, held.statistics[step % 2, q])
                    _note(held, step, q, added, 0.0, 0.0, True)
                turn = _meet(held, me, threads, turn)
                for q in range(me, panels, threads):
                    shorten_together(held, q, held.statistics[step % 2])
            if blocks > 1 or together:
                for q in range(me, panels, threads):
                    for index in range(len(held.table)):
                        if held.panels[index, q, COUNT] > 0:
                            _note(held, step, q, 0.0, 0.0, 0.0, learn_of_kept(held, index, q, rate, step))
                turn = _meet(held, me, threads, turn)
            loss, fine = _verdict(held, step, rate)
            if me == 0:
                losses[done] = loss
            if not fine:
                return -done - 1
        return len(rates)

    return steps


steps = _compiled()
