"""Squared norms and inner products of the gradients of examples and batches, seen in ordinary back propagation.

For a dense layer the gradient of one example is the outer product of the row a that comes in (with a 1 for the bias)
and the row dz at its pre-activation, so that its squared norm is (|a|^2 + 1) |dz|^2: no gradient of an example is ever
formed. Source: Goodfellow, *Efficient per-example gradient computations*, 2015.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from polydnn.activations.activation import Activation
from polydnn.arrays import stream
from polydnn.errors import InvalidArgumentError, InvalidDataError
from polydnn.execution.plan import Key, StepPlan
from polydnn.execution.reference import NO_NOISE, Differentiate, back_propagation
from polydnn.layers import Dense, Dropout, Layer, Normalization
from polydnn.layers.layer import Forward
from polydnn.layers.watched import Watched
from polydnn.training.batches import Rows
from polydnn.types import Array, DType, Gradients, Namespace, Parameters

__all__ = ["GradientMoments", "example_square_norms", "gradient_moments", "why_not_by_example"]

GRADIENT_BYTES = 256 * 2**20
"""Room for the gradients of all batches, which are kept until their inner products are taken."""

FEWEST_BATCHES = 4
"""With fewer nothing could be said about the error of an estimate."""

Host = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class GradientMoments:
    """What the estimators need of K batches of ``rows`` rows each, at one point of training.

    ``small`` (K,) holds for every batch the mean squared norm of gradients over ``size`` rows: 1 where those of the
    examples are known, else the batch itself. ``gram`` (K, K) holds the inner products of the batches' gradients.
    ``loss`` is the mean cost of the batches, ``note`` says why the examples' norms are not known. ``population`` is the
    number of rows that the batches were drawn from without putting back.
    """

    size: int
    rows: int
    small: Host
    gram: Host
    loss: float
    note: str = ""
    population: float = math.inf


class _Tap(Watched[Dense]):
    """Notes the squared norm of every example's gradient."""

    def __init__(self, inside: Dense, wide: DType, norms: list[Array]) -> None:
        super().__init__(inside)
        self._wide, self._norms = wide, norms

    def forward(self, arrays: Mapping[str, Array], x: Array, noise: Array | None, *, xp: Namespace) -> Forward:
        activation = self.inside.activation

        def noted(dy: Array, z: Array, y: Array, *, xp: Namespace) -> Array:
            dz = activation.pull_back(dy, z, y, xp=xp)
            one = 1.0 if self.inside.use_bias else 0.0
            # the cost is a mean: its dz is the example's, divided by the number of rows
            self._norms.append((self._squares(x, xp) + one) * self._squares(dz * x.shape[0], xp))
            return dz

        watched = self.inside.with_activation(Activation(activation.name, activation.forward, backward=noted))
        return watched.forward(arrays, x, noise, xp=xp)

    def _squares(self, rows: Array, xp: Namespace) -> Array:
        rows = xp.astype(rows, self._wide, copy=False)
        return xp.sum(rows * rows, axis=1)  # (n,)


class _TappedPlan(StepPlan):
    """The plan of the bare cost, without penalties, whose dense layers note the norms of the examples' gradients."""

    norms: list[Array]

    @property
    def layers(self) -> tuple[Layer, ...]:
        wide = self.backend.widest_dtype
        return tuple(_Tap(each, wide, self.norms) if isinstance(each, Dense) else each for each in super().layers)


def why_not_by_example(plan: StepPlan) -> str:
    """Why the gradients of single examples cannot be told from those of a batch; empty where they can.

    A layer has to treat every row by itself, and its parameters' gradients must be known: dense layers, dropout and
    normalization by fixed constants do. Batch normalization couples the rows of a batch; of a layer from a plugin
    nothing is known. Raises InvalidArgumentError for a network without parameters.
    """
    if not plan.network.parameter_names:
        msg = "the network has no parameters, so there is no gradient whose noise could be measured."
        raise InvalidArgumentError(msg)
    for index, layer in enumerate(plan.network.layers):
        if not any(_computes_as(layer, kind) for kind in (Dense, Dropout, Normalization)):
            reason = "couples the rows of a batch" if layer.type == "batch_normalization" else "may couple rows"
            return f"layer {index} ({layer.type}) {reason}"
    return ""


def _computes_as(layer: Layer, kind: type[Layer]) -> bool:
    """Whether the layer is one of this kind whose class changes nothing of the computation."""
    parts = ("forward", "pre_activation", "predict")
    return isinstance(layer, kind) and all(
        getattr(type(layer), each, None) is getattr(kind, each, None) for each in parts
    )


