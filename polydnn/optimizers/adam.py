"""Adam: momentum divided by the root of a running mean of squared gradients, both corrected for their start at zero."""

import math

from polydnn.optimizers._arguments import check_flag, check_number
from polydnn.optimizers.optimizer import Optimizer, State
from polydnn.types import Array, Namespace

__all__ = ["adam", "adam_named"]


def adam(
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    amsgrad: bool = False,
    eps_inside_sqrt: bool = False,
    eps_hat: bool = False,
) -> Optimizer:
    """W <- W - learning_rate * m_hat / (sqrt(v_hat) + eps), with running means m of dW and v of dW^2.

    m <- beta1 * m + (1 - beta1) * dW, v <- beta2 * v + (1 - beta2) * dW^2, m_hat = m / (1 - beta1^step),
    v_hat = v / (1 - beta2^step). ``beta1`` and ``beta2`` lie in [0, 1), ``eps`` in (0, inf). With ``amsgrad`` the
    largest v so far takes the place of v. Where eps stands is an option: ``eps_inside_sqrt`` divides by
    sqrt(v_hat + eps); ``eps_hat`` adds eps before v is corrected, to sqrt(v), as the paper's second form and Keras do.
    Elementwise. Raises InvalidArgumentError for an argument outside its range. Sources: Kingma & Ba, *Adam: a method
    for stochastic optimization*, 2015; Reddi, Kale & Kumar, *On the convergence of Adam and beyond*, 2018 (amsgrad);
    defaults as in PyTorch.

    The state keeps the sums m / (1 - beta1) and v / (1 - beta2): these factors and the corrections then go into
    numbers, and an update takes ten array operations instead of thirteen.

    >>> import numpy as np
    >>> optimizer, start = adam(), np.asarray([2.0])
    >>> state = optimizer.init(start, xp=np)
    >>> parameter, state = optimizer.update(np.asarray([4.0]), state, start, learning_rate=0.5, step=1, xp=np)
    >>> parameter.round(6).tolist(), state["square_sum"].tolist()
    ([1.5], [16.0])
    """
    return adam_named("adam", beta1, beta2, eps, amsgrad, eps_inside_sqrt, eps_hat)


def adam_named(
    name: str, beta1: float, beta2: float, eps: float, amsgrad: bool, eps_inside_sqrt: bool, eps_hat: bool
) -> Optimizer:
    """Adam under the name of the variant that is built on it, which errors then give."""
    beta1 = check_number(name, "beta1", beta1, "[0, 1)")
    beta2 = check_number(name, "beta2", beta2, "[0, 1)")
    eps = check_number(name, "eps", eps, "(0, inf)")
    check_flag(name, "amsgrad", amsgrad)
    check_flag(name, "eps_inside_sqrt", eps_inside_sqrt)
    check_flag(name, "eps_hat", eps_hat)

    def init(parameter: Array, *, xp: Namespace) -> State:
        names = ["gradient_sum", "square_sum", *["largest_sum"] * amsgrad]
        return {each: xp.zeros_like(parameter) for each in names}

    def update(
        gradient: Array,
        state: State,
        parameter: Array,
        *,
        learning_rate: float | Array,
        step: int | Array,
        xp: Namespace,
    ) -> tuple[Array, State]:
        first = beta1 * state["gradient_sum"] + gradient
        second = beta2 * state["square_sum"] + gradient * gradient
        new = {"gradient_sum": first, "square_sum": second}
        if amsgrad:
            second = new["largest_sum"] = xp.maximum(state["largest_sum"], second)
        weight = _mass(beta2, step, xp=xp) / (1.0 - beta2)  # v_hat = second / weight
        scale = learning_rate * (1.0 - beta1) / _mass(beta1, step, xp=xp) * weight**0.5
        offset = eps / (1.0 - beta2) ** (1.0 if eps_inside_sqrt else 0.5) if eps_hat else _scaled_eps(weight)
        root = xp.sqrt(second + offset) if eps_inside_sqrt else xp.sqrt(second) + offset
        return parameter - scale * (first / root), new

    def _scaled_eps(weight: float | Array) -> float | Array:
        return eps * (weight if eps_inside_sqrt else weight**0.5)

    options = {
        "beta1": beta1,
        "beta2": beta2,
        "eps": eps,
        "amsgrad": amsgrad,
        "eps_inside_sqrt": eps_inside_sqrt,
        "eps_hat": eps_hat,
    }
    return Optimizer(name, init, update, elementwise=True, learning_rate=0.001, options=options)


def _mass(beta: float, step: int | Array, *, xp: Namespace) -> float | Array:
    """1 - beta^step, how much of a running mean's weight lies on gradients; a number for a number."""
    if isinstance(step, int | float):
        return float(1.0 - beta**step)
    # in float32 the subtraction would leave four digits of 1 - 0.999
    return -xp.expm1((math.log(beta) if beta else -math.inf) * step)
