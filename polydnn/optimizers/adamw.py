"""AdamW: Adam beside a weight decay that does not pass through the gradient."""

from dataclasses import replace

from polydnn.optimizers._arguments import check_number
from polydnn.optimizers.adam import adam_named
from polydnn.optimizers.optimizer import Optimizer

__all__ = ["adamw"]


def adamw(
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
    amsgrad: bool = False,
    eps_inside_sqrt: bool = False,
    eps_hat: bool = False,
) -> Optimizer:
    """Weights <- weights * (1 - learning_rate * weight_decay), biases stay; then the step of ``adam`` on both.

    ``weight_decay`` lies in [0, inf) and stands in the field of that name, for the training step knows which parameters
    are weights; ``update`` itself is Adam's. The other options, errors and the state are those of ``adam``. PyTorch's
    AdamW decays whatever parameters it is given, biases too.
    Source: Loshchilov & Hutter, *Decoupled weight decay regularization*, 2019; defaults as in PyTorch.

    >>> adamw().weight_decay
    0.01
    """
    base = adam_named("adamw", beta1, beta2, eps, amsgrad, eps_inside_sqrt, eps_hat)
    weight_decay = check_number("adamw", "weight_decay", weight_decay, "[0, inf)")
    options = {**base.options, "weight_decay": weight_decay}
    return replace(base, weight_decay=weight_decay, options=options)
