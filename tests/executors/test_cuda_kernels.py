"""The CUDA kernels: accepted by nvcc, and right to the last digits when g++ compiles the same text for the host."""

import itertools
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polydnn import activations, losses, optimizers
from polydnn.activations.activation import Activation
from polydnn.executors.on_cupy import kernels as room
from polydnn.executors.on_cupy.activation_kernels import FORMS, activation_kernels, kernel_form
from polydnn.executors.on_cupy.kernels import CONTROL, CURRENT, GATHERED
from polydnn.executors.on_cupy.launching import one_axis, two_axes
from polydnn.executors.on_cupy.loss_kernels import LossKernel, loss_kernel, loss_kernels
from polydnn.executors.on_cupy.optimizer_kernels import numbers_of_step, update_kernel
from polydnn.optimizers.optimizer import Optimizer
from polydnn.optimizers.weight_decay import decay_weight
from tests.cuda_on_host import COMPILER, host_module

NULL = np.uint64(0)
C_NAMES = {"float32": "float", "float64": "double"}
TOLERANCE = {"float32": 2e-6, "float64": 1e-14}
Module = Mapping[str, Callable[..., None]]

ACTIVATIONS = {
    "identity": activations.identity(),
    "relu": activations.relu(),
    "sigmoid": activations.sigmoid(),
    "tanh": activations.tanh(),
    "elu": activations.elu(),
    "elu 0.3": activations.elu(alpha=0.3),
    "selu": activations.selu(),
    "softplus": activations.softplus(),
    "silu": activations.silu(),
    "gelu": activations.gelu(),
    "gelu approximate": activations.gelu(approximate=True),
}
OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": optimizers.sgd(),
    "momentum": optimizers.sgd(momentum=0.9),
    "nesterov": optimizers.sgd(momentum=0.8, nesterov=True),
    "adagrad": optimizers.adagrad(initial_sum=0.1),
    "adagrad inside": optimizers.adagrad(eps=1e-3, eps_inside_sqrt=True),
    "adamw": optimizers.adamw(weight_decay=0.1),
}
for flags in itertools.product([False, True], repeat=3):
    given = dict(zip(("amsgrad", "eps_inside_sqrt", "eps_hat"), flags, strict=True))
    OPTIMIZERS[f"adam {given}"] = optimizers.adam(beta1=0.8, eps=1e-4, **given)
for momentum, *flags in itertools.product([0.0, 0.7], [False, True], [False, True]):
    given = dict(zip(("centered", "eps_inside_sqrt"), flags, strict=True))
    OPTIMIZERS[f"rmsprop {momentum} {given}"] = optimizers.rmsprop(momentum=momentum, eps=1e-4, **given)

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="g++ compiles the kernels for the host, and is not here")


def everything() -> list[str]:
    """The text of every kernel there is, one optimizer's for all of them, which share a name."""
    texts = [room.sum_kernels(), room.close_step_kernel()]
    texts += [room.gather_kernel(each, to) for each in GATHERED for to in ("float32", "float64", "int64")]
    texts += [activation_kernels(form) for each in ACTIVATIONS.values() if (form := kernel_form(each))]
    names = ("softmax_cross_entropy_rows", "sigmoid_cross_entropy", "mean_squared_error", "sum_squared_error")
    texts += [loss_kernels(LossKernel(name, "rows")) for name in names]
    return [*texts, loss_kernels(LossKernel("softmax_cross_entropy_labels", "labels"))]


@pytest.fixture(scope="module", params=["float32", "float64"])
def compiled(request: pytest.FixtureRequest) -> tuple[str, Callable[..., None]]:
    """The dtype, and a function that launches a kernel of the one module of all kernels."""
    if COMPILER is None:
        pytest.skip("g++ compiles the kernels for the host, and is not here")
    text = room.module_text(C_NAMES[request.param], everything())
    names = [line.split("void ")[1].split("(")[0] for line in text.splitlines() if "__global__" in line]
    module = host_module(text, names)

    def launch(name: str, grid: Any, block: Any, *arguments: Any) -> None:
        module[name](grid, block, tuple(np.int64(each) if isinstance(each, int) else each for each in arguments))

    return request.param, launch


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc, CUDA's compiler, is not here")
@pytest.mark.parametrize("real", ["float", "double"])
def test_nvcc_accepts_every_kernel_without_a_warning(real: str, tmp_path: Path) -> None:
    updates = [update.text for each in OPTIMIZERS.values() if (update := update_kernel(each))]
    numbered = [text.replace(" update(", f" update_{number}(") for number, text in enumerate(updates)]
    source = tmp_path / "kernels.cu"
    source.write_text(room.module_text(real, [*everything(), *numbered]), encoding="utf-8")
    command = ["nvcc", "-std=c++14", "-arch=sm_90", "-cubin", "-Werror", "all-warnings", "-o", str(tmp_path / "out")]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def close(found: Any, expected: Any, dtype: str, scale: float = 1.0) -> None:
    atol = TOLERANCE[dtype] * scale
    np.testing.assert_allclose(found, np.asarray(expected, np.float64), rtol=TOLERANCE[dtype], atol=atol)


