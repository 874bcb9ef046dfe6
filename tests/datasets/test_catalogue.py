"""From a name or a path to a data set, and what is said where there is none."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polydnn import datasets
from polydnn.datasets import builtin_datasets, catalogue, fetch, load, locate_fashion_mnist
from polydnn.datasets.download import RemoteFile
from polydnn.errors import DatasetUnavailableError, InvalidArgumentError, StorageError, UnknownNameError
from tests.idx_files import NAMES, write_images


def test_every_builtin_set_has_a_loader_and_a_summary() -> None:
    entries = {name: (loader, summary) for name, loader, summary in builtin_datasets()}
    assert sorted(entries) == ["breast_cancer", "california_housing", "digits", "fashion_mnist", "yeast"]
    for name in ("breast_cancer", "california_housing", "digits", "yeast"):
        loader, summary = entries[name]
        dataset = loader(None)
        assert (dataset.name, dataset.summary) == (name, summary)
        assert dataset.source


def test_paths_find_their_reader(tmp_path: Path) -> None:
    (tmp_path / "own.CSV").write_text("a,b\n" + "".join(f"{n},{n / 2}\n" for n in range(10)))
    assert load(tmp_path / "own.CSV", targets="b", test_fraction=0.3, seed=2).test.x.shape == (3, 1)
    np.savez(tmp_path / "own.npz", x=np.eye(10), y=np.arange(10))
    assert load(str(tmp_path / "own.npz"), task="regression").task == "regression"
    write_images(tmp_path)
    assert load(tmp_path).train.x.shape == (6, 12)


def test_the_home_directory_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    np.savez(tmp_path / "own.npz", x=np.eye(10), y=np.arange(10))
    assert load("~/own.npz").name == "own"


def test_a_folder_for_a_builtin_set(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=rf"{tmp_path}/digits\.csv\.gz cannot be read"):
        load("digits", folder=tmp_path)
    with pytest.raises(DatasetUnavailableError, match=rf"looked in {tmp_path}/fashion_mnist, {tmp_path}\."):
        load("fashion_mnist", folder=str(tmp_path))


REFUSED: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("digit", {}, UnknownNameError, r"^unknown dataset 'digit'; registered: breast_cancer, .* Did you mean 'digits'\?"),
    (
        "data.xlsx",
        {},
        InvalidArgumentError,
        r"^data\.xlsx: unknown ending '\.xlsx'; polydnn reads \.csv,",
    ),
    ("own.csv", {}, InvalidArgumentError, r"^own\.csv: name the target columns, for example targets=\['price'\]"),
    ("missing.csv", {"targets": "y"}, StorageError, r"^missing\.csv cannot be read: No such file"),
    ("missing.npz", {}, StorageError, r"^missing\.npz cannot be read: No such file"),
    ("missing/folder", {}, StorageError, r"^missing/folder cannot be read: no such file or folder"),
    (
        "digits",
        {"targets": "digit"},
        InvalidArgumentError,
        r"^targets='digit' does not apply to 'digits': it is bu",
    ),
    ("digits", {"task": "regression"}, InvalidArgumentError, r"^task='regression' does not apply to 'digits'"),
    ("digits", {"test_fraction": 0.5}, InvalidArgumentError, r"^test_fraction=0\.5 does not apply to 'digits'"),
    ("own.csv", {"targets": "y", "folder": "."}, InvalidArgumentError, r"^folder='\.' does not apply to 'own\.csv'"),
    (
        "own.npz",
        {"targets": "y"},
        InvalidArgumentError,
        r"^targets='y' does not apply to 'own\.npz': it has ",
    ),
    (
        "own.npz",
        {"features": ["a"]},
        InvalidArgumentError,
        r"^features=\['a'\] does not apply to 'own\.npz': it has its features in the array x",
    ),
    ("digits", {"features": ["a"]}, InvalidArgumentError, r"^features=\['a'\] does not apply to 'digits': it is built"),
    (
        ".",
        {},
        DatasetUnavailableError,
        r"^\. lacks train-images.* A folder is read as images in IDX files; name a table by",
    ),
    (".", {"task": "binary"}, InvalidArgumentError, r"^task='binary' does not apply to '\.': it is a folder of images"),
]


@pytest.mark.parametrize(("asked", "options", "error", "text"), REFUSED)
def test_what_cannot_be_loaded(
    asked: str,
    options: dict[str, Any],
    error: type[Exception],
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.csv").write_text("x,y\n1,2\n")
    with pytest.raises(error, match=text):
        load(asked, **options)


def test_a_file_without_a_known_ending(tmp_path: Path) -> None:
    (tmp_path / "table").write_text("x,y\n1,2\n")
    with pytest.raises(InvalidArgumentError, match=r"table: unknown ending ''; polydnn reads"):
        load(tmp_path / "table")


def test_what_was_fetched_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    write_images(origin)
    files = [(f"file://{origin}/{name}", (origin / name).read_bytes()) for name in NAMES]
    remote = tuple(RemoteFile(url, len(content), hashlib.sha256(content).hexdigest()) for url, content in files)
    monkeypatch.setattr(catalogue, "REMOTE", remote)
    monkeypatch.setenv("POLYDNN_DATA", str(tmp_path / "data"))
    lines: list[str] = []
    assert fetch("fashion_mnist", report=lines.append) == tmp_path / "data" / "fashion_mnist"
    assert len(lines) == 4
    assert locate_fashion_mnist() == tmp_path / "data" / "fashion_mnist"
    assert fetch("fashion_mnist", tmp_path / "here") == tmp_path / "here"
    assert locate_fashion_mnist(tmp_path / "here") == tmp_path / "here"


def test_what_cannot_be_fetched() -> None:
    with pytest.raises(InvalidArgumentError, match=r"^data set 'digits' comes with polydnn, .* fetched: fashion_m"):
        fetch("digits")
    with pytest.raises(UnknownNameError, match=r"^unknown dataset 'fashion-mnist'.* Did you mean 'fashion_mnist'\?"):
        fetch("fashion-mnist")


def test_public_names_are_sorted_and_real() -> None:
    assert datasets.__all__ == sorted(datasets.__all__)
    assert all(hasattr(datasets, name) for name in datasets.__all__)
