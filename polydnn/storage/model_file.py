"""Model files: a network's description and parameters in one .safetensors file, and the strict way to read one."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from polydnn.errors import InvalidArgumentError, ModelFileError
from polydnn.storage.layout import Arrays, Header
from polydnn.storage.record import not_finite, read_record, write_record
from polydnn.storage.refusal import Refusal
from polydnn.storage.schema import check_model_description

__all__ = ["ExpectedShapes", "read_model", "write_model"]

ExpectedShapes = Callable[[dict[str, Any]], Mapping[str, tuple[int, ...]]]
"""From a description, the name and the shape of each array that a network so described has."""


def write_model(
    path: str | os.PathLike[str],
    description: dict[str, Any],
    arrays: Mapping[str, np.ndarray[Any, Any]],
    *,
    allow_nonfinite: bool = False,
) -> int:
    """Write a model file, replacing an earlier one only when the new one is complete; returns the bytes written.

    ``description`` is what ``model_description`` gives; ``arrays`` are NumPy arrays of any real, integer or boolean
    dtype, in any memory layout and byte order. The same description and arrays give the same bytes. Other programs
    read the arrays with the safetensors library.

    Raises InvalidArgumentError for a description or an array that cannot be stored, and for weights that are not
    finite unless ``allow_nonfinite``; StorageError where the disk refuses.

    >>> import tempfile
    >>> from polydnn.storage import model_description
    >>> network = {"in_features": 2, "dtype": "float32", "layers": []}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_model(f"{folder}/m.safetensors", model_description(network, []), {"w": np.ones((2, 3))})
    ...     description, arrays = read_model(f"{folder}/m.safetensors")
    >>> description["network"] == network, arrays["w"].shape
    (True, (2, 3))
    """
    try:
        check_model_description(description)
    except Refusal as error:
        msg = f"this is no description of a model: {error}."
        raise InvalidArgumentError(msg) from None
    if not allow_nonfinite:
        _refuse_nonfinite_argument(arrays)
    return write_record(path, description, arrays)


def read_model(
    path: str | os.PathLike[str],
    *,
    allow_nonfinite: bool = False,
    expected: ExpectedShapes | None = None,
) -> tuple[dict[str, Any], Arrays]:
    """Read a model file; gives its description and its arrays, new and writable, in the order they were written in.

    ``expected`` says from the description which arrays of which shapes must be there; it is asked before any data is
    read, and its errors pass through. Nothing is imported or executed because a file names it, and memory beyond the
    arrays stays below 64 MB. A file with several hard links is read like any other; a symbolic link is not followed.

    Raises ModelFileError, naming file and reason, for whatever breaks a rule, for weights that are not finite unless
    ``allow_nonfinite``, and for damage (one changed bit is enough); StorageError where the file cannot be opened.
    """

    def check(header: Header) -> None:
        check_model_description(header.description)
        if expected is not None:
            shapes = {name: tensor.shape for name, tensor in header.tensors.items()}
            _check_shapes(shapes, expected(header.description))

    try:
        description, arrays = read_record(Path(path), check)
        if not allow_nonfinite:
            _refuse_nonfinite_weights(arrays)
    except Refusal as error:
        msg = f"'{os.fspath(path)}' cannot be used as a model file: {error}."
        raise ModelFileError(msg) from None
    return description, arrays


def _check_shapes(found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]) -> None:
    for name in expected:
        if name not in found:
            msg = f"array '{name}', which its description asks for, is missing"
            raise Refusal(msg)
    for name, shape in found.items():
        if name not in expected:
            msg = f"its description has no place for the array '{name}'"
            raise Refusal(msg)
        if shape != tuple(expected[name]):
            msg = f"array '{name}' has the shape {shape}; its description asks for {tuple(expected[name])}"
            raise Refusal(msg)


def _refuse_nonfinite_weights(arrays: Arrays) -> None:
    for name, array in arrays.items():
        if not_finite(array):
            msg = f"array '{name}' holds a NaN or an infinity; allow_nonfinite=True reads it all the same"
            raise Refusal(msg)


def _refuse_nonfinite_argument(arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    for name, array in arrays.items():
        if isinstance(array, np.ndarray | np.generic) and not_finite(np.asarray(array)):
            msg = f"array '{name}' holds a NaN or an infinity; such a model is only written with allow_nonfinite=True."
            raise InvalidArgumentError(msg)
