"""cublasLt through ctypes: what the descriptors say is believed by a stand-in, and must give the three products."""

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from polydnn.executors.on_cupy import cublaslt
from polydnn.executors.on_cupy.cublaslt import CublasLt, CublasLtError, Found, Product, Terms, load_library
from polydnn.executors.on_cupy.products import forward_terms, input_gradient_terms, weight_gradient_terms
from tests.pretended_cublaslt import PretendedCublasLt

SHAPES = [(1, 1, 1), (1, 784, 10), (5, 3, 4), (64, 8, 1), (7, 16, 16), (3, 1, 9)]
WORKSPACE = np.zeros(64, np.uint8)


def handle(library: Any = None) -> CublasLt:
    return CublasLt(library or PretendedCublasLt(), WORKSPACE.ctypes.data, 64)


def run(product: Product, a: Any, b: Any, d: Any, alpha: Any, beta: Any) -> None:
    product.run(a.ctypes.data, b.ctypes.data, d.ctypes.data, alpha.ctypes.data, beta.ctypes.data, 1)


@pytest.fixture(params=["float32", "float64"])
def arrays(request: pytest.FixtureRequest) -> Any:
    """Makes row-major arrays of one dtype, and knows alpha = 1 and beta = 0."""
    rng, dtype = np.random.default_rng(3), np.dtype(request.param)

    def make(*shape: int) -> Any:
        return rng.standard_normal(shape).astype(dtype)

    one, zero = np.ones(1, dtype), np.zeros(1, dtype)
    rtol = 1e-5 if dtype == np.float32 else 1e-13
    return SimpleNamespace(make=make, one=one, zero=zero, double=dtype == np.float64, rtol=rtol)


@pytest.mark.parametrize(("rows", "inputs", "units"), SHAPES)
def test_forward_product(rows: int, inputs: int, units: int, arrays: Any) -> None:
    x, w, y = arrays.make(rows, inputs), arrays.make(inputs, units), arrays.make(rows, units) * np.nan
    run(handle().product(forward_terms(rows, inputs, units, double=arrays.double)), w, x, y, arrays.one, arrays.zero)
    np.testing.assert_allclose(y, x @ w, rtol=arrays.rtol, atol=arrays.rtol * 30)


@pytest.mark.parametrize(("rows", "inputs", "units"), SHAPES)
def test_input_gradient_product(rows: int, inputs: int, units: int, arrays: Any) -> None:
    dz, w, dx = arrays.make(rows, units), arrays.make(inputs, units), arrays.make(rows, inputs) * np.nan
    terms = input_gradient_terms(rows, inputs, units, double=arrays.double)
    run(handle().product(terms), w, dz, dx, arrays.one, arrays.zero)
    np.testing.assert_allclose(dx, dz @ w.T, rtol=arrays.rtol, atol=arrays.rtol * 30)


@pytest.mark.parametrize(("rows", "inputs", "units"), SHAPES)
def test_weight_gradient_product(rows: int, inputs: int, units: int, arrays: Any) -> None:
    x, dz, dw = arrays.make(rows, inputs), arrays.make(rows, units), arrays.make(inputs, units) * np.nan
    terms = weight_gradient_terms(rows, inputs, units, double=arrays.double)
    run(handle().product(terms), dz, x, dw, arrays.one, arrays.zero)
    np.testing.assert_allclose(dw, x.T @ dz, rtol=arrays.rtol, atol=arrays.rtol * 30)


@pytest.mark.parametrize(("rows", "inputs", "units"), SHAPES)
def test_plain_descent_inside_the_product(rows: int, inputs: int, units: int, arrays: Any) -> None:
    """alpha and beta lie on the device and are read when the product runs, not when it is queued."""
    x, dz, w = arrays.make(rows, inputs), arrays.make(rows, units), arrays.make(inputs, units)
    queued: list[Any] = []
    product = handle(PretendedCublasLt(queued.append)).product(
        weight_gradient_terms(rows, inputs, units, double=arrays.double, into_weights=True)
    )
    minus_rate, expected = -0.5 * arrays.one, w - 0.25 * (x.T @ dz)
    run(product, dz, x, w, minus_rate, arrays.one)
    minus_rate[0] = -0.25
    queued[0]()
    np.testing.assert_allclose(w, expected, rtol=arrays.rtol, atol=arrays.rtol * 30)


def test_numbers_on_the_host_are_read_when_the_product_is_queued(arrays: Any) -> None:
    queued: list[Any] = []
    product = handle(PretendedCublasLt(queued.append)).product(forward_terms(2, 3, 4, double=arrays.double))
    x, w, y = arrays.make(2, 3), arrays.make(3, 4), arrays.make(2, 4)
    alpha = arrays.one.copy()
    run(product, w, x, y, alpha, arrays.zero)
    alpha[0] = 5.0
    queued[0]()
    np.testing.assert_allclose(y, x @ w, rtol=arrays.rtol)


