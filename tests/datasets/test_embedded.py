"""The embedded sets: known statistics, agreement with scikit-learn's copies, fixed splits, and tampering noticed."""

import csv
import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from polydnn.datasets import Dataset, load, read_csv
from polydnn.datasets.embedded import BREAST_CANCER, CALIFORNIA_HOUSING, DATA_FOLDER, DIGITS, YEAST, Embedded
from polydnn.errors import DataFileError, StorageError
from tests.yardstick import assert_within

ALL = [BREAST_CANCER, CALIFORNIA_HOUSING, DIGITS, YEAST]
each_one = pytest.mark.parametrize("embedded", ALL, ids=lambda each: each.name)


def all_rows(dataset: Dataset) -> np.ndarray:
    """Rows of x and y side by side, training first."""
    parts = [np.column_stack([rows.x, rows.y]).astype(np.float64) for rows in (dataset.train, dataset.test)]
    return np.concatenate(parts)


def ordered(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(rows.T)]


def test_digits() -> None:
    dataset = load("digits")
    assert (dataset.task, dataset.scaling, dataset.outputs, dataset.in_features) == ("multiclass", "min-max", 10, 64)
    assert (dataset.train.x.shape, dataset.test.x.shape) == ((1438, 64), (359, 64))
    assert (dataset.train.x.dtype, dataset.train.y.dtype, dataset.train.y.shape) == (np.uint8, np.int64, (1438,))
    assert (dataset.train.x.min(), dataset.train.x.max()) == (0, 16)
    assert dataset.classes == tuple("0123456789")
    x, y = load_digits(return_X_y=True)
    assert np.array_equal(ordered(all_rows(dataset)), ordered(np.column_stack([x, y])))


def test_breast_cancer() -> None:
    dataset = load("breast_cancer")
    assert (dataset.task, dataset.scaling, dataset.outputs) == ("binary", "standard", 1)
    assert (dataset.train.x.shape, dataset.test.x.shape, dataset.train.y.shape) == ((455, 30), (114, 30), (455, 1))
    assert (dataset.train.x.dtype, dataset.classes) == (np.float64, ("benign", "malignant"))
    assert int(dataset.train.y.sum() + dataset.test.y.sum()) == 212
    theirs = load_breast_cancer()
    rows = np.column_stack([theirs.data, 1 - theirs.target])  # scikit-learn calls benign 1
    assert np.array_equal(ordered(all_rows(dataset)), ordered(rows))
    assert dataset.features == tuple(name.replace(" ", "_") for name in theirs.feature_names)


def test_california_housing() -> None:
    dataset = load("california_housing")
    assert (dataset.task, dataset.scaling, dataset.outputs) == ("regression", "standard", 1)
    assert (dataset.train.x.shape, dataset.test.x.shape) == ((14_448, 8), (6_192, 8))
    assert (dataset.train.y.shape, dataset.train.y.dtype) == ((14_448, 1), np.float64)
    rows = all_rows(dataset)
    assert round(float(rows[:, 8].mean()), 2) == 206_855.82
    assert int((rows[:, 8] == 500_001).sum()) == 965
    assert round(float(rows[:, dataset.features.index("medianIncome")].mean()), 6) == 3.870671
    assert dataset.features[:2] == ("longitude", "latitude")


def test_yeast() -> None:
    dataset = load("yeast")
    assert (dataset.task, dataset.scaling, dataset.outputs) == ("multilabel", "standard", 14)
    assert (dataset.train.x.shape, dataset.test.x.shape) == ((1934, 103), (483, 103))
    assert (dataset.train.y.shape, dataset.train.y.dtype) == ((1934, 14), np.int64)
    labels = all_rows(dataset)[:, 103:]
    assert set(np.unique(labels)) == {0.0, 1.0}
    assert round(float(labels.sum(axis=1).mean()), 3) == 4.237  # the cardinality its papers give
    assert round(float(labels.mean()), 3) == 0.303  # and the density


