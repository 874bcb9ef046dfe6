"""The reference step: every optimizer equals torch's, penalties reach weights only, clipping, purity."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend, numpy_backend
from polydnn.execution import Key, first_state, reference_step

STEPS = 100
ROWS, FEATURES, OUTPUTS = 6, 3, 2
RATE = 0.002  # small enough that rounding does not grow: with 0.05 RMSprop circles the minimum chaotically

OPTIMIZERS: dict[str, tuple[Any, Callable[[Any, list[Any]], Any]]] = {
    "sgd": ("sgd", lambda o, p: o.SGD(p, lr=RATE)),
    "momentum": (("sgd", {"momentum": 0.9}), lambda o, p: o.SGD(p, lr=RATE, momentum=0.9)),
    "nesterov": (
        ("sgd", {"momentum": 0.9, "nesterov": True}),
        lambda o, p: o.SGD(p, lr=RATE, momentum=0.9, nesterov=True),
    ),
    "rmsprop": ("rmsprop", lambda o, p: o.RMSprop(p, lr=RATE)),
    "rmsprop, centered with momentum": (
        ("rmsprop", {"centered": True, "momentum": 0.5}),
        lambda o, p: o.RMSprop(p, lr=RATE, centered=True, momentum=0.5),
    ),
    "adagrad": ("adagrad", lambda o, p: o.Adagrad(p, lr=RATE)),
    "adam": ("adam", lambda o, p: o.Adam(p, lr=RATE)),
    "amsgrad": (("adam", {"amsgrad": True}), lambda o, p: o.Adam(p, lr=RATE, amsgrad=True)),
    "adamw": (("adamw", {"weight_decay": 0.1}), lambda o, p: o.AdamW(decay_weights_only(p, 0.1), lr=RATE)),
}
PENALTIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "l1 and l2": {"l1": 0.01, "l2": 0.02},
    "clip_value": {"clip_value": 0.02},
    "clip_norm": {"clip_norm": 0.05},
    "all": {"l1": 0.01, "l2": 0.02, "clip_value": 0.05, "clip_norm": 0.06},
}


def decay_weights_only(parameters: list[Any], decay: float) -> list[dict[str, Any]]:
    """torch decays whatever it is given; biases are vectors."""
    return [
        {"params": [p for p in parameters if p.ndim == 2], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]


def make(backend: Backend | None = None, **options: Any) -> polydnn.Trainer:
    layers = [polydnn.Dense(4, "tanh"), polydnn.Dense(OUTPUTS)]
    network = polydnn.Network(FEATURES, layers, backend=backend or numpy_backend(), dtype="float64", seed=9)
    rng = np.random.default_rng(0)
    network.set_parameters({name: rng.normal(size=tuple(each.shape)) for name, each in network.parameters.items()})
    return polydnn.Trainer(network, loss="sum_squared_error", learning_rate=RATE, **options)


def rows() -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(ROWS, FEATURES)), rng.normal(size=(ROWS, OUTPUTS))


def run(trainer: polydnn.Trainer, steps: int, weights: Any = None) -> tuple[dict[str, Any], list[float]]:
    backend, step = trainer.network.backend, reference_step(trainer.plan)
    x, y = (backend.asarray(each) for each in rows())
    weights = None if weights is None else backend.asarray(weights)
    parameters, state, losses = trainer.network.arrays, first_state(trainer.plan), []
    for number in range(1, steps + 1):
        parameters, state, loss = step(parameters, state, x, y, RATE, Key(0, number), weights)
        losses.append(float(loss))
    return {name: backend.to_numpy(each) for name, each in parameters.items()}, losses


@pytest.mark.parametrize("penalties", PENALTIES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_hundred_steps_equal_those_of_torch(name: str, penalties: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    wanted, make_theirs = OPTIMIZERS[name]
    options = PENALTIES[penalties]
    trainer = make(optimizer=wanted, **options)
    theirs = {name: torch.tensor(each, requires_grad=True) for name, each in trainer.network.parameters.items()}
    optimizer = make_theirs(torch.optim, list(theirs.values()))
    x, y = (torch.tensor(each) for each in rows())
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        hidden = torch.tanh(x @ theirs["layers.0.weight"] + theirs["layers.0.bias"])
        output = hidden @ theirs["layers.1.weight"] + theirs["layers.1.bias"]
        cost = 0.5 * ((output - y) ** 2).sum() / ROWS
        for weight in (theirs["layers.0.weight"], theirs["layers.1.weight"]):
            cost = cost + options.get("l1", 0) * weight.abs().sum() + options.get("l2", 0) / 2 * (weight**2).sum()
        cost.backward()
        if "clip_value" in options:
            torch.nn.utils.clip_grad_value_(list(theirs.values()), options["clip_value"])
        if "clip_norm" in options:
            gradients = [each.grad for each in theirs.values()]
            norm = torch.sqrt(sum((each**2).sum() for each in gradients))
            for each in gradients:
                each.mul_(options["clip_norm"] / torch.clamp(norm, min=options["clip_norm"]))
        optimizer.step()
        losses.append(cost.item())
    parameters, mine = run(trainer, STEPS)
    np.testing.assert_allclose(mine, losses, rtol=1e-10)
    for key, each in theirs.items():
        np.testing.assert_allclose(parameters[key], each.detach().numpy(), rtol=0, atol=1e-10, err_msg=key)


def test_decoupled_decay_of_the_trainer_is_that_of_adamw() -> None:
    by_trainer, _ = run(make(optimizer="adam", weight_decay=0.1), 10)
    by_optimizer, _ = run(make(optimizer=("adamw", {"weight_decay": 0.1})), 10)
    without, _ = run(make(optimizer="adam"), 10)
    for name, each in by_trainer.items():
        np.testing.assert_array_equal(each, by_optimizer[name])
        assert not np.array_equal(each, without[name])


@pytest.mark.parametrize("penalty", [{"l1": 0.5}, {"l2": 0.5}, {"weight_decay": 0.5}])
def test_penalties_leave_biases_alone_in_the_first_step(penalty: dict[str, float]) -> None:
    charged, _ = run(make(**penalty), 1)
    free, _ = run(make(), 1)
    for name, each in charged.items():
        assert np.array_equal(each, free[name]) == name.endswith("bias"), name


@pytest.mark.parametrize("name", ["nesterov", "rmsprop, centered with momentum", "adamw"])
def test_steps_are_the_same_on_every_backend(name: str, backend: Backend) -> None:
    options = {"optimizer": OPTIMIZERS[name][0], **PENALTIES["all"]}
    here, losses = run(make(backend, **options), 3)
    there, expected = run(make(**options), 3)
    np.testing.assert_allclose(losses, expected, rtol=1e-11)
    for key, each in there.items():
        np.testing.assert_allclose(here[key], each, rtol=0, atol=1e-11, err_msg=key)


def test_the_cost_is_the_weighted_mean_and_a_batch_without_weight_moves_nothing(backend: Backend) -> None:
    x, y = rows()
    weights = np.array([2.0, 0.0, 1.0, 0.5, 0.0, 3.0])
    trainer = make(backend)
    expected = np.average(0.5 * np.sum((trainer.network.forward(x) - y) ** 2, axis=1), weights=weights)
    before = {name: backend.to_numpy(each) for name, each in trainer.network.parameters.items()}
    after, losses = run(trainer, 1, weights)
    assert losses[0] == pytest.approx(expected, rel=1e-12)
    assert not np.array_equal(after["layers.0.weight"], before["layers.0.weight"])
    unmoved, losses = run(trainer, 1, np.zeros(ROWS))
    assert losses == [0.0]
    for name, each in before.items():
        np.testing.assert_array_equal(unmoved[name], each)


def test_a_step_is_pure(backend: Backend) -> None:
    """The same arguments twice give the same result, and no array that was handed in has changed."""
    layers = [polydnn.Dense(4, "relu"), polydnn.Dropout(0.5), polydnn.BatchNormalization(), polydnn.Dense(OUTPUTS)]
    network = polydnn.Network(FEATURES, layers, backend=backend)
    plan = polydnn.Trainer(network, loss="mean_squared_error", optimizer="adam").plan
    x, y = (backend.asarray(each.astype(np.float32)) for each in rows())
    arguments = network.arrays, first_state(plan), x, y
    kept = [backend.to_numpy(each).copy() for each in (*network.arrays.values(), x, y)]
    step = reference_step(plan)
    first, again = (step(*arguments, RATE, Key(3, 1)) for _ in range(2))
    other = step(*arguments, RATE, Key(3, 2))
    for name, each in first[0].items():
        np.testing.assert_array_equal(backend.to_numpy(each), backend.to_numpy(again[0][name]))
    assert float(first[2]) == float(again[2])
    assert float(other[2]) != float(first[2])  # another step drops other units
    for old, each in zip(kept, (*network.arrays.values(), x, y), strict=True):
        np.testing.assert_array_equal(old, backend.to_numpy(each))
    assert set(first[0]) == set(network.arrays)  # statistics come back renewed
    assert not np.array_equal(kept[4], backend.to_numpy(first[0]["layers.2.running_mean"]))


def test_where_no_layer_has_parameters_there_is_nothing_to_learn() -> None:
    network = polydnn.Network(2, [polydnn.Dropout(0.5)])
    trainer = polydnn.Trainer(network, loss="mean_squared_error", clip_norm=1.0)
    assert trainer.loss_and_gradients(np.ones((3, 2)), np.zeros((3, 2))) == (1.0, {})
