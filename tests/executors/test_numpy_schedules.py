"""How many threads the products of a batch get, by the sizes of batch and network, and that the bits do not show it."""

from typing import Any, cast

import numpy as np
import pytest

import polydnn
from polydnn.execution import Data, Key, StepPlan, first_state
from polydnn.executors import numpy_executor
from polydnn.executors.on_numpy import ThreadPace
from polydnn.executors.on_numpy.blas import libraries, thread_limit
from polydnn.executors.on_numpy.buffers import Buffers
from polydnn.executors.on_numpy.schedule import Threads, schedule_for

SEVERAL = pytest.mark.skipif(all(blas.threads < 2 for blas in libraries()), reason="no BLAS has several threads")


def plan_of(widths: tuple[int, ...], dtype: str = "float32") -> StepPlan:
    layers = [*(polydnn.Dense(width, "relu") for width in widths[1:-1]), polydnn.Dense(widths[-1])]
    network = polydnn.Network(widths[0], layers, seed=0, dtype=dtype)
    return polydnn.Trainer(network, loss="mean_squared_error").plan


def data_for(plan: StepPlan, rows: int, *, weighted: bool = False) -> Data:
    random, network = np.random.default_rng(1), plan.network
    x, y = (random.normal(size=(rows, width)).astype(network.dtype) for width in (network.in_features, network.outputs))
    return Data(x, y, random.uniform(size=rows).astype(network.dtype) if weighted else None)


@pytest.mark.parametrize(
    ("widths", "rows", "threads"),
    [
        ((8, 10, 1), 32, Threads.UNTOUCHED),
        ((8, 10, 1), 4096, Threads.ONE),
        ((8, 10, 1), 16384, Threads.ONE),
        ((8, 64, 1), 64, Threads.UNTOUCHED),
        ((8, 64, 1), 256, Threads.PACED),  # 65 x 256 numbers by a vector
        ((8, 4, 1), 2048, Threads.ONE),  # 5 x 2048
        ((8, 64, 1), 4096, Threads.PACED),
        ((60, 64, 60), 64, Threads.UNTOUCHED),
        ((60, 64, 60), 70, Threads.PACED),
        ((8, 64, 64, 8), 64, Threads.PACED),  # 65 x 64 x 64, with the bias
        ((128, 80, 1), 1, Threads.PACED),
    ],
)
def test_threads_by_size(widths: tuple[int, ...], rows: int, threads: Threads) -> None:
    """Two threads beside a busy process took 0.6 s for 4,096 rows of [8, 64, 1] instead of 0.5 ms."""
    plan = plan_of(widths)
    assert schedule_for(plan, Buffers(plan), rows, direct=False).threads is threads


class Machine:
    """A BLAS whose two threads are in each other's way, and the clock on which its work is seen."""

    def __init__(self) -> None:
        self.threads, self.now = 2, 0.0

    def clock(self) -> float:
        return self.now

    def work(self) -> None:
        self.now += 0.3 if self.threads == 2 else 0.001


@SEVERAL
def test_overlapping_limits_are_lifted_by_the_last_to_end() -> None:
    """As those of two fits side by side; who entered second found one thread."""
    before = [blas.threads for blas in libraries()]
    first, second = thread_limit(True), thread_limit(True)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert all(blas.threads == 1 for blas in libraries())
    second.__exit__(None, None, None)
    assert [blas.threads for blas in libraries()] == before


@SEVERAL
def test_the_parts_of_a_step_are_timed_with_the_threads_of_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, rows, seen = plan_of((8, 10, 1)), 4096, []
    executor: Any = numpy_executor(plan)
    executor.load(plan.network.arrays, first_state(plan))
    schedule = executor._schedule(rows)
    forward = schedule.forward
    monkeypatch.setattr(schedule, "forward", lambda batch: (seen.append(libraries()[0].threads), forward(batch))[1])
    assert executor.timed_step(data_for(plan, rows), np.arange(rows), 0.1, Key(0, 1)) is not None
    assert seen == [1]


@pytest.mark.parametrize("bundled", [False, True])
def test_small_networks_with_many_rows_get_one_thread_where_two_are_slow(
    bundled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, machine, rows = plan_of((8, 64, 1)), Machine(), 512
    executor: Any = numpy_executor(plan)
    data, schedule = data_for(plan, rows), executor._schedule(rows)
    run = schedule.run
    monkeypatch.setattr(schedule, "run", lambda *arguments: (machine.work(), run(*arguments))[1])
    executor._pace = ThreadPace([machine], machine.clock)
    executor.load(plan.network.arrays, first_state(plan))
    for step in range(100):
        if bundled:
            executor.steps(data, np.tile(np.arange(rows), 5), rows, [1e-4] * 5, Key(0, 1 + 5 * step))
        else:
            executor.step(data.x, data.y, 1e-4, Key(0, 1 + step))
    assert machine.now < 10.0
    assert machine.threads == 2  # given back


@SEVERAL
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("widths", "rows"),
    [((8, 40, 20), 2503), ((8, 30, 30, 8), 2503), ((8, 64, 1), 250), ((8, 64, 1), 2503), ((40, 1), 251)],
    ids=str,
)
def test_the_bits_do_not_show_the_number_of_threads(
    widths: tuple[int, ...], rows: int, dtype: str, weighted: bool
) -> None:
    """A BLAS with two threads cuts a long sum of squares in two; the loss would be rounded otherwise."""
    plan, steps, ends = plan_of(widths, dtype), 12, []
    data = data_for(plan, steps * rows, weighted=weighted)
    for single in (True, False):
        losses, executor = [], cast(Any, numpy_executor(plan))
        executor._pace = ThreadPace([])
        executor.load(plan.network.arrays, first_state(plan))
        executor._schedule(rows)  # routines are chosen for all threads
        with thread_limit(single):
            for step in range(steps):
                part = slice(step * rows, (step + 1) * rows)
                weights = None if data.weights is None else data.weights[part]
                losses.append(float(executor.step(data.x[part], data.y[part], 0.01, Key(0, 1), weights)))
        ends.append((losses, executor.read()[0]["layers.0.weight"].tobytes()))
    assert ends[0] == ends[1]
