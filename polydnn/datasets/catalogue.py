"""From a name or a path to a data set: the built-in ones, files, folders, and what can be fetched."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from polydnn.datasets.csv_file import read_csv
from polydnn.datasets.dataset import Dataset, Task
from polydnn.datasets.download import download
from polydnn.datasets.embedded import BREAST_CANCER, CALIFORNIA_HOUSING, DIGITS, YEAST
from polydnn.datasets.fashion_mnist import NAME as FASHION_MNIST
from polydnn.datasets.fashion_mnist import REMOTE, SUMMARY, data_folder, fashion_mnist
from polydnn.datasets.image_folder import read_image_folder
from polydnn.datasets.npz_file import read_npz
from polydnn.errors import DatasetUnavailableError, InvalidArgumentError, StorageError, UnknownNameError, unknown_name

__all__ = ["Loader", "builtin_datasets", "fetch", "load"]

Loader: TypeAlias = Callable[[Path | None], Dataset]
"""A loader takes the folder to look in, or None for the usual places."""

ENDINGS = (".csv", ".csv.gz", ".npz")
TEST_FRACTION = 0.2


def builtin_datasets() -> list[tuple[str, Loader, str]]:
    """Name, loader and summary of every built-in data set, sorted by name; nothing is read.

    >>> [name for name, _, _ in builtin_datasets()]
    ['breast_cancer', 'california_housing', 'digits', 'fashion_mnist', 'yeast']
    """
    embedded = [(each.name, each, each.summary) for each in (BREAST_CANCER, CALIFORNIA_HOUSING, DIGITS, YEAST)]
    return sorted([*embedded, (FASHION_MNIST, fashion_mnist, SUMMARY)], key=lambda entry: entry[0])


def load(
    name_or_path: str | Path,
    *,
    folder: str | Path | None = None,
    targets: Sequence[str] | str | None = None,
    features: Sequence[str] | None = None,
    task: Task | None = None,
    test_fraction: float = TEST_FRACTION,
    seed: int = 0,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """A built-in data set by its name, or one's own by the path of a .csv, .csv.gz or .npz file or of an IDX folder.

    A built-in name wins; write ``./digits`` for a folder of that name. ``folder`` is where a built-in set's files lie.
    ``targets`` names the target columns of a .csv file, and must be given for one; ``features`` those of its features,
    all others unless given. ``task``, ``test_fraction`` and ``seed`` say how one's own rows are understood and split,
    ``classes`` which classes there are (see ``from_arrays``); built-in sets and IDX folders know all that themselves.

    Raises UnknownNameError for a name nobody knows, InvalidArgumentError for an argument that does not apply or an
    unknown ending, and what the readers raise.

    >>> dataset = load("digits")
    >>> dataset.train.x.shape, dataset.train.x.dtype.name, dataset.test.x.shape, dataset.outputs
    ((1438, 64), 'uint8', (359, 64), 10)
    """
    loaders = {name: loader for name, loader, _ in builtin_datasets()}
    of_columns = {"targets": targets, "features": features}
    of_rows: dict[str, Any] = {"task": task, "test_fraction": test_fraction, "classes": classes}
    if str(name_or_path) in loaders and not isinstance(name_or_path, Path):
        _refuse(str(name_or_path), "is built in", **of_columns, **of_rows)
        return loaders[str(name_or_path)](None if folder is None else Path(folder).expanduser())
    path = Path(name_or_path).expanduser()
    _refuse(str(path), "is a path", folder=folder)
    if path.is_dir():
        _refuse(str(path), "is a folder of images", **of_columns, **of_rows)
        try:
            return read_image_folder(path)
        except DatasetUnavailableError as error:
            msg = f"{error} A folder is read as images in IDX files; name a table by its file, not by its folder."
            raise DatasetUnavailableError(msg) from None
    if path.name.lower().endswith(".npz"):
        _refuse(str(path), "has its targets in the array y", targets=targets)
        _refuse(str(path), "has its features in the array x", features=features)
        return read_npz(path, seed=seed, **of_rows)
    if path.name.lower().endswith(ENDINGS):
        return read_csv(path, _needed(path, targets), features=features, seed=seed, **of_rows)
    raise _unreadable(str(name_or_path), path, list(loaders))


def fetch(name: str, folder: str | Path | None = None, report: Callable[[str], None] | None = None) -> Path:
    """Download a built-in data set that is not embedded and return the folder where ``load`` will find it.

    Without ``folder`` it goes to POLYDNN_DATA or the user's cache. ``report`` is told a line for each file.
    Raises UnknownNameError, InvalidArgumentError for an embedded set, and what ``download`` raises.
    """
    names = [each for each, _, _ in builtin_datasets()]
    if name not in names:
        raise _unknown(name, names)
    if name != FASHION_MNIST:
        msg = f"data set {name!r} comes with polydnn, there is nothing to fetch; to be fetched: {FASHION_MNIST}."
        raise InvalidArgumentError(msg)
    target = data_folder() / name if folder is None else Path(folder).expanduser()
    download(REMOTE, target, report)
    return target


def _refuse(what: str, why: str, **arguments: object) -> None:
    """An argument that would have no effect is an error and not a surprise."""
    for argument, value in arguments.items():
        if value is not None and not (argument == "test_fraction" and value == TEST_FRACTION):
            msg = f"{argument}={value!r} does not apply to {what!r}: it {why}. Leave the argument out."
            raise InvalidArgumentError(msg)


def _needed(path: Path, targets: Sequence[str] | str | None) -> Sequence[str] | str:
    if targets is None:
        msg = f"{path}: name the target columns, for example targets=['price']; all other columns are features."
        raise InvalidArgumentError(msg)
    return targets


def _unknown(name: str, names: list[str]) -> UnknownNameError:
    return unknown_name("dataset", name, names)


def _unreadable(asked: str, path: Path, names: list[str]) -> Exception:
    if path.exists() or (path.suffix and os.sep not in asked):
        return InvalidArgumentError(
            f"{asked}: unknown ending {path.suffix!r}; polydnn reads {', '.join(ENDINGS)} and folders of IDX files."
        )
    if os.sep in asked:
        return StorageError(f"{asked} cannot be read: no such file or folder.")
    return _unknown(asked, names)
