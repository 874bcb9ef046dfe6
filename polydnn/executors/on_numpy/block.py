"""Forward and backward for one fixed number of rows, as a list of operations made once."""

from collections.abc import Mapping
from typing import Any

from polydnn.execution.executor import Data
from polydnn.execution.plan import StepPlan
from polydnn.executors.on_numpy.activations import Operation
from polydnn.executors.on_numpy.blas import Matrix
from polydnn.executors.on_numpy.buffers import Buffers
from polydnn.executors.on_numpy.costs import cost_of
from polydnn.executors.on_numpy.nodes import DenseNode, LayerNode, Node
from polydnn.executors.on_numpy.products import Product
from polydnn.layers import Dense
from polydnn.types import Array

__all__ = ["Block"]


class Block:
    """What a plan does with ``rows`` rows of a batch.

    ``direct`` means that plain gradient descent moves the parameters right after the gradient has passed them, without
    ever writing the gradients down.
    """

    def __init__(self, plan: StepPlan, buffers: Buffers, gradients: Matrix, rows: int, *, direct: bool) -> None:
        self.rows = rows
        self._nodes = _nodes(plan, buffers, gradients, rows)
        for node, following in zip(self._nodes, [*self._nodes[1:], None], strict=True):
            node.link(following)
        self.x, last = self._nodes[0].given, self._nodes[-1]
        self._y: Matrix | None = None
        assert isinstance(last, DenseNode | LayerNode)
        self._cost = cost_of(plan, last.output, last.dy)
        self._random = [(index, node) for index, node in enumerate(self._nodes) if isinstance(node, LayerNode)]
        self._forward = [operation for node in self._nodes for operation in node.forward()]
        trained = [index for index, names in enumerate(plan.names) if set(names.values()) & set(buffers.shapes)]
        self._way_back = [
            (node, self._nodes[index - 1] if index > trained[0] else None)
            for index, node in reversed(list(enumerate(self._nodes)))
            if index >= trained[0]
        ]
        self._backward: dict[bool, list[Operation]] = {}
        self._moves: list[tuple[list[Operation], list[Product], DenseNode]] = []
        if direct:
            for node, before in self._way_back:
                assert isinstance(node, DenseNode)
                self._moves.append((node.pull_back(before), node.update(), node))

    def take(self, data: Data, index: Any) -> None:
        """Bring the rows that ``index`` (numbers, or a slice) names into place."""
        x, y = data.x, data.y
        if isinstance(index, slice):
            self.x[...] = x[index]
            self._y = y[index]
            return
        if x.dtype == self.x.dtype and self.x.flags.c_contiguous:
            x.take(index, 0, self.x, "clip")  # order comes from the trainer; "raise" would copy through a buffer
        else:
            self.x[...] = x.take(index, 0)
        self._y = y.take(index, 0)

    def forward(self, noise: Mapping[int, Array], share: float, shares: Matrix | None) -> Any:
        """The cost of the rows that were taken, each row's loss times its share."""
        for index, node in self._random:
            node.noise = noise.get(index)
        for operation in self._forward:
            operation()
        assert self._y is not None
        return self._cost(self._y, share, shares)

    def prepare(self, *, first: bool) -> None:
        """Make the operations of ``backward``; not at its first call, when the BLAS may have other threads.

        Routines are chosen for the number of threads that the library has when they are made.
        """
        if first not in self._backward:
            done = [operation for node, before in self._way_back for operation in node.backward(before, first)]
            self._backward[first] = done

    def backward(self, *, first: bool) -> None:
        """The gradients: written by the first block of a batch, added by the others."""
        for operation in self._backward[first]:
            operation()

    def descend(self, learning_rate: float) -> float:
        """Back through all layers, moving parameters on the way; an upper bound of a squared element of any move."""
        bound = 0.0
        for pull_back, moves, node in self._moves:
            for operation in pull_back:
                operation()
            bound += node.squares()
            for move in moves:
                move(-learning_rate)
        return bound * learning_rate * learning_rate


FEW_FEATURES = 32
"""Features up to which it pays to turn the rows of a batch round, for then bias and weight are one matrix in the first
layer too: a tenth to a third of a step of [8, 10, 1] and [8, 64, 1], a loss from 64 features on."""


def _nodes(plan: StepPlan, buffers: Buffers, gradients: Matrix, rows: int) -> list[Node]:
    nodes: list[Node] = []
    for index, (layer, names) in enumerate(zip(plan.layers, plan.names, strict=True)):
        width = plan.network.widths[index]
        if isinstance(layer, Dense) and type(layer).forward is Dense.forward:
            by_rows = index == 0 and width > FEW_FEATURES
            nodes.append(DenseNode(layer, names, buffers, gradients, rows, by_rows=by_rows))
        else:
            nodes.append(LayerNode(layer, names, buffers, gradients, rows, width))
    return nodes
