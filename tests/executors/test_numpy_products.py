"""Products on NumPy arrays: every routine gives A B, and the bits of the chosen one do not depend on the threads."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polydnn.execution import tuning
from polydnn.executors.on_numpy import blas, products
from polydnn.executors.on_numpy.blas import libraries, thread_limit
from polydnn.executors.on_numpy.products import PANEL, accumulated, plain

SHAPES = [(1, 1, 1), (3, 1, 5), (1, 7, 4), (6, 5, 1), (33, 65, 40), (120, 1, 130), (70, PANEL + 90, 3), (200, 300, 1)]
"""m, k, n of (m, k) @ (k, n), small and large, vectors among them."""


@pytest.fixture(autouse=True)
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(tuning.VARIABLE, str(tmp_path))
    tuning.forget()
    yield
    tuning.forget()


def matrix(rows: int, columns: int, dtype: str, turned: bool, seed: int) -> Any:
    random = np.random.default_rng(seed)
    made = random.normal(size=(columns, rows) if turned else (rows, columns)).astype(dtype)
    return made.T if turned else made


@pytest.fixture(params=["with a BLAS", "without"])
def within_reach(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without":
        monkeypatch.setattr(products, "libraries", tuple)
    elif not libraries():
        pytest.skip("no BLAS can be called here")


@pytest.mark.usefixtures("within_reach")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_into_place(shape: tuple[int, int, int], dtype: str) -> None:
    m, k, n = shape
    bound = 1e-4 if dtype == "float32" else 1e-12
    for turned in range(8):
        a, b = matrix(m, k, dtype, bool(turned & 1), 1), matrix(k, n, dtype, bool(turned & 2), 2)
        c = matrix(m, n, dtype, bool(turned & 4), 3)
        before = c.copy()
        accumulate = accumulated(a, b, c)
        write = plain(a, b, c)
        np.testing.assert_array_equal(c, before)  # choosing a routine leaves the arrays alone
        accumulate(-0.5)
        np.testing.assert_allclose(c, before - 0.5 * (a @ b), rtol=0, atol=bound * k)
        write()
        np.testing.assert_allclose(c, a @ b, rtol=0, atol=bound * k)


@pytest.mark.skipif(not libraries(), reason="no BLAS can be called here")
def test_every_routine_of_every_library() -> None:
    for shape in SHAPES:
        m, k, n = shape
        a, b = matrix(m, k, "float64", True, 1), matrix(k, n, "float64", False, 2)
        for beta in (0.0, 1.0):
            start = matrix(m, n, "float64", False, 3)
            names = []
            c = start.copy()
            for name, routine in products._routines(a, b, c, beta):
                c[...] = start
                routine(1.0)
                np.testing.assert_allclose(c, a @ b + beta * start, rtol=0, atol=1e-12 * k, err_msg=name)
                names.append(name)
            assert len(names) == len(set(names))
            assert len(names) >= len(libraries()) + (beta == 0.0)


@pytest.mark.skipif(max((each.threads for each in libraries()), default=1) < 2, reason="one thread is all there is")
@pytest.mark.parametrize("shape", [(512, 784, 16), (513, 1000, 128), (512, 784, 1), (300, 300, 300)], ids=str)
def test_the_chosen_routine_rounds_alike_with_any_number_of_threads(shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    a, b = matrix(m, k, "float32", True, 1), matrix(k, n, "float32", True, 2)
    c, found = np.zeros((m, n), np.float32), []
    product = plain(a, b, c)
    for single in (True, False):
        with thread_limit(single):
            product()
            found.append(c.tobytes())
    assert found[0] == found[1]


@pytest.mark.skipif(not libraries(), reason="no BLAS can be called here")
def test_a_limit_of_threads_ends_with_its_block() -> None:
    before = [each.threads for each in libraries()]

    def within() -> None:
        with thread_limit(True):
            assert [each.threads for each in libraries()] == [1] * len(before)
            raise KeyError

    with pytest.raises(KeyError):
        within()
    assert [each.threads for each in libraries()] == before


def test_a_library_with_other_integers_is_found_out() -> None:
    class Odd(blas.Blas):
        def gemm(self, a: Any, b: Any, c: Any, beta: float) -> Any:
            return lambda alpha: None

    assert not blas._right(Odd("odd", None, "", "", None))
    assert all(blas._right(each) for each in libraries())
