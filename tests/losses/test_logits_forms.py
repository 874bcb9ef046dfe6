"""The joined forms before sigmoid and softmax: equal to the two steps, and right where those would not be."""

import math
import warnings
from typing import Any

import mpmath
import numpy as np
import pytest

import polydnn.activations
import polydnn.losses
from polydnn.arrays import Backend, numpy_backend
from polydnn.types import DType
from tests.oracles import central_differences, ulps

RNG = np.random.default_rng(12)
Z = RNG.normal(size=(4, 3)) * 2.0
LABELS = np.asarray([2, 0, 1, 1])
SOFT = RNG.random((4, 3))
FORMS = [
    ("binary_cross_entropy", "sigmoid", np.eye(3)[LABELS]),
    ("binary_cross_entropy", "sigmoid", SOFT),
    ("categorical_cross_entropy", "softmax", LABELS),
    ("categorical_cross_entropy", "softmax", np.eye(3)[LABELS]),
    ("categorical_cross_entropy", "softmax", SOFT),  # rows that do not sum to 1, where p - t would be wrong
]
BIG = [0.0, 1.0, -1.0, 100.0, -100.0, 1e4, -1e4, 1e30, -1e30]


def form(loss: str, activation: str) -> Any:
    return getattr(polydnn.losses, loss)().logits_forms[activation]


def on(backend: Backend, target: np.ndarray, dtype: DType | None = None) -> Any:
    return backend.asarray(target, dtype=backend.index_dtype if target.ndim == 1 else dtype)


@pytest.mark.parametrize(("name", "activation", "target"), FORMS)
def test_form_equals_activation_then_loss(name: str, activation: str, target: np.ndarray, backend: Backend):
    xp, joined, loss = backend.xp, form(name, activation), getattr(polydnn.losses, name)()
    last = getattr(polydnn.activations, activation)()
    z, t = backend.asarray(Z), on(backend, target)
    y = last.forward(z, xp=xp)
    dz = last.pull_back(loss.gradient(y, t, xp=xp), z, y, xp=xp)
    for found, wanted in ((joined.value(z, t, xp=xp), loss.value(y, t, xp=xp)), (joined.gradient(z, t, xp=xp), dz)):
        assert tuple(found.shape) == tuple(wanted.shape)
        assert backend.owns(found)
        np.testing.assert_allclose(backend.to_numpy(found), backend.to_numpy(wanted), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("name", "activation", "target"), FORMS)
def test_gradient_is_that_of_the_value(name: str, activation: str, target: np.ndarray, backend: Backend):
    joined, t = form(name, activation), on(backend, target)
    numeric = central_differences(lambda z: backend.to_numpy(joined.value(backend.asarray(z), t, xp=backend.xp)), Z)
    found = backend.to_numpy(joined.gradient(backend.asarray(Z), t, xp=backend.xp))
    np.testing.assert_allclose(found, np.einsum("iij->ij", numeric), atol=1e-7)


def test_gradient_is_prediction_minus_target(backend: Backend):
    z, t = backend.asarray(Z), backend.asarray(np.eye(3)[LABELS])
    for name, activation in (("binary_cross_entropy", "sigmoid"), ("categorical_cross_entropy", "softmax")):
        p = getattr(polydnn.activations, activation)().forward(z, xp=backend.xp)
        found = form(name, activation).gradient(z, t, xp=backend.xp)
        np.testing.assert_allclose(backend.to_numpy(found), backend.to_numpy(p - t), atol=1e-15)


