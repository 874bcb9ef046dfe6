"""Mistakes that users make: each gives one error that names the argument, what was expected and what was found.

The table below is public: what is listed is refused, in these words. What is odd and right all the same stands in
``test_odd_inputs.py``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn import BatchNormalization, Dense, Dropout, EarlyStopping, Network, Normalization, Trainer
from polydnn.arrays import Backend
from polydnn.errors import (
    DTypeError,
    InvalidArgumentError,
    InvalidDataError,
    MixedBackendsError,
    PolydnnError,
    ShapeError,
    StorageError,
    UnknownNameError,
)

X = np.linspace(-1.0, 1.0, 24).reshape(8, 3)
Y1 = np.linspace(0.0, 1.0, 8).reshape(8, 1)
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])


def network(units: int = 1, activation: str = "identity", **options: Any) -> Network:
    return Network(3, [Dense(units, activation)], **options)


def fit(x: Any = X, y: Any = Y1, **options: Any) -> Any:
    """A fit of a regression on one output."""
    return Trainer(network(), loss="mean_squared_error").fit(x, y, **{"epochs": 1} | options)


def classify(y: Any, x: Any = X, **options: Any) -> Any:
    """A fit of three classes."""
    return Trainer(network(3, "softmax"), loss="categorical_cross_entropy").fit(x, y, epochs=1, **options)


def binary(y: Any, **options: Any) -> Any:
    return Trainer(network(1, "sigmoid"), loss="binary_cross_entropy").fit(X, y, epochs=1, **options)


def trainer(**options: Any) -> Trainer:
    return Trainer(network(), **{"loss": "mean_squared_error"} | options)


def with_value(array: Any, value: Any) -> Any:
    changed = np.array(array, dtype=float)
    changed[2, 0] = value
    return changed


class Frame:
    """Something NumPy cannot read."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        msg = "not today"
        raise ValueError(msg)


