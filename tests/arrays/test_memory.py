"""The most memory that a piece of work holds, and errors that mean there was not enough."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from polydnn.arrays import Backend, cupy_backend, numpy_backend
from polydnn.arrays.memory import memory_ran_out, traced_peak
from tests.fake_cupy import install_fake_cupy


def test_the_peak_counts_what_is_held_at_one_time() -> None:
    def run() -> None:
        for _ in range(5):
            np.ones(250_000)  # two megabytes that are gone before the next
        both = np.ones(125_000), np.ones(125_000)
        del both

    assert 2_000_000 <= numpy_backend().peak_bytes(run) < 2_100_000  # type: ignore[operator]
    assert not tracemalloc.is_tracing()


def test_what_was_there_before_does_not_count_and_a_tracing_under_way_goes_on() -> None:
    tracemalloc.start()
    try:
        held = np.ones(1_000_000)
        np.ones(2_000_000)
        assert 80_000 <= traced_peak(lambda: np.ones(10_000)) < 100_000
        assert tracemalloc.is_tracing()
        assert held[0] == 1.0
    finally:
        tracemalloc.stop()


def test_an_error_passes_and_leaves_no_tracing() -> None:
    with pytest.raises(ZeroDivisionError):
        traced_peak(lambda: 1 // 0)
    assert not tracemalloc.is_tracing()


def test_every_backend_runs_the_work_once(backend: Backend) -> None:
    ran: list[int] = []
    found = backend.peak_bytes(lambda: ran.append(1))
    assert ran == [1]
    assert found is None or found >= 0


def test_a_device_is_asked_for_the_size_of_its_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = install_fake_cupy(monkeypatch)

    class Pool:
        used, total, freed = 100, 5000, 0

        def free_all_blocks(self) -> None:
            self.total, self.freed = self.used, 1

        def used_bytes(self) -> int:
            return self.used

        def total_bytes(self) -> int:
            return self.total

    pool = Pool()
    monkeypatch.setattr(cupy, "get_default_memory_pool", lambda: pool)

    def run() -> None:
        assert pool.freed
        pool.total += 700

    assert cupy_backend().peak_bytes(run) == 700


@pytest.mark.parametrize(
    ("error", "ran_out"),
    [
        (MemoryError(), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            True,
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (ValueError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (KeyError("x"), False),
    ],
)
def test_what_libraries_say_when_memory_runs_out(error: Any, ran_out: bool) -> None:
    assert memory_ran_out(error) is ran_out
