"""The reference step: forward, loss, backward and update in plain Array API calls, the measure of every executor.

    A_l = layer_l(A_{l-1}),  C = mean of loss(A_L, Y),  dA_L = dloss / n,  (dA_{l-1}, dW_l, db_l) = back_l(dA_l),
    W <- optimizer(dW, W)

Source: the forward and backward formulas of Araab, *An Overview on Deep Neural Networks*, with batches as rows.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from polydnn.execution.plan import Key, Noise, OptimizerState, Step, StepPlan
from polydnn.optimizers.clipping import clip_by_global_norm, clip_by_value
from polydnn.optimizers.weight_decay import add_penalty_gradient, decay_weight, penalty
from polydnn.types import Array, Gradients, Parameters

__all__ = ["Differentiate", "Result", "back_propagation", "reference_step", "update_rule"]

NO_NOISE: Noise = {}


class Result(NamedTuple):
    """The cost of a batch (0-d), its gradients by parameter name, and new values for the layers' statistics."""

    loss: Array
    gradients: Gradients
    statistics: Parameters


class Differentiate(Protocol):
    def __call__(
        self, parameters: Mapping[str, Array], x: Array, y: Array, noise: Noise, weights: Array | None = None
    ) -> Result: ...


class UpdateRule(Protocol):
    def __call__(
        self,
        parameters: Parameters,
        optimizer_state: OptimizerState,
        result: Result,
        learning_rate: float | Array,
        step: int | Array,
    ) -> tuple[Parameters, OptimizerState]: ...


def reference_step(plan: StepPlan) -> Step:
    """The step of DESIGN's signature: ``(parameters, optimizer_state, x, y, learning_rate, key) -> (..., loss)``.

    ``parameters`` holds the statistics of the layers as well, which come back renewed. ``x`` is (n, in_features) of any
    real dtype, ``y`` what the loss takes, ``weights`` (n,) or None, ``loss`` a 0-d array on the device.
    """
    differentiate = back_propagation(plan)
    update = update_rule(plan)
    draws_noise = any(layer.random for layer in plan.layers)

    def step(
        parameters: Parameters,
        optimizer_state: OptimizerState,
        x: Array,
        y: Array,
        learning_rate: float | Array,
        key: Key,
        weights: Array | None = None,
    ) -> tuple[Parameters, OptimizerState, Array]:
        noise = plan.noise(key, x.shape[0]) if draws_noise else NO_NOISE
        result = differentiate(parameters, x, y, noise, weights)
        parameters, optimizer_state = update(parameters, optimizer_state, result, learning_rate, key.step)
        return parameters, optimizer_state, result.loss

    return step


def back_propagation(plan: StepPlan) -> Differentiate:
    """The cost of a batch and its gradients: forward through the layers, then back to the first that has parameters."""
    xp, dtype = plan.backend.xp, plan.network.real_dtype
    trainable = set(plan.network.parameter_names)
    layers = [
        (index, layer, names, [(short, full) for short, full in names.items() if full in trainable])
        for index, (layer, names) in enumerate(zip(plan.layers, plan.names, strict=True))
    ]
    first = next((index for index, *_, own in layers if own), len(layers))
    cost = cost_function(plan)
    charge = penalty_function(plan)

    def differentiate(
        parameters: Mapping[str, Array], x: Array, y: Array, noise: Noise, weights: Array | None = None
    ) -> Result:
        x = xp.astype(x, dtype, copy=False)
        backs = []
        statistics: Parameters = {}
        for index, layer, names, _ in layers:
            own = {short: parameters[full] for short, full in names.items()}
            x, back, changes = layer.forward(own, x, noise.get(index), xp=xp)
            backs.append(back)
            for short, value in changes.items():
                statistics[names[short]] = value
        loss, dy = cost(x, y, weights)
        gradients: Gradients = {}
        for index, _, _, own_parameters in reversed(layers[first:]):
            dy, found = backs[index](dy, index > first)
            for short, full in own_parameters:
                gradients[full] = found[short]
        if charge is not None:
            loss = charge(parameters, gradients, loss)
        return Result(loss, gradients, statistics)

    return differentiate


class Cost(Protocol):
    def __call__(self, output: Array, y: Array, weights: Array | None) -> tuple[Array, Array]: ...


def cost_function(plan: StepPlan) -> Cost:
    """C = mean of the losses and dC/d output; with weights w, C = sum w loss / sum w."""
    xp = plan.backend.xp
    joined = plan.form or plan.loss
    value, gradient = joined.value, joined.gradient

    def cost(output: Array, y: Array, weights: Array | None) -> tuple[Array, Array]:
        losses = value(output, y, xp=xp)  # (n,)
        slopes = gradient(output, y, xp=xp)  # (n, outputs)
        if weights is None:
            share = 1.0 / output.shape[0]
            return xp.sum(losses) * share, slopes * share
        total = xp.sum(weights)
        shares = weights / xp.where(total > 0.0, total, xp.ones_like(total))  # a batch without weight moves nothing
        return xp.sum(losses * shares), slopes * shares[:, None]

    return cost


class Charge(Protocol):
    def __call__(self, parameters: Mapping[str, Array], gradients: Gradients, loss: Array) -> Array: ...


def penalty_function(plan: StepPlan) -> Charge | None:
    """Adds the L1 and L2 penalties to the loss it is given and, in place of the mapping, to the gradients."""
    l1, l2 = plan.penalties.l1, plan.penalties.l2
    if not l1 and not l2:
        return None
    xp = plan.backend.xp
    weight_names = [name for name in plan.network.parameter_names if name in plan.weight_names]

    def charge(parameters: Mapping[str, Array], gradients: Gradients, loss: Array) -> Array:
        for name in weight_names:
            weight = parameters[name]
            gradients[name] = add_penalty_gradient(gradients[name], weight, l1=l1, l2=l2, xp=xp)
            loss = loss + penalty(weight, l1=l1, l2=l2, xp=xp)
        return loss

    return charge


def update_rule(plan: StepPlan) -> UpdateRule:
    """Clipping, decoupled weight decay and the optimizer's update, parameter by parameter."""
    xp, update, penalties = plan.backend.xp, plan.optimizer.update, plan.penalties
    decay = plan.optimizer.weight_decay if penalties.weight_decay is None else penalties.weight_decay
    decayed = plan.weight_names if decay else frozenset()

    def apply(
        parameters: Parameters,
        optimizer_state: OptimizerState,
        result: Result,
        learning_rate: float | Array,
        step: int | Array,
    ) -> tuple[Parameters, OptimizerState]:
        gradients = result.gradients
        if penalties.clip_value is not None:
            gradients = clip_by_value(gradients, penalties.clip_value, xp=xp)
        if penalties.clip_norm is not None:
            gradients = clip_by_global_norm(gradients, penalties.clip_norm, xp=xp)
        fresh = {**parameters, **result.statistics}
        state: OptimizerState = {}
        for name, gradient in gradients.items():
            parameter = parameters[name]
            if name in decayed:
                parameter = decay_weight(parameter, learning_rate=learning_rate, weight_decay=decay)
            fresh[name], state[name] = update(
                gradient, optimizer_state[name], parameter, learning_rate=learning_rate, step=step, xp=xp
            )
        return fresh, state

    return apply
