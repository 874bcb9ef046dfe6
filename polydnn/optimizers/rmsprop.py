"""RMSprop: steps divided by the root of a running mean of squared gradients."""

from polydnn.optimizers._arguments import check_flag, check_number
from polydnn.optimizers.optimizer import Optimizer, State
from polydnn.types import Array, Namespace

__all__ = ["rmsprop"]


def rmsprop(
    decay: float = 0.99,
    momentum: float = 0.0,
    eps: float = 1e-8,
    centered: bool = False,
    eps_inside_sqrt: bool = False,
) -> Optimizer:
    """v <- decay * v + (1 - decay) * dW^2 and W <- W - learning_rate * dW / (sqrt(v) + eps).

    ``decay`` and ``momentum`` lie in [0, 1), ``eps`` in (0, inf). With ``momentum`` the quotient q goes through
    V <- momentum * V + q and the step is learning_rate * V. With ``centered`` v is reduced by the square of the running
    mean of dW, which makes it a variance. ``eps_inside_sqrt`` divides by sqrt(v + eps) instead, as Keras and TensorFlow
    do. Elementwise. Raises InvalidArgumentError for an argument outside its range. Sources: Tieleman & Hinton, *Neural
    Networks for Machine Learning*, lecture 6.5, 2012; Graves, *Generating sequences with recurrent neural networks*,
    2013 (centered, momentum); defaults as in PyTorch.

    The state keeps the sums v / (1 - decay) and mean / (1 - decay): the factors then go into numbers, and an update
    takes two array operations less for each of them.

    >>> import numpy as np
    >>> optimizer, start = rmsprop(decay=0.75), np.asarray([2.0])
    >>> state = optimizer.init(start, xp=np)
    >>> parameter, state = optimizer.update(np.asarray([4.0]), state, start, learning_rate=0.5, step=1, xp=np)
    >>> parameter.round(6).tolist(), state["square_sum"].tolist()
    ([1.0], [16.0])
    """
    decay = check_number("rmsprop", "decay", decay, "[0, 1)")
    momentum = check_number("rmsprop", "momentum", momentum, "[0, 1)")
    eps = check_number("rmsprop", "eps", eps, "(0, inf)")
    check_flag("rmsprop", "centered", centered)
    check_flag("rmsprop", "eps_inside_sqrt", eps_inside_sqrt)
    fresh = 1.0 - decay
    scale = fresh**-0.5  # what turns one over the root of the sum into one over the root of the mean
    offset = eps / fresh if eps_inside_sqrt else eps * scale

    def init(parameter: Array, *, xp: Namespace) -> State:
        names = ["square_sum", *["gradient_sum"] * centered, *["velocity"] * (momentum > 0.0)]
        return {name: xp.zeros_like(parameter) for name in names}

    def update(
        gradient: Array,
        state: State,
        parameter: Array,
        *,
        learning_rate: float | Array,
        step: int | Array,
        xp: Namespace,
    ) -> tuple[Array, State]:
        new = {"square_sum": decay * state["square_sum"] + gradient * gradient}
        spread = new["square_sum"]
        if centered:
            new["gradient_sum"] = decay * state["gradient_sum"] + gradient
            # never negative by Cauchy's inequality, but rounding can make it so, and its root NaN
            spread = xp.maximum(spread - fresh * new["gradient_sum"] * new["gradient_sum"], 0.0)
        move = gradient / (xp.sqrt(spread + offset) if eps_inside_sqrt else xp.sqrt(spread) + offset)
        if momentum:
            move = new["velocity"] = momentum * state["velocity"] + move
        return parameter - learning_rate * scale * move, new

    options = {
        "decay": decay,
        "momentum": momentum,
        "eps": eps,
        "centered": centered,
        "eps_inside_sqrt": eps_inside_sqrt,
    }
    return Optimizer("rmsprop", init, update, elementwise=True, learning_rate=0.01, options=options)