# argument and fault: what is called, the error, its text
BAD: dict[str, tuple[Callable[[], Any], type[PolydnnError], str]] = {
    # the shapes of x and y
    "x 1-D": (lambda: fit(X[:, 0]), ShapeError, r"x must have shape \(n, 3\), found \(8,\)\. Reshape it with"),
    "x 3-D": (lambda: fit(X[None]), ShapeError, r"x must have shape \(n, 3\), found \(1, 8, 3\)"),
    "x too wide": (lambda: fit(np.ones((8, 4))), ShapeError, r"x must have shape \(n, 3\), found \(8, 4\)"),
    "x a number": (lambda: fit(1.0), ShapeError, r"x must have shape \(n, 3\), found \(\)"),
    "x empty": (lambda: fit(X[:0], Y1[:0]), ShapeError, r"x must have at least one row, found shape \(0, 3\)"),
    "x ragged": (lambda: fit([[1, 2, 3], [4, 5]]), ShapeError, r"x is ragged: entry 1 has length 2 and entry 0 has le"),
    "predict too wide": (
        lambda: network().predict(np.ones((2, 4))),
        ShapeError,
        r"x must have shape \(n, 3\), found \(2, 4\)",
    ),
    "y shorter": (
        lambda: fit(y=Y1[:5]),
        ShapeError,
        r"y must have one row for each of the 8 rows of x, found shape \(5",
    ),
    "y (n,) for (n, 1)": (
        lambda: fit(y=Y1[:, 0]),
        ShapeError,
        r"y must have shape \(8, 1\), found \(8,\)\. Use y\.resh",
    ),
    "y (n, 2) for (n, 1)": (lambda: fit(y=np.ones((8, 2))), ShapeError, r"y must have shape \(8, 1\), found \(8, 2\)"),
    "y (n, 1) labels": (
        lambda: classify(LABELS[:, None]),
        ShapeError,
        r"y must have shape \(8, 3\), found \(8, 1\)\. Integer labels of shape \(8,\) are possible too",
    ),
    "y labels for a regression": (
        lambda: Trainer(network(3), loss="mean_squared_error").fit(X, LABELS, epochs=1),
        ShapeError,
        r"y must have shape \(8, 3\), found \(8,\)\. The loss mean_squared_error wants a row for each example",
    ),
    "one row to split": (
        lambda: fit(X[:1], Y1[:1], validation_fraction=0.5),
        InvalidArgumentError,
        "validation_fraction needs at least two rows of x, found one",
    ),
    # what x and y hold
    "x NaN": (lambda: fit(with_value(X, np.nan)), InvalidDataError, "x must be finite, found NaN or infinity"),
    "x infinite": (lambda: fit(with_value(X, -np.inf)), InvalidDataError, "x must be finite, found NaN or infinity"),
    "x beyond float32": (
        lambda: fit(with_value(X, 1e300)),
        InvalidDataError,
        "x holds 1e.300, which float32 cannot hold",
    ),
    "y NaN": (lambda: fit(y=with_value(Y1, np.nan)), InvalidDataError, "y must be finite, found NaN or infinity"),
    "y beyond float32": (lambda: fit(y=with_value(Y1, 1e39)), InvalidDataError, "y holds 1e.39, which float32 cannot"),
    "x text": (lambda: fit(X.astype(str)), DTypeError, r"x must hold real numbers, found text .* at position \(0, 0\)"),
    "x complex": (lambda: fit(X + 1j), DTypeError, "x must hold real numbers, found complex numbers .*two columns"),
    "x dates": (lambda: fit(np.zeros((8, 3), "M8[s]")), DTypeError, "x must hold real numbers, found dates"),
    "x None": (lambda: fit(None), DTypeError, "x must be an array of real numbers, found None"),
    "x a mapping": (lambda: fit({"a": 1}), DTypeError, "x must be an array of real numbers, found a dict"),
    "x unreadable": (lambda: fit(Frame()), InvalidDataError, "x cannot be read as an array of numbers: not today"),
    "x masked": (lambda: fit(np.ma.masked_less(X, 0)), InvalidDataError, "x has 12 masked entries"),
    "labels too large": (lambda: classify(LABELS + 1), InvalidDataError, r"labels 0 \.\. 2 .* 1 \.\. 3.*subtract 1"),
    "labels negative": (lambda: classify(LABELS - 1), InvalidDataError, r"labels 0 \.\. 2 .* found labels -1 \.\. 1"),
    "labels fractional": (
        lambda: classify(LABELS + 0.5),
        DTypeError,
        r"y must hold integer class labels 0 \.\. 2, found",
    ),
    "labels text": (lambda: classify(LABELS.astype(str)), DTypeError, "y must hold real numbers, found text"),
    "rows no probabilities": (
        lambda: classify(np.ones((8, 3))),
        InvalidDataError,
        "probabilities that sum to 1 in every",
    ),
    "binary -1 and 1": (
        lambda: binary(2 * (Y1 > 0.5) - 1.0),
        InvalidDataError,
        r"y must lie between 0 and 1 .* -1 \.\. 1",
    ),
    "hinge 0 to 2": (
        lambda: Trainer(network(), loss="hinge").fit(X, 2 * Y1, epochs=1),
        InvalidDataError,
        r"y must hold -1 and 1 \(or 0 and 1\) for the loss hinge, found 0 \.\. 2",
    ),
    # weights
    "weights short": (
        lambda: fit(sample_weight=[1, 2]),
        ShapeError,
        r"sample_weight must have shape \(8,\).*found \(2,\)",
    ),
    "weights negative": (
        lambda: fit(sample_weight=[-1] * 8),
        InvalidDataError,
        "sample_weight must be finite, not neg",
    ),
    "weights NaN": (lambda: fit(sample_weight=[np.nan] * 8), InvalidDataError, "sample_weight must be finite, not neg"),
    "weights all zero": (
        lambda: fit(sample_weight=[0] * 8),
        InvalidDataError,
        "sample_weight must be .*above 0 somewhere",
    ),
    "validation weights zero": (
        lambda: fit(sample_weight=[1, *[0] * 7], validation_fraction=0.5),
        InvalidDataError,
        r"sample_weight and class_weight leave all 4 (training|validation) rows a weight of 0",
    ),
    "class weights all zero": (
        lambda: classify(LABELS, class_weight={0: 0, 1: 0, 2: 0}),
        InvalidDataError,
        "leave all 8 training rows a weight of 0; one at least must be above 0",
    ),
    "class unknown": (
        lambda: classify(LABELS, class_weight={3: 1}),
        InvalidArgumentError,
        r"classes are 0 \.\. 2, found 3",
    ),
    "class weight negative": (
        lambda: classify(LABELS, class_weight={0: -1}),
        InvalidArgumentError,
        "class_weight: the weight of class 0 must be a number of at least 0, found -1",
    ),
    "class weight word": (
        lambda: classify(LABELS, class_weight="equal"),
        InvalidArgumentError,
        "class_weight must be a mapping from class to weight or 'balanced', found 'equal'",
    ),
    "class weight, regression": (
        lambda: fit(class_weight="balanced"),
        InvalidArgumentError,
        "class_weight serves binary and multi-class tasks; this is a regression network with 1 outputs",
    ),
    # validation
    "both validations": (
        lambda: fit(validation_fraction=0.2, validation_data=(X, Y1)),
        InvalidArgumentError,
        "give validation_data or validation_fraction, not both",
    ),
    "fraction 1": (
        lambda: fit(validation_fraction=1.0),
        InvalidArgumentError,
        "validation_fraction must be a number between 0 and 1, found 1.0",
    ),
    "validation triple": (
        lambda: fit(validation_data=(X, Y1, Y1)),
        InvalidArgumentError,
        r"validation_data must be a pair \(x, y\), found a tuple of 3",
    ),
    "validation NaN": (
        lambda: fit(validation_data=(with_value(X, np.nan), Y1)),
        InvalidDataError,
        "validation x must be finite",
    ),
    # settings of the trainer
    "batch size 0": (
        lambda: trainer(batch_size=0),
        InvalidArgumentError,
        "batch_size must be a whole number .*found 0",
    ),
    "batch size 2.5": (lambda: trainer(batch_size=2.5), InvalidArgumentError, "batch_size must be a whole .*found 2.5"),
    "batch size word": (lambda: trainer(batch_size="all"), InvalidArgumentError, "'full' or 'auto', found 'all'"),
    "batch size True": (lambda: trainer(batch_size=True), InvalidArgumentError, "batch_size must be .*found True"),
    "learning rate -1": (lambda: trainer(learning_rate=-1), InvalidArgumentError, "learning_rate must be .*found -1"),
    "learning rate 0": (
        lambda: trainer(learning_rate=0),
        InvalidArgumentError,
        "learning_rate must be .*above 0, found 0",
    ),
    "learning rate NaN": (
        lambda: trainer(learning_rate=np.nan),
        InvalidArgumentError,
        "learning_rate must be .*found nan",
    ),
    "learning rate text": (
        lambda: trainer(learning_rate="1"),
        InvalidArgumentError,
        "learning_rate must be .*found '1'",
    ),
    "epochs 0": (lambda: fit(epochs=0), InvalidArgumentError, "epochs must be a whole number of at least 1, found 0"),
    "epochs 1.5": (lambda: fit(epochs=1.5), InvalidArgumentError, "epochs must be a whole number .*found 1.5"),
    "seed -1": (
        lambda: trainer(seed=-1),
        InvalidArgumentError,
        r"seed must be an integer from 0 to 2\*\*64 - 1, found -1",
    ),
    "seed 1.0": (lambda: network(seed=1.0), InvalidArgumentError, "seed must be an integer .*found 1.0"),
    "l2 -1": (lambda: trainer(l2=-1), InvalidArgumentError, "l2 must be a finite number of at least 0, found -1"),
    "clip norm 0": (
        lambda: trainer(clip_norm=0),
        InvalidArgumentError,
        "clip_norm must be a finite number above 0, or None",
    ),
    "check every 0": (lambda: trainer(check_every=0), InvalidArgumentError, "check_every must be a whole .*found 0"),
    "metrics a word": (
        lambda: trainer(metrics="rmse"),
        InvalidArgumentError,
        r"metrics must be a sequence .*found 'rmse'",
    ),
    "callbacks": (
        lambda: trainer(callbacks=[print]),
        InvalidArgumentError,
        "callbacks must be a sequence of polydnn.Call",
    ),
    "network": (
        lambda: Trainer("net", loss="hinge"),
        InvalidArgumentError,
        "network must be a polydnn.Network, found 'net'",
    ),  # type: ignore[arg-type]
    "execution": (
        lambda: Trainer(network(), loss="hinge", execution="fast").fit(X, Y1 > 0, epochs=1),
        InvalidArgumentError,
        "execution must be one of auto, reference.*found 'fast'",
    ),
    "patience": (lambda: EarlyStopping(patience=0), InvalidArgumentError, "patience must be a whole number .*found 0"),
    # names and options
    "activation": (lambda: Dense(2, "rellu"), UnknownNameError, "unknown activation 'rellu'; .*Did you mean 'relu'"),
    "loss": (lambda: trainer(loss="msee"), UnknownNameError, "unknown loss 'msee'; registered: binary_cross_entropy"),
    "optimizer": (
        lambda: trainer(optimizer="adamm"),
        UnknownNameError,
        "unknown optimizer 'adamm'; .*Did you mean 'adam'",
    ),
    "optimizer option": (lambda: trainer(optimizer=("adam", {"beta3": 1})), InvalidArgumentError, "beta3"),
    "metric": (lambda: trainer(metrics=["acuracy"]), UnknownNameError, "unknown metric 'acuracy'; .*mean 'accuracy'"),
    "schedule": (lambda: trainer(schedule="cosin"), UnknownNameError, "unknown schedule 'cosin'; .*mean 'cosine'"),
    "initializer": (lambda: Dense(2, initializer="he"), UnknownNameError, "unknown initializer 'he'; registered: "),
    "backend": (lambda: network(backend="nunpy"), UnknownNameError, "unknown backend 'nunpy'; .*Did you mean 'numpy'"),
    "data set": (lambda: polydnn.dataset("digit"), UnknownNameError, "unknown dataset 'digit'; .*mean 'digits'"),
    "data set of a file": (
        lambda: polydnn.dataset("own.csv"),
        UnknownNameError,
        r"unknown dataset 'own\.csv'; .* A file of your own is read by polydnn\.datasets\.load\.$",
    ),
    "layer": (lambda: Network(3, ["dens"]), UnknownNameError, "unknown layer 'dens'; .*Did you mean 'dense'"),
    # the network
    "units 0": (lambda: Dense(0), InvalidArgumentError, "Dense: units must be a whole number of at least 1, found 0"),
    "units 2.5": (lambda: Dense(2.5), InvalidArgumentError, "Dense: units must be a whole number .*found 2.5"),  # type: ignore[arg-type]
    "use_bias": (lambda: Dense(2, use_bias="no"), InvalidArgumentError, "use_bias must be True or False, found 'no'"),  # type: ignore[arg-type]
    "rate 1": (
        lambda: Dropout(1.0),
        InvalidArgumentError,
        "rate must be a number from 0 up to but not including 1, found 1",
    ),
    "eps 0": (lambda: BatchNormalization(eps=0), InvalidArgumentError, "eps must be a number above 0, found 0"),
    "normalization": (lambda: Normalization("minmax"), InvalidArgumentError, "kind must be .*'minmax'.*mean 'min-max'"),  # type: ignore[arg-type]
    "in_features": (lambda: Network(0, [Dense(1)]), InvalidArgumentError, "in_features must be a whole .*found 0"),
    "no layers": (lambda: Network(3, []), InvalidArgumentError, "layers must be a sequence of at least one layer"),
    "layers a layer": (lambda: Network(3, Dense(1)), InvalidArgumentError, "layers must be a sequence of at least one"),  # type: ignore[arg-type]
    "layer a number": (
        lambda: Network(3, [Dense(1), 5]),
        InvalidArgumentError,
        r"layers\[1\] must be a layer .*found 5",
    ),  # type: ignore[list-item]
    "normalization second": (
        lambda: Network(3, [Dense(1), Normalization()]),
        InvalidArgumentError,
        r"layers\[1\] is a Normalization, which can stand first only; try BatchNormalization",
    ),
    "dtype": (
        lambda: network(dtype="int8"),
        InvalidArgumentError,
        "dtype must be 'float32' or 'float64', found 'int8'",
    ),
    "task": (lambda: network(task="ranking"), InvalidArgumentError, "task must be one of binary, .*found 'ranking'"),
    "not yet normalized": (
        lambda: Network(3, [Normalization(), Dense(1)]).predict(X),
        InvalidArgumentError,
        "the network's Normalization has no constants yet; train it with Trainer.fit first",
    ),
    "parameter name": (
        lambda: network().set_parameters({"weight": X}),
        InvalidArgumentError,
        "the network has no array 'weight'; it has layers.0.weight, layers.0.bias",
    ),
    "parameter shape": (
        lambda: network().set_parameters({"layers.0.weight": X}),
        ShapeError,
        r"layers\.0\.weight has shape \(3, 1\), found \(8, 3\)",
    ),
    "parameters a list": (
        lambda: network().set_parameters([X]),  # type: ignore[arg-type]
        InvalidArgumentError,
        "values must be a mapping from names to arrays, found a list",
    ),
    # files
    "model missing": (lambda: Network.load("nowhere.safetensors"), StorageError, "nowhere.safetensors"),
    "data missing": (lambda: polydnn.dataset("nowhere.csv"), PolydnnError, "nowhere.csv"),
}


@pytest.mark.parametrize("fault", BAD)
def test_each_mistake_is_one_error_in_these_words(fault: str) -> None:
    call, kind, text = BAD[fault]
    with pytest.raises(kind, match=text):
        call()


def test_there_are_more_than_thirty() -> None:
    assert len(BAD) > 90


def test_arrays_of_two_libraries_do_not_mix(backend: Backend) -> None:
    if backend.library == "numpy":
        pytest.skip("NumPy arrays are host data, which every backend takes")
    x = backend.asarray(X)
    text = (
        rf"x is .*, but the backend is 'numpy'; arrays do not move between libraries .* network\.to\('{backend.library}"
    )
    with pytest.raises(MixedBackendsError, match=text):
        Trainer(network(), loss="mean_squared_error").fit(x, Y1, epochs=1)
    with pytest.raises(MixedBackendsError, match=text):
        network().predict(x)
