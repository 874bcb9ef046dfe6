"""The metrics of regression against scikit-learn, with constant targets, several outputs and single rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polydnn.arrays import Backend, device_of
from polydnn.metrics import Metric, mean_absolute_error, r2, root_mean_squared_error
from polydnn.types import DType

skm = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle of the metrics")

PAIRS = {
    "mean_absolute_error": (mean_absolute_error, skm.mean_absolute_error),
    "r2": (r2, skm.r2_score),
    "root_mean_squared_error": (root_mean_squared_error, skm.root_mean_squared_error),
}
each_metric = pytest.mark.parametrize("name", PAIRS)


def run(backend: Backend, make: Callable[[], Metric], prediction: Any, target: Any) -> float:
    arrays = (backend.asarray(np.asarray(each)) for each in (prediction, target))
    return float(make().value(*arrays, xp=backend.xp))


@each_metric
@pytest.mark.parametrize("outputs", [1, 3])
def test_values_are_scikit_learns(backend: Backend, dtype: DType, name: str, outputs: int) -> None:
    random = np.random.default_rng(outputs)
    target = random.normal(size=(40, outputs)) * [1.0, 100.0, 0.01][:outputs] + 5.0
    prediction = target + random.normal(size=(40, outputs)) * [0.5, 20.0, 0.01][:outputs]
    ours, theirs = PAIRS[name]
    on_device = [backend.asarray(each, dtype=dtype) for each in (prediction, target)]
    found = ours().value(*on_device, xp=backend.xp)
    assert (found.shape, found.dtype, device_of(found)) == ((), dtype, device_of(on_device[0]))
    assert float(found) == pytest.approx(theirs(target, prediction), rel=1e-12 if dtype == backend.xp.float64 else 1e-4)


@each_metric
def test_one_output_takes_a_flat_target(backend: Backend, name: str) -> None:
    ours, theirs = PAIRS[name]
    assert run(backend, ours, [[1.0], [2.5], [2.0]], [1.0, 2.0, 4.0]) == pytest.approx(theirs([1, 2, 4], [1, 2.5, 2]))


@each_metric
@pytest.mark.parametrize("kind", ["int8", "uint16", "int64", "float32"])
def test_targets_of_any_type(backend: Backend, name: str, kind: str) -> None:
    ours, theirs = PAIRS[name]
    target = np.asarray([[1], [2], [4]], kind)
    assert run(backend, ours, [[1.0], [2.5], [2.0]], target) == pytest.approx(theirs([1, 2, 4], [1, 2.5, 2]))


@each_metric
def test_nan_in_gives_nan_out(backend: Backend, name: str) -> None:
    assert np.isnan(run(backend, PAIRS[name][0], [[np.nan], [1.0]], [[1.0], [2.0]]))
    assert np.isnan(run(backend, PAIRS[name][0], [[1.0], [1.0]], [[np.nan], [2.0]]))
    assert np.isnan(run(backend, PAIRS[name][0], [[np.nan], [1.0]], [[2.0], [2.0]]))


@pytest.mark.parametrize("constant", [0.0, 3.0, 0.1])
def test_r2_of_a_constant_target_is_one_or_zero(backend: Backend, constant: float) -> None:
    target = np.full((7, 1), constant)
    met, missed = target.copy(), target + 0.5
    assert run(backend, r2, met, target) == skm.r2_score(target, met) == 1.0
    assert run(backend, r2, missed, target) == 0.0
    if constant != 0.1:  # the mean of seven times 0.1 is not 0.1, and scikit-learn says -1.3e33
        assert skm.r2_score(target, missed) == 0.0


def test_r2_keeps_its_digits_far_from_zero(backend: Backend) -> None:
    random = np.random.default_rng(0)
    target = 1e8 + random.normal(size=(50, 1))
    prediction = target + 0.1 * random.normal(size=(50, 1))
    assert run(backend, r2, prediction, target) == pytest.approx(skm.r2_score(target, prediction), rel=1e-7)


def test_r2_of_one_row_is_nan(backend: Backend) -> None:
    assert np.isnan(run(backend, r2, [[1.0]], [[1.0]]))


def test_which_way_is_up() -> None:
    assert [PAIRS[name][0]().higher_is_better for name in sorted(PAIRS)] == [False, True, False]
