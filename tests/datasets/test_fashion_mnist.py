"""Fashion-MNIST: where its files are looked for, what is said where there are none, and the real images."""

from pathlib import Path

import numpy as np
import pytest

from polydnn.datasets import fashion_mnist as module
from polydnn.datasets import load, locate_fashion_mnist
from polydnn.datasets.fashion_mnist import CLASSES, CONTENT, REMOTE, data_folder, fashion_mnist
from polydnn.datasets.image_folder import FILES
from polydnn.errors import DataFileError, DatasetUnavailableError
from tests.idx_files import write_images


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Fashion-MNIST, and a folder on it."""
    monkeypatch.delenv("POLYDNN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "DEBIAN_FOLDER", tmp_path / "debian")
    return tmp_path


def images_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    write_images(folder)
    return folder


def test_nowhere_says_the_three_ways(bare: Path) -> None:
    with pytest.raises(DatasetUnavailableError) as caught:
        fashion_mnist()
    text = str(caught.value)
    assert text.startswith(
        f"data set 'fashion_mnist' is not on this machine; looked in {bare}/cache/polydnn/fashion_mnist"
    )
    assert f"{bare}/debian" in text
    assert "apt-get install dataset-fashion-mnist" in text
    assert "POLYDNN_DATA" in text
    assert "polydnn datasets fetch fashion_mnist" in text


def test_places_are_searched_in_order(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate_fashion_mnist() is None
    debian = images_in(bare / "debian")
    assert locate_fashion_mnist() == debian
    cache = images_in(bare / "cache" / "polydnn" / "fashion_mnist")
    assert locate_fashion_mnist() == cache
    monkeypatch.setenv("POLYDNN_DATA", str(bare / "mine"))
    assert locate_fashion_mnist() == debian
    mine = images_in(bare / "mine")
    assert locate_fashion_mnist() == mine
    inner = images_in(mine / "fashion_mnist")
    assert locate_fashion_mnist() == inner
    assert locate_fashion_mnist(debian) == debian


def test_a_folder_that_was_named_is_the_only_one(bare: Path) -> None:
    images_in(bare / "debian")
    (bare / "mine").mkdir()
    assert locate_fashion_mnist(bare / "mine") is None
    (bare / "mine" / FILES[0]).write_bytes(b"")
    with pytest.raises(
        DatasetUnavailableError, match=r"looked in .*/mine/fashion_mnist, .*/mine \(.*/mine lacks train-l"
    ):
        fashion_mnist(bare / "mine")


def test_the_home_directory_serves_without_a_cache_variable(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(bare))
    assert data_folder() == bare / ".cache" / "polydnn"
    monkeypatch.setenv("POLYDNN_DATA", "~/data")
    assert data_folder() == bare / "data"


def test_images_of_another_data_set_are_refused(bare: Path) -> None:
    images_in(bare / "debian")
    with pytest.raises(
        DataFileError, match=r"train-images-idx3-ubyte: the unpacked content .* belongs to another data set"
    ):
        fashion_mnist()


def test_the_files_at_the_origin() -> None:
    assert [file.name for file in REMOTE] == [f"{name}.gz" for name in FILES]
    assert sorted(CONTENT) == sorted(FILES)
    assert len({file.sha256 for file in REMOTE} | set(CONTENT.values())) == 8
    assert all(len(digest) == 64 for digest in CONTENT.values())


def test_the_real_images() -> None:
    if locate_fashion_mnist() is None:
        pytest.skip("Fashion-MNIST is not on this machine: apt-get install dataset-fashion-mnist")
    dataset = load("fashion_mnist")
    assert (dataset.train.x.shape, dataset.test.x.shape) == ((60_000, 784), (10_000, 784))
    assert dataset.train.x.dtype == np.uint8
    assert (dataset.classes, dataset.scaling, dataset.outputs) == (CLASSES, "min-max", 10)
    assert np.bincount(dataset.train.y).tolist() == [6000] * 10
    assert np.bincount(dataset.test.y).tolist() == [1000] * 10
    assert (dataset.train.x.min(), dataset.train.x.max()) == (0, 255)
    assert dataset.classes[dataset.train.y[0]] == "Ankle boot"
    assert round(float(dataset.train.x.mean()), 2) == 72.94
