"""Every activation with every loss through every layer: gradients equal central differences and torch's autograd.

The registry is the parameter list: a built-in activation or loss is tested here the moment it is registered.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend
from polydnn.execution import back_propagation
from polydnn.registry import default_registry
from tests.oracles import central_differences

ROWS, FEATURES, OUTPUTS = 5, 3, 3
ACTIVATIONS, LOSSES = (
    [entry.spec.name for entry in default_registry().entries(kind) if entry.owner.built_in]
    for kind in ("activation", "loss")
)
UNDEFINED = {  # the logarithm of a log-probability, which is negative
    ("log_softmax", "binary_cross_entropy"),
    ("log_softmax", "categorical_cross_entropy"),
}
PAIRS = [(a, loss) for a in ACTIVATIONS for loss in LOSSES if (a, loss) not in UNDEFINED]


class Mix(NamedTuple):
    """Layers before the output, by a function of the activation's name, and what else the trainer is told."""

    hidden: Callable[[str], list[polydnn.Layer]]
    options: dict[str, float]
    weighted: bool


MIXES: dict[str, Mix] = {
    "dense": Mix(lambda a: [polydnn.Dense(4, a)], {}, weighted=False),
    "no layer but the output": Mix(lambda a: [], {}, weighted=False),
    "no bias, penalties": Mix(
        lambda a: [polydnn.Dense(4, a, use_bias=False)], {"l1": 0.03, "l2": 0.05}, weighted=False
    ),
    "weights of examples": Mix(lambda a: [polydnn.Dense(4, a)], {}, weighted=True),
    "batch normalization": Mix(
        lambda a: [polydnn.BatchNormalization(), polydnn.Dense(4, a), polydnn.BatchNormalization()], {}, weighted=True
    ),
    "dropout": Mix(lambda a: [polydnn.Dropout(0.3), polydnn.Dense(4, a), polydnn.Dropout(0.5)], {}, weighted=False),
    "normalization, deep": Mix(
        lambda a: [polydnn.Normalization(), *(polydnn.Dense(3, a) for _ in range(4))], {"l2": 0.1}, weighted=True
    ),
}


class Case:
    """One network with its batch: what the step computes, and the cost alone as a function of one parameter."""

    def __init__(self, activation: str, loss: str, mix: Mix) -> None:
        self.rng = np.random.default_rng(11)
        layers = [*mix.hidden(activation), polydnn.Dense(OUTPUTS, activation)]
        network = polydnn.Network(FEATURES, layers, dtype="float64", seed=3)
        last = f"layers.{len(layers) - 1}"
        values: dict[str, Any] = {
            name: np.abs(value) + 0.5 if name.endswith("scale") else value
            for name, array in network.arrays.items()
            for value in [self.rng.normal(scale=0.7, size=array.shape)]
        }
        # outputs near one half, where both cross entropies and all activations but log_softmax are defined
        values[f"{last}.weight"] = 0.05 * values[f"{last}.weight"]
        values[f"{last}.bias"] = np.full(OUTPUTS, -0.5 if activation == "softplus" else 0.6)
        network.set_parameters(values)
        network.normalized = True
        self.trainer = polydnn.Trainer(network, loss=loss, **mix.options)
        self.x = self.rng.normal(size=(ROWS, FEATURES))
        self.y = self._targets(self.trainer.loss.target_kind, as_rows=mix.weighted)
        self.weights = self.rng.uniform(0.2, 2.0, size=ROWS) if mix.weighted else None
        self.noise = {
            index: (self.rng.random((ROWS, network.widths[index])) < 0.6) / 0.6
            for index, layer in enumerate(layers)
            if layer.random
        }
        self.differentiate = back_propagation(self.trainer.plan)

    def _targets(self, kind: str, *, as_rows: bool) -> Any:
        if kind == "classes":
            labels = self.rng.integers(0, OUTPUTS, size=ROWS)
            return np.eye(OUTPUTS)[labels] if as_rows else labels
        shape = (ROWS, OUTPUTS)
        if kind == "signs":
            return self.rng.integers(0, 2, size=shape) * 2.0 - 1.0
        return self.rng.random(shape) if kind == "probabilities" else self.rng.normal(size=shape)

    def result(self, **changed: Any) -> Any:
        return self.differentiate(
            {**self.trainer.network.arrays, **changed}, self.x, self.y, self.noise, weights=self.weights
        )


@pytest.mark.parametrize(("activation", "loss"), PAIRS)
def test_gradients_are_those_of_central_differences(activation: str, loss: str) -> None:
    for label, mix in MIXES.items():
        case = Case(activation, loss, mix)
        result = case.result()
        assert np.isfinite(result.loss)
        for name in case.trainer.network.parameter_names:
            cost = lambda at, case=case, name=name: case.result(**{name: at}).loss  # noqa: E731
            expected = central_differences(cost, case.trainer.network.arrays[name])
            scale = max(1.0, float(np.abs(expected).max()))
            message = f"{label}: {name}"
            np.testing.assert_allclose(result.gradients[name], expected, rtol=0, atol=1e-7 * scale, err_msg=message)


