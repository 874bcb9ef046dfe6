"""The optimizer lion for polydnn: steps of one size, in the direction that a mean of the gradients has."""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

from polydnn import Optimizer, OptimizerSpec, hookimpl
from polydnn.errors import InvalidArgumentError

__all__ = ["lion"]


def lion(beta1: float = 0.9, beta2: float = 0.99, weight_decay: float = 0.0) -> Optimizer:
    """W <- W - learning_rate * sign(beta1 * M + (1 - beta1) * dW), then M <- beta2 * M + (1 - beta2) * dW, from M = 0.

    The weight decay is decoupled: before the step, weights, but not biases, are multiplied by
    1 - learning_rate * weight_decay. Every number of a parameter moves by exactly the learning rate, so it is chosen
    three to ten times smaller than Adam's, and the weight decay as many times larger; the default rate is 1e-4.

    ``beta1`` and ``beta2`` lie in [0, 1), ``weight_decay`` in [0, inf). Raises InvalidArgumentError for anything else.
    Elementwise; its state is M, ``momentum``.
    Source: Chen et al., *Symbolic discovery of optimization algorithms*, 2023.

    >>> import numpy as np
    >>> parameter = np.asarray([1.0, 1.0])
    >>> state = lion().init(parameter, xp=np)
    >>> moved, state = lion().update(np.asarray([7.0, -0.1]), state, parameter, learning_rate=0.25, step=1, xp=np)
    >>> moved.tolist()
    [0.75, 1.25]
    """
    beta1 = _number("beta1", beta1, 1.0, "from 0 to below 1")
    beta2 = _number("beta2", beta2, 1.0, "from 0 to below 1")
    weight_decay = _number("weight_decay", weight_decay, math.inf, "from 0 up, and finite")

    def init(parameter: Any, *, xp: Any) -> Mapping[str, Any]:
        return {"momentum": xp.zeros_like(parameter)}

    def update(
        gradient: Any, state: Mapping[str, Any], parameter: Any, *, learning_rate: Any, step: Any, xp: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        momentum = state["momentum"]
        direction = xp.sign(beta1 * momentum + (1.0 - beta1) * gradient)
        return parameter - learning_rate * direction, {"momentum": beta2 * momentum + (1.0 - beta2) * gradient}

    options = {"beta1": beta1, "beta2": beta2, "weight_decay": weight_decay}
    return Optimizer(
        "lion", init, update, elementwise=True, learning_rate=1e-4, weight_decay=weight_decay, options=options
    )


def _number(argument: str, value: object, end: float, possible: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 <= float(value) < end:
        msg = f"lion: {argument} must be a number {possible}, found {value!r}."
        raise InvalidArgumentError(msg)
    return float(value)


@hookimpl
def polydnn_optimizers() -> list[OptimizerSpec]:
    return [OptimizerSpec("lion", lion, "the sign of a mean of the gradients")]
