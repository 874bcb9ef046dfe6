"""Losses with one mistake each."""

import numpy as np

from polydnn.losses.loss import LogitsForm, Loss, check_same_shape
from tests.testing.planted import STRICT, Defect

__all__ = ["LOSS_DEFECTS"]


def squared(prediction, target, *, xp):
    check_same_shape("squared", prediction, target)
    return xp.mean((prediction - target) ** 2, axis=-1)


def squared_gradient(prediction, target, *, xp):
    check_same_shape("squared", prediction, target)
    return (prediction - target) * (2.0 / prediction.shape[-1])


def item(value=squared, gradient=squared_gradient, target_kind="real", forms=None):
    return Loss("squared", value, gradient, target_kind=target_kind, logits_forms=forms or {})


def absolute_gradient(prediction, target, *, xp):
    check_same_shape("absolute", prediction, target)
    return xp.sign(prediction - target)


# gradients of something else


def gradient_of_the_sum(prediction, target, *, xp):
    check_same_shape("squared", prediction, target)
    return 2.0 * (prediction - target)


def gradient_over_rows(prediction, target, *, xp):
    return squared_gradient(prediction, target, xp=xp) / max(prediction.shape[0], 1)


def reversed_gradient(prediction, target, *, xp):
    return -squared_gradient(prediction, target, xp=xp)


def huber(prediction, target, *, xp):
    check_same_shape("huber", prediction, target)
    size = xp.abs(prediction - target)
    small = xp.minimum(size, 1.0)
    return xp.sum(small * (size - 0.5 * small), axis=-1)


def huber_gradient(prediction, target, *, xp):
    check_same_shape("huber", prediction, target)
    return xp.clip(prediction - target, -1.0, 1.0)


def unclipped_gradient(prediction, target, *, xp):
    check_same_shape("huber", prediction, target)
    return prediction - target


# shapes and rows


def unchecked(prediction, target, *, xp):
    return xp.mean((prediction - target) ** 2, axis=-1)


def unchecked_gradient(prediction, target, *, xp):
    return (prediction - target) * (2.0 / prediction.shape[-1])


def one_number(prediction, target, *, xp):
    return xp.mean(squared(prediction, target, xp=xp))


def a_column(prediction, target, *, xp):
    return squared(prediction, target, xp=xp)[:, None]


def shared_over_rows(prediction, target, *, xp):
    return squared(prediction, target, xp=xp) / max(prediction.shape[0], 1)


# libraries and memory


def numpy_mean(prediction, target, *, xp):
    check_same_shape("squared", prediction, target)
    return np.mean((prediction - target) ** 2, axis=-1)


def target_scaled_in_place(prediction, target, *, xp):
    check_same_shape("squared", prediction, target)
    target *= 0.5
    return xp.mean((prediction - target) ** 2, axis=-1)


def gradient_of_scaled(prediction, target, *, xp):
    check_same_shape("squared", prediction, target)
    return (prediction - 0.5 * target) * (2.0 / prediction.shape[-1])


def one_hot(prediction, target, *, xp):
    if len(target.shape) == 2:
        check_same_shape("classes", prediction, target)
        return target
    return xp.eye(prediction.shape[-1])[target, :]


def class_error(prediction, target, *, xp):
    return xp.sum((prediction - one_hot(prediction, target, xp=xp)) ** 2, axis=-1)


def class_error_gradient(prediction, target, *, xp):
    return 2.0 * (prediction - one_hot(prediction, target, xp=xp))


def compared_labels(prediction, target, *, xp):
    if target.shape == prediction.shape:
        return target
    classes = xp.arange(prediction.shape[-1])
    return xp.astype(target[..., None] == classes, prediction.dtype)  # (n, classes), of (n, 1) it is (n, 1, classes)


def compared_error(prediction, target, *, xp):
    return xp.sum((prediction - compared_labels(prediction, target, xp=xp)) ** 2, axis=-1)


def compared_gradient(prediction, target, *, xp):
    return 2.0 * (prediction - compared_labels(prediction, target, xp=xp))


# numbers


def hinge_hiding_nan(prediction, target, *, xp):
    check_same_shape("hinge", prediction, target)
    margin = 1.0 - target * prediction
    return xp.sum(xp.where(margin > 0.0, margin, xp.zeros_like(margin)), axis=-1)


def hinge_gradient(prediction, target, *, xp):
    check_same_shape("hinge", prediction, target)
    return xp.where(target * prediction < 1.0, -target, xp.zeros_like(target))


def plain_log_cosh(prediction, target, *, xp):
    check_same_shape("log_cosh", prediction, target)
    return xp.sum(xp.log(xp.cosh(prediction - target)), axis=-1)


def tanh_gradient(prediction, target, *, xp):
    check_same_shape("log_cosh", prediction, target)
    return xp.tanh(prediction - target)


def huber_squaring_everything(prediction, target, *, xp):
    check_same_shape("huber", prediction, target)
    error = prediction - target
    return xp.sum(xp.where(xp.abs(error) <= 1.0, 0.5 * error**2, xp.abs(error) - 0.5), axis=-1)


def plain_cross_entropy(prediction, target, *, xp):
    check_same_shape("cross_entropy", prediction, target)
    return -xp.sum(target * xp.log(prediction) + (1.0 - target) * xp.log(1.0 - prediction), axis=-1)


def plain_cross_entropy_gradient(prediction, target, *, xp):
    check_same_shape("cross_entropy", prediction, target)
    return (prediction - target) / (prediction * (1.0 - prediction))