def example_square_norms(
    plan: StepPlan, parameters: Parameters, x: Array, y: Array, *, weights: Array | None = None, key: Key | None = None
) -> tuple[Array, Gradients, Array]:
    """Squared norms of the examples' gradients (n,), the batch's gradients by name, and its cost (0-d), on the device.

    ``x`` is (n, in_features) and ``y`` what the loss takes. L1 and L2 penalties are left out: they are the same for
    every batch and carry no noise. With ``weights`` (n,) an example's gradient is that of its weighted loss, divided by
    the batch's mean weight, so that the batch's gradient is the mean of them. ``key`` draws dropout's masks, which
    belong to the noise of a step; without it nothing is dropped. Norms are summed in the widest type of the device.
    Raises InvalidArgumentError for a network whose layers do not treat every row by itself.
    """
    reason = why_not_by_example(plan)
    if reason:
        msg = f"example_square_norms: {reason}; use gradient_moments, which then compares batches of two sizes."
        raise InvalidArgumentError(msg)
    norms: list[Array] = []
    tapped = _TappedPlan(plan.network, plan.loss, plan.optimizer)
    object.__setattr__(tapped, "norms", norms)  # the plan is frozen
    noise = plan.noise(key, x.shape[0]) if key is not None else NO_NOISE
    result = back_propagation(tapped)(parameters, x, y, noise, weights)
    total = norms[0]
    for each in norms[1:]:
        total = total + each
    return total, result.gradients, result.loss


def gradient_moments(
    plan: StepPlan,
    parameters: Parameters,
    rows: Rows,
    *,
    seed: int,
    step: int = 0,
    examples: int = 4096,
    batches: int = 16,
) -> GradientMoments:
    """Moments of the gradient at ``parameters`` from up to ``examples`` rows, drawn without putting back.

    The rows are shared out to ``batches`` batches of equal size, fewer where so many gradients would need more than
    256 MiB. ``seed`` and ``step`` name the place in the random stream. No array of the caller's is changed. Raises
    InvalidDataError for fewer than eight rows.
    """
    note = why_not_by_example(plan)
    size = _batch_rows(plan, len(rows), examples, batches)
    count = min(batches, min(examples, len(rows)) // size, _most_batches(plan))
    order = stream(seed, "noise scale", step).permutation(len(rows))[: count * size]
    backend, bare = plan.backend, back_propagation(StepPlan(plan.network, plan.loss, plan.optimizer))
    gradients: list[Gradients] = []
    small, losses, scales = [], [], []
    for number in range(count):
        part = rows.take(order[number * size : (number + 1) * size], backend)
        key = Key(seed, 2**32 + step * batches + number)  # far from the steps of any training
        norms, found, loss = _differentiate(plan, parameters, part, key, bare if note else None)
        gradients.append(found)
        losses.append(loss)
        scales.append(_scale(rows, part, plan.backend.xp))
        small.append(norms)
    scale = np.asarray([float(each) for each in scales])
    gram = _gram(gradients, plan) * np.outer(scale, scale)
    cost = float(np.mean([float(loss) for loss in losses]))
    squares = np.diag(gram).copy() if note else np.asarray([float(each) for each in small]) * scale**2
    return GradientMoments(size if note else 1, size, squares, gram, cost, note, len(rows))


def _differentiate(
    plan: StepPlan, parameters: Parameters, part: Rows, key: Key, bare: Differentiate | None
) -> tuple[Array, Gradients, Array]:
    """The mean of the examples' squared norms (0 where ``bare`` has to do), the gradients and the cost."""
    if bare is not None:
        result = bare(parameters, part.x, part.y, plan.noise(key, len(part)), part.weights)
        return 0.0, result.gradients, result.loss
    norms, gradients, loss = example_square_norms(plan, parameters, part.x, part.y, weights=part.weights, key=key)
    return plan.backend.xp.mean(norms), gradients, loss


def _scale(rows: Rows, part: Rows, xp: Namespace) -> Array | float:
    """Weights divide by their mean over all rows, as over one batch it is chance: the factor that exchanges the two."""
    if rows.weights is None or part.weights is None:
        return 1.0
    return xp.mean(part.weights) / xp.mean(rows.weights)


def _batch_rows(plan: StepPlan, available: int, examples: int, batches: int) -> int:
    least = 2 if why_not_by_example(plan) else 1  # batch normalization of one row has no gradient
    if available < 2 * FEWEST_BATCHES:
        msg = f"the gradient noise scale needs at least {2 * FEWEST_BATCHES} rows, found {available}."
        raise InvalidDataError(msg)
    return max(least, min(examples, available) // batches)


def _most_batches(plan: StepPlan) -> int:
    kind = plan.backend.xp.finfo(plan.network.real_dtype)
    each = plan.network.parameter_count() * int(kind.bits) // 8
    return max(FEWEST_BATCHES, GRADIENT_BYTES // max(each, 1))


def _gram(gradients: list[Gradients], plan: StepPlan) -> Host:
    """Inner products (K, K) of whole gradients, summed over the parameters in the widest type of the device."""
    xp, wide = plan.backend.xp, plan.backend.widest_dtype
    total: Array = 0.0
    for name in gradients[0]:
        flat = xp.stack([xp.reshape(each[name], (-1,)) for each in gradients])  # (K, elements)
        total = total + xp.astype(xp.matmul(flat, flat.T), wide)
    return np.asarray(plan.backend.to_numpy(total), dtype=np.float64)
