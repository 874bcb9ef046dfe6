"""Networks at the edge of their numbers: NaN in gives NaN out, and extremes overflow nowhere and warn of nothing."""

from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend
from polydnn.execution import back_propagation
from polydnn.registry import default_registry

ACTIVATIONS = [entry.spec.name for entry in default_registry().entries("activation") if entry.owner.built_in]
MATCHED = {
    "binary_cross_entropy": ("sigmoid", np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])),
    "categorical_cross_entropy": ("softmax", np.array([0, 1, 0])),
    "mean_absolute_error": ("identity", np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])),
    "hinge": ("identity", np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])),
}


def network(backend: Backend, activation: str, width: int = 2) -> polydnn.Network:
    made = polydnn.Network(2, [polydnn.Dense(width, activation)], backend=backend)
    identity = {"layers.0.weight": np.eye(2, width), "layers.0.bias": np.zeros(width)}
    made.set_parameters(identity)
    return made


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nan_in_gives_nan_out_and_spares_the_other_rows(activation: str, backend: Backend) -> None:
    layers = [polydnn.Dense(2, activation), polydnn.Dense(2)]
    made = polydnn.Network(2, layers, backend=backend)
    out = made.forward([[np.nan, 1.0], [0.5, 1.0]])
    assert np.isnan(out[0]).all()
    np.testing.assert_allclose(out[1], made.forward([[0.5, 1.0]])[0], rtol=1e-6)


@pytest.mark.parametrize("loss", MATCHED)
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_costs_and_gradients_are_finite_for_huge_scores(loss: str, size: float, backend: Backend) -> None:
    """Warnings are errors here, so nothing may overflow on the way either."""
    activation, y = MATCHED[loss]
    trainer = polydnn.Trainer(network(backend, activation), loss=loss)
    x = np.array([[size, -size], [size, -size], [-size, size]], dtype=np.float32)
    place = backend.asarray
    targets = place(y) if y.ndim == 1 else place(y.astype(np.float32))
    result = back_propagation(trainer.plan)(trainer.network.arrays, place(x), targets, {})
    assert 0 < float(result.loss) < 4 * size
    bias = backend.to_numpy(result.gradients["layers.0.bias"])
    assert np.isfinite(bias).all()
    assert np.abs(bias).max() <= 1.0
    assert np.isfinite(trainer.network.forward(x)).all()


def test_a_right_answer_far_ahead_keeps_its_small_loss(backend: Backend) -> None:
    """PyTorch gives 0.0 from a lead of 20 on."""
    for lead in (20.0, 50.0, 80.0):
        x = np.array([[lead, 0.0]], dtype=np.float32)
        trainer = polydnn.Trainer(network(backend, "softmax"), loss="categorical_cross_entropy")
        assert trainer.evaluate(x, np.array([0]))["loss"] == pytest.approx(np.exp(-lead), rel=1e-5)
        single = polydnn.Trainer(network(backend, "sigmoid", 1), loss="binary_cross_entropy")
        assert single.evaluate(x, np.array([[1.0]]))["loss"] == pytest.approx(np.exp(-lead), rel=1e-5)


def test_a_constant_column_divides_by_nothing(backend: Backend) -> None:
    x = np.array([[7.0, 0.1, 1.0], [7.0, 0.1, 2.0], [7.0, 0.1, 4.0]], dtype=np.float32)
    for kind in ("standard", "min-max"):
        made = polydnn.Network(3, [polydnn.Normalization(kind), polydnn.Dense(1)], backend=backend)  # type: ignore[arg-type]
        polydnn.Trainer(made, loss="mean_squared_error").fit(x, x[:, 2:], epochs=1)
        scale = backend.to_numpy(made.arrays["layers.0.scale"])
        assert scale[:2].tolist() == [1.0, 1.0]
        assert np.isfinite(made.forward(x * 3)).all()


def test_a_range_below_the_smallest_number_divides_by_nothing() -> None:
    tiny = float(np.finfo(np.float32).smallest_subnormal)
    x = np.array([[0.0], [0.0], [0.0], [tiny]], dtype=np.float32)
    made = polydnn.Network(1, [polydnn.Normalization(), polydnn.Dense(1)])
    polydnn.Trainer(made, loss="mean_squared_error").fit(x, x, epochs=1)
    assert made.arrays["layers.0.scale"].tolist() == [1.0]


def test_predictions_come_back_in_the_users_units(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 2))
    y = 1e5 + 3e4 * x[:, :1]
    options: dict[str, Any] = {"backend": backend, "dtype": "float64", "target_normalization": "standard"}
    made = polydnn.Network(2, [polydnn.Dense(1)], **options)
    trainer = polydnn.Trainer(made, loss="mean_squared_error", learning_rate=0.2, batch_size="full", metrics=["r2"])
    trainer.fit(x, y, epochs=30)
    np.testing.assert_allclose(made.predict(x), y, rtol=1e-3)
    assert np.abs(made.forward(x)).max() < 10  # in training's units
    assert trainer.evaluate(x, y)["r2"] > 0.9999
