"""What the NumPy executor holds: parameters, state, and for each thread gradients and the activations of a block."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.execution import Data, Key, StepPlan, first_state
from polydnn.executors import numpy_executor
from polydnn.executors.on_numpy import schedule
from polydnn.executors.on_numpy.buffers import Buffers

WIDTHS = [64, 128, 96, 10]
BLOCK = 512
THREADS = 2


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "usable_threads", lambda: THREADS)
    monkeypatch.setattr(schedule, "LEAST_WORK", 0)


def plan_of(optimizer: str) -> StepPlan:
    layers = [*(polydnn.Dense(width, "relu") for width in WIDTHS[1:-1]), polydnn.Dense(WIDTHS[-1], "softmax")]
    network = polydnn.Network(WIDTHS[0], layers, seed=0)
    return polydnn.Trainer(network, loss="categorical_cross_entropy", optimizer=optimizer).plan


def peak_bytes(plan: StepPlan, rows: int) -> int:
    """The most that NumPy held while an executor was made and took three steps, beyond the data."""
    data = Data(np.zeros((rows, WIDTHS[0]), np.float32), np.zeros(rows, np.int64))
    order = np.arange(3 * rows) % rows
    state = first_state(plan)
    tracemalloc.start()
    executor: Any = numpy_executor(plan)
    executor.load(plan.network.arrays, state)
    executor.steps(data, order, rows, [0.01] * 3, Key(0, 1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize(("optimizer", "slots"), [("sgd", 0), ("adam", 2)])
def test_it_holds_what_it_says(optimizer: str, slots: int) -> None:
    """Of each width of a block: the input, output and its gradient, in float32, and a byte for relu's mask."""
    plan = plan_of(optimizer)
    parameters = sum(int(np.prod(each.shape)) for each in plan.network.parameters.values())
    lasting = (1 + slots + THREADS) * parameters * 4
    block = BLOCK * (WIDTHS[0] + sum(WIDTHS[1:])) * (3 * 4 + 1)
    peak = peak_bytes(plan, 8 * BLOCK)
    assert lasting + 0.5 * THREADS * block < peak < 1.1 * (lasting + THREADS * block) + 8 * 8 * BLOCK


def test_it_does_not_grow_with_the_batch() -> None:
    plan = plan_of("sgd")
    small, large = (peak_bytes(plan, rows) for rows in (4 * BLOCK, 32 * BLOCK))
    assert large < 1.05 * small + 8 * 28 * BLOCK  # the row numbers of a batch


def test_of_narrow_layers_one_thread_takes_large_blocks() -> None:
    """Two threads would spend their time handing Python's lock to each other."""
    for width, shares, blocks in ((10, 1, 2), (300, 2, 16)):
        network = polydnn.Network(4, [polydnn.Dense(width, "relu"), polydnn.Dense(1)], seed=0)
        plan = polydnn.Trainer(network, loss="mean_squared_error").plan
        found = schedule.schedule_for(plan, Buffers(plan), 16384, direct=False)
        assert isinstance(found, schedule.Shared)
        assert [len(spans) for spans in found._spans] == [blocks] * shares
        assert found.threads is schedule.Threads.ONE
