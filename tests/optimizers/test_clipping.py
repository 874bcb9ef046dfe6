"""Clipping against PyTorch's, at the limit, with NaN, and without touching what it is given."""

import warnings
from typing import Any

import numpy as np
import pytest

from polydnn.arrays import Backend
from polydnn.errors import InvalidArgumentError
from polydnn.optimizers import clip_by_global_norm, clip_by_value, global_norm
from polydnn.types import DType

GRADIENTS = {"weight": np.asarray([[3.0, -1.0], [0.5, -4.0]]), "bias": np.asarray([0.0, 2.0])}


def on_device(backend: Backend, dtype: DType | None = None) -> dict[str, Any]:
    return {name: backend.asarray(each, dtype=dtype) for name, each in GRADIENTS.items()}


def on_host(backend: Backend, gradients: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: backend.to_numpy(each) for name, each in gradients.items()}


def torchs(function: str, limit: float) -> dict[str, np.ndarray]:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of clipping")
    parameters = {
        name: torch.nn.Parameter(torch.zeros(each.shape, dtype=torch.float64)) for name, each in GRADIENTS.items()
    }
    for name, parameter in parameters.items():
        parameter.grad = torch.tensor(GRADIENTS[name])
    getattr(torch.nn.utils, function)(list(parameters.values()), limit)
    return {name: parameter.grad.numpy() for name, parameter in parameters.items()}


@pytest.mark.parametrize("limit", [0.1, 1.0, 3.0, 100.0])
def test_by_value_is_pytorchs(backend: Backend, limit: float) -> None:
    found = on_host(backend, clip_by_value(on_device(backend), limit, xp=backend.xp))
    for name, wanted in torchs("clip_grad_value_", limit).items():
        np.testing.assert_array_equal(found[name], wanted)


@pytest.mark.parametrize("limit", [0.1, 1.0, 5.0, 100.0])
def test_by_global_norm_is_pytorchs(backend: Backend, limit: float) -> None:
    found = on_host(backend, clip_by_global_norm(on_device(backend), limit, xp=backend.xp))
    for name, wanted in torchs("clip_grad_norm_", limit).items():
        np.testing.assert_allclose(found[name], wanted, rtol=1e-6)  # PyTorch adds 1e-6 to the norm
    norm = float(global_norm(clip_by_global_norm(on_device(backend), limit, xp=backend.xp), xp=backend.xp))
    assert norm == pytest.approx(min(limit, 30.25**0.5), rel=1e-14)


def test_gradients_within_the_norm_pass_bit_for_bit(backend: Backend, dtype: DType) -> None:
    found = clip_by_global_norm(on_device(backend, dtype), 6.0, xp=backend.xp)
    for name, wanted in on_device(backend, dtype).items():
        assert found[name].dtype == dtype
        np.testing.assert_array_equal(backend.to_numpy(found[name]), backend.to_numpy(wanted))


def test_zero_gradients_stay_zero(backend: Backend) -> None:
    zeros = {"w": backend.asarray(np.zeros((2, 2)))}
    assert backend.to_numpy(clip_by_global_norm(zeros, 1.0, xp=backend.xp)["w"]).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_nan_stays_in_its_place_by_value_and_spreads_by_norm(backend: Backend) -> None:
    gradients = {"a": backend.asarray(np.asarray([np.nan, 9.0])), "b": backend.asarray(np.asarray([1.0]))}
    assert np.isnan(backend.to_numpy(clip_by_value(gradients, 1.0, xp=backend.xp)["a"])).tolist() == [True, False]
    spread = on_host(backend, clip_by_global_norm(gradients, 1.0, xp=backend.xp))
    assert np.isnan(np.concatenate(list(spread.values()))).all()


def test_infinity_by_norm_becomes_nan_that_cannot_be_missed(backend: Backend) -> None:
    gradients = {"a": backend.asarray(np.asarray([np.inf, 1.0]))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy remarks on 0 * inf
        found = backend.to_numpy(clip_by_global_norm(gradients, 1.0, xp=backend.xp)["a"])
    assert np.isnan(found).all()


def test_gradients_whose_squares_overflow_keep_their_direction(backend: Backend) -> None:
    """limit / inf would be no step at all, without a word."""
    dtype = backend.dtype("float32")
    gradients = {"a": backend.asarray(np.asarray([3e30, 4e30]), dtype=dtype)}
    found = backend.to_numpy(clip_by_global_norm(gradients, 1.0, xp=backend.xp)["a"])
    np.testing.assert_allclose(found, [0.6, 0.8], rtol=1e-6)


def test_inputs_are_left_alone(backend: Backend) -> None:
    gradients = on_device(backend)
    clip_by_value(gradients, 0.1, xp=backend.xp)
    clip_by_global_norm(gradients, 0.1, xp=backend.xp)
    for name, each in on_host(backend, gradients).items():
        np.testing.assert_array_equal(each, GRADIENTS[name])


def test_nothing_to_clip_is_no_error(backend: Backend) -> None:
    assert clip_by_global_norm({}, 1.0, xp=backend.xp) == {}
    assert clip_by_value({}, 1.0, xp=backend.xp) == {}


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), True, "1"])
def test_limit_is_checked(limit: Any) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        clip_by_global_norm(GRADIENTS, limit, xp=np)
    assert str(raised.value) == f"clip_by_global_norm: limit must be a number in (0, inf), found {limit!r}."
    with pytest.raises(InvalidArgumentError) as raised:
        clip_by_value(GRADIENTS, limit, xp=np)
    assert str(raised.value) == f"clip_by_value: limit must be a number in (0, inf], found {limit!r}."
