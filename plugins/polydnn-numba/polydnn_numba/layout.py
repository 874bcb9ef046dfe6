"""Where everything stands: the layers of a plan as a table of whole numbers, for code that knows no Python objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from polydnn import StepPlan
from polydnn_numba import activations, bundle, losses
from polydnn_numba.lanes import BYTES
from polydnn_numba.recognition import Rule, activation_kind, is_dense, is_dropout, is_normalization, loss_kind

__all__ = ["LARGEST", "Layout", "Place", "Space", "layout_of", "numbers_of"]

LARGEST = 16384
"""The most parameters of a network that is tiny: above, BLAS multiplies faster than the loops here."""
CACHED = 98304
"""Bytes that the activations of a block of examples may take: the second-level cache streams them."""
SPARSEST = 4
"""How many times as much room as its numbers need a row of weights may take to begin where a vector does."""
FEWEST, MOST = 8, 32
"""Vectors of examples in a block."""


class Place(NamedTuple):
    """Where a parameter stands in the flat buffers, its shape, and how far apart its rows begin."""

    name: str
    start: int
    shape: tuple[int, ...]
    pitch: int

    def of(self, flat: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The parameter in a flat buffer, as a view."""
        if len(self.shape) == 1:
            return flat[self.start : self.start + self.shape[0]]
        m, n = self.shape
        return flat[self.start : self.start + m * self.pitch].reshape(m, self.pitch)[:, :n]


@dataclass(frozen=True)
class Layout:
    """The arguments of ``bundle.steps`` that never change, and what is needed to make the others."""

    table: np.ndarray[Any, Any]
    alphas: np.ndarray[Any, Any]
    fixed: np.ndarray[Any, Any]
    numbers: np.ndarray[Any, Any]
    places: tuple[Place, ...]
    parameters: int
    size: int
    """How long the flat buffers are: whole vectors, and one more that a vector along a row may reach into."""
    work_size: int
    dropped: tuple[tuple[int, int], ...]
    """The dropouts: number and width of each."""
    normalization: tuple[str, str] | None
    """The names of shift and scale."""

    def with_labels(self) -> np.ndarray[Any, Any] | None:
        """``fixed`` for targets that are labels; None for a loss that takes none."""
        return losses.with_labels(self.fixed, bundle.FIXED.index("loss"))


def layout_of(plan: StepPlan, rule: Rule) -> Layout:
    """The layout of a plan; raises NotImplementedError, with the reason, for one that is not served."""
    loss = loss_kind(plan)
    dtype = np.dtype(plan.network.dtype)
    lanes = BYTES // dtype.itemsize
    normalization, kinds = _layers(plan)
    widths = plan.network.widths
    block = _block(max(widths), sum(widths), lanes, dtype.itemsize)
    space = Space(lanes)
    described = _described(plan, kinds, space, block)
    rows = described.rows
    if described.parameters > LARGEST:
        msg = f"the network has {described.parameters} parameters, more than {LARGEST}"
        raise NotImplementedError(msg)
    row_wise = any(row[bundle.ACTIVATION] in activations.ROW_WISE for row in rows[:-1])
    fixed = _regions(widths, space, block) | {
        "block": -block if row_wise else block,
        "normalized": int(normalization is not None),
        "loss": loss,
        "optimizer": rule.kind,
    }
    return Layout(
        np.asarray(rows, np.int64),
        np.asarray(described.alphas, np.float64),
        np.asarray([fixed[name] for name in bundle.FIXED], np.int64),
        numbers_of(plan),
        tuple(described.places),
        described.parameters,
        described.size + lanes,
        space.taken,
        tuple((index, widths[index]) for index, kind in kinds.items() if kind == bundle.DROPOUT),
        normalization,
    )


def _layers(plan: StepPlan) -> tuple[tuple[str, str] | None, dict[int, int]]:
    """The names of the shift and scale of the normalization before all others, and the kinds of these by number."""
    normalization, first = None, 0
    if is_normalization(plan.layers[0]):
        normalization, first = (plan.names[0]["shift"], plan.names[0]["scale"]), 1
    kinds = {index: _kind(layer) for index, layer in enumerate(plan.layers) if index >= first}
    if not kinds or kinds[len(plan.layers) - 1] != bundle.DENSE:
        msg = "the last layer is not a dense one"
        raise NotImplementedError(msg)
    return normalization, kinds


