"""Categorical cross entropy for rows of probabilities or integer labels, and its stable form before the softmax."""

from polydnn.arrays import device_of
from polydnn.losses.loss import LogitsForm, Loss, check_class_target
from polydnn.types import Array, Namespace

__all__ = ["categorical_cross_entropy"]


def value(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    t = _rows(prediction, target, xp=xp)
    if target.ndim == 1:
        return -xp.log(xp.vecdot(t, prediction))
    # 0 log 0 is 0: the logarithm is taken only where its factor is not 0
    return -xp.vecdot(t, xp.log(xp.where(t > 0.0, prediction, 1.0)))


def gradient(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    t = _rows(prediction, target, xp=xp)
    return -t / xp.where(t > 0.0, prediction, 1.0)


def logits_value(z: Array, target: Array, *, xp: Namespace) -> Array:
    t = _rows(z, target, xp=xp)
    log_sum, shifted = _log_sum(z, xp=xp)
    values = xp.vecdot(t, log_sum[:, None] - shifted)
    return values / xp.vecdot(t, t) if target.ndim == 1 else values  # / 1, or 0 / 0 = NaN for a label out of range


def logits_gradient(z: Array, target: Array, *, xp: Namespace) -> Array:
    t = _rows(z, target, xp=xp)
    e = xp.exp(z - xp.max(z, axis=-1, keepdims=True))
    p = e / xp.sum(e, axis=-1, keepdims=True)
    if target.ndim == 1:
        return p - t
    return p * xp.sum(t, axis=-1, keepdims=True) - t  # exact also where a row of the target does not quite sum to 1


def _rows(prediction: Array, target: Array, *, xp: Namespace) -> Array:
    """The target as rows (n, classes) in the prediction's dtype; a label out of range gives a row of zeros."""
    check_class_target("categorical_cross_entropy", prediction, target, xp=xp)
    if target.ndim == 1:
        target = target[:, None] == xp.arange(prediction.shape[-1], device=device_of(prediction))
    return xp.astype(target, prediction.dtype, copy=False)


def _log_sum(z: Array, *, xp: Namespace) -> tuple[Array, Array]:
    """(log sum_k exp(z_k - m), z - m) with the row's largest score m; shapes (n,) and (n, classes).

    The sum is 1 + r with r over all scores but m, and log(1 + r) keeps its digits however small r is. The subtraction
    z - m rounds, which exp magnifies by m: Knuth's two-sum gives what was lost, and exp(s + lost) = exp(s) (1 + lost).
    """
    classes = xp.arange(z.shape[-1], device=device_of(z))
    others = xp.astype(classes != xp.argmax(z, axis=-1, keepdims=True), z.dtype)  # 0 at m, 1 elsewhere
    m = xp.max(z, axis=-1, keepdims=True)
    s = z - m
    back = s - z  # -m, up to rounding
    lost = (z - (s - back)) - (m + back)
    return xp.log1p(xp.vecdot(xp.exp(s), others + lost)), s  # at m nothing was lost


def categorical_cross_entropy() -> Loss:
    """-sum_j t_j log p_j for prediction p (n, classes) and target t: rows (n, classes) or integer labels (n,).

    The gradient is -t / p; after a softmax it becomes p - t at the pre-activation, which training uses: finite for any
    z up to half the dtype's largest number, its value right to a few units in the last place however far the right
    class leads. Rows may be one-hot or probabilities. A label outside 0 .. classes - 1 selects nothing: its value is
    NaN before the softmax, and inf after it.

    On probabilities nothing is clipped: p = 0 with t > 0 has the value inf and the gradient -inf, a negative p with
    t > 0 the value NaN; where t = 0, p does not matter.
    Raises ShapeError where the shapes do not fit, and DTypeError for labels that are no integers.
    Source: Araab, *An Overview on Deep Neural Networks*; the correction: Knuth, *The art of computer programming*,
    volume 2, section 4.2.2.

    >>> import numpy as np
    >>> categorical_cross_entropy().value(np.asarray([[0.25, 0.75]]), np.asarray([1]), xp=np).round(4).tolist()
    [0.2877]
    """
    forms = {"softmax": LogitsForm(logits_value, logits_gradient)}
    return Loss(
        "categorical_cross_entropy", value, gradient, target_kind="classes", logits_forms=forms, on_probabilities=True
    )
