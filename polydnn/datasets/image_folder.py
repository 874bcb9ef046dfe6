"""A data set of labelled images from a folder with MNIST's four IDX files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polydnn.datasets.dataset import Dataset, Rows
from polydnn.datasets.idx import read_idx
from polydnn.errors import DataFileError, DatasetUnavailableError

__all__ = ["FILES", "find_images", "read_image_folder"]

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
"""The four files, each plain or with the ending .gz; ``train-images.idx3-ubyte`` and its like are found too."""

Host = np.ndarray[Any, Any]


def find_images(folder: Path) -> dict[str, Path]:
    """The files of ``FILES`` that lie in ``folder``, by their name without ending."""
    found: dict[str, Path] = {}
    for name in FILES:
        spellings = (name, name.replace("-idx", ".idx"))
        candidates = (folder / f"{spelling}{ending}" for spelling in spellings for ending in ("", ".gz"))
        path = next((each for each in candidates if each.is_file()), None)
        if path is not None:
            found[name] = path
    return found


def read_image_folder(
    folder: str | Path,
    *,
    name: str | None = None,
    classes: Sequence[str] | None = None,
    checksums: Mapping[str, str] | None = None,
    summary: str = "",
    source: str = "",
) -> Dataset:
    """The images and labels in ``folder``: x is uint8 (n, height * width), row by row from the top, y is (n,).

    ``classes`` names the labels; without them they are called by their numbers. ``checksums`` are sha256 sums of the
    unpacked files by the names in ``FILES``.
    Raises DatasetUnavailableError where one of the four files is missing, DataFileError where one breaks the format or
    they do not belong together.
    """
    folder = Path(folder)
    found = find_images(folder)
    missing = [each for each in FILES if each not in found]
    if missing:
        msg = f"{folder} lacks {', '.join(missing)} (each plain or as .gz)."
        raise DatasetUnavailableError(msg)
    sums = checksums or {}
    images, labels, test_images, test_labels = (
        read_idx(found[each], axes=3 if "images" in each else 1, sha256=sums.get(each)) for each in FILES
    )
    if images.shape[1:] != test_images.shape[1:]:
        msg = f"{folder}: the training images are {images.shape[1:]} pixels, those for testing {test_images.shape[1:]}."
        raise DataFileError(msg)
    names = tuple(classes or (str(number) for number in range(int(labels.max(initial=0)) + 1)))
    return Dataset(
        name=name or folder.resolve().name,
        task="multiclass",
        train=_rows(images, labels, len(names), found[FILES[1]]),
        test=_rows(test_images, test_labels, len(names), found[FILES[3]]),
        features=tuple(f"pixel_{row}_{column}" for row in range(images.shape[1]) for column in range(images.shape[2])),
        targets=("class",),
        classes=names,
        scaling="min-max",
        summary=summary or f"multiclass, {len(images)} + {len(test_images)} images",
        source=source or str(folder),
    )


def _rows(images: Host, labels: Host, classes: int, path: Path) -> Rows:
    if len(images) != len(labels) or images.size == 0:
        msg = f"{path}: {len(labels)} labels for images of the sizes {images.shape}; expected one label for each."
        raise DataFileError(msg)
    if int(labels.max()) >= classes:
        row = int(np.argmax(labels >= classes))
        msg = f"{path}: expected labels from 0 to {classes - 1}, found {labels[row]} at row {row}."
        raise DataFileError(msg)
    return Rows(images.reshape(len(images), -1), labels.astype(np.int64))
