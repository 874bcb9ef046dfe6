"""Initializers: each follows the distribution it promises, and the same stream gives the same numbers."""

from typing import Any

import numpy as np
import pytest

from polydnn.arrays import stream
from polydnn.errors import InvalidArgumentError
from polydnn.initializers import (
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
    normal,
    uniform,
    zeros,
)

stats = pytest.importorskip("scipy.stats", reason="scipy tests the distributions")

SHAPES = [(300, 200), (50, 1000), (1000, 50)]
FACTORIES = {
    "glorot_normal": glorot_normal,
    "glorot_uniform": glorot_uniform,
    "he_normal": he_normal,
    "he_uniform": he_uniform,
    "lecun_normal": lecun_normal,
    "lecun_uniform": lecun_uniform,
    "normal": normal,
    "uniform": uniform,
    "zeros": zeros,
}


def drawn(name: str, shape: tuple[int, int], seed: int = 0, **options: Any) -> np.ndarray:
    return FACTORIES[name](**options).draw(shape, stream(seed, "initialize"))


def follows(weight: np.ndarray, distribution: Any) -> bool:
    """Whether mean and variance lie within five standard errors, and Kolmogorov and Smirnov see no difference."""
    n = weight.size
    mean, variance, kurtosis = (float(each) for each in distribution.stats(moments="mvk"))
    near_mean = abs(weight.mean() - mean) < 5 * (variance / n) ** 0.5
    near_variance = abs(weight.var() - variance) < 5 * variance * ((kurtosis + 2) / n) ** 0.5
    return near_mean and near_variance and stats.kstest(weight.ravel(), distribution.cdf).pvalue > 1e-4


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("glorot_uniform", lambda fan_in, fan_out: (6 / (fan_in + fan_out)) ** 0.5),
        ("he_uniform", lambda fan_in, fan_out: (6 / fan_in) ** 0.5),
        ("lecun_uniform", lambda fan_in, fan_out: (3 / fan_in) ** 0.5),
    ],
)
def test_uniform_by_width(name: str, bound: Any, shape: tuple[int, int]) -> None:
    weight, a = drawn(name, shape), bound(*shape)
    assert follows(weight, stats.uniform(-a, 2 * a))
    assert 0.999 * a < weight.max() <= a
    assert -a <= weight.min() < -0.999 * a


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("name", "deviation"),
    [
        ("glorot_normal", lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5),
        ("he_normal", lambda fan_in, fan_out: (2 / fan_in) ** 0.5),
        ("lecun_normal", lambda fan_in, fan_out: (1 / fan_in) ** 0.5),
    ],
)
def test_normal_by_width(name: str, deviation: Any, shape: tuple[int, int]) -> None:
    weight = drawn(name, shape)
    assert follows(weight, stats.norm(0, deviation(*shape)))
    assert np.abs(weight).max() > 3.5 * deviation(*shape)  # not truncated


@pytest.mark.parametrize(("low", "high"), [(-0.05, 0.05), (0.0, 1.0), (-3.0, -1.0)])
def test_uniform_has_its_bounds(low: float, high: float) -> None:
    weight = drawn("uniform", (200, 200), low=low, high=high)
    assert follows(weight, stats.uniform(low, high - low))
    assert low <= weight.min()
    assert weight.max() < high
    assert weight.max() - weight.min() > 0.999 * (high - low)


@pytest.mark.parametrize(("mean", "stddev"), [(0.0, 0.05), (1.0, 2.0)])
def test_normal_has_its_moments(mean: float, stddev: float) -> None:
    assert follows(drawn("normal", (200, 200), mean=mean, stddev=stddev), stats.norm(mean, stddev))


def test_the_test_of_distributions_can_fail() -> None:
    weight = drawn("he_normal", (300, 200))
    assert not follows(weight, stats.norm(0, (2 / 200) ** 0.5))
    assert not follows(weight, stats.uniform(-((6 / 300) ** 0.5), 2 * (6 / 300) ** 0.5))


def test_zeros_are_zero() -> None:
    assert not drawn("zeros", (5, 7)).any()


@pytest.mark.parametrize("name", FACTORIES)
def test_shape_dtype_and_stream(name: str) -> None:
    weight = drawn(name, (13, 7))
    assert (weight.shape, weight.dtype) == ((13, 7), np.float64)
    assert np.array_equal(weight, drawn(name, (13, 7)))
    assert np.array_equal(weight, drawn(name, (13, 7), seed=1)) == (name == "zeros")


@pytest.mark.parametrize("name", FACTORIES)
def test_global_random_state_is_neither_used_nor_touched(name: str) -> None:
    before = np.random.get_state()
    weight = drawn(name, (3, 3))
    assert np.array_equal(np.random.get_state()[1], before[1])
    np.random.seed(1)
    assert np.array_equal(drawn(name, (3, 3)), weight)
    np.random.set_state(before)


@pytest.mark.parametrize("name", FACTORIES)
def test_options_make_the_same_initializer_again(name: str) -> None:
    made = FACTORIES[name]()
    assert made.name == name
    assert np.array_equal(drawn(name, (3, 4), **made.options), drawn(name, (3, 4)))


def test_default_options_are_written_down() -> None:
    assert uniform().options == {"low": -0.05, "high": 0.05}
    assert normal(stddev=1).options == {"mean": 0.0, "stddev": 1.0}


ORDER = "uniform: low must lie below high and high - low be finite, found low={!r} and high={!r}."


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("uniform", {"low": 1.0, "high": 1.0}, ORDER.format(1.0, 1.0)),
        ("uniform", {"low": 2, "high": -2}, ORDER.format(2.0, -2.0)),
        ("uniform", {"low": -1e308, "high": 1e308}, ORDER.format(-1e308, 1e308)),
        ("uniform", {"low": float("nan")}, "uniform: low must be a finite number, found nan."),
        ("uniform", {"high": float("inf")}, "uniform: high must be a finite number, found inf."),
        ("uniform", {"high": "0.1"}, "uniform: high must be a finite number, found '0.1'."),
        ("uniform", {"high": 10**400}, f"uniform: high must be a finite number, found {10**400}."),
        ("normal", {"mean": True}, "normal: mean must be a finite number, found True."),
        ("normal", {"stddev": -1.0}, "normal: stddev must be a finite number of at least 0, found -1.0."),
        ("normal", {"stddev": None}, "normal: stddev must be a finite number of at least 0, found None."),
    ],
)
def test_argument_errors_name_argument_range_and_value(name: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        FACTORIES[name](**options)
    assert str(raised.value) == text
