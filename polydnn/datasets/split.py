"""Rows to train on and rows to test on, drawn once by a seed."""

from typing import Any

import numpy as np

from polydnn.arrays import check_seed, stream
from polydnn.errors import InvalidArgumentError, InvalidDataError

__all__ = ["split_rows"]

Indices = np.ndarray[Any, np.dtype[np.int64]]


def split_rows(
    n: int, *, test_fraction: float = 0.2, seed: int = 0, labels: np.ndarray[Any, Any] | None = None
) -> tuple[Indices, Indices]:
    """Indices of the training and of the test rows: disjoint, together all ``n``, both in shuffled order.

    ``round(n * test_fraction)`` rows, at least one, are for testing. With ``labels`` (n,) every class has its share
    of them to within one row. The same arguments give the same rows on every machine.
    Raises InvalidArgumentError for a fraction not between 0 and 1, InvalidDataError where too few rows are left.

    >>> train, test = split_rows(10, test_fraction=0.3)
    >>> len(train), len(test), sorted({*train.tolist(), *test.tolist()}) == list(range(10))
    (7, 3, True)
    """
    tests = _test_rows(n, test_fraction)
    order = stream(check_seed(seed), "test rows").permutation(n)
    # Every n/tests-th row of the shuffled order, taken class after class, is a test row: exactly `tests` of them.
    ranks = np.arange(n) if labels is None else np.argsort(labels[order], kind="stable")
    position = np.arange(n, dtype=np.int64)
    chosen = (position + 1) * tests // n > position * tests // n
    is_test = np.empty(n, dtype=bool)
    is_test[ranks] = chosen
    return order[~is_test], order[is_test]


def _test_rows(n: int, test_fraction: object) -> int:
    is_number = isinstance(test_fraction, int | float | np.number) and not isinstance(test_fraction, bool)
    fraction = float(test_fraction) if is_number else 0.0  # type: ignore[arg-type]
    if not 0.0 < fraction < 1.0:
        msg = f"test_fraction must be a number between 0 and 1, both excluded, found {test_fraction!r}."
        raise InvalidArgumentError(msg)
    tests = max(1, round(n * fraction))
    if tests >= n:
        msg = f"{n} rows with test_fraction={fraction} leave none to train on; give more rows or a smaller fraction."
        raise InvalidDataError(msg)
    return tests
