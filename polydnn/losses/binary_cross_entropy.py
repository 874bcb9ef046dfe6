"""Binary cross entropy, summed over the outputs of one example, and its stable form before the sigmoid."""

from polydnn.losses.loss import LogitsForm, Loss, check_same_shape
from polydnn.types import Array, Namespace

__all__ = ["binary_cross_entropy"]

SATURATED = 40.0  # from here on the logistic function rounds to 1 in float64 too, and exp is far from overflowing


def value(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    check_same_shape("binary_cross_entropy", prediction, target)
    # 0 log 0 is 0: the logarithm is taken only where its factor is not 0
    log_yes = xp.log(xp.where(target > 0.0, prediction, 1.0))
    log_no = xp.log1p(-xp.where(target < 1.0, prediction, 0.0))
    return -(xp.vecdot(target, log_yes) + xp.vecdot(1.0 - target, log_no))


def gradient(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    check_same_shape("binary_cross_entropy", prediction, target)
    # (p - t) / (p (1 - p)) in two fractions, each of which is 0 where its numerator is
    yes = target / xp.where(target > 0.0, prediction, 1.0)
    no = (1.0 - target) / xp.where(target < 1.0, 1.0 - prediction, 1.0)
    return no - yes


def logits_value(z: Array, target: Array, *, xp: Namespace) -> Array:
    check_same_shape("binary_cross_entropy", z, target)
    # -t log s - (1 - t) log(1 - s) = max(z, 0) - t z + log(1 + exp(-|z|)) for s = 1 / (1 + exp(-z)); for t = 0 and 1
    # the difference is exact, so a confident right answer keeps the digits of its small loss
    distance = xp.maximum(z, 0.0) - target * z
    return xp.sum(distance + xp.log1p(xp.exp(-xp.abs(z))), axis=-1)


def logits_gradient(z: Array, target: Array, *, xp: Namespace) -> Array:
    check_same_shape("binary_cross_entropy", z, target)
    t = xp.exp(xp.minimum(z, SATURATED))
    return t / (1.0 + t) - target


def binary_cross_entropy() -> Loss:
    """-sum_j (t_j log p_j + (1 - t_j) log(1 - p_j)) for prediction p and target t in [0, 1], both (n, outputs).

    The gradient is (p - t) / (p (1 - p)); after a sigmoid it becomes p - t at the pre-activation, which training uses:
    exact for any finite z. On probabilities nothing is clipped: a certain and wrong prediction (p = 0 with t > 0, p = 1
    with t < 1) has the value inf and an infinite gradient, and p outside [0, 1] has the value NaN.

    The sum over the outputs is the definition in the source. Keras and PyTorch take their mean: multiply theirs by the
    number of outputs to get this one, or divide the learning rate by it for the same steps.
    Raises ShapeError where the shapes differ.
    Source: Araab, *An Overview on Deep Neural Networks*.

    >>> import numpy as np
    >>> binary_cross_entropy().value(np.asarray([[0.5, 0.5]]), np.asarray([[1.0, 0.0]]), xp=np).round(4).tolist()
    [1.3863]
    """
    forms = {"sigmoid": LogitsForm(logits_value, logits_gradient)}
    return Loss(
        "binary_cross_entropy",
        value,
        gradient,
        target_kind="probabilities",
        logits_forms=forms,
        on_probabilities=True,
    )
