"""The layers of a plan for one fixed number of rows: operations on arrays that are made once and stay where they are.

Between dense layers values lie feature by feature, (features, n), each layer's input above a row of ones: weight and
bias, which lie together, are then one matrix, and one product is the pre-activation, one the gradient of both.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from polydnn.executors.on_numpy.activations import Operation, in_place
from polydnn.executors.on_numpy.blas import Matrix
from polydnn.executors.on_numpy.buffers import Buffers, aligned
from polydnn.executors.on_numpy.products import Product, accumulated, plain
from polydnn.layers import Dense, Layer
from polydnn.types import Array, Namespace

__all__ = ["DenseNode", "LayerNode", "Node"]


class Node(ABC):
    """One layer at work on n rows; ``given`` (n, in) is where its input goes, ``dy`` (n, out) its output's gradient."""

    given: Matrix
    dy: Matrix

    @abstractmethod
    def link(self, following: "Node | None") -> None:
        """Make the arrays, and write straight into those of the node that follows."""

    @abstractmethod
    def forward(self) -> list[Operation]:
        """From ``given`` to the next node's ``given``."""

    @abstractmethod
    def backward(self, before: "Node | None", first_block: bool) -> list[Operation]:
        """From ``dy`` to the gradients and, unless ``before`` is None, to the ``dy`` of the node before.

        Gradients are written over by the first block of a batch, and added to by the others.
        """

    def update(self) -> list[Product]:
        """Plain gradient descent in place of the gradients: ``f(-learning_rate)`` for everything to be moved."""
        msg = f"{type(self).__name__} has no update of its own"
        raise NotImplementedError(msg)


class DenseNode(Node):
    """A dense layer, which takes its input feature by feature, or ``by_rows`` as it comes, (n, in)."""

    def __init__(
        self, layer: Dense, names: Mapping[str, str], buffers: Buffers, gradients: Matrix, rows: int, *, by_rows: bool
    ) -> None:
        self._layer, self._names, self._buffers, self._rows = layer, names, buffers, rows
        self._gradients = gradients
        self._dtype = buffers.dtype
        self._in, self._out = buffers.shapes[names["weight"]]
        self._joined = layer.use_bias and not by_rows
        self._x = _zeros((self._in + 1, rows), self._dtype)  # (in + 1, n)
        self._x[-1] = 1.0
        if by_rows:
            self.given = _zeros((rows, self._in), self._dtype)
            self._x = self.given.T
        else:
            self.given = self._x[:-1].T
            self._x = self._x if self._joined else self._x[:-1]
        self._ones = _zeros((rows, 1), self._dtype)
        self._ones[...] = 1.0

    def link(self, following: Node | None) -> None:
        shape = (self._out, self._rows)
        room = following.given.T if following is not None else _zeros(shape, self._dtype)
        self._y = room if room.flags.c_contiguous else _zeros(shape, self._dtype)
        self._following = None if self._y is room else following
        self._dy = _zeros(shape, self._dtype)
        self.dy = self._dy.T
        self._known = in_place(self._layer.activation, self._y, self._dy)
        self._z = self._y if self._known is not None else _zeros(shape, self._dtype)

    @property
    def output(self) -> Matrix:
        """y (n, out)."""
        return self._y.T

    def forward(self) -> list[Operation]:
        weight, bias = self._arrays(self._buffers.parameters)
        done: list[Operation] = [plain(weight.T, self._x, self._z)]
        if bias is not None:
            done.append(partial(np.add, self._z, bias[:, None], self._z))
        if self._known is not None:
            done += self._known.forward
        else:
            done.append(self._activate)
        if self._following is not None:
            done.append(partial(np.copyto, self._following.given, self._y.T))
        return done

    def backward(self, before: Node | None, first_block: bool) -> list[Operation]:
        done = self._dz()
        gradient, bias = self._arrays(self._gradients)
        if first_block:
            done.append(plain(self._x, self._dy.T, gradient))
            if bias is not None:
                done.append(plain(self._dy, self._ones, bias[:, None]))
        else:
            done.append(partial(accumulated(self._x, self._dy.T, gradient), 1.0))
            if bias is not None:
                done.append(partial(accumulated(self._dy, self._ones, bias[:, None]), 1.0))
        return done + self._dx(before)

    def pull_back(self, before: Node | None) -> list[Operation]:
        """As ``backward`` without gradients, for weights that ``update`` will move themselves."""
        return self._dz() + self._dx(before)

    def update(self) -> list[Product]:
        weight, bias = self._arrays(self._buffers.parameters)
        moves = [accumulated(self._x, self._dy.T, weight)]
        if bias is not None:
            moves.append(accumulated(self._dy, self._ones, bias[:, None]))
        return moves

    def squares(self) -> float:
        """An upper bound of the square of every element of the gradient: |x|^2 |dz|^2."""
        dz, x = self._dy.reshape(-1), self._x.reshape(-1) if self._x.flags.c_contiguous else self._x.T.reshape(-1)
        return float(dz.dot(dz)) * float(x.dot(x))

    def _arrays(self, flat: Matrix) -> tuple[Matrix, Matrix | None]:
        """The matrix that meets ``_x``, and the bias where it is not part of it."""
        views, names = self._buffers.views_of(flat), self._names
        if self._joined:
            return self._buffers.joined(flat, names["weight"], names["bias"]), None
        return views[names["weight"]], views[names["bias"]] if self._layer.use_bias else None

    def _activate(self) -> None:
        self._y[...] = self._layer.activation.forward(self._z.T, xp=np).T

    def _dz(self) -> list[Operation]:
        return list(self._known.backward) if self._known is not None else [self._pull_back]

    def _pull_back(self) -> None:
        self._dy[...] = self._layer.activation.pull_back(self._dy.T, self._z.T, self._y.T, xp=np).T

    def _dx(self, before: Node | None) -> list[Operation]:
        if before is None:
            return []
        weight = self._buffers.views[self._names["weight"]]
        room = before.dy.T
        if room.flags.c_contiguous:
            return [plain(weight, self._dy, room)]
        dx = _zeros((self._in, self._rows), self._dtype)
        return [plain(weight, self._dy, dx), partial(np.copyto, before.dy, dx.T)]


