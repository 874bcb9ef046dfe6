"""Weight decay: the L1 and L2 penalties with their gradient, and the decoupled factor."""

from polydnn.types import Array, Namespace

__all__ = ["add_penalty_gradient", "decay_weight", "penalty"]


def penalty(weight: Array, *, l1: float = 0.0, l2: float = 0.0, xp: Namespace) -> Array:
    """l1 * sum abs(W) + l2 / 2 * sum W^2, what one weight adds to the cost; 0-d.

    The factors are numbers from 0 up; which parameters are weights (and not biases) the caller knows.
    Source: Margaryan, *Deep Learning*, 2024 (regularization).

    >>> import numpy as np
    >>> float(penalty(np.asarray([[3.0, -4.0]]), l1=1.0, l2=2.0, xp=np))
    32.0
    """
    return l1 * xp.sum(xp.abs(weight)) + 0.5 * l2 * xp.sum(weight * weight)


def add_penalty_gradient(gradient: Array, weight: Array, *, l1: float = 0.0, l2: float = 0.0, xp: Namespace) -> Array:
    """dW + l2 * W + l1 * sign(W), the gradient of the cost with the penalty; shaped like W.

    A factor of 0 costs nothing. The sign of 0 is 0, so a weight that is exactly zero is left there.

    >>> import numpy as np
    >>> add_penalty_gradient(np.asarray([1.0, 1.0]), np.asarray([3.0, -4.0]), l1=0.5, l2=0.1, xp=np).tolist()
    [1.8, 0.09999999999999998]
    """
    if l2:
        gradient = gradient + l2 * weight
    if l1:
        gradient = gradient + l1 * xp.sign(weight)
    return gradient


def decay_weight(weight: Array, *, learning_rate: float | Array, weight_decay: float) -> Array:
    """W * (1 - learning_rate * weight_decay), taken before the optimizer's update; shaped like W.

    ``learning_rate`` is a number, or a 0-d array of the weight's dtype. A ``weight_decay`` of 0 costs nothing.
    Source: Loshchilov & Hutter, *Decoupled weight decay regularization*, 2019.

    >>> import numpy as np
    >>> decay_weight(np.asarray([4.0]), learning_rate=0.5, weight_decay=0.5).tolist()
    [3.0]
    """
    if not weight_decay:
        return weight
    return weight * (1.0 - learning_rate * weight_decay)