# ---- activations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("apart", [False, True], ids=["in place", "apart"])
def test_activations(name: str, apart: bool, compiled: Any) -> None:
    dtype, launch = compiled
    activation, form = ACTIVATIONS[name], kernel_form(ACTIVATIONS[name])
    assert form is not None
    if form.needs_z and not apart:
        pytest.skip("its slope asks for z, which then has an array of its own")
    rows, units = 19, 37
    z = np.linspace(-12, 12, rows * units).reshape(rows, units).astype(dtype)
    bias, dy = np.linspace(-1, 1, units).astype(dtype), np.cos(z).astype(dtype)
    exact_z = z.astype(np.float64) + bias
    y = np.zeros_like(z) if apart else z
    launch(f"{form.name}_forward", *two_axes(rows, units), z, y, bias, rows, units)
    exact_y = activation.forward(exact_z, xp=np)
    close(y, exact_y, dtype)
    if apart:
        close(z, exact_z, dtype, 10)
    dz, sums = np.zeros_like(z), np.zeros((3, units), dtype)
    arguments = (dy, z, y, dz, sums, rows, units, 8)
    launch(f"{form.name}_backward", (2, 3), (32, 8), *arguments)
    exact = activation.pull_back(dy.astype(np.float64), z.astype(np.float64) if apart else exact_z, exact_y, xp=np)
    close(dz, exact, dtype, 4)
    close(sums, [exact[:8].sum(0), exact[8:16].sum(0), exact[16:].sum(0)], dtype, 40)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_far_out(name: str, compiled: Any) -> None:
    """Infinity and NaN come out as from the reference."""
    dtype, launch = compiled
    form = kernel_form(ACTIVATIONS[name])
    assert form is not None
    z = np.asarray([[np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0, -0.0, 1e-30]], dtype)
    with np.errstate(all="ignore"):
        expected = ACTIVATIONS[name].forward(z, xp=np)
    y = np.zeros_like(z)
    launch(f"{form.name}_forward", *two_axes(*z.shape), z, y, NULL, *z.shape)
    close(y, expected, dtype)


def test_null_pointers_mean_no_bias_and_no_sums(compiled: Any) -> None:
    dtype, launch = compiled
    z = np.asarray([[-1.0, 2.0]], dtype)
    dz = z.copy()
    launch("relu_forward", (1, 1), (32, 8), z, z, NULL, 1, 2)
    launch("relu_backward", (1, 1), (32, 8), dz, z, z, dz, NULL, 1, 2, 8)
    assert (z.tolist(), dz.tolist()) == ([[0.0, 2.0]], [[0.0, 2.0]])


def test_a_namesake_has_no_kernel() -> None:
    mine = Activation("relu", lambda z, *, xp: z, derivative=lambda z, y, *, xp: xp.ones_like(z))
    assert kernel_form(mine) is None
    assert kernel_form(activations.softmax()) is None
    assert kernel_form(activations.log_softmax()) is None
    assert {"relu", "gelu_approximate"} <= set(FORMS)


# ---- losses --------------------------------------------------------------------------------------------------------


def cases(rows: int, outputs: int, kind: str) -> Any:
    rng = np.random.default_rng(rows * outputs)
    if kind == "labels":
        return rng.integers(0, outputs, rows)
    given = rng.random((rows, outputs)) + 0.01
    return given / given.sum(axis=1, keepdims=True) if kind == "shares" else given


LOSSES = {
    "softmax_cross_entropy_labels": (losses.categorical_cross_entropy().logits_forms["softmax"], "labels"),
    "softmax_cross_entropy_rows": (losses.categorical_cross_entropy().logits_forms["softmax"], "shares"),
    "sigmoid_cross_entropy": (losses.binary_cross_entropy().logits_forms["sigmoid"], "shares"),
    "mean_squared_error": (losses.mean_squared_error(), "real"),
    "sum_squared_error": (losses.sum_squared_error(), "real"),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("rows", "outputs"), [(1, 1), (9, 1), (8, 10), (17, 33), (3, 70)])