def cross_entropy(prediction, target, *, xp):
    return plain_cross_entropy(xp.clip(prediction, 1e-7, 1.0 - 1e-7), target, xp=xp)


def cross_entropy_gradient(prediction, target, *, xp):
    return plain_cross_entropy_gradient(xp.clip(prediction, 1e-7, 1.0 - 1e-7), target, xp=xp)


def from_logits(z, target, *, xp):
    check_same_shape("cross_entropy", z, target)
    return xp.sum(xp.maximum(z, 0.0) - z * target + xp.log1p(xp.exp(-xp.abs(z))), axis=-1)


def from_logits_gradient(z, target, *, xp):
    check_same_shape("cross_entropy", z, target)
    return 0.5 + 0.5 * xp.tanh(0.5 * z) - target


def mean_from_logits(z, target, *, xp):
    return from_logits(z, target, xp=xp) / z.shape[-1]


def mean_from_logits_gradient(z, target, *, xp):
    return from_logits_gradient(z, target, xp=xp) / z.shape[-1]


def doubled_logits_gradient(z, target, *, xp):
    return 2.0 * from_logits_gradient(z, target, xp=xp)


def overflowing_from_logits(z, target, *, xp):
    check_same_shape("cross_entropy", z, target)
    return xp.sum(xp.log(1.0 + xp.exp(z)) - z * target, axis=-1)


def unchecked_from_logits(z, target, *, xp):
    return xp.sum(xp.maximum(z, 0.0) - z * target + xp.log1p(xp.exp(-xp.abs(z))), axis=-1)


def unchecked_from_logits_gradient(z, target, *, xp):
    return 0.5 + 0.5 * xp.tanh(0.5 * z) - target


def from_logits_hiding_nan(z, target, *, xp):
    return from_logits(xp.where(xp.isnan(z), xp.zeros_like(z), z), target, xp=xp)


def joined(value, gradient):
    forms = {"sigmoid": LogitsForm(value, gradient)}
    return item(cross_entropy, cross_entropy_gradient, "probabilities", forms)


def defect(mistake, check, made, says, backend="numpy"):
    return Defect(mistake, "loss", check, made, says, backend)


LOSS_DEFECTS = (
    defect(
        "value is the mean over outputs, gradient of the sum",
        "gradient",
        item(gradient=gradient_of_the_sum),
        "3 is the number of outputs",
    ),
    defect("the gradient is divided by the batch size", "gradient", item(gradient=gradient_over_rows), "1/5 is 1/rows"),
    defect(
        "the gradient has the wrong sign", "gradient", item(gradient=reversed_gradient), "sign is reversed everywhere"
    ),
    defect("huber's gradient is not clipped", "gradient", item(huber, unclipped_gradient), "where     prediction["),
    defect(
        "shapes are not compared", "broadcasting", item(unchecked, unchecked_gradient), "prediction (4, 1), target (4,)"
    ),
    defect(
        "labels of shape (n, 1) are not refused",
        "broadcasting",
        item(compared_error, compared_gradient, "classes"),
        "prediction (4, 3), target (4, 1)",
    ),
    defect(
        "the logits form does not compare shapes",
        "broadcasting",
        joined(unchecked_from_logits, unchecked_from_logits_gradient),
        "logits_forms['sigmoid'].value",
    ),
    defect(
        "the logits form hides NaN",
        "nan_kept",
        joined(from_logits_hiding_nan, from_logits_gradient),
        "z = nan in row 1",
    ),
    defect("value is the cost of the batch", "shape", item(one_number), "found     shape ()"),
    defect("value keeps the axis of outputs", "shape", item(a_column), "found     shape (4, 1)"),
    defect(
        "value is divided by the batch size",
        "one_row",
        item(shared_over_rows, gradient_over_rows),
        "the same row among 4",
    ),
    defect("NumPy stands where xp should", "portable", item(numpy_mean), "a NumPy function was given", STRICT),
    defect(
        "the target is scaled in place",
        "inputs_unchanged",
        item(target_scaled_in_place, gradient_of_scaled),
        "target after value",
    ),
    defect(
        "one-hot rows are made in the default dtype",
        "dtype",
        item(class_error, class_error_gradient, "classes"),
        "found     float64",
    ),
    defect("NaN takes the other branch", "nan_kept", item(hinge_hiding_nan, hinge_gradient, "signs"), "expected  nan"),
    defect("log(cosh) overflows", "large_input", item(plain_log_cosh, tanh_gradient), "found     inf"),
    defect(
        "squares are taken of what is not used",
        "large_input",
        item(huber_squaring_everything, huber_gradient),
        "overflow encountered",
    ),
    defect(
        "the logarithm of 0 is taken",
        "certain_predictions",
        item(plain_cross_entropy, plain_cross_entropy_gradient, "probabilities"),
        "finite numbers in float32",
    ),
    defect(
        "the logits form takes the mean",
        "logits_forms",
        joined(mean_from_logits, mean_from_logits_gradient),
        "value after sigmoid",
    ),
    defect(
        "the logits form's gradient is doubled",
        "logits_forms",
        joined(from_logits, doubled_logits_gradient),
        "everywhere 2 times",
    ),
    defect(
        "the logits form overflows",
        "large_input",
        joined(overflowing_from_logits, from_logits_gradient),
        "logits_forms['sigmoid'].value",
    ),
    defect(
        "the logits form is for no activation",
        "logits_forms",
        item(forms={"sigmoyd": LogitsForm(squared, squared_gradient)}),
        "Did you mean 'sigmoid'?",
    ),
    defect("the kind of target does not exist", "target_kind", item(target_kind="integers"), "'integers'"),
)
