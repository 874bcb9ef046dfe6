"""Counts of a step: against the formula, the real optimizers' state, and operations counted by hand."""

from typing import Any

import pytest

import polydnn
from polydnn.arrays import Backend
from polydnn.batch_size.working_set import WorkingSet, cache_level, count_step

CACHES = {"L1d": 48 * 2**10, "L2": 2**20, "L3": 2**25}
SLOTS: dict[str, tuple[Any, int]] = {
    "sgd": ("sgd", 0),
    "momentum": (("sgd", {"momentum": 0.9}), 1),
    "adam": ("adam", 2),
    "amsgrad": (("adam", {"amsgrad": True}), 3),
}


def plan(layers: list[Any], in_features: int = 8, **options: Any) -> Any:
    network = polydnn.Network(in_features, layers, **{k: options.pop(k) for k in ("backend", "dtype") if k in options})
    return polydnn.Trainer(network, loss="mean_squared_error", **options).plan


@pytest.mark.parametrize("name", SLOTS)
@pytest.mark.parametrize(("dtype", "item"), [("float32", 4), ("float64", 8)])
def test_the_formula_with_the_slots_of_each_optimizer(backend: Backend, name: str, dtype: str, item: int) -> None:
    optimizer, slots = SLOTS[name]
    counts = count_step(
        plan([polydnn.Dense(10, "relu"), polydnn.Dense(1)], backend=backend, dtype=dtype, optimizer=optimizer)
    )
    parameters = 8 * 10 + 10 + 10 + 1
    for size in (1, 64):
        expected = item * (parameters * (2 + slots) + size * (8 + 2 * (10 + 1)))
        assert counts.working_set(size).total == expected


def test_the_parts_and_the_pure_reference_step() -> None:
    layers = [polydnn.Dense(10, "relu", use_bias=False)]
    assert count_step(plan(layers, optimizer="adam")).working_set(3) == WorkingSet(320, 320, 640, 240, 96)
    assert count_step(plan(layers, optimizer="adam"), "reference").working_set(3) == WorkingSet(640, 320, 1280, 240, 96)


def test_the_sizes_of_the_fashion_mnist_net() -> None:
    """[784, 512, 512, 10] with Adam: 10.7 MB and 11.4 KB a row, more than 32 MiB from 2,000 rows on."""
    counts = count_step(
        plan([polydnn.Dense(512, "relu"), polydnn.Dense(512, "relu"), polydnn.Dense(10)], 784, optimizer="adam")
    )
    assert counts.working_set(0).total == pytest.approx(10.7e6, rel=0.01)
    largest = counts.largest_in(CACHES["L3"])
    assert 1950 < largest < 2050
    assert cache_level(counts.working_set(largest).total, CACHES) == "L3"
    assert cache_level(counts.working_set(largest + 1).total, CACHES) == "memory"
    assert counts.largest_in(CACHES["L1d"]) == 0


def test_operations_by_hand() -> None:
    counts = count_step(plan([polydnn.Dense(10, "relu"), polydnn.Dropout(0.5), polydnn.Dense(3)]))
    # the first layer: X W and X' dZ; the second also dZ W'
    assert counts.flops(7) == 7 * 2 * (2 * 80 + 3 * 30)


def test_traffic_by_hand() -> None:
    """One layer 8 to 3 with a bias: 27 parameters of 4 bytes."""
    counts = count_step(plan([polydnn.Dense(3)], optimizer=("sgd", {"momentum": 0.9})))
    # parameters: forward, gradient written and read, read and written; momentum read and written
    assert counts.bytes_moved(0) == 4 * 27 * (5 + 2)
    # a row: gathered (8 + 8), x and z of x W, z and y, dy and y and dz, x and dz of x' dz
    assert counts.bytes_moved(1) - counts.bytes_moved(0) == 4 * (16 + (8 + 3) + (3 + 3) + (3 + 3 + 3) + (8 + 3))


def test_a_mask_is_an_array_too() -> None:
    layers = [polydnn.Dense(10), polydnn.Dropout(0.5), polydnn.Dense(1)]
    kept = [polydnn.Dense(10), polydnn.Dropout(0.0), polydnn.Dense(1)]
    assert count_step(plan(layers)).activations - count_step(plan(kept)).activations == 4 * 10


def test_levels_at_their_very_edges() -> None:
    assert [cache_level(size, CACHES) for size in (48 * 2**10, 48 * 2**10 + 1, 2**20, 2**25, 2**25 + 1)] == [
        "L1d",
        "L2",
        "L2",
        "L3",
        "memory",
    ]
    assert cache_level(1, {}) == "memory"
