"""Two trainings compared: one changed bit is found and named, and rounding between backends stays within the bound."""

from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend
from polydnn.errors import InvalidArgumentError
from polydnn.training.parity import compare_training

X = np.random.default_rng(0).normal(size=(40, 5))
Y = np.random.default_rng(1).integers(0, 3, size=40)
FLOAT32 = [polydnn.Dense(6, "tanh"), polydnn.Dense(4, "relu"), polydnn.Dense(3, "softmax")]


def trainer_of(layers: list[Any] | None = None, backend: Any = "numpy", **options: Any) -> Any:
    network = polydnn.Network(5, layers or FLOAT32, backend=backend, dtype=options.pop("dtype", "float32"))
    given = {"loss": "categorical_cross_entropy", "optimizer": "adam", "batch_size": 16, **options}
    return polydnn.Trainer(network, **given)


class Flipped(polydnn.Dense):
    """A dense layer with one bit of one element of one gradient changed."""

    gradient = "weight"
    bit = 0

    def forward(self, arrays: Any, x: Any, noise: Any, *, xp: Any) -> Any:
        y, back, changes = super().forward(arrays, x, noise, xp=xp)

        def flipped(dy: Any, need_dx: bool) -> Any:
            dx, gradients = back(dy, need_dx)
            changed = gradients[self.gradient].copy()
            place = np.argmax(np.abs(changed))
            changed.reshape(-1).view(np.uint32)[place] ^= np.uint32(1 << self.bit)
            return dx, {**gradients, self.gradient: changed}

        return y, flipped, changes

    def with_activation(self, activation: Any) -> Any:
        twin = type(self)(self.units, activation)
        twin.gradient, twin.bit = self.gradient, self.bit
        return twin


def with_flip(layer: int, gradient: str, bit: int) -> list[Any]:
    flipped = Flipped(FLOAT32[layer].units, FLOAT32[layer].activation)
    flipped.gradient, flipped.bit = gradient, bit
    return [*FLOAT32[:layer], flipped, *FLOAT32[layer + 1 :]]


def test_the_same_training_twice_has_no_difference() -> None:
    found = compare_training(trainer_of(), trainer_of(), X, Y, steps=7)
    assert found.differences == ()
    assert found.first_difference is found.first_beyond is None
    assert found.compared == 6 + 7 * (3 + 1 + 3 + 6 + 6 * 3)  # initial; outputs, loss, way back, what adam leaves


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("gradient", ["weight", "bias"])
@pytest.mark.parametrize("bit", [0, 12, 22])
def test_one_bit_in_one_gradient_is_named_exactly(layer: int, gradient: str, bit: int) -> None:
    found = compare_training(trainer_of(), trainer_of(with_flip(layer, gradient, bit)), X, Y, steps=4)
    first = found.first_difference
    assert first is not None
    assert (first.step, first.tensor) == (1, f"layers.{layer}.{gradient} gradient")
    assert first.ulp == 2.0**bit
    assert first.relative == pytest.approx(2.0**bit * 2.0**-23, rel=1.0)  # up to the mantissa of the largest element
    beyond = found.first_beyond
    assert (beyond is not None) == (bit > 0)
    if beyond is not None:
        assert beyond == first
        assert found.growth(first.tensor)[0] == first.relative
        assert len(found.growth(first.tensor)) == 4


def test_a_change_in_a_late_step_is_named_by_that_step() -> None:
    late = trainer_of(schedule="constant")
    other = trainer_of(schedule=polydnn.schedule("cosine"))
    found = compare_training(late, other, X, Y, steps=5)
    assert found.first_difference is not None
    assert found.first_difference.tensor == "layers.0.weight"  # the gradients of the first step are the same
    assert found.worst()[0].step == found.first_difference.step


@pytest.mark.parametrize("optimizer", ["sgd", ("sgd", {"momentum": 0.9}), "adam", "rmsprop", "adagrad"])
def test_backends_stay_within_the_bound(backend: Backend, dtype: Any, optimizer: Any) -> None:
    name = "float64" if "64" in str(dtype) else "float32"
    layers = [polydnn.Normalization(), FLOAT32[0], polydnn.BatchNormalization(), polydnn.Dropout(0.2), FLOAT32[2]]
    options: dict[str, Any] = {"optimizer": optimizer, "dtype": name}
    found = compare_training(trainer_of(layers, **options), trainer_of(layers, backend, **options), X, Y, steps=8)
    assert found.first_beyond is None, found.first_beyond
    assert found.bound == {"float32": 1e-4, "float64": 1e-10}[name]
    assert found.steps == 8


def test_not_a_number_on_one_side_only_is_beyond_every_bound() -> None:
    def forward(z: Any, *, xp: Any) -> Any:
        return z * np.float32(np.nan)

    def derivative(z: Any, y: Any, *, xp: Any) -> Any:
        return xp.ones_like(z)

    broken = [polydnn.Dense(6, polydnn.Activation("tanh", forward, derivative)), *FLOAT32[1:]]
    found = compare_training(trainer_of(), trainer_of(broken), X, Y, steps=1)
    assert found.first_beyond is not None
    assert found.first_beyond.tensor == "layers.0 output"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"batch_size": 8}, "must have the same batch_size, found 16 and 8"),
        ({"seed": 5}, "must have the same seed, found 0 and 5"),
        ({"learning_rate": 0.5}, "must have the same learning_rate, found 0.001 and 0.5"),
        ({"dtype": "float64"}, "the networks must be alike"),
    ],
)
def test_trainers_that_are_not_alike_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text):
        compare_training(trainer_of(), trainer_of(**options), X, Y, steps=1)
