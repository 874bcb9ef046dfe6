"""One battery for every activation: right values, right ways back, on every backend, at every extreme."""

import functools
import math
import warnings

import mpmath
import numpy as np
import pytest

import polydnn.activations
from polydnn.activations import Activation
from polydnn.arrays import Backend, numpy_backend
from polydnn.types import DType, Namespace
from tests.oracles import central_differences, ulps

NAMES = [name for name in polydnn.activations.__all__ if name != "Activation"]
VARIANTS = [*((name, {}) for name in NAMES), ("elu", {"alpha": 0.5}), ("gelu", {"approximate": True})]
ROWWISE = {"softmax", "log_softmax"}


def gelu_formula(z, approximate=False):
    if approximate:
        return z * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (z + mpmath.mpf("0.044715") * z**3))) / 2
    return z * mpmath.ncdf(z)


FORMULAS = {  # by element, or by row for those in ROWWISE; mpmath numbers in and out
    "identity": lambda z: z,
    "relu": lambda z: max(mpmath.mpf(0), z),
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "tanh": mpmath.tanh,
    "softmax": lambda row: [1 / sum(mpmath.exp(other - z) for other in row) for z in row],
    "log_softmax": lambda row: [-mpmath.log(sum(mpmath.exp(other - z) for other in row)) for z in row],
    "elu": lambda z, alpha=1.0: z if z > 0 else alpha * mpmath.expm1(z),
    "selu": lambda z: (
        mpmath.mpf("1.0507009873554804934") * (z if z > 0 else mpmath.mpf("1.6732632423543772848") * mpmath.expm1(z))
    ),
    "gelu": gelu_formula,
    "silu": lambda z: z / (1 + mpmath.exp(-z)),
    "softplus": lambda z: mpmath.log1p(mpmath.exp(z)),
}


@pytest.fixture(params=VARIANTS, ids=lambda variant: "-".join([variant[0], *map(str, variant[1])]))
def activation(request: pytest.FixtureRequest) -> Activation:
    name, options = request.param
    return getattr(polydnn.activations, name)(**options)


def pre_activations(rows: int = 3, units: int = 4) -> np.ndarray:
    """Numbers of several sizes and both signs, none within 0.05 of the kink at 0."""
    drawn = np.random.default_rng(7).normal(size=(rows, units)) * np.geomspace(0.5, 6.0, units)
    return np.where(drawn < 0, drawn - 0.05, drawn + 0.05)


def exact(activation: Activation, z: np.ndarray) -> np.ndarray:
    formula = FORMULAS[activation.name]
    with mpmath.workdps(60):
        numbers = [[mpmath.mpf(float(each)) for each in row] for row in z]
        if activation.name in ROWWISE:
            return np.array([[float(y) for y in formula(row)] for row in numbers])
        return np.array([[float(formula(each, **activation.options)) for each in row] for row in numbers])


def test_every_activation_has_a_formula_to_be_compared_with():
    assert sorted(FORMULAS) == NAMES


def test_names_are_the_factories_names(activation: Activation):
    assert activation.name in NAMES
    assert activation.elementwise == (activation.name not in ROWWISE)


def test_value_is_the_formula(activation: Activation, backend: Backend, dtype: DType):
    z = backend.asarray(
        np.concatenate([pre_activations(8, 5), [[0.0, 1e-3, -1e-3, 9.5, -9.5]], [[31.0, -31.0, 0.0, 0.0, 36.0]]]),
        dtype=dtype,
    )
    y = backend.to_numpy(activation.forward(z, xp=backend.xp))
    eps = np.finfo(y.dtype).eps
    np.testing.assert_allclose(y, exact(activation, backend.to_numpy(z)), rtol=4 * eps, atol=2 * eps)


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "softmax", "log_softmax"])
def test_small_results_keep_their_digits(name: str, backend: Backend, dtype: DType):
    leads = np.asarray([0.0, 0.5, 3.0, 10.0, 20.0, 50.0, 80.0])
    rows = np.concatenate([[[lead, 0.0, 0.0], [-lead, lead, 0.0]] for lead in leads])
    z = backend.asarray(rows, dtype=dtype)
    activation = getattr(polydnn.activations, name)()
    y = backend.to_numpy(activation.forward(z, xp=backend.xp))
    wanted = exact(activation, rows)
    shown = np.abs(wanted) > 1e-35  # JAX flushes subnormal numbers to 0
    assert ulps(y, wanted, y.dtype)[shown].max() <= 4.0


