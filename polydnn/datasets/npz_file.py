"""A data set from an .npz file: the arrays x and y, or x_train, y_train, x_test and y_test."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polydnn.datasets.dataset import Dataset, Task
from polydnn.datasets.from_arrays import as_features, from_arrays
from polydnn.errors import DataFileError, StorageError

__all__ = ["read_npz", "read_npz_features"]

WHOLE = ("x", "y")
SPLIT = ("x_train", "y_train", "x_test", "y_test")

Host = np.ndarray[Any, Any]


def read_npz(
    path: str | Path,
    *,
    task: Task | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """The data set in an .npz file with the keys x and y, or x_train, y_train, x_test and y_test.

    The arrays and ``classes`` are those of ``from_arrays``, which makes the data set; ``test_fraction`` and ``seed``
    count only where the file does not separate the test rows itself. Nothing in the file is executed: object arrays
    are refused.
    Raises StorageError where there is no such file, DataFileError where it breaks the format, and what ``from_arrays``
    raises for arrays that do not fit.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "line.npz"
    >>> np.savez(path, x=np.linspace(0, 1, 10)[:, None], y=np.linspace(1, 3, 10))
    >>> read_npz(path).task
    'regression'
    """
    path = Path(path)
    arrays = _arrays(path, (WHOLE, SPLIT))
    test = (arrays["x_test"], arrays["y_test"]) if "x_test" in arrays else None
    return from_arrays(
        arrays["x" if test is None else "x_train"],
        arrays["y" if test is None else "y_train"],
        test=test,
        task=task,
        test_fraction=test_fraction,
        seed=seed,
        classes=classes,
        name=path.stem,
        source=str(path),
    )


def read_npz_features(path: str | Path) -> Host:
    """The array x of an .npz file, (n, in_features); for predictions. Raises what ``read_npz`` raises."""
    path = Path(path)
    return as_features(_arrays(path, (("x",), WHOLE))["x"], f"x of {path}")


def _arrays(path: Path, layouts: tuple[tuple[str, ...], ...]) -> dict[str, Host]:
    try:
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                msg = f"{path} holds a single array; save x and y together: numpy.savez({path.stem!r}, x=x, y=y)."
                raise DataFileError(msg)
            _check_keys(path, file.files, layouts)
            return {key: _array(path, file, key) for key in file.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, TypeError) as error:
        if isinstance(error, DataFileError):
            raise
        msg = f"{path} is no .npz file: {error}."
        raise DataFileError(msg) from error
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}."
        raise StorageError(msg) from error


def _check_keys(path: Path, keys: list[str], layouts: tuple[tuple[str, ...], ...]) -> None:
    if not any(sorted(keys) == sorted(layout) for layout in layouts):
        possible = " or ".join(", ".join(layout) for layout in layouts)
        msg = f"{path} must have the keys {possible}, found {', '.join(keys) or 'none'}."
        raise DataFileError(msg)


def _array(path: Path, file: "np.lib.npyio.NpzFile[Any]", key: str) -> Host:
    try:
        array = file[key]
    except (ValueError, MemoryError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        msg = f"{path}, array {key!r}: cannot be read: {error}. Save numbers; Python objects are never loaded."
        raise DataFileError(msg) from error
    if not isinstance(array, np.ndarray):
        msg = f"{path}, array {key!r}: not stored as an array."
        raise DataFileError(msg)
    return array