def leading_scores(dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Rows in which the labelled score leads by 0 to 90, among others of several sizes, the label at any place."""
    z, labels = [], []
    for lead in np.arange(0.0, 91.0, 2.5):
        for size in (0.0, 1.0, 10.0, 100.0):
            row = RNG.normal(size=5) * size
            label = int(RNG.integers(5))
            row[label] = np.delete(row, label).max() + lead
            z.append(row)
            labels.append(label)
    return np.array(z).astype(dtype), np.array(labels)


def exact_cross_entropy(z: np.ndarray, label: int) -> Any:
    with mpmath.workdps(80):
        others = [mpmath.mpf(float(each)) - mpmath.mpf(float(z[label])) for k, each in enumerate(z) if k != label]
        return mpmath.log1p(mpmath.fsum(mpmath.exp(each) for each in others))


def shown(backend: Backend, exact: np.ndarray) -> np.ndarray:
    """Where every term that counts is a normal number: JAX flushes the smaller ones to 0."""
    return exact > 1e-30 if backend.library == "jax" else exact > 0.0


@pytest.mark.parametrize("one_hot", [False, True])
def test_categorical_cross_entropy_keeps_its_digits_at_any_lead(one_hot: bool, backend: Backend, dtype: DType):
    host = np.float32 if dtype == backend.xp.float32 else np.float64
    z, labels = leading_scores(host)
    exact = np.array([float(exact_cross_entropy(row, k)) for row, k in zip(z, labels, strict=True)])
    target = np.eye(5, dtype=host)[labels] if one_hot else labels
    found = form("categorical_cross_entropy", "softmax").value(backend.asarray(z), on(backend, target), xp=backend.xp)
    distance = ulps(backend.to_numpy(found), exact, host)
    assert distance[shown(backend, exact)].max() <= 4.0


def test_categorical_cross_entropy_of_a_wrong_answer(backend: Backend, dtype: DType):
    host = np.float32 if dtype == backend.xp.float32 else np.float64
    z, labels = leading_scores(host)
    labels = (labels + 1) % 5
    exact = [float(exact_cross_entropy(row, k)) for row, k in zip(z, labels, strict=True)]
    found = form("categorical_cross_entropy", "softmax").value(backend.asarray(z), on(backend, labels), xp=backend.xp)
    assert ulps(backend.to_numpy(found), exact, host).max() <= 4.0


def test_binary_cross_entropy_keeps_its_digits_at_any_lead(backend: Backend, dtype: DType):
    host = np.float32 if dtype == backend.xp.float32 else np.float64
    z = np.linspace(-90.0, 90.0, 181).astype(host)[:, None]
    for t in (0.0, 1.0):
        exact = np.array([float(mpmath.log1p(mpmath.exp(mpmath.mpf(float(each)) * (1 - 2 * t)))) for each in z[:, 0]])
        target = backend.asarray(np.full_like(z, t))
        found = form("binary_cross_entropy", "sigmoid").value(backend.asarray(z), target, xp=backend.xp)
        distance = ulps(backend.to_numpy(found), exact, host)
        assert distance[shown(backend, exact)].max() <= 4.0


def test_where_torch_says_zero_there_is_a_loss():
    torch = pytest.importorskip("torch")
    z = np.asarray([[20.0, 0.0]], dtype=np.float32)
    assert torch.nn.functional.cross_entropy(torch.tensor(z), torch.tensor([0])).item() == 0.0
    found = form("categorical_cross_entropy", "softmax").value(z, np.asarray([0]), xp=numpy_backend().xp)
    assert found[0] == pytest.approx(math.exp(-20.0), rel=1e-6)


@pytest.mark.parametrize("labels", [True, False])
def test_extreme_scores_stay_finite_without_a_warning(labels: bool, backend: Backend, dtype: DType):
    z = np.array([[a, b, c] for a in BIG for b in BIG for c in BIG])
    for label in range(3):
        target = np.full(len(z), label) if labels else np.eye(3)[np.full(len(z), label)]
        check_finite("categorical_cross_entropy", "softmax", z, target, backend, dtype)
    if not labels:
        check_finite("binary_cross_entropy", "sigmoid", z, np.eye(3)[np.zeros(len(z), dtype=int)], backend, dtype)
        check_finite("binary_cross_entropy", "sigmoid", z, np.full_like(z, 0.3), backend, dtype)


def check_finite(name: str, activation: str, z: np.ndarray, target: np.ndarray, backend: Backend, dtype: DType) -> None:
    joined = form(name, activation)
    arguments = backend.asarray(z, dtype=dtype), on(backend, target, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, gradient = joined.value(*arguments, xp=backend.xp), joined.gradient(*arguments, xp=backend.xp)
    assert value.dtype == dtype
    assert gradient.dtype == dtype
    assert np.isfinite(backend.to_numpy(value)).all()
    assert (np.abs(backend.to_numpy(gradient)) <= 1.0).all()


def test_a_hopeless_answer_costs_the_difference(backend: Backend):
    z = backend.asarray([[1e30, 0.0], [0.0, -1e4]])
    labels = backend.asarray([1, 1], dtype=backend.index_dtype)
    found = form("categorical_cross_entropy", "softmax").value(z, labels, xp=backend.xp)
    assert backend.to_numpy(found).tolist() == [1e30, 1e4]
    column = backend.asarray([[1e30], [-1e4]])
    found = form("binary_cross_entropy", "sigmoid").value(column, backend.asarray([[0.0], [1.0]]), xp=backend.xp)
    assert backend.to_numpy(found).tolist() == [1e30, 1e4]


def test_tied_leaders_share_the_probability(backend: Backend):
    z, labels = backend.asarray([[5.0, 5.0, 5.0]]), backend.asarray([1], dtype=backend.index_dtype)
    found = form("categorical_cross_entropy", "softmax").value(z, labels, xp=backend.xp)
    assert backend.to_numpy(found)[0] == pytest.approx(math.log(3), rel=1e-15)


@pytest.mark.parametrize(("name", "activation", "target"), FORMS)
def test_nan_reaches_the_value_of_its_row_only(name: str, activation: str, target: np.ndarray, backend: Backend):
    z = Z.copy()
    z[1, 2] = math.nan
    found = form(name, activation).value(backend.asarray(z), on(backend, target), xp=backend.xp)
    np.testing.assert_array_equal(np.isnan(backend.to_numpy(found)), [False, True, False, False])


@pytest.mark.parametrize(("name", "activation", "target"), FORMS)
def test_an_empty_batch_gives_empty_results(name: str, activation: str, target: np.ndarray, backend: Backend):
    z, t = backend.asarray(Z[:0]), on(backend, target[:0])
    assert tuple(form(name, activation).value(z, t, xp=backend.xp).shape) == (0,)
    assert tuple(form(name, activation).gradient(z, t, xp=backend.xp).shape) == (0, 3)
