"""Every optimizer against PyTorch's over 100 steps in float64, and what the contract promises of all of them."""

import functools
from typing import Any

import numpy as np
import pytest

from polydnn.arrays import Backend, device_of
from polydnn.optimizers import (
    Optimizer,
    adagrad,
    adam,
    adamw,
    add_penalty_gradient,
    decay_weight,
    rmsprop,
    sgd,
)
from polydnn.types import DType

STEPS = 100
SHAPE = (4, 3)
FACTORIES = {"adagrad": adagrad, "adam": adam, "adamw": adamw, "rmsprop": rmsprop, "sgd": sgd}

# (factory, options, PyTorch's class, its options, L2 penalty that PyTorch adds to the gradient)
AGAINST_TORCH: list[tuple[str, dict[str, Any], str, dict[str, Any], float]] = [
    ("sgd", {}, "SGD", {}, 0.0),
    ("sgd", {}, "SGD", {"weight_decay": 0.1}, 0.1),
    ("sgd", {"momentum": 0.9}, "SGD", {"momentum": 0.9}, 0.0),
    ("sgd", {"momentum": 0.5, "nesterov": True}, "SGD", {"momentum": 0.5, "nesterov": True}, 0.0),
    (
        "sgd",
        {"momentum": 0.95, "nesterov": True},
        "SGD",
        {"momentum": 0.95, "nesterov": True, "weight_decay": 0.01},
        0.01,
    ),
    ("rmsprop", {}, "RMSprop", {}, 0.0),
    ("rmsprop", {"decay": 0.9, "eps": 1e-3}, "RMSprop", {"alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1}, 0.1),
    ("rmsprop", {"momentum": 0.9}, "RMSprop", {"momentum": 0.9}, 0.0),
    ("rmsprop", {"centered": True}, "RMSprop", {"centered": True}, 0.0),
    (
        "rmsprop",
        {"decay": 0.5, "momentum": 0.3, "centered": True, "eps": 1e-5},
        "RMSprop",
        {"alpha": 0.5, "momentum": 0.3, "centered": True, "eps": 1e-5},
        0.0,
    ),
    ("adagrad", {}, "Adagrad", {}, 0.0),
    ("adagrad", {"initial_sum": 0.1}, "Adagrad", {"initial_accumulator_value": 0.1}, 0.0),
    ("adagrad", {"eps": 1e-2}, "Adagrad", {"eps": 1e-2}, 0.0),
    (
        "adagrad",
        {"eps": 1e-6, "initial_sum": 2},
        "Adagrad",
        {"eps": 1e-6, "initial_accumulator_value": 2, "weight_decay": 0.1},
        0.1,
    ),
    ("adam", {}, "Adam", {}, 0.0),
    ("adam", {"beta1": 0.5, "beta2": 0.9}, "Adam", {"betas": (0.5, 0.9)}, 0.0),
    ("adam", {"beta1": 0.0, "beta2": 0.0, "eps": 1e-2}, "Adam", {"betas": (0.0, 0.0), "eps": 1e-2}, 0.0),
    ("adam", {"eps": 1e-3}, "Adam", {"eps": 1e-3, "weight_decay": 0.1}, 0.1),
    ("adam", {"amsgrad": True, "beta2": 0.9}, "Adam", {"amsgrad": True, "betas": (0.9, 0.9)}, 0.0),
    ("adamw", {}, "AdamW", {}, 0.0),
    ("adamw", {"weight_decay": 0.5}, "AdamW", {"weight_decay": 0.5}, 0.0),
    ("adamw", {"weight_decay": 0.0, "eps": 1e-4}, "AdamW", {"weight_decay": 0.0, "eps": 1e-4}, 0.0),
    (
        "adamw",
        {"amsgrad": True, "beta1": 0.8, "beta2": 0.95, "weight_decay": 0.2},
        "AdamW",
        {"amsgrad": True, "betas": (0.8, 0.95), "weight_decay": 0.2},
        0.0,
    ),
]
EVERY = [(name, options) for name, options, *_ in AGAINST_TORCH] + [
    ("rmsprop", {"eps_inside_sqrt": True}),
    ("adagrad", {"eps_inside_sqrt": True}),
    ("adam", {"eps_inside_sqrt": True}),
    ("adam", {"eps_hat": True}),
]


def label(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return ",".join(f"{k}={v}" for k, v in value.items()) or "defaults"


each_optimizer = pytest.mark.parametrize(("name", "options"), EVERY, ids=label)


@functools.cache
def course() -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """A start, a gradient for every step of sizes four orders apart, some zero, and a learning rate for each."""
    random = np.random.default_rng(7)
    gradients = random.normal(size=(STEPS, *SHAPE)) * 10.0 ** random.uniform(-2, 2, size=SHAPE)
    gradients[random.random(gradients.shape) < 0.05] = 0.0
    return random.normal(size=SHAPE), gradients, tuple(0.01 / (1 + step // 10) for step in range(STEPS))


def ours(backend: Backend, optimizer: Optimizer, l2: float = 0.0) -> np.ndarray:
    start, gradients, rates = course()
    parameter = backend.asarray(start, dtype=backend.dtype("float64"))
    state = optimizer.init(parameter, xp=backend.xp)
    for step, (host, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        gradient = add_penalty_gradient(backend.asarray(host), parameter, l2=l2, xp=backend.xp)
        parameter = decay_weight(parameter, learning_rate=rate, weight_decay=optimizer.weight_decay)
        parameter, state = optimizer.update(gradient, state, parameter, learning_rate=rate, step=step, xp=backend.xp)
    return backend.to_numpy(parameter)


@functools.cache
def torchs(row: int) -> np.ndarray:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of the optimizers")
    _, _, kind, options, _ = AGAINST_TORCH[row]
    start, gradients, rates = course()
    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer = getattr(torch.optim, kind)([parameter], lr=rates[0], **options)
    for gradient, rate in zip(gradients, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
    return parameter.detach().numpy()


@pytest.mark.parametrize("row", range(len(AGAINST_TORCH)), ids=lambda row: f"{AGAINST_TORCH[row][0]}-{row}")
def test_hundred_steps_are_pytorchs(backend: Backend, row: int) -> None:
    name, options, _, _, l2 = AGAINST_TORCH[row]
    found = ours(backend, FACTORIES[name](**options), l2)
    np.testing.assert_allclose(found, torchs(row), rtol=1e-10, atol=0)


def textbook(name: str, eps: float, inside: bool, hat: bool) -> np.ndarray:
    """The formulas as the papers print them, with the running means themselves, one element at a time."""
    start, gradients, rates = course()
    w, m, v = start.copy(), np.zeros(SHAPE), np.zeros(SHAPE)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        if name == "adagrad":
            v = v + g**2
            step = g / np.sqrt(v + eps)
        elif name == "rmsprop":
            v = 0.99 * v + 0.01 * g**2
            step = g / np.sqrt(v + eps)
        else:
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g**2
            after = 1 - 0.999**t
            if hat:
                step = (m / (1 - 0.9**t)) * np.sqrt(after) / (np.sqrt(v + eps) if inside else np.sqrt(v) + eps)
            else:
                step = (m / (1 - 0.9**t)) / np.sqrt(v / after + eps)
        w = w - rate * step
    return w


@pytest.mark.parametrize("eps", [1e-7, 1e-2])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rmsprop", {"eps_inside_sqrt": True}),
        ("adagrad", {"eps_inside_sqrt": True}),
        ("adam", {"eps_inside_sqrt": True}),
        ("adam", {"eps_hat": True}),
        ("adam", {"eps_hat": True, "eps_inside_sqrt": True}),
    ],
    ids=label,
)
def test_other_places_of_eps(backend: Backend, name: str, options: dict[str, bool], eps: float) -> None:
    wanted = textbook(name, eps, options.get("eps_inside_sqrt", False), options.get("eps_hat", False))
    np.testing.assert_allclose(ours(backend, FACTORIES[name](eps=eps, **options)), wanted, rtol=1e-10, atol=0)


def test_places_of_eps_differ(backend: Backend) -> None:
    plain = ours(backend, adam(eps=1e-2))
    for options in ({"eps_hat": True}, {"eps_inside_sqrt": True}, {"eps_hat": True, "eps_inside_sqrt": True}):
        assert np.max(np.abs(ours(backend, adam(eps=1e-2, **options)) - plain)) > 1e-4


@each_optimizer
def test_numbers_and_0d_arrays_agree(backend: Backend, dtype: DType, name: str, options: dict[str, Any]) -> None:
    optimizer, xp = FACTORIES[name](**options), backend.xp
    _, gradients, _ = course()
    by_number = by_array = backend.asarray(np.zeros(SHAPE), dtype=dtype)  # so that rounding of the steps is not hidden
    state = other = optimizer.init(by_number, xp=xp)
    for step in range(1, 6):
        gradient = backend.asarray(gradients[step], dtype=dtype)
        by_number, state = optimizer.update(gradient, state, by_number, learning_rate=0.1, step=step, xp=xp)
        by_array, other = optimizer.update(
            gradient,
            other,
            by_array,
            learning_rate=backend.asarray(0.1, dtype=dtype),
            step=backend.asarray(float(step), dtype=dtype),
            xp=xp,
        )
        assert by_array.dtype == by_number.dtype == dtype
    tolerance = 2e-6 if dtype == xp.float32 else 1e-14
    np.testing.assert_allclose(
        backend.to_numpy(by_array), backend.to_numpy(by_number), rtol=tolerance, atol=0.1 * tolerance
    )


@each_optimizer
def test_one_flat_buffer_is_the_same(backend: Backend, name: str, options: dict[str, Any]) -> None:
    optimizer, xp = FACTORIES[name](**options), backend.xp
    assert optimizer.elementwise
    start, gradients, _ = course()
    parts = [backend.asarray(start), backend.asarray(start[0])]
    flat = xp.concat([xp.reshape(part, (-1,)) for part in parts])
    states, flat_state = [optimizer.init(part, xp=xp) for part in parts], optimizer.init(flat, xp=xp)
    for step in range(1, 4):
        slopes = [backend.asarray(gradients[step]), backend.asarray(gradients[step, 1])]
        call = {"learning_rate": 0.1, "step": step, "xp": xp}
        moved = [
            optimizer.update(slope, state, part, **call)
            for slope, state, part in zip(slopes, states, parts, strict=True)
        ]
        parts, states = [part for part, _ in moved], [state for _, state in moved]
        ends = xp.concat([xp.reshape(slope, (-1,)) for slope in slopes])
        flat, flat_state = optimizer.update(ends, flat_state, flat, **call)
    together = np.concatenate([backend.to_numpy(part).ravel() for part in parts])
    np.testing.assert_allclose(backend.to_numpy(flat), together, rtol=1e-15, atol=0)


@each_optimizer
def test_state_survives_a_trip_through_host_arrays(backend: Backend, name: str, options: dict[str, Any]) -> None:
    optimizer, xp = FACTORIES[name](**options), backend.xp
    start, gradients, _ = course()

    def advance(parameter: Any, state: Any, steps: range) -> tuple[Any, Any]:
        for step in steps:
            gradient = backend.asarray(gradients[step])
            parameter, state = optimizer.update(gradient, state, parameter, learning_rate=0.01, step=step, xp=xp)
        return parameter, state

    parameter = backend.asarray(start)
    straight, _ = advance(parameter, optimizer.init(parameter, xp=xp), range(1, 9))
    parameter, state = advance(parameter, optimizer.init(parameter, xp=xp), range(1, 5))
    kept = {key: backend.to_numpy(array).copy() for key, array in state.items()}
    again = {key: backend.asarray(array) for key, array in kept.items()}
    resumed, _ = advance(backend.asarray(backend.to_numpy(parameter).copy()), again, range(5, 9))
    assert np.array_equal(backend.to_numpy(resumed), backend.to_numpy(straight))


@each_optimizer
def test_update_changes_no_input_and_keeps_shape_dtype_device(
    backend: Backend, dtype: DType, name: str, options: dict[str, Any]
) -> None:
    optimizer, xp = FACTORIES[name](**options), backend.xp
    start, gradients, _ = course()
    parameter, gradient = backend.asarray(start, dtype=dtype), backend.asarray(gradients[0], dtype=dtype)
    state = optimizer.init(parameter, xp=xp)
    _, state = optimizer.update(gradient, state, parameter, learning_rate=0.1, step=1, xp=xp)
    inputs = {"parameter": parameter, "gradient": gradient, **state}
    before = {key: backend.to_numpy(array).copy() for key, array in inputs.items()}
    moved, new = optimizer.update(gradient, state, parameter, learning_rate=0.1, step=2, xp=xp)
    for key, array in inputs.items():
        assert np.array_equal(backend.to_numpy(array), before[key]), key
    assert set(new) == set(state)
    assert not np.array_equal(backend.to_numpy(moved), before["parameter"])
    for array in (moved, *new.values()):
        assert (array.shape, array.dtype, device_of(array)) == (SHAPE, dtype, device_of(parameter))


@each_optimizer
def test_a_quadratic_is_minimized(backend: Backend, name: str, options: dict[str, Any]) -> None:
    optimizer, xp = FACTORIES[name](**options), backend.xp
    target, curvature = backend.asarray(np.asarray([1.0, -2.0, 0.5])), backend.asarray(np.asarray([1.0, 3.0, 0.3]))
    parameter = backend.asarray(np.zeros(3))
    state = optimizer.init(parameter, xp=xp)
    rate = {"adagrad": 1.0, "sgd": 0.1 * (1 - options.get("momentum", 0.0))}.get(name, 0.1)
    for step in range(1, 301):
        gradient = curvature * (parameter - target)
        parameter, state = optimizer.update(
            gradient, state, parameter, learning_rate=rate * (1 - step / 301), step=step, xp=xp
        )
    assert float(xp.max(xp.abs(parameter - target))) < 0.05


@each_optimizer
def test_nan_in_the_gradient_stays_where_it_is(backend: Backend, name: str, options: dict[str, Any]) -> None:
    optimizer, xp = FACTORIES[name](**options), backend.xp
    parameter = backend.asarray(np.ones(3))
    gradient = backend.asarray(np.asarray([1.0, np.nan, 1.0]))
    moved, _ = optimizer.update(gradient, optimizer.init(parameter, xp=xp), parameter, learning_rate=0.1, step=1, xp=xp)
    assert np.isnan(backend.to_numpy(moved)).tolist() == [False, True, False]


@each_optimizer
def test_options_make_the_same_optimizer_again(name: str, options: dict[str, Any]) -> None:
    made = FACTORIES[name](**options)
    again = FACTORIES[name](**made.options)
    assert made.name == name
    assert again.options == made.options
    assert options.items() <= dict(made.options).items()


def test_default_learning_rates() -> None:
    found = {name: factory().learning_rate for name, factory in FACTORIES.items()}
    assert found == {"adagrad": 0.01, "adam": 0.001, "adamw": 0.001, "rmsprop": 0.01, "sgd": 0.01}


def test_only_adamw_decays_weights_by_default() -> None:
    found = {name: factory().weight_decay for name, factory in FACTORIES.items()}
    assert found == {"adagrad": 0.0, "adam": 0.0, "adamw": 0.01, "rmsprop": 0.0, "sgd": 0.0}
    assert adamw(weight_decay=0.3).weight_decay == 0.3


def test_centered_rmsprop_outlives_a_constant_gradient(backend: Backend, dtype: DType) -> None:
    # the variance of a constant is zero, and rounding takes the difference of sums below it
    optimizer, xp = rmsprop(decay=0.5, centered=True), backend.xp
    parameter, gradient = (backend.asarray(each, dtype=dtype) for each in (np.ones(20), np.linspace(0.1, 2, 20)))
    state = optimizer.init(parameter, xp=xp)
    for step in range(1, 201):
        parameter, state = optimizer.update(gradient, state, parameter, learning_rate=1e-9, step=step, xp=xp)
    assert np.isfinite(backend.to_numpy(parameter)).all()


def test_numpy_numbers_are_numbers(backend: Backend) -> None:
    optimizer = sgd(momentum=np.float32(0.5))
    assert type(optimizer.options["momentum"]) is float
    # a strongly typed scalar would turn float32 parameters into float64
    parameter = backend.asarray(np.ones(2), dtype=backend.xp.float32)
    moved, _ = optimizer.update(
        parameter, optimizer.init(parameter, xp=backend.xp), parameter, learning_rate=0.1, step=1, xp=backend.xp
    )
    assert moved.dtype == backend.xp.float32


def test_adam_is_traced_by_jax() -> None:
    jax = pytest.importorskip("jax", reason="needs JAX")
    optimizer = adam()
    start, gradients, _ = course()

    def advance(parameter: Any, state: Any, gradient: Any, rate: Any, step: Any) -> Any:
        return optimizer.update(gradient, state, parameter, learning_rate=rate, step=step, xp=jax.numpy)

    parameter = jax.numpy.asarray(start)
    state = optimizer.init(parameter, xp=jax.numpy)
    traced, _ = jax.jit(advance)(parameter, state, jax.numpy.asarray(gradients[0]), 0.01, 3.0)
    plain, _ = advance(parameter, state, jax.numpy.asarray(gradients[0]), 0.01, 3)
    np.testing.assert_allclose(traced, plain, rtol=1e-12)