def test_splits_are_those_of_every_other_version() -> None:
    fingerprints = {each.name: hashlib.sha256(all_rows(each()).tobytes()).hexdigest()[:12] for each in ALL}
    assert fingerprints == {
        "breast_cancer": "fad7e53f898e",
        "california_housing": "eda101237f02",
        "digits": "a9bf21c645f7",
        "yeast": "4664593f6dd2",
    }


@each_one
def test_splits_are_those_of_every_other_load(embedded: Embedded) -> None:
    first, again = embedded(), load(embedded.name, seed=7)
    assert np.array_equal(all_rows(first), all_rows(again))


@pytest.mark.parametrize("name", ["digits", "breast_cancer"])
def test_every_class_has_its_share_of_the_test_rows(name: str) -> None:
    dataset = load(name)
    train, test = (np.bincount(rows.y.reshape(-1)) for rows in (dataset.train, dataset.test))
    share = (train + test) * (len(dataset.test) / (len(dataset.train) + len(dataset.test)))
    assert np.all(np.abs(test - share) <= 1)


@each_one
def test_the_files_are_tables_like_anyone_s(embedded: Embedded) -> None:
    own = read_csv(DATA_FOLDER / f"{embedded.name}.csv.gz", embedded.targets, test_fraction=embedded.test_fraction)
    dataset = embedded()
    assert own.task == dataset.task
    assert (own.features, own.targets, own.classes) == (dataset.features, dataset.targets, dataset.classes)
    assert np.array_equal(all_rows(own), all_rows(dataset))


@each_one
def test_a_file_that_was_tampered_with_is_refused(embedded: Embedded, tmp_path: Path) -> None:
    path = tmp_path / f"{embedded.name}.csv.gz"
    original = (DATA_FOLDER / path.name).read_bytes()
    path.write_bytes(original)
    assert embedded(tmp_path).name == embedded.name
    path.write_bytes(gzip.compress(gzip.decompress(original).replace(b"1", b"2", 1)))
    text = rf"{path.name} has the sha256 [0-9a-f]{{64}}, expected {embedded.sha256}; the file is damaged"
    with pytest.raises(DataFileError, match=text):
        embedded(tmp_path)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"digits\.csv\.gz cannot be read: No such file .*install polydnn again"):
        DIGITS(tmp_path)


@each_one
def test_provenance_names_every_file_with_its_checksum(embedded: Embedded) -> None:
    table = (DATA_FOLDER / "README.md").read_text()
    row = next(line for line in table.splitlines() if line.startswith(f"| `{embedded.name}.csv.gz`"))
    assert embedded.sha256 in row
    assert row.count("|") == 7
    assert all(cell.strip() for cell in row.strip("|").split("|"))


def test_no_file_lies_there_unnamed() -> None:
    assert sorted(path.name for path in DATA_FOLDER.iterdir()) == sorted(
        ["README.md", *(f"{each.name}.csv.gz" for each in ALL)]
    )
    assert sum(path.stat().st_size for path in DATA_FOLDER.iterdir()) < 1_500_000


def test_read_only_installations_are_enough(tmp_path: Path) -> None:
    shutil.copy(DATA_FOLDER / "digits.csv.gz", tmp_path)
    (tmp_path / "digits.csv.gz").chmod(0o444)
    tmp_path.chmod(0o555)
    assert len(DIGITS(tmp_path).train) == 1438
    tmp_path.chmod(0o755)


@pytest.mark.parametrize("name", ["digits", "california_housing"])
def test_loading_takes_little_more_than_python_needs_for_the_text(name: str) -> None:
    def plainly() -> list[list[float]]:
        with gzip.open(DATA_FOLDER / f"{name}.csv.gz", "rt", newline="") as file:
            return [[float(cell) for cell in row] for row in list(csv.reader(file))[1:]]

    assert_within(4.0, lambda: load(name), plainly)