@pytest.mark.parametrize("name", ["sigmoid", "softplus"])
def test_small_slopes_keep_their_digits(name: str, backend: Backend, dtype: DType):
    at = -np.asarray([1.0, 5.0, 20.0, 40.0, 80.0])
    z, activation = backend.asarray(at, dtype=dtype), getattr(polydnn.activations, name)()
    slope = backend.to_numpy(activation.derivative(z, activation.forward(z, xp=backend.xp), xp=backend.xp))
    s = [1 / (1 + mpmath.exp(-each)) for each in at.tolist()]
    wanted = [float(each * (1 - each) if name == "sigmoid" else each) for each in s]
    assert ulps(slope, wanted, slope.dtype).max() <= 6.0


def test_way_back_is_the_jacobian_of_central_differences(activation: Activation, backend: Backend):
    xp, at = backend.xp, pre_activations()
    z = backend.asarray(at)
    dy = np.random.default_rng(8).normal(size=at.shape)
    numeric = central_differences(lambda z: backend.to_numpy(activation.forward(backend.asarray(z), xp=xp)), at)

    y = activation.forward(z, xp=xp)
    np.testing.assert_allclose(backend.to_numpy(activation.jacobian(z)), numeric, atol=1e-7)
    dz = backend.to_numpy(activation.pull_back(backend.asarray(dy), z, y, xp=xp))
    np.testing.assert_allclose(dz, np.tensordot(dy, numeric, axes=2), atol=1e-7)
    if activation.derivative is not None:
        np.testing.assert_allclose(backend.to_numpy(activation.derivative(z, y, xp=xp)) * dy, dz, rtol=1e-14)