@pytest.mark.parametrize(("activation", "loss"), PAIRS)
def test_gradients_are_those_of_torch_autograd(activation: str, loss: str) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    for label, mix in MIXES.items():
        case = Case(activation, loss, mix)
        result = case.result()
        cost, gradients = by_torch(case, activation, loss)
        assert float(result.loss) == pytest.approx(cost, rel=1e-12), label
        assert set(result.gradients) == set(gradients) == set(case.trainer.network.parameter_names)
        for name, expected in gradients.items():
            scale = max(1.0, float(np.abs(expected).max()))
            message = f"{label}: {name}"
            np.testing.assert_allclose(result.gradients[name], expected, rtol=0, atol=1e-11 * scale, err_msg=message)


def by_torch(case: Case, activation: str, loss: str) -> tuple[float, dict[str, Any]]:
    """Cost and gradients of the same network, written by hand in torch."""
    import torch

    network, penalties = case.trainer.network, case.trainer.penalties
    arrays = {name: torch.tensor(array, requires_grad=True) for name, array in network.arrays.items()}
    apply, value = torch_activations()[activation], torch_losses()[loss]
    x = torch.tensor(case.x)
    for index, layer in enumerate(network.layers):
        own = {name.rpartition(".")[2]: a for name, a in arrays.items() if name.startswith(f"layers.{index}.")}
        if layer.type == "dense":
            x = apply(x @ own["weight"] + own["bias"] if layer.use_bias else x @ own["weight"])
        elif layer.type == "dropout":
            x = x * torch.tensor(case.noise[index])
        elif layer.type == "normalization":
            x = (x - own["shift"]) / own["scale"]
        else:
            running = own["running_mean"].detach().clone(), own["running_variance"].detach().clone()
            x = torch.nn.functional.batch_norm(x, *running, own["scale"], own["shift"], training=True, eps=layer.eps)
    y = np.eye(OUTPUTS)[case.y] if case.y.ndim == 1 else case.y
    weights = torch.ones(ROWS, dtype=torch.float64) if case.weights is None else torch.tensor(case.weights)
    cost = (value(x, torch.tensor(y)) * weights).sum() / weights.sum()
    for name, array in arrays.items():
        if name.endswith("weight"):
            cost = cost + penalties.l1 * array.abs().sum() + penalties.l2 / 2 * (array**2).sum()
    cost.backward()
    names = network.parameter_names
    return float(cost.detach()), {name: arrays[name].grad.numpy() for name in names}


def torch_activations() -> dict[str, Any]:
    import torch
    from torch.nn import functional

    return {
        "elu": functional.elu,
        "gelu": functional.gelu,
        "identity": lambda z: z,
        "log_softmax": lambda z: functional.log_softmax(z, dim=1),
        "relu": functional.relu,
        "selu": functional.selu,
        "sigmoid": torch.sigmoid,
        "silu": functional.silu,
        "softmax": lambda z: functional.softmax(z, dim=1),
        "softplus": functional.softplus,
        "tanh": torch.tanh,
    }


def torch_losses() -> dict[str, Any]:
    """Losses of prediction and target, both (n, outputs), one number a row."""
    import torch
    from torch.nn.functional import binary_cross_entropy

    return {
        "binary_cross_entropy": lambda p, t: binary_cross_entropy(p, t, reduction="none").sum(1),
        "categorical_cross_entropy": lambda p, t: -(t * torch.log(p)).sum(1),
        "hinge": lambda p, t: torch.clamp(1 - t * p, min=0).mean(1),
        "mean_absolute_error": lambda p, t: (p - t).abs().mean(1),
        "mean_squared_error": lambda p, t: ((p - t) ** 2).mean(1),
        "sum_squared_error": lambda p, t: 0.5 * ((p - t) ** 2).sum(1),
    }


def test_the_gradients_are_the_same_on_every_backend(backend: Backend) -> None:
    """One network with all layers; on the other pairs the backends share every line with NumPy."""
    layers = [
        polydnn.Normalization("min-max"),
        polydnn.Dense(4, "gelu"),
        polydnn.BatchNormalization(),
        polydnn.Dropout(0.5),
        polydnn.Dense(3, "softmax"),
    ]
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(6, 3)), rng.integers(0, 3, size=6)
    found = {}
    for place in (polydnn.get_backend("numpy"), backend):
        network = polydnn.Network(3, layers, backend=place, dtype="float64")
        network.normalized = True
        trainer = polydnn.Trainer(network, loss="categorical_cross_entropy", l2=0.01)
        found[place is backend] = trainer.loss_and_gradients(x, y)
    assert found[True][0] == pytest.approx(found[False][0], rel=1e-12)
    for name, expected in found[False][1].items():
        assert isinstance(found[True][1][name], np.ndarray)  # gradients lie where the data came from
        np.testing.assert_allclose(found[True][1][name], expected, rtol=0, atol=1e-12, err_msg=name)
