"""Adagrad: steps that shrink with the squares of all gradients so far."""

from polydnn.optimizers._arguments import check_flag, check_number
from polydnn.optimizers.optimizer import Optimizer, State
from polydnn.types import Array, Namespace

__all__ = ["adagrad"]


def adagrad(initial_sum: float = 0.0, eps: float = 1e-10, eps_inside_sqrt: bool = False) -> Optimizer:
    """S <- S + dW^2 and W <- W - learning_rate * dW / (sqrt(S) + eps).

    ``initial_sum`` in [0, inf) is where S starts; ``eps`` in (0, inf) keeps the quotient finite and stands under the
    root, sqrt(S + eps), with ``eps_inside_sqrt`` (the form of Keras). Elementwise; its state is S. Raises
    InvalidArgumentError for an argument outside its range. Source: Duchi, Hazan & Singer, *Adaptive subgradient
    methods*, 2011; defaults as in PyTorch.

    >>> import numpy as np
    >>> optimizer, start = adagrad(), np.asarray([2.0])
    >>> state = optimizer.init(start, xp=np)
    >>> parameter, state = optimizer.update(np.asarray([4.0]), state, start, learning_rate=0.5, step=1, xp=np)
    >>> parameter.round(6).tolist(), state["square_sum"].tolist()
    ([1.5], [16.0])
    """
    initial_sum = check_number("adagrad", "initial_sum", initial_sum, "[0, inf)")
    eps = check_number("adagrad", "eps", eps, "(0, inf)")
    check_flag("adagrad", "eps_inside_sqrt", eps_inside_sqrt)

    def init(parameter: Array, *, xp: Namespace) -> State:
        return {"square_sum": xp.full_like(parameter, initial_sum)}

    def update(
        gradient: Array,
        state: State,
        parameter: Array,
        *,
        learning_rate: float | Array,
        step: int | Array,
        xp: Namespace,
    ) -> tuple[Array, State]:
        total = state["square_sum"] + gradient * gradient
        root = xp.sqrt(total + eps) if eps_inside_sqrt else xp.sqrt(total) + eps
        return parameter - learning_rate * gradient / root, {"square_sum": total}

    options = {"initial_sum": initial_sum, "eps": eps, "eps_inside_sqrt": eps_inside_sqrt}
    return Optimizer("adagrad", init, update, elementwise=True, learning_rate=0.01, options=options)
