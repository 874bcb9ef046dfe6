"""Which library multiplies: NumPy's own, or MKL where it is installed and faster."""

import importlib.metadata
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compared import assert_agrees, chain, rows
from polydnn_numba import multiplying, panels
from polydnn_numba.multiplying import multiplying_library

from polydnn import Dense
from polydnn.executors.on_numpy import Blas, libraries


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    forget = multiplying._all.cache_clear
    forget()
    yield
    forget()


class Slow(Blas):
    """NumPy's library, each of its products a little later."""

    def gemm(self, *arguments: Any) -> Any:
        product = super().gemm(*arguments)

        def later(alpha: float) -> None:
            time.sleep(0.005)
            product(alpha)

        return later


def test_without_mkl_numpys_own_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    def files(name: str) -> Any:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(multiplying, "threadpool_info", list)
    monkeypatch.setattr("importlib.metadata.files", files)
    assert multiplying._mkl.__wrapped__() is None
    monkeypatch.setattr(multiplying, "_mkl", lambda: None)
    assert multiplying_library(30, 20, 10, "float32") is libraries()[0]


def test_another_mkl_in_the_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiplying, "threadpool_info", lambda: [{"internal_api": "mkl"}])
    assert multiplying._mkl.__wrapped__() is None


@pytest.mark.parametrize("slow", ["own", "other"])
def test_the_faster_one_is_taken(slow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = libraries()[0]
    late = Slow(own.name, own.handle, own.prefix, own.suffix, own.integer)
    found = {"own": late if slow == "own" else own, "other": late if slow == "other" else own}
    monkeypatch.setenv("POLYDNN_TUNING", str(tmp_path))
    monkeypatch.setattr(multiplying, "_all", lambda: found)
    assert multiplying_library(30, 20, 12 if slow == "own" else 13, "float32") is own


@pytest.mark.parametrize("batch", [1, 16, 33, 700])
@pytest.mark.parametrize(("dtype", "optimizer"), [("float32", "sgd"), ("float64", "adam")])
def test_mkl_multiplies_right(dtype: str, optimizer: str, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = multiplying._mkl()
    if found is None:
        pytest.skip("MKL is not installed: pip install 'polydnn-numba[mkl]'")
    assert np.dtype(found.integer) == np.dtype(libraries()[0].integer)
    asked: list[int] = []

    def library(terms: int, units: int, count: int, dtype: str) -> Blas:
        asked.append(count)
        return found

    monkeypatch.setattr(panels, "multiplying_library", library)
    layers = [Dense(100, "tanh"), Dense(70, "tanh"), Dense(3)]
    trainer = chain(*layers, optimizer=optimizer, dtype=dtype, features=30)
    assert_agrees(trainer, rows(trainer), batch, make=lambda plan: panels.PanelExecutor(plan, panels=3))
    assert asked == [min(batch, 512)]