def test_tf32_only_where_it_is_asked_for() -> None:
    library = PretendedCublasLt()
    lt = handle(library)
    kept = [lt.product(forward_terms(2, 3, 4, double=False, tf32=each)) for each in (False, True)]
    assert [each.compute for each in library.made.values() if each.kind == "description"] == [68, 77]
    assert len(kept) == 2


def test_relu_with_its_mask_and_the_way_back() -> None:
    """The epilogues are candidates: what they would need is described rightly."""
    rng, rows, inputs, units = np.random.default_rng(1), 6, 5, 19
    x, w, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((rows, inputs), (inputs, units), (units,)))
    mask, y, lt = np.zeros((rows, 128 // 8), np.uint8), np.zeros((rows, units), np.float32), handle()
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    pointers = {"aux": mask.ctypes.data, "aux_ld": 128}
    forward = Terms(units, rows, inputs, units, inputs, units, epilogue="relu_aux_bias", bias=b.ctypes.data, **pointers)
    run(lt.product(forward), w, x, y, one, zero)
    np.testing.assert_allclose(y, np.maximum(x @ w + b, 0), rtol=1e-5, atol=1e-6)
    dz, v = rng.standard_normal((rows, 4)).astype(np.float32), rng.standard_normal((units, 4)).astype(np.float32)
    dy, db = np.zeros((rows, units), np.float32), np.zeros(units, np.float32)
    back = Terms(units, rows, 4, 4, 4, units, transpose_a=True, epilogue="drelu_bgrad", bias=db.ctypes.data, **pointers)
    run(lt.product(back), v, dz, dy, one, zero)
    expected = (dz @ v.T) * (y > 0)
    np.testing.assert_allclose(dy, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(db, expected.sum(axis=0), rtol=1e-5, atol=1e-5)


def test_bias_gradient_beside_the_weight_gradient() -> None:
    rng = np.random.default_rng(1)
    x, dz = rng.standard_normal((6, 5)).astype(np.float32), rng.standard_normal((6, 4)).astype(np.float32)
    dw, db = np.zeros((5, 4), np.float32), np.zeros(4, np.float32)
    terms = Terms(4, 5, 6, 4, 5, 4, transpose_b=True, epilogue="bgrada", bias=db.ctypes.data)
    run(handle().product(terms), dz, x, dw, np.ones(1, np.float32), np.zeros(1, np.float32))
    np.testing.assert_allclose(dw, x.T @ dz, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(db, dz.sum(axis=0), rtol=1e-5, atol=1e-6)


def test_structures_have_the_sizes_of_the_header() -> None:
    assert ctypes.sizeof(cublaslt.Algorithm) == 64
    assert ctypes.sizeof(Found) == 96
    assert (Found.workspace.offset, Found.state.offset, Found.waves.offset) == (64, 72, 76)


def test_no_algorithm_is_an_error_with_its_status() -> None:
    with pytest.raises(CublasLtError, match=r"cublasLtMatmulAlgoGetHeuristic failed with status 15 \(not supported\)"):
        handle(PretendedCublasLt(refused=1)).product(weight_gradient_terms(2, 3, 4, double=False, into_weights=True))


def test_everything_made_is_given_back() -> None:
    library = PretendedCublasLt()
    lt = handle(library)
    product = lt.product(forward_terms(2, 3, 4, double=False))
    del product, lt
    assert len(library.made) == 6
    assert all(hasattr(each, "gone") for each in library.made.values())


def test_without_the_library_a_plan_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cublaslt.importlib, "import_module", lambda name: 1 / 0)
    monkeypatch.setattr(cublaslt, "LIBRARIES", ("libnowhere.so",))
    with pytest.raises(NotImplementedError, match=r"cublasLt was not found; pip install 'cupy-cuda13x\[ctk\]'"):
        load_library()


def test_the_real_library_accepts_the_descriptors() -> None:
    """Descriptors, layouts and preferences need no GPU, so wherever the library is installed it is asked."""
    try:
        library = load_library()
    except NotImplementedError as error:
        pytest.skip(str(error))
    cublaslt.declare(library)
    lt = CublasLt.__new__(CublasLt)
    lt.library, lt.workspace, lt.workspace_bytes = library, WORKSPACE.ctypes.data, 64
    terms = [
        forward_terms(5, 3, 4, double=True),
        weight_gradient_terms(5, 3, 4, double=False, tf32=True, into_weights=True),
        Terms(256, 5, 3, 256, 3, 256, epilogue="relu_aux_bias", bias=4096, aux=8192, aux_ld=256),
    ]
    for each in terms:
        product = Product.__new__(Product)
        product.terms, product._lt, product._kind = each, lt, int(each.double)
        library.cublasLtMatmulDescDestroy(product._describe())
        library.cublasLtMatrixLayoutDestroy(product._layout(each.m, each.n, each.ldd))
    assert lt.version >= 120000