@pytest.mark.parametrize("weighted", [False, True])
def test_losses(name: str, rows: int, outputs: int, weighted: bool, compiled: Any) -> None:
    dtype, launch = compiled
    loss, kind = LOSSES[name]
    z = (20 * np.random.default_rng(7).standard_normal((rows, outputs))).astype(dtype)
    target = cases(rows, outputs, kind)
    target = target if kind == "labels" else target.astype(dtype)
    shares = np.linspace(0, 2, rows).astype(dtype) if weighted else NULL
    gradient, values = np.full_like(z, np.nan), np.full(rows, np.nan, dtype)
    even = np.dtype(dtype).type(1 / rows)
    launch(name, (-(-rows // 8),), (32, 8), z, target, shares, even, gradient, values, rows, outputs)
    exact_z = z.astype(np.float64)
    exact_target = target if kind == "labels" else target.astype(np.float64)
    share = shares.astype(np.float64) if weighted else np.full(rows, 1 / rows)
    close(values, loss.value(exact_z, exact_target, xp=np) * share, dtype, 20)
    close(gradient, loss.gradient(exact_z, exact_target, xp=np) * share[:, None], dtype, 20)


def test_cross_entropy_far_out_and_close_by(compiled: Any) -> None:
    """A right class that leads by far keeps the digits of its small loss; a label out of range and NaN are seen."""
    dtype, launch = compiled
    z = np.asarray([[40.0, 0, 0], [1e4, 0.0, 0.0], [1.0, 2.0, 3.0], [np.nan, 1, 2], [np.inf, 0, 0]], dtype)
    labels = np.asarray([0, 1, 3, 1, 1])
    gradient, values = np.zeros_like(z), np.zeros(5, dtype)
    launch(
        "softmax_cross_entropy_labels", (1,), (32, 8), z, labels, NULL, np.dtype(dtype).type(1), gradient, values, 5, 3
    )
    form = LOSSES["softmax_cross_entropy_labels"][0]
    with np.errstate(all="ignore"):
        expected, slopes = form.value(z, labels, xp=np), form.gradient(z, labels, xp=np)
    np.testing.assert_allclose(values, expected, rtol=4 * TOLERANCE[dtype])
    np.testing.assert_allclose(gradient, slopes, rtol=4 * TOLERANCE[dtype], atol=TOLERANCE[dtype])
    assert 0 < values[0] < 1e-16
    assert np.isnan(values[2:]).all()


def test_small_cross_entropies_keep_their_digits(compiled: Any) -> None:
    """The rounding of z - m, which the exponential magnifies, is made up for; equal scores are each counted once."""
    dtype, launch = compiled
    rng = np.random.default_rng(3)
    z = np.concatenate([rng.uniform(0, 1, (60, 40)), np.full((2, 40), 0.7)]).astype(dtype)
    z[:60, 7] += 80 if dtype == "float32" else 600
    rows, gradient, values = len(z), np.zeros_like(z), np.zeros(len(z), dtype)
    labels, one = np.full(rows, 7), np.dtype(dtype).type(1)
    launch("softmax_cross_entropy_labels", (8,), (32, 8), z, labels, NULL, one, gradient, values, rows, 40)
    wide = z.astype(np.longdouble)
    others = np.delete(wide, 7, axis=1) - wide[:, 7:8]
    exact = np.log1p(np.exp(others).sum(axis=1))
    np.testing.assert_allclose(values / exact, np.ones(rows), rtol=5 * np.finfo(dtype).eps)


def test_which_losses_have_kernels() -> None:
    z = np.zeros((2, 3))
    cross, form = losses.categorical_cross_entropy(), LOSSES["softmax_cross_entropy_labels"][0]
    assert loss_kernel(cross, form, np.zeros(2, np.int32), 3) == ("softmax_cross_entropy_labels", "labels")
    assert loss_kernel(cross, form, z, 3) == ("softmax_cross_entropy_rows", "rows")
    assert loss_kernel(cross, None, z, 3) is None  # on probabilities
    assert loss_kernel(cross, form, np.zeros(2), 3) is None  # labels that are no integers: the loss says so
    assert loss_kernel(losses.mean_squared_error(), None, np.zeros(2), 1) is None
    assert loss_kernel(losses.hinge(), None, z, 3) is None


# ---- optimizers ----------------------------------------------------------------------------------------------------


@needs_compiler
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str) -> None:
    """Five steps over a flat array of which the first part decays, against the optimizer in float64."""
    optimizer, decay = OPTIMIZERS[name], OPTIMIZERS[name].weight_decay
    update = update_kernel(optimizer)
    assert update is not None
    rng, count, decayed, first = np.random.default_rng(5), 700, 320, 3
    launch = host_module(room.module_text("double", [update.text]), ["update"])["update"]
    found = rng.standard_normal(count)
    expected, state = found.copy(), dict(optimizer.init(found, xp=np))
    slots = {slot: np.array(state[slot]) for slot in update.slots}
    assert set(slots) == set(state)
    broken = np.zeros(2, np.int32)
    for step, rate in enumerate([0.1, 0.01, 0.05, 0.1, 0.02], start=1):
        gradient = rng.standard_normal(count)
        current = np.asarray(numbers_of_step(optimizer, rate, step, decay))
        sizes = [np.int64(each) for each in (first, count, decayed)]
        launch(*one_axis(count), (found, gradient, *slots.values(), current, *sizes, broken))
        moved = expected.copy()
        moved[:decayed] = decay_weight(expected[:decayed], learning_rate=rate, weight_decay=decay)
        options = {"learning_rate": rate, "step": step, "xp": np}
        moved, state = optimizer.update(gradient, state, moved, **options)
        expected[first:] = moved[first:]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    for slot, array in slots.items():
        np.testing.assert_allclose(array[first:], state[slot][first:], rtol=1e-12, atol=1e-13)
    assert not broken.any()


@needs_compiler
def test_an_update_that_is_not_finite_is_reported() -> None:
    update = update_kernel(optimizers.sgd())
    assert update is not None
    launch = host_module(room.module_text("float", [update.text]), ["update"])["update"]
    parameters, gradient = np.ones(4, np.float32), np.asarray([0, 0, np.inf, 0], np.float32)
    current, broken = np.asarray(numbers_of_step(optimizers.sgd(), 0.5, 1, 0.0), np.float32), np.zeros(2, np.int32)
    launch((1,), (256,), (parameters, gradient, current, np.int64(0), np.int64(4), np.int64(0), broken))
    assert (parameters.tolist(), broken.tolist()) == ([1.0, 1.0, -np.inf, 1.0], [1, 0])


def test_a_plugin_optimizer_has_no_kernel() -> None:
    mine = Optimizer("adam", lambda p, *, xp: {}, lambda g, s, p, **rest: (p, s))
    assert update_kernel(mine) is None


# ---- what every step needs -----------------------------------------------------------------------------------------


def control_of(**given: Any) -> Any:
    words = [given.get(name, 0) for name in CONTROL]
    return np.asarray([each.ctypes.data if isinstance(each, np.ndarray) else each for each in words], np.uint64)


@pytest.mark.parametrize("source", GATHERED)
def test_rows_are_gathered_and_cast(source: str, compiled: Any) -> None:
    dtype, launch = compiled
    x = (np.arange(60) % 2 if source == "bool" else np.arange(60)).reshape(12, 5).astype(source)
    order = np.random.default_rng(0).permutation(12)
    control = control_of(y=x, order=order, slot=1)
    for target in (dtype, "int64"):
        batch = np.zeros((4, 5), target)
        name = room.gather_name(source, target)
        launch(name, *two_axes(4, 5), control, CONTROL.index("y"), batch, 4, 5)
        assert batch.tolist() == x[order[4:8]].astype(target).tolist()


def test_column_sums_and_shares(compiled: Any) -> None:
    dtype, launch = compiled
    parts, sums = np.arange(21.0 * 40).reshape(21, 40).astype(dtype), np.zeros(40, dtype)
    launch("column_sums", (2, 1), (32, 8), parts, sums, 21, 40)
    assert sums.tolist() == parts.sum(axis=0).tolist()
    weights, shares = np.arange(300).astype(dtype), np.zeros(300, dtype)
    launch("batch_shares", (1,), (256,), weights, shares, 300)
    close(shares, weights / weights.sum(), dtype)
    launch("batch_shares", (1,), (256,), np.zeros(3, dtype), shares, 3)
    assert not shares[:3].any()


def test_the_end_of_a_step(compiled: Any) -> None:
    dtype, launch = compiled
    table = np.arange(3.0 * len(CURRENT)).reshape(3, len(CURRENT)).astype(dtype)
    losses_found, current = np.zeros(2, dtype), table[0].copy()
    control, broken = control_of(table=table, losses=losses_found, slot=0), np.zeros(2, np.int32)
    values = np.linspace(0, 1, 300).astype(dtype)
    launch("close_step", (1,), (256,), control, current, values, 300, broken)
    assert control[CONTROL.index("slot")] == 1
    assert current.tolist() == table[1].tolist()
    assert not broken.any()
    launch("close_step", (1,), (256,), control, current, np.asarray([np.nan], dtype), 1, broken)
    assert current.tolist() == table[2].tolist()
    close(losses_found[0], values.sum(dtype=np.float64), dtype, 100)
    assert np.isnan(losses_found[1])
    assert broken.tolist() == [1, 0]


def test_sums_do_not_depend_on_chance(compiled: Any) -> None:
    dtype, launch = compiled
    values, found = np.random.default_rng(0).random(1000).astype(dtype), []
    for _ in range(2):
        losses_found, table = np.zeros(1, dtype), np.zeros((2, len(CURRENT)), dtype)
        control = control_of(table=table, losses=losses_found)
        launch("close_step", (1,), (256,), control, table[0], values, 1000, np.zeros(2, np.int32))
        found.append(float(losses_found[0]))
    assert found[0] == found[1]
