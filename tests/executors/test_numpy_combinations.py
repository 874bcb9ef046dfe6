"""The NumPy executor is the reference's with every optimizer, activation, loss and batch size together."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from polydnn.executors import numpy_executor
from polydnn.executors.on_numpy import executor, schedule
from polydnn.executors.on_numpy.blas import libraries
from tests.executor_cases import OPTIMIZERS, ROWS, compare, executors, layers_for, names

CASES = list(product(names("activation"), [1, 8, ROWS]))


def assert_all_are_the_references(
    loss: str, optimizer: Any, is_served: Callable[[Any, int], bool] = lambda made, rows: True
) -> None:
    for number, (activation, batch_size) in enumerate(CASES):
        dtype, layers = ("float64", "float32")[number % 2], layers_for(activation, loss)
        reference, made = executors("numpy", numpy_executor, layers, loss, optimizer, dtype=dtype)
        assert is_served(made, batch_size)
        compare(reference, made, batch_size, weighted=number % 3 == 0)


@pytest.mark.parametrize("loss", names("loss"))
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_every_optimizer_with_every_activation_loss_and_batch_size(optimizer: Any, loss: str) -> None:
    assert_all_are_the_references(loss, optimizer)


@pytest.mark.skipif(not libraries(), reason="no BLAS can be called")
@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("loss", names("loss"))
def test_the_same_where_weights_are_moved_on_the_way_back(
    loss: str, blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As plain descent moves those of large networks."""
    monkeypatch.setattr(executor, "LARGE", 0)
    if blocks:
        cut_into_blocks(monkeypatch)
    assert_all_are_the_references(loss, "sgd", lambda made, rows: made._direct)


@pytest.mark.parametrize("loss", names("loss"))
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_the_same_in_blocks_of_rows(optimizer: Any, loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As batches beyond the caches are gone through by two threads."""
    cut_into_blocks(monkeypatch)
    assert_all_are_the_references(
        loss, optimizer, lambda made, rows: rows == 1 or isinstance(made._schedule(rows), schedule.Shared)
    )


def cut_into_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"BLOCK_ROWS": 3, "BLOCK_UNITS": 0, "FEWEST_SHARED": 2, "MOST_AT_ONCE": 4, "NARROW": 0}
    monkeypatch.setattr(schedule, "usable_threads", lambda: 2)
    for name, value in sizes.items():
        monkeypatch.setattr(schedule, name, value)
