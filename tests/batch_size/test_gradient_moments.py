"""Squared norms of the examples' gradients: against gradients taken one by one, and against torch's autograd."""

from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend, numpy_backend
from polydnn.batch_size.gradient_moments import example_square_norms, gradient_moments, why_not_by_example
from polydnn.errors import InvalidArgumentError, InvalidDataError
from polydnn.execution import Key
from polydnn.execution.reference import back_propagation
from polydnn.training.batches import Rows

ROWS, FEATURES, CLASSES = 12, 5, 3
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}

NETWORKS: dict[str, list[Any]] = {
    "tanh": [polydnn.Dense(4, "tanh"), polydnn.Dense(CLASSES, "softmax")],
    "relu without bias": [polydnn.Dense(6, "relu", use_bias=False), polydnn.Dense(CLASSES, "softmax")],
    "one layer": [polydnn.Dense(CLASSES, "softmax", use_bias=False)],
    "normalization first": [polydnn.Normalization(), polydnn.Dense(4, "gelu"), polydnn.Dense(CLASSES, "softmax")],
    "dropout": [polydnn.Dense(6, "sigmoid"), polydnn.Dropout(0.5), polydnn.Dense(CLASSES, "softmax")],
    "softmax inside": [polydnn.Dense(4, "softmax"), polydnn.Dense(CLASSES, "softmax")],
}


def make(backend: Backend, layers: list[Any], dtype: str = "float64", **options: Any) -> polydnn.Trainer:
    network = polydnn.Network(FEATURES, layers, backend=backend, dtype=dtype, seed=3)
    return polydnn.Trainer(network, loss=options.pop("loss", "categorical_cross_entropy"), **options)


def data(trainer: polydnn.Trainer, rows: int = ROWS, *, weighted: bool = False) -> Rows:
    rng = np.random.default_rng(0)
    backend, dtype = trainer.network.backend, trainer.network.real_dtype
    x = backend.asarray(rng.normal(size=(rows, FEATURES)), dtype=dtype)
    y = backend.asarray(rng.integers(0, CLASSES, size=rows), dtype=backend.index_dtype)
    trainer.network.fit_normalization(x)
    weights = backend.asarray(rng.uniform(0.1, 2.0, size=rows), dtype=dtype) if weighted else None
    return Rows(x, y, y, weights)


def one_by_one(trainer: polydnn.Trainer, rows: Rows, noise: Any) -> np.ndarray[Any, Any]:
    """The squared norm of the gradient of every row's own cost, by back propagation of batches of one row."""
    back, to_numpy = back_propagation(trainer.plan), trainer.network.backend.to_numpy
    found = []
    for i in range(len(rows)):
        own = {index: each[i : i + 1, :] for index, each in noise.items()}
        result = back(trainer.network.arrays, rows.x[i : i + 1, :], rows.y[i : i + 1], own)
        found.append(sum(float(np.sum(to_numpy(each).astype(float) ** 2)) for each in result.gradients.values()))
    return np.asarray(found)


@pytest.mark.parametrize("dtype_name", ["float32", "float64"])
@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
def test_norms_equal_those_of_gradients_taken_one_by_one(backend: Backend, layers: list[Any], dtype_name: str) -> None:
    trainer = make(backend, layers, dtype_name)
    rows, key = data(trainer), Key(7, 1)
    norms, gradients, loss = example_square_norms(trainer.plan, trainer.network.arrays, rows.x, rows.y, key=key)
    expected = one_by_one(trainer, rows, trainer.plan.noise(key, ROWS))
    found = np.asarray(backend.to_numpy(norms), dtype=float)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[dtype_name])
    whole = back_propagation(trainer.plan)(trainer.network.arrays, rows.x, rows.y, trainer.plan.noise(key, ROWS))
    assert float(loss) == float(whole.loss)
    for name, each in whole.gradients.items():
        assert np.array_equal(backend.to_numpy(gradients[name]), backend.to_numpy(each))


def test_norms_equal_torchs() -> None:
    torch = pytest.importorskip("torch")
    trainer = make(numpy_backend(), NETWORKS["tanh"])
    rows = data(trainer)
    norms, _, _ = example_square_norms(trainer.plan, trainer.network.arrays, rows.x, rows.y)
    arrays = {name: torch.tensor(each, requires_grad=True) for name, each in trainer.network.parameters.items()}
    for i in range(ROWS):
        hidden = torch.tanh(torch.tensor(rows.x[i]) @ arrays["layers.0.weight"] + arrays["layers.0.bias"])
        scores = hidden @ arrays["layers.1.weight"] + arrays["layers.1.bias"]
        loss = torch.nn.functional.cross_entropy(scores[None, :], torch.tensor(rows.y[i : i + 1]))
        gradients = torch.autograd.grad(loss, list(arrays.values()))
        assert float(norms[i]) == pytest.approx(sum(float((each**2).sum()) for each in gradients), rel=1e-12)


