"""Gradient descent, with momentum where it is asked for."""

from polydnn.errors import InvalidArgumentError
from polydnn.optimizers._arguments import check_flag, check_number
from polydnn.optimizers.optimizer import Optimizer, State
from polydnn.types import Array, Namespace

__all__ = ["sgd"]


def sgd(momentum: float = 0.0, nesterov: bool = False) -> Optimizer:
    """W <- W - learning_rate * dW; with momentum V <- momentum * V + dW and W <- W - learning_rate * V.

    ``momentum`` lies in [0, 1). With ``nesterov`` the step is dW + momentum * V. Elementwise; its state is V, or
    nothing without momentum. Raises InvalidArgumentError for a momentum outside its range and for nesterov without one.
    Sources: Araab, *An Overview on Deep Neural Networks*; Polyak 1964; Sutskever et al. 2013.

    >>> import numpy as np
    >>> parameter, _ = sgd().update(np.asarray([1.0]), {}, np.asarray([2.0]), learning_rate=0.5, step=1, xp=np)
    >>> parameter.tolist()
    [1.5]
    """
    momentum = check_number("sgd", "momentum", momentum, "[0, 1)")
    if check_flag("sgd", "nesterov", nesterov) and momentum == 0.0:
        msg = "sgd: nesterov needs a momentum above 0; try momentum=0.9."
        raise InvalidArgumentError(msg)

    def init(parameter: Array, *, xp: Namespace) -> State:
        return {"velocity": xp.zeros_like(parameter)} if momentum else {}

    def update(
        gradient: Array,
        state: State,
        parameter: Array,
        *,
        learning_rate: float | Array,
        step: int | Array,
        xp: Namespace,
    ) -> tuple[Array, State]:
        if not momentum:
            return parameter - learning_rate * gradient, state
        velocity = momentum * state["velocity"] + gradient
        move = gradient + momentum * velocity if nesterov else velocity
        return parameter - learning_rate * move, {"velocity": velocity}

    options = {"momentum": momentum, "nesterov": nesterov}
    return Optimizer("sgd", init, update, elementwise=True, learning_rate=0.01, options=options)