class LayerNode(Node):
    """Any other layer, through its own pure functions."""

    def __init__(
        self, layer: Layer, names: Mapping[str, str], buffers: Buffers, gradients: Matrix, rows: int, width: int
    ) -> None:
        self._layer, self._names, self._buffers = layer, names, buffers
        self._gradients = buffers.views_of(gradients)
        self.given = np.zeros((rows, width), buffers.dtype)
        self.dy = np.zeros((rows, layer.out_features(width)), buffers.dtype)
        self.noise: Array | None = None
        self._back: Callable[[Array, bool], Any] | None = None
        self._xp: Namespace = np

    def link(self, following: Node | None) -> None:
        self._following = following
        self.output = following.given if following is not None else np.zeros(self.dy.shape, self.dy.dtype)

    def forward(self) -> list[Operation]:
        return [self._forward]

    def backward(self, before: Node | None, first_block: bool) -> list[Operation]:
        return [partial(self._backward, before, first_block)]

    def _forward(self) -> None:
        views, kept = self._buffers.views, self._buffers.statistics
        own = {short: views[full] if full in views else kept[full] for short, full in self._names.items()}
        y, self._back, changes = self._layer.forward(own, self.given, self.noise, xp=self._xp)
        np.copyto(self.output, y)
        for short, value in changes.items():
            kept[self._names[short]] = value

    def _backward(self, before: Node | None, first_block: bool) -> None:
        assert self._back is not None
        dx, gradients = self._back(self.dy, before is not None)
        for short, value in gradients.items():
            into = self._gradients[self._names[short]]
            np.copyto(into, value) if first_block else np.add(into, value, out=into)
        if before is not None:
            np.copyto(before.dy, dx)


def _zeros(shape: tuple[int, int], dtype: Any) -> Matrix:
    return aligned(shape[0] * shape[1], dtype).reshape(shape)
