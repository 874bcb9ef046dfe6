"""Where everything of a network in panels stands, and which panel has what."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from polydnn import StepPlan
from polydnn_numba import activations, losses, panel_held
from polydnn_numba.lanes import BYTES
from polydnn_numba.layout import Space, numbers_of
from polydnn_numba.recognition import Rule, activation_kind, is_dense, is_dropout, is_normalization, loss_kind

__all__ = ["BLOCK", "PanelLayout", "Piece", "panel_layout"]

BLOCK = 512
"""The most examples worked on at once: enough for products at full speed, and few enough for the caches."""
FEWEST_UNITS = 32
"""Units of the widest layer in a panel: with fewer, threads wait for each other longer than they compute."""
SLAB = 2**17
"""Elements of the gradient that an optimizer takes up while they are in a second-level cache."""


class Piece(NamedTuple):
    """What a panel has of a parameter: the place in its buffer, and the part of the parameter."""

    name: str
    panel: int
    start: int
    part: tuple[slice, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class PanelLayout:
    """The arguments of ``panel_bundle.steps`` that never change, and what is needed to make the others."""

    table: np.ndarray[Any, Any]
    alphas: np.ndarray[Any, Any]
    panels: np.ndarray[Any, Any]
    fixed: np.ndarray[Any, Any]
    numbers: np.ndarray[Any, Any]
    pieces: tuple[Piece, ...]
    size: int
    """How long the buffer of a panel is."""
    work_size: int
    dropped: tuple[tuple[int, int], ...]
    """The dropouts: number and width of each."""
    normalization: tuple[str, str] | None
    """The names of shift and scale."""

    @property
    def together(self) -> bool:
        """Whether all gradients are looked at before any weight is moved: by penalties, or to bound them."""
        l1, l2, _, clip_value, clip_norm = self.numbers
        return bool(l1 > 0.0 or l2 > 0.0 or clip_value < np.inf or clip_norm < np.inf)

    @property
    def largest(self) -> tuple[int, int]:
        """The inputs and units of the largest panel of a hidden layer."""
        shapes = [(int(self.table[index, 0]), int(self.panels[index, -1, 2])) for index in range(len(self.table) - 1)]
        return max(shapes, key=lambda shape: shape[0] * shape[1])

    def with_labels(self) -> np.ndarray[Any, Any] | None:
        """``fixed`` for targets that are labels; None for a loss that takes none."""
        return losses.with_labels(self.fixed, panel_held.FIXED.index("loss"))


@dataclass(frozen=True)
class _Layer:
    """A dense layer: its sizes, its activation, and the names of its arrays."""

    m: int
    n: int
    biased: bool
    code: int
    alpha: float
    weight: str
    bias: str
    dropout: int | None = None
    """The number of the dropout behind it."""


def panel_layout(plan: StepPlan, rule: Rule, threads: int) -> PanelLayout:
    """The layout of a plan for at most so many threads; raises NotImplementedError for a plan that is not served."""
    loss = loss_kind(plan)
    normalization, layers = _layers(plan)
    lanes = BYTES // np.dtype(plan.network.dtype).itemsize
    count = max(min(threads, max(layer.n for layer in layers[:-1]) // FEWEST_UNITS), 1)
    edges = [_edges(layer.n, lanes, count) for layer in layers[:-1]]
    edges.append(edges[-1])  # the inputs of the last layer
    panels, pieces, size = _panels(layers, edges, lanes)
    space = Space(lanes)
    table = _table(layers, space)
    fixed = _regions(layers, space, count) | {"block": BLOCK, "loss": loss, "optimizer": rule.kind, "slab": SLAB}
    return PanelLayout(
        np.asarray(table, np.int64),
        np.asarray([layer.alpha for layer in layers], np.float64),
        panels,
        np.asarray([fixed[name] for name in panel_held.FIXED], np.int64),
        numbers_of(plan),
        tuple(pieces),
        size,
        space.taken,
        tuple((layer.dropout, layer.n) for layer in layers if layer.dropout is not None),
        normalization,
    )


def _layers(plan: StepPlan) -> tuple[tuple[str, str] | None, list[_Layer]]:
    """The names of the shift and scale of the normalization before all others, and the dense layers with dropouts."""
    normalization, first = None, 0
    if is_normalization(plan.layers[0]):
        normalization, first = (plan.names[0]["shift"], plan.names[0]["scale"]), 1
    given = list(enumerate(zip(plan.layers, plan.names, pairwise(plan.network.widths), strict=True)))[first:]
    layers: list[_Layer] = []
    for index, (layer, names, (m, n)) in given:
        if layers and layers[-1].dropout is None and is_dropout(layer) and layer.random and index < given[-1][0]:
            layers[-1] = replace(layers[-1], dropout=index)
            continue
        if not is_dense(layer):
            msg = f"a layer {layer!r} in this place is not served"
            raise NotImplementedError(msg)
        dense: Any = layer
        code, alpha = activation_kind(dense.activation)
        layers.append(_Layer(m, n, dense.use_bias, code, alpha, names["weight"], names.get("bias", "")))
    if len(layers) < 2:
        msg = "there is no hidden layer to share"
        raise NotImplementedError(msg)
    if any(layer.code in activations.ROW_WISE for layer in layers[:-1]):
        msg = "an activation across the units of a hidden layer needs them all"
        raise NotImplementedError(msg)
    return normalization, layers


def _edges(units: int, lanes: int, count: int) -> list[int]:
    """Where each panel begins, in whole vectors of units, and the end."""
    vectors = -(-units // lanes)
    return [min(vectors * each // count * lanes, units) for each in range(count + 1)]


def _panels(
    layers: Sequence[_Layer], edges: Sequence[Sequence[int]], lanes: int
) -> tuple[np.ndarray[Any, Any], list[Piece], int]:
    """The table of panels, their pieces of the parameters, and the size of the largest."""
    count = len(edges[0]) - 1
    panels = np.zeros((len(layers), count, len(panel_held.PANEL)), np.int64)
    pieces: list[Piece] = []
    sizes = [0] * count
    for index, layer in enumerate(layers):
        for panel in range(count):
            first, end = edges[index][panel], edges[index][panel + 1]
            panels[index, panel] = sizes[panel], first, end - first
            own = list(_pieces(layer, panel, sizes[panel], slice(first, end), last=index == len(layers) - 1))
            pieces += own
            size = sum(int(np.prod(piece.shape)) for piece in own)
            sizes[panel] += -(-size // lanes) * lanes
    return panels, pieces, max(sizes) + lanes


def _pieces(layer: _Layer, panel: int, start: int, own: slice, *, last: bool) -> Iterator[Piece]:
    count = own.stop - own.start
    if last:
        yield Piece(layer.weight, panel, start, (own, slice(None)), (count, layer.n))
        if layer.biased and own.stop == layer.m:
            yield Piece(layer.bias, panel, start + count * layer.n, (slice(None),), (layer.n,))
        return
    yield Piece(layer.weight, panel, start, (slice(None), own), (layer.m, count))
    if layer.biased:
        yield Piece(layer.bias, panel, start + layer.m * count, (own,), (count,))


def _table(layers: Sequence[_Layer], space: Space) -> list[tuple[int, ...]]:
    """Every layer in the columns of the table; the output of each is the input of the next."""
    rows: list[tuple[int, ...]] = []
    x, units = space.take(_across(layers[0].m, space.lanes), BLOCK), 0
    for layer in layers:
        z = y = space.take(layer.n + 1, BLOCK)
        if layer.code in activations.OF_Z:
            y = space.take(layer.n + 1, BLOCK)
        mask, out, drawn = y, y, -1
        if layer.dropout is not None:
            mask, out, drawn = space.take(layer.n, BLOCK), space.take(layer.n + 1, BLOCK), units
            units += layer.n
        rows.append((layer.m, layer.n, int(layer.biased), layer.code, x, z, y, mask, out, drawn))
        x = out
    return rows


def _across(features: int, lanes: int) -> int:
    """How far apart examples lie that stand one after the other, each with a one behind it."""
    return (features // lanes + 1) * lanes


def _regions(layers: Sequence[_Layer], space: Space, panels: int) -> dict[str, int]:
    """Where in the workspace stands what belongs to no layer."""
    outputs, hidden = layers[-1].n, [layer.n for layer in layers[:-1]]
    regions = {
        "targets": space.take(outputs, BLOCK),
        "shares": space.take(1, BLOCK + panels * space.lanes),
        "d": space.take(max(hidden), BLOCK),
        "last d": space.take(outputs, BLOCK),
        "across": _across(layers[0].m, space.lanes),
        "partial": space.taken,
    }
    for _ in range(2 * panels):
        space.take(max(hidden), BLOCK)
    regions["scratch"] = space.taken
    widest = max(outputs, *hidden)
    for _ in range(panels):
        space.take(1, max(SLAB, widest * space.lanes) + space.lanes)
    return regions
