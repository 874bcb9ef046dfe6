"""One battery for every loss on predictions: value against the formula, gradient against the value."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polydnn.activations
import polydnn.losses
from polydnn.arrays import Backend, numpy_backend
from polydnn.losses import Loss
from polydnn.types import DType
from tests.oracles import central_differences

NAMES = [name for name in polydnn.losses.__all__ if name.islower() and not name.startswith("check_")]
FORMULAS: dict[str, Callable[[list[float], list[float]], float]] = {  # one example: prediction and target in numbers
    "sum_squared_error": lambda p, t: sum((a - b) ** 2 for a, b in zip(p, t, strict=True)) / 2,
    "mean_squared_error": lambda p, t: sum((a - b) ** 2 for a, b in zip(p, t, strict=True)) / len(p),
    "mean_absolute_error": lambda p, t: sum(abs(a - b) for a, b in zip(p, t, strict=True)) / len(p),
    "binary_cross_entropy": lambda p, t: (
        -sum(b * math.log(a) + (1 - b) * math.log(1 - a) for a, b in zip(p, t, strict=True))
    ),
    "categorical_cross_entropy": lambda p, t: -sum(b * math.log(a) for a, b in zip(p, t, strict=True)),
    "hinge": lambda p, t: sum(max(0.0, 1 - a * b) for a, b in zip(p, t, strict=True)) / len(p),
}
N, OUTPUTS = 4, 3
LABELS = np.asarray([2, 0, 1, 1])
RNG = np.random.default_rng(11)
SCORES = RNG.normal(size=(N, OUTPUTS)) * 1.7
PROBABILITIES = 0.05 + 0.85 * np.exp(SCORES) / np.exp(SCORES).sum(axis=1, keepdims=True)  # rows sum to 1
TARGETS: dict[str, list[np.ndarray]] = {  # by target_kind; rows, and labels where they are possible
    "real": [RNG.normal(size=(N, OUTPUTS))],
    "probabilities": [RNG.integers(0, 2, size=(N, OUTPUTS)).astype(float), RNG.random((N, OUTPUTS))],
    "classes": [np.eye(OUTPUTS)[LABELS], PROBABILITIES[::-1], LABELS],
    "signs": [np.where(RNG.random((N, OUTPUTS)) < 0.5, 1.0, -1.0)],
}
CASES = [
    pytest.param(getattr(polydnn.losses, name)(), target, id=f"{name}-{number}")
    for name in NAMES
    for number, target in enumerate(TARGETS[getattr(polydnn.losses, name)().target_kind])
]


def prediction_for(loss: Loss) -> np.ndarray:
    return PROBABILITIES if loss.target_kind in ("probabilities", "classes") else SCORES


def on(backend: Backend, target: np.ndarray, dtype: DType | None = None) -> Any:
    """The target on the backend: labels in its index type, rows in ``dtype``."""
    return backend.asarray(target, dtype=backend.index_dtype if target.ndim == 1 else dtype)


def rows(target: np.ndarray) -> np.ndarray:
    return np.eye(OUTPUTS)[target] if target.ndim == 1 else target


def test_every_loss_has_a_formula_to_be_compared_with():
    assert sorted(FORMULAS) == NAMES


@pytest.mark.parametrize(("loss", "target"), CASES)
def test_value_is_the_formula_of_each_example(loss: Loss, target: np.ndarray, backend: Backend, dtype: DType):
    prediction = backend.asarray(prediction_for(loss), dtype=dtype)
    found = loss.value(prediction, on(backend, target, dtype), xp=backend.xp)
    assert tuple(found.shape) == (N,)
    assert found.dtype == dtype
    assert backend.owns(found)
    pairs = zip(prediction_for(loss).tolist(), rows(target).tolist(), strict=True)
    wanted = [FORMULAS[loss.name](p, t) for p, t in pairs]
    found = backend.to_numpy(found)
    np.testing.assert_allclose(found, wanted, rtol=20 * np.finfo(found.dtype).eps)


@pytest.mark.parametrize(("loss", "target"), CASES)
def test_gradient_is_that_of_the_value(loss: Loss, target: np.ndarray, backend: Backend, dtype: DType):
    at = prediction_for(loss)
    found = loss.gradient(backend.asarray(at, dtype=dtype), on(backend, target, dtype), xp=backend.xp)
    assert tuple(found.shape) == at.shape
    assert found.dtype == dtype
    assert backend.owns(found)

    t = on(backend, target)
    numeric = central_differences(
        lambda p: backend.to_numpy(loss.value(backend.asarray(p), t, xp=backend.xp)), at
    )  # (n, n, outputs): the value of one example depends on its own row only
    wanted = np.einsum("iij->ij", numeric)
    tolerance = 1e-7 if dtype == backend.xp.float64 else 2e-5
    np.testing.assert_allclose(backend.to_numpy(found), wanted, rtol=tolerance, atol=tolerance)
    assert not (numeric * (1 - np.eye(N))[:, :, None]).any()


@pytest.mark.parametrize("activation", [name for name in polydnn.activations.__all__ if name != "Activation"])
@pytest.mark.parametrize(("loss", "target"), CASES)
def test_gradient_goes_back_through_every_activation(loss: Loss, target: np.ndarray, activation: str):
    """Loss after activation, differentiated with respect to the pre-activation; the cost is the mean over the rows."""
    probabilities = {
        "binary_cross_entropy": ("sigmoid", "softmax"),
        "categorical_cross_entropy": ("sigmoid", "softmax", "softplus"),
    }
    if activation not in probabilities.get(loss.name, (activation,)):
        return  # its outputs are no probabilities
    xp, last = numpy_backend().xp, getattr(polydnn.activations, activation)()

    def cost(z: np.ndarray) -> Any:
        return np.mean(loss.value(last.forward(z, xp=xp), target, xp=xp))

    z = SCORES + 0.01 * np.sign(SCORES)
    y = last.forward(z, xp=xp)
    dz = last.pull_back(loss.gradient(y, target, xp=xp) / N, z, y, xp=xp)
    np.testing.assert_allclose(dz, central_differences(cost, z), atol=1e-7)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "hinge"])
def test_value_and_gradient_agree_with_torch_autograd(name: str, backend: Backend):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    theirs = {
        "sum_squared_error": lambda p, t: functional.mse_loss(p, t, reduction="none").sum(1) / 2,
        "mean_squared_error": lambda p, t: functional.mse_loss(p, t, reduction="none").mean(1),
        "mean_absolute_error": lambda p, t: functional.l1_loss(p, t, reduction="none").mean(1),
        "binary_cross_entropy": lambda p, t: functional.binary_cross_entropy(p, t, reduction="none").sum(1),
        "categorical_cross_entropy": lambda p, t: functional.nll_loss(torch.log(p), t.argmax(1), reduction="none"),
    }[name]
    loss = getattr(polydnn.losses, name)()
    target = TARGETS[loss.target_kind][0]
    their_p = torch.tensor(prediction_for(loss), requires_grad=True)
    their_value = theirs(their_p, torch.tensor(target))
    their_value.sum().backward()

    prediction, t = backend.asarray(prediction_for(loss)), backend.asarray(target)
    value, gradient = loss.value(prediction, t, xp=backend.xp), loss.gradient(prediction, t, xp=backend.xp)
    np.testing.assert_allclose(backend.to_numpy(value), their_value.detach().numpy(), rtol=1e-13)
    np.testing.assert_allclose(backend.to_numpy(gradient), their_p.grad.numpy(), rtol=1e-13)


def test_binary_cross_entropy_is_torchs_mean_times_the_outputs():
    torch = pytest.importorskip("torch")
    target = TARGETS["probabilities"][0]
    value = polydnn.losses.binary_cross_entropy().value(PROBABILITIES, target, xp=numpy_backend().xp)
    mean = torch.nn.functional.binary_cross_entropy(torch.tensor(PROBABILITIES), torch.tensor(target)).item()
    assert np.mean(value) == pytest.approx(OUTPUTS * mean, rel=1e-13)


def test_the_squared_errors_differ_by_half_the_outputs():
    xp, (target,) = numpy_backend().xp, TARGETS["real"]
    half_sum = polydnn.losses.sum_squared_error().value(SCORES, target, xp=xp)
    mean = polydnn.losses.mean_squared_error().value(SCORES, target, xp=xp)
    np.testing.assert_allclose(half_sum, mean * OUTPUTS / 2, rtol=1e-15)


@pytest.mark.parametrize(("loss", "target"), CASES)
def test_inputs_are_not_modified(loss: Loss, target: np.ndarray, backend: Backend):
    prediction, t = backend.asarray(prediction_for(loss).copy()), on(backend, target.copy())
    loss.value(prediction, t, xp=backend.xp)
    loss.gradient(prediction, t, xp=backend.xp)
    np.testing.assert_array_equal(backend.to_numpy(prediction), prediction_for(loss))
    np.testing.assert_array_equal(backend.to_numpy(t), target)


@pytest.mark.parametrize(("loss", "target"), CASES)
def test_an_empty_batch_gives_empty_results(loss: Loss, target: np.ndarray, backend: Backend):
    prediction, t = backend.asarray(prediction_for(loss)[:0]), on(backend, target[:0])
    assert tuple(loss.value(prediction, t, xp=backend.xp).shape) == (0,)
    assert tuple(loss.gradient(prediction, t, xp=backend.xp).shape) == (0, OUTPUTS)


@pytest.mark.parametrize(("loss", "target"), CASES)
def test_nan_reaches_the_value_of_its_row_only(loss: Loss, target: np.ndarray, backend: Backend):
    at = prediction_for(loss).copy()
    at[1, 0] = math.nan  # row 1 has the label 0
    found = backend.to_numpy(loss.value(backend.asarray(at), on(backend, target), xp=backend.xp))
    np.testing.assert_array_equal(np.isnan(found), [False, True, False, False])


@pytest.mark.parametrize("name", ["mean_absolute_error", "hinge"])
def test_slope_is_zero_at_the_kink(name: str, backend: Backend):
    loss = getattr(polydnn.losses, name)()
    ones = backend.asarray([[1.0, -1.0]])
    assert backend.to_numpy(loss.gradient(ones, ones, xp=backend.xp)).tolist() == [[0.0, 0.0]]


def test_kinds_of_target():
    kinds = {name: getattr(polydnn.losses, name)().target_kind for name in NAMES}
    assert kinds == {
        "binary_cross_entropy": "probabilities",
        "categorical_cross_entropy": "classes",
        "hinge": "signs",
        "mean_absolute_error": "real",
        "mean_squared_error": "real",
        "sum_squared_error": "real",
    }


def test_traced_by_jax():
    jax = pytest.importorskip("jax")
    for case in CASES:
        loss, target = case.values
        forms = [loss, *loss.logits_forms.values()]

        def all_of(p, t, xp, forms=forms):
            return [f(p, t, xp=xp) for form in forms for f in (form.value, form.gradient)]

        traced = jax.jit(functools.partial(all_of, xp=jax.numpy))(prediction_for(loss), target)
        for found, wanted in zip(traced, all_of(prediction_for(loss), target, numpy_backend().xp), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)
