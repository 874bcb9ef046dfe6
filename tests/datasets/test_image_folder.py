"""Folders of IDX files: found under their usual spellings, and checked against each other."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from polydnn.datasets import read_image_folder
from polydnn.datasets.image_folder import FILES
from polydnn.errors import DataFileError, DatasetUnavailableError
from tests.idx_files import idx, write_images


def test_images_become_rows_of_bytes(tmp_path: Path) -> None:
    images, labels = write_images(tmp_path)
    dataset = read_image_folder(tmp_path)
    assert (dataset.name, dataset.task, dataset.scaling) == (tmp_path.name, "multiclass", "min-max")
    assert (dataset.train.x.shape, dataset.train.x.dtype) == ((6, 12), np.uint8)
    assert dataset.train.x.tolist() == images.reshape(6, 12).tolist()
    assert (dataset.train.y.tolist(), dataset.train.y.dtype) == (labels.tolist(), np.int64)
    assert (len(dataset.test), dataset.classes, dataset.outputs) == (2, ("0", "1", "2"), 3)
    assert (dataset.features[:2], dataset.features[4]) == (("pixel_0_0", "pixel_0_1"), "pixel_1_0")


def test_plain_packed_and_dotted_names_may_be_mixed(tmp_path: Path) -> None:
    write_images(tmp_path)
    (tmp_path / FILES[0]).rename(tmp_path / "train-images.idx3-ubyte")
    labels = tmp_path / FILES[1]
    (tmp_path / f"{FILES[1]}.gz").write_bytes(gzip.compress(labels.read_bytes()))
    labels.unlink()
    assert len(read_image_folder(tmp_path).train) == 6


def test_missing_files_are_named(tmp_path: Path) -> None:
    write_images(tmp_path)
    (tmp_path / FILES[1]).unlink()
    with pytest.raises(DatasetUnavailableError, match=r"lacks train-labels-idx1-ubyte \(each plain or as \.gz\)"):
        read_image_folder(tmp_path)
    with pytest.raises(DatasetUnavailableError, match=r"lacks train-images.*, train-labels.*, t10k-images.*, t10k-lab"):
        read_image_folder(tmp_path / "nowhere")


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    write_images(tmp_path)
    with pytest.raises(DataFileError, match=r"train-labels.*: expected labels from 0 to 1, found 2 at row 2"):
        read_image_folder(tmp_path, classes=["a", "b"])
    (tmp_path / FILES[3]).write_bytes(idx(np.zeros(3, dtype=np.uint8)))
    with pytest.raises(DataFileError, match=r"t10k-labels.*: 3 labels for images of the sizes \(2, 3, 4\)"):
        read_image_folder(tmp_path)
    (tmp_path / FILES[3]).write_bytes(idx(np.array([0, 7], dtype=np.uint8)))
    with pytest.raises(DataFileError, match=r"t10k-labels.*: expected labels from 0 to 2, found 7 at row 1"):
        read_image_folder(tmp_path)
    (tmp_path / FILES[2]).write_bytes(idx(np.zeros((2, 4, 4), dtype=np.uint8)))
    with pytest.raises(DataFileError, match=r"the training images are \(3, 4\) pixels, those for testing \(4, 4\)"):
        read_image_folder(tmp_path)


def test_no_images_at_all(tmp_path: Path) -> None:
    write_images(tmp_path)
    (tmp_path / FILES[0]).write_bytes(idx(np.zeros((0, 3, 4), dtype=np.uint8)))
    (tmp_path / FILES[1]).write_bytes(idx(np.zeros(0, dtype=np.uint8)))
    with pytest.raises(DataFileError, match=r"train-labels.*: 0 labels for images of the sizes \(0, 3, 4\)"):
        read_image_folder(tmp_path)


def test_checksums_reach_the_files(tmp_path: Path) -> None:
    write_images(tmp_path)
    with pytest.raises(DataFileError, match=r"t10k-labels-idx1-ubyte: the unpacked content has the sha256"):
        read_image_folder(tmp_path, checksums={FILES[3]: "0" * 64})