def test_value_and_way_back_agree_with_torch_autograd(activation: Activation, backend: Backend):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    theirs = {
        "identity": lambda z: z,
        "relu": torch.relu,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "softmax": lambda z: torch.softmax(z, -1),
        "log_softmax": lambda z: torch.log_softmax(z, -1),
        "elu": functional.elu,
        "selu": torch.selu,
        "gelu": lambda z, approximate=False: functional.gelu(z, approximate="tanh" if approximate else "none"),
        "silu": functional.silu,
        "softplus": functional.softplus,
    }[activation.name]
    rng = np.random.default_rng(9)
    at, dy = 3 * rng.normal(size=(20, 6)), rng.normal(size=(20, 6))
    their_z = torch.tensor(at, requires_grad=True)
    their_y = theirs(their_z, **activation.options)
    their_y.backward(torch.tensor(dy))

    z = backend.asarray(at)
    y = activation.forward(z, xp=backend.xp)
    dz = activation.pull_back(backend.asarray(dy), z, y, xp=backend.xp)
    np.testing.assert_allclose(backend.to_numpy(y), their_y.detach().numpy(), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(backend.to_numpy(dz), their_z.grad.numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("shape", [(1, 1), (0, 3)])
def test_shape_dtype_and_device_are_kept(
    activation: Activation, backend: Backend, dtype: DType, shape: tuple[int, int]
):
    xp = backend.xp
    z, dy = backend.asarray(pre_activations(*shape), dtype=dtype), backend.asarray(np.ones(shape), dtype=dtype)
    y = activation.forward(z, xp=xp)
    results = [y, activation.pull_back(dy, z, y, xp=xp)]
    if activation.derivative is not None:
        results.append(activation.derivative(z, y, xp=xp))
    for result in results:
        assert tuple(result.shape) == shape
        assert result.dtype == dtype
        assert backend.owns(result)


def test_inputs_are_not_modified(activation: Activation, backend: Backend):
    hosts = [pre_activations(), np.ones((3, 4)), pre_activations() + 1.0]
    z, dy, y = (backend.asarray(each.copy()) for each in hosts)
    activation.forward(z, xp=backend.xp)
    activation.pull_back(dy, z, y, xp=backend.xp)
    for array, host in zip((z, dy, y), hosts, strict=True):
        np.testing.assert_array_equal(backend.to_numpy(array), host)


def test_strided_arrays_give_the_same_numbers(activation: Activation):
    xp, at = numpy_backend().xp, pre_activations(6, 8)
    for view in (at[::2, ::-2], np.asfortranarray(at), at.astype(">f8")):
        plain = np.ascontiguousarray(view, dtype=np.float64)
        np.testing.assert_allclose(activation.forward(view, xp=xp), activation.forward(plain, xp=xp), rtol=1e-13)


def test_no_finite_pre_activation_overflows_or_warns(activation: Activation, backend: Backend, dtype: DType):
    xp, name = backend.xp, activation.name
    largest = 3e38 if dtype == xp.float32 else 1.7e308
    if name == "log_softmax":
        largest *= 0.5  # the difference of two scores is the result
    sizes = np.concatenate([np.geomspace(1e-44, largest, 400), [largest, 1e30, 40.0, 88.8, 104.0, 710.0]])
    columns = np.stack([sizes, -sizes, np.zeros_like(sizes), np.roll(sizes, 1)], axis=1)
    z = backend.asarray(columns, dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = activation.forward(z, xp=xp)
        dz = activation.pull_back(xp.ones_like(z), z, y, xp=xp)
    assert np.isfinite(backend.to_numpy(y)).all()
    assert np.isfinite(backend.to_numpy(dz)).all()


def test_nan_goes_through_and_stays_in_its_place(activation: Activation, backend: Backend, dtype: DType):
    at = pre_activations()
    at[1, 2] = math.nan
    y = backend.to_numpy(activation.forward(backend.asarray(at, dtype=dtype), xp=backend.xp))
    wanted = np.isnan(at)
    if not activation.elementwise:
        wanted[1, :] = True
    np.testing.assert_array_equal(np.isnan(y), wanted)


INF, NAN, BIG = math.inf, math.nan, 1e30
SPECIAL = {  # for z = inf, -inf, 1e30, -1e30, 0, -0; as PyTorch has it but for gelu, which has its limits at infinity
    "identity": [INF, -INF, BIG, -BIG, 0, 0],
    "relu": [INF, 0, BIG, 0, 0, 0],
    "sigmoid": [1, 0, 1, 0, 0.5, 0.5],
    "tanh": [1, -1, 1, -1, 0, 0],
    "elu": [INF, -1, BIG, -1, 0, 0],
    "selu": [INF, -1.7580993408473768, 1.0507009873554805e30, -1.7580993408473768, 0, 0],
    "gelu": [INF, 0, BIG, 0, 0, 0],
    "silu": [INF, NAN, BIG, 0, 0, 0],
    "softplus": [INF, 0, BIG, 0, math.log(2), math.log(2)],
}


@pytest.mark.parametrize("name", sorted(SPECIAL))
def test_special_values(name: str, backend: Backend, dtype: DType):
    z = backend.asarray([INF, -INF, BIG, -BIG, 0.0, -0.0], dtype=dtype)
    with np.errstate(invalid="ignore"):  # -inf times 0
        y = getattr(polydnn.activations, name)().forward(z, xp=backend.xp)
    np.testing.assert_allclose(backend.to_numpy(y), SPECIAL[name], rtol=1e-6)


@pytest.mark.parametrize(
    ("row", "probabilities"),
    [
        ([INF, 0.0], [NAN, NAN]),
        ([INF, INF], [NAN, NAN]),
        ([-INF, -INF], [NAN, NAN]),
        ([-INF, 0.0], [0.0, 1.0]),
        ([BIG, -BIG], [1.0, 0.0]),
        ([-BIG, -BIG], [0.5, 0.5]),
        ([-0.0, 0.0], [0.5, 0.5]),
    ],
)
def test_special_rows(row: list[float], probabilities: list[float], backend: Backend, xp: Namespace):
    z = backend.asarray([row])
    with np.errstate(invalid="ignore", divide="ignore"):  # inf - inf, log 0
        y = backend.to_numpy(polydnn.activations.softmax().forward(z, xp=xp))
        log_y = backend.to_numpy(polydnn.activations.log_softmax().forward(z, xp=xp))
        np.testing.assert_allclose(y, [probabilities], rtol=1e-15)
        np.testing.assert_allclose(np.exp(log_y), [probabilities], rtol=1e-15)


@pytest.mark.parametrize("name", ["relu", "elu", "selu"])
def test_derivative_at_the_kink_is_the_one_from_below(name: str, backend: Backend, xp: Namespace):
    z = backend.asarray([0.0])
    activation = getattr(polydnn.activations, name)()
    slope = activation.derivative(z, activation.forward(z, xp=xp), xp=xp)
    below = {"relu": 0.0, "elu": 1.0, "selu": 1.7580993408473766}[name]
    np.testing.assert_allclose(backend.to_numpy(slope), [below], rtol=1e-15)


def test_softmax_rows_sum_to_one_and_ignore_a_shift(backend: Backend, xp: Namespace):
    softmax, z = polydnn.activations.softmax(), pre_activations(20, 7)
    y = backend.to_numpy(softmax.forward(backend.asarray(z), xp=xp))
    np.testing.assert_allclose(y.sum(axis=1), 1.0, rtol=1e-15)
    shifted = backend.to_numpy(softmax.forward(backend.asarray(z + 1000.0), xp=xp))
    np.testing.assert_allclose(shifted, y, rtol=1e-11)


def test_traced_by_jax(activation: Activation):
    jax = pytest.importorskip("jax")

    def both(z, dy, xp):
        y = activation.forward(z, xp=xp)
        return y, activation.pull_back(dy, z, y, xp=xp)

    z, dy = pre_activations(), np.ones((3, 4))
    traced = jax.jit(functools.partial(both, xp=jax.numpy))(z, dy)
    for found, wanted in zip(traced, both(z, dy, numpy_backend().xp), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)