def test_the_mean_of_weighted_examples_is_the_batchs_gradient() -> None:
    trainer = make(numpy_backend(), NETWORKS["tanh"])
    rows = data(trainer, weighted=True)
    assert rows.weights is not None
    norms, _, _ = example_square_norms(trainer.plan, trainer.network.arrays, rows.x, rows.y, weights=rows.weights)
    plain, _, _ = example_square_norms(trainer.plan, trainer.network.arrays, rows.x, rows.y)
    np.testing.assert_allclose(norms, plain * (rows.weights / rows.weights.mean()) ** 2, rtol=1e-12)


def test_penalties_are_left_out_and_nothing_is_changed() -> None:
    bare, charged = (make(numpy_backend(), NETWORKS["tanh"], **each) for each in ({}, {"l2": 0.5, "l1": 0.1}))
    rows = data(bare)
    before = {name: each.copy() for name, each in charged.network.arrays.items()}
    one, two = (gradient_moments(each.plan, each.network.arrays, rows, seed=0) for each in (bare, charged))
    assert np.array_equal(one.gram, two.gram)
    assert np.array_equal(one.small, two.small)
    assert one.loss == two.loss
    assert all(np.array_equal(before[name], each) for name, each in charged.network.arrays.items())


@pytest.mark.parametrize("weighted", [False, True])
def test_the_gram_matrix_holds_the_inner_products_of_the_batches(backend: Backend, weighted: bool) -> None:
    trainer = make(backend, NETWORKS["tanh"])
    rows = data(trainer, 48, weighted=weighted)
    moments = gradient_moments(trainer.plan, trainer.network.arrays, rows, seed=1, batches=6)
    assert (moments.size, moments.rows, moments.small.shape, moments.note) == (1, 8, (6,), "")
    # all rows are used once: the sum of the batches is the gradient of the whole, weighted by the mean of all weights
    whole = back_propagation(trainer.plan)(trainer.network.arrays, rows.x, rows.y, {}, rows.weights)
    squared = sum(float(np.sum(backend.to_numpy(each) ** 2)) for each in whole.gradients.values())
    assert float(np.mean(moments.gram)) == pytest.approx(squared, rel=1e-10)
    norms, _, _ = example_square_norms(trainer.plan, trainer.network.arrays, rows.x, rows.y, weights=rows.weights)
    assert float(np.mean(moments.small)) == pytest.approx(float(np.mean(backend.to_numpy(norms))), rel=1e-10)
    again = gradient_moments(trainer.plan, trainer.network.arrays, rows, seed=1, batches=6)
    assert np.array_equal(again.gram, moments.gram)


def test_batch_normalization_falls_back_to_batches_of_two_sizes() -> None:
    layers = [polydnn.Dense(4, "tanh"), polydnn.BatchNormalization(), polydnn.Dense(CLASSES, "softmax")]
    trainer = make(numpy_backend(), layers)
    rows = data(trainer, 64)
    assert why_not_by_example(trainer.plan) == "layer 1 (batch_normalization) couples the rows of a batch"
    moments = gradient_moments(trainer.plan, trainer.network.arrays, rows, seed=0, batches=8)
    assert (moments.size, moments.rows) == (8, 8)
    assert np.array_equal(moments.small, np.diag(moments.gram))
    assert moments.note == why_not_by_example(trainer.plan)
    with pytest.raises(InvalidArgumentError, match=r"layer 1 \(batch_normalization\) couples .* use gradient_moments"):
        example_square_norms(trainer.plan, trainer.network.arrays, rows.x, rows.y)


def test_a_strangers_layer_is_not_trusted() -> None:
    class Doubled(polydnn.Dense):
        def forward(self, arrays: Any, x: Any, noise: Any, *, xp: Any) -> Any:
            return super().forward(arrays, x + xp.mean(x, axis=0), noise, xp=xp)

    trainer = make(numpy_backend(), [Doubled(4, "tanh"), polydnn.Dense(CLASSES, "softmax")])
    assert why_not_by_example(trainer.plan) == "layer 0 (dense) may couple rows"


def test_too_few_rows_are_refused() -> None:
    trainer = make(numpy_backend(), NETWORKS["tanh"])
    with pytest.raises(InvalidDataError, match="needs at least 8 rows, found 7"):
        gradient_moments(trainer.plan, trainer.network.arrays, data(trainer, 7), seed=0)
