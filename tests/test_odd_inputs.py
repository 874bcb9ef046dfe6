"""Inputs that look odd and are right: any memory layout, byte order and length gives the bits of plain arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polydnn import BatchNormalization, Dense, Network, Trainer
from polydnn.arrays import Backend

X = np.linspace(-1.0, 1.0, 24).reshape(8, 3)
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])


def big_endian(array: Any) -> Any:
    return array.astype(array.dtype.newbyteorder(">"))


def strided(array: Any) -> Any:
    wide = np.zeros((2 * len(array), *(2 * side for side in array.shape[1:])), array.dtype)
    view = wide[::2, ::2] if array.ndim == 2 else wide[::2]
    view[...] = array
    return view


def backwards(array: Any) -> Any:
    return np.ascontiguousarray(array[::-1])[::-1]


def read_only(array: Any) -> Any:
    locked = array.copy()
    locked.flags.writeable = False
    return locked


GOOD: dict[str, Callable[[Any], Any]] = {
    "lists": lambda array: array.tolist(),
    "read-only": read_only,
    "strided": strided,
    "negative strides": backwards,
    "Fortran order": np.asfortranarray,
    "big-endian": big_endian,
    "long double": lambda array: array.astype(np.longdouble) if array.dtype.kind == "f" else array,
    "int32 labels": lambda array: array if array.dtype.kind == "f" else array.astype(np.int32),
    "uint8 labels": lambda array: array if array.dtype.kind == "f" else array.astype(np.uint8),
    "masked without a mask": np.ma.masked_array,
}


@pytest.mark.parametrize("form", GOOD)
def test_any_layout_of_the_same_numbers_gives_the_same_bits(form: str, backend: Backend) -> None:
    if backend.library == "jax" and form not in ("big-endian", "strided"):
        pytest.skip("JAX compiles for seconds; what moves to the device is NumPy's array, as on array-api-strict")
    change, results = GOOD[form], []
    for x, y, weights in ((X, LABELS, np.arange(8.0) + 1), tuple(map(change, (X, LABELS, np.arange(8.0) + 1)))):
        made = Network(3, [Dense(3, "softmax")], backend=backend)
        before = [np.array(each, copy=True) for each in (x, y, weights)]
        learner = Trainer(made, loss="categorical_cross_entropy", batch_size=4)
        losses = learner.fit(x, y, epochs=2, sample_weight=weights)["loss"]
        results.append((losses, made.predict(x).tolist(), made.forward(x).tobytes()))
        for old, each in zip(before, (x, y, weights), strict=True):
            np.testing.assert_array_equal(old, np.asarray(each))  # inputs are never modified
    assert results[0] == results[1]


def test_few_rows_are_enough(backend: Backend) -> None:
    """One row, a batch larger than the data, one class only, a last batch of one row behind batch normalization."""
    layers = [Dense(2, "relu"), BatchNormalization(), Dense(3, "softmax")]
    made = Network(3, layers, backend=backend)
    learner = Trainer(made, loss="categorical_cross_entropy", batch_size=4)
    learner.fit(X[:1], LABELS[:1], epochs=1)
    assert np.isfinite(learner.fit(X[:5], LABELS[:5] * 0, epochs=1)["loss"]).all()
    assert made.predict(X[:0]).shape == (0,)
    assert made.forward(X[:0]).shape == (0, 3)
