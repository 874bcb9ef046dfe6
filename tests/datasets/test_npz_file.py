"""Files of NumPy arrays: both layouts, and what is refused, objects above all."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polydnn.datasets import read_npz, read_npz_features
from polydnn.errors import DataFileError, InvalidDataError, ShapeError, StorageError

X = np.arange(20, dtype=np.uint8).reshape(10, 2)
Y = np.arange(10) % 3


class Touch:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_x_and_y_are_split(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez_compressed(path, x=X, y=Y)
    dataset = read_npz(path, test_fraction=0.3, seed=5)
    assert (dataset.name, dataset.task, dataset.train.x.dtype, dataset.scaling) == (
        "own",
        "multiclass",
        np.uint8,
        "min-max",
    )
    assert (len(dataset.train), len(dataset.test), dataset.source) == (7, 3, str(path))
    assert read_npz(path, task="regression").train.y.shape == (8, 1)
    assert read_npz_features(path).tolist() == X.tolist()


def test_a_split_of_its_own_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "split.npz"
    np.savez(path, x_train=X[:6], y_train=Y[:6], x_test=X[6:], y_test=Y[6:])
    dataset = read_npz(path)
    assert dataset.train.x.tolist() == X[:6].tolist()
    assert dataset.test.y.tolist() == Y[6:].tolist()


def test_x_alone_serves_predictions(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, x=X)
    assert read_npz_features(path).shape == (10, 2)
    with pytest.raises(DataFileError, match=r"must have the keys x, y or x_train, y_train, x_test, y_test, found x\."):
        read_npz(path)


@pytest.mark.parametrize(
    ("arrays", "found"),
    [({}, "none"), ({"x": X, "labels": Y}, "labels, x|x, labels"), ({"x": X, "y": Y, "w": Y}, "x, y, w")],
)
def test_other_keys_are_refused(tmp_path: Path, arrays: dict[str, Any], found: str) -> None:
    path = tmp_path / "keys.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataFileError, match=rf"keys\.npz must have the keys x, y or .*, found ({found})\."):
        read_npz(path)


def test_objects_are_refused_and_not_loaded(tmp_path: Path) -> None:
    path, trace = tmp_path / "objects.npz", tmp_path / "trace"
    np.savez(path, x=X, y=np.array([Touch(trace)] * 10, dtype=object))
    with pytest.raises(
        DataFileError, match=r"objects\.npz, array 'y': cannot be read: .*Python objects are never loaded"
    ):
        read_npz(path)
    assert not trace.exists()


def test_a_pickle_is_refused_and_not_loaded(tmp_path: Path) -> None:
    path, trace = tmp_path / "pickle.npz", tmp_path / "trace"
    path.write_bytes(pickle.dumps(Touch(trace)))
    with pytest.raises(DataFileError, match=r"pickle\.npz is no \.npz file"):
        read_npz(path)
    assert not trace.exists()


def test_files_that_are_no_npz(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    with pytest.raises(StorageError, match=r"bad\.npz cannot be read: No such file or directory"):
        read_npz(path)
    path.write_bytes(b"")
    with pytest.raises(DataFileError, match=r"bad\.npz is no \.npz file"):
        read_npz(path)
    with path.open("wb") as file:
        np.save(file, X)
    with pytest.raises(DataFileError, match=r"bad\.npz holds a single array; save x and y together: numpy\.savez"):
        read_npz(path)
    np.savez(path, x=X, y=Y)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataFileError, match=r"bad\.npz is no \.npz file"):
        read_npz(path)


def test_a_damaged_array_is_named(tmp_path: Path) -> None:
    path = tmp_path / "damaged.npz"
    np.savez(path, x=np.zeros((100, 2)), y=Y)
    content = bytearray(path.read_bytes())
    content[400] ^= 1  # within the zeros of x: the checksum of the archive no longer fits
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=r"damaged\.npz, array 'x': cannot be read: Bad CRC-32"):
        read_npz(path)


def test_arrays_that_do_not_fit_each_other(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, x=X, y=Y[:4])
    with pytest.raises(ShapeError, match=r"^x has 10 rows and y has 4"):
        read_npz(path)
    np.savez(path, x=np.full((10, 2), np.nan), y=Y)
    with pytest.raises(InvalidDataError, match=r"^x must be finite, found nan at row 0, column 0"):
        read_npz(path)
