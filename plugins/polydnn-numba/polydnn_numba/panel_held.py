"""What the executor in panels keeps from step to step, and who sees to what."""

from typing import Any, NamedTuple

from numba import njit

from polydnn_numba.compiling import COMPILED
from polydnn_numba.lanes import lanes_of
from polydnn_numba.native import NO, YES

__all__ = [
    "COLUMNS",
    "FIXED",
    "PANEL",
    "STATISTICS",
    "Block",
    "Held",
    "Rows",
    "extent",
    "in_vectors",
    "input_of",
]

COLUMNS = ("m", "n", "biased", "activation", "x", "z", "y", "mask", "out", "drawn")
"""What the table of layers says of each: ``x``, ``z`` and ``y`` are where input, pre-activation and activation stand.

``out`` is what the next layer gets: ``y``, or that times the mask of a dropout. ``drawn`` says how many units there are
in the dropouts before this layer's, and is below zero where it has none."""
M, N, BIASED, ACTIVATION, X, Z, Y, MASK, OUT, DRAWN = range(len(COLUMNS))

PANEL = ("w", "first", "count")
"""Of each panel: where its weights stand, its first unit and their number, or of the last layer its inputs.

A narrow layer leaves some panels without any."""
W, FIRST, COUNT = range(len(PANEL))

FIXED = ("targets", "shares", "d", "last d", "partial", "scratch", "slab", "across", "block", "loss", "optimizer")
"""What else is fixed for a plan: places in the workspace, numbers of rows, and which loss and optimizer."""
TARGETS, SHARES, D, LAST_D, PARTIAL, SCRATCH, SLAB, ACROSS, BLOCK, LOSS, OPTIMIZER = range(len(FIXED))

STATISTICS = ("loss", "squares of inputs", "squares of gradients", "finite", "scale", "squares")
"""What each panel knows of a step: its part of the loss, two sums that bound every move, whether all is finite, and of
its gradient the squares in units of a scale."""
COST, INPUTS, GRADIENTS, FINITE, SCALE, SQUARES = range(len(STATISTICS))


class Held(NamedTuple):
    """What one executor computes with from step to step."""

    blas: Any
    """The address of its matrix product."""
    integer: Any
    """A number of the type that the BLAS counts in."""
    give_way: Any
    """The address of a function that lets other threads have the processor, or 0."""
    table: Any
    """(layers, COLUMNS)"""
    alphas: Any
    """(layers,), the options of the activations."""
    panels: Any
    """(layers, panels, PANEL)"""
    fixed: Any
    """(FIXED,)"""
    options: Any
    """The optimizer's."""
    numbers: Any
    """Penalties, weight decay and bounds: ``bundle.NUMBERS``."""
    p: Any
    """Parameters, (panels, size), each row whole vectors long."""
    g: Any
    """Gradients likewise, (panels, 0) until they have to be kept: of several blocks, or where all are looked at."""
    slots: Any
    """The optimizer's arrays, (panels, slots, size); the parameters where it has none."""
    work: Any
    """The workspace, flat."""
    statistics: Any
    """(2, panels, STATISTICS and some room), for odd and even steps."""
    counters: Any
    """How often each thread has come to meet the others."""


class Rows(NamedTuple):
    """The rows that are trained on, what normalizes them, and the masks of dropouts for all steps, one after the other.

    Arrays that there are not are empty.
    """

    x: Any
    y: Any
    labels: Any
    weights: Any
    shift: Any
    scale: Any
    noise: Any


class Block(NamedTuple):
    """Some examples of a batch: ``order`` names them, ``s`` is the room for them in a row.

    ``by_rows`` says that the inputs lie example by example; ``noise`` are the masks of the whole batch.
    """

    order: Any
    start: Any
    count: Any
    batch: Any
    s: Any
    by_rows: Any
    noise: Any


# ---- who does what -----------------------------------------------------------------------------------------------


@njit(**COMPILED)
def in_vectors(held, count):
    """The room of ``count`` examples in whole vectors."""
    return (count + lanes_of(held.work) - 1) // lanes_of(held.work) * lanes_of(held.work)


@njit(**COMPILED)
def input_of(held, index, block):
    """How the input of a layer lies: turned or not, where, and how far apart its rows are."""
    if index == 0 and block.by_rows:
        return YES, held.table[0, X], held.fixed[ACROSS]
    return NO, held.table[index, X], block.s


@njit(**COMPILED)
def extent(held, index, q):
    """How many rows and columns a panel's weights have, and how many of the rows are no biases."""
    panel, layer = held.panels[index, q], held.table[index]
    if index < len(held.table) - 1:
        return layer[M] + layer[BIASED], panel[COUNT], layer[M]
    biased = layer[BIASED] if panel[FIRST] + panel[COUNT] == layer[M] else 0
    return panel[COUNT] + biased, layer[N], panel[COUNT]
