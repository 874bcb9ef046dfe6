"""The split: disjoint, complete, reproducible, and fair to every class."""

import numpy as np
import pytest

from polydnn.datasets import split_rows
from polydnn.errors import InvalidArgumentError, InvalidDataError


@pytest.mark.parametrize("n", [2, 3, 10, 569, 20640])
@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.3, 0.5])
def test_rows_are_disjoint_and_complete(n: int, fraction: float) -> None:
    train, test = split_rows(n, test_fraction=fraction)
    assert len(test) == max(1, round(n * fraction))
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(n))


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    first, again, other = (split_rows(100, seed=seed) for seed in (3, 3, 4))
    assert first[0].tolist() == again[0].tolist()
    assert first[1].tolist() == again[1].tolist()
    assert set(first[1].tolist()) != set(other[1].tolist())


def test_the_split_of_a_version_stays_that_of_the_next() -> None:
    assert split_rows(10, test_fraction=0.3)[1].tolist() == [7, 5, 9]
    labels = np.arange(1000) % 3
    assert split_rows(1000, labels=labels)[1][:6].tolist() == [412, 491, 396, 514, 686, 861]


def test_rows_come_shuffled() -> None:
    train, test = split_rows(1000)
    assert train.tolist() != sorted(train.tolist())
    assert test.tolist() != sorted(test.tolist())


def test_labels_give_every_class_its_share_to_within_one_row() -> None:
    labels = np.repeat([0, 1, 2, 3], [700, 200, 73, 27])
    train, test = split_rows(1000, test_fraction=0.2, labels=labels)
    assert len(test) == 200
    counts = np.bincount(labels[test], minlength=4)
    assert np.all(np.abs(counts - np.array([140, 40, 14.6, 5.4])) <= 1)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(1000))


@pytest.mark.parametrize("fraction", [0, 1, 0.0, 1.0, -0.2, 1.5, float("nan"), "0.2", True, None])
def test_a_fraction_not_between_0_and_1_is_refused(fraction: object) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^test_fraction must be a number between 0 and 1, both excluded"):
        split_rows(10, test_fraction=fraction)  # type: ignore[arg-type]


@pytest.mark.parametrize(("n", "fraction"), [(1, 0.2), (2, 0.9)])
def test_no_rows_to_train_on(n: int, fraction: float) -> None:
    with pytest.raises(InvalidDataError, match=rf"^{n} rows with test_fraction={fraction} leave none to train on"):
        split_rows(n, test_fraction=fraction)


def test_a_bad_seed_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"seed must be an integer from 0 to .*, found -1"):
        split_rows(10, seed=-1)