@dataclass
class _Described:
    """The layers so far: a row of the table and a number for each activation, and the places of the parameters.

    ``size`` is the room that these take, a whole number of vectors.
    """

    rows: list[tuple[int, ...]] = field(default_factory=list)
    alphas: list[float] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    parameters: int = 0
    size: int = 0


def _described(plan: StepPlan, kinds: Mapping[int, int], space: "Space", block: int) -> _Described:
    """Every layer in the columns of the table; the output of each is the input of the next."""
    found = _Described()
    widths = plan.network.widths
    x = space.take(widths[min(kinds)] + 1, block)
    for index, kind in kinds.items():
        m, n = widths[index], widths[index + 1]
        z = mask = y = space.take(n + 1, block)
        code, alpha, inputs, pitch = 0, 1.0, 0, _pitch(n, space.lanes)
        if kind == bundle.DENSE:
            layer: Any = plan.layers[index]
            code, alpha = activation_kind(layer.activation)
            inputs = m + int(layer.use_bias)
            found.places += _places(plan.names[index], found.size, m, n, pitch, bias=layer.use_bias)
        if kind == bundle.DROPOUT or code in activations.OF_Z:
            y = space.take(n + 1, block)
        found.rows.append((kind, m, n, inputs, found.size, pitch, code, x, z, y, mask))
        found.alphas.append(alpha)
        found.parameters += inputs * n
        found.size += -(-inputs * pitch // space.lanes) * space.lanes
        x = y
    return found


def _pitch(n: int, lanes: int) -> int:
    """How far apart the rows of a matrix with n columns begin: a vector that crosses into the next row is slow to read
    after that row was written, and the reverse; but rows of a few numbers would be mostly room."""
    return -(-n // lanes) * lanes if n >= lanes // SPARSEST else n


def _places(names: Mapping[str, str], start: int, m: int, n: int, pitch: int, *, bias: bool) -> list[Place]:
    """A dense layer's weights from ``start`` on, row by row, and its biases as one row more."""
    weight = Place(names["weight"], start, (m, n), pitch)
    return [weight, Place(names["bias"], start + m * pitch, (n,), pitch)] if bias else [weight]


def _regions(widths: Sequence[int], space: "Space", block: int) -> dict[str, int]:
    """Where in the workspace stands what belongs to no layer."""
    outputs, widest = widths[-1], max(widths)
    return {
        "targets": space.take(outputs, block),
        "shares": space.take(2, block),
        "d": space.take(widest + 1, block),
        "other d": space.take(widest + 1, block),
        "spread": space.take(outputs, space.lanes),
    }


class Space:
    """Hands out regions of the workspace, each a whole number of vectors and followed by one more."""

    def __init__(self, lanes: int) -> None:
        self.lanes, self.taken = lanes, 0

    def take(self, rows: int, columns: int) -> int:
        start = self.taken
        self.taken += (rows * columns // self.lanes + 2) * self.lanes
        return start


def _block(widest: int, features: int, lanes: int, itemsize: int) -> int:
    """How many examples are worked on at once."""
    fitting = CACHED // ((features + 2 * widest) * itemsize * lanes)  # two gradients are kept, each of one layer
    return lanes * min(max(fitting, FEWEST), MOST)


def _kind(layer: Any) -> int:
    if is_dense(layer):
        return bundle.DENSE
    if is_dropout(layer) and layer.random:
        return bundle.DROPOUT
    msg = f"a layer {layer!r} in this place is not served"
    raise NotImplementedError(msg)


def numbers_of(plan: StepPlan) -> np.ndarray[Any, Any]:
    """The penalties, weight decay and bounds of a plan, as ``bundle.NUMBERS`` names them; inf is no bound."""
    penalties = plan.penalties
    decay = plan.optimizer.weight_decay if penalties.weight_decay is None else penalties.weight_decay
    values = {
        "l1": penalties.l1,
        "l2": penalties.l2,
        "weight_decay": decay,
        "clip_value": np.inf if penalties.clip_value is None else penalties.clip_value,
        "clip_norm": np.inf if penalties.clip_norm is None else penalties.clip_norm,
    }
    return np.asarray([values[name] for name in bundle.NUMBERS], np.float64)
