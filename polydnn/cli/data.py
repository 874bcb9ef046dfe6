"""From what the command line says about data to a data set, and a data set in the terms of a trained model."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from polydnn.datasets import Dataset, Rows, Task, builtin_datasets, load, read_csv_features, read_npz_features
from polydnn.datasets.csv_table import open_csv
from polydnn.errors import InvalidArgumentError, InvalidDataError, UnknownNameError
from polydnn.registry import dataset as dataset_of

if TYPE_CHECKING:
    from polydnn import Network

__all__ = ["as_model_expects", "is_file", "is_table", "load_data", "read_features", "rows_of", "target_columns"]

TABLES = (".csv", ".csv.gz")
TEST_FRACTION = 0.2
SPLIT_SEED = 0
"""The test rows of a file are the same whatever seed a training uses, so that runs can be compared."""


def is_file(name: str) -> bool:
    """Whether ``name`` is a path rather than the name of a data set."""
    if name in {known for known, _, _ in builtin_datasets()}:
        return False
    return os.sep in name or name.lower().endswith((*TABLES, ".npz")) or Path(name).exists()


def is_table(name: str) -> bool:
    """Whether ``name`` is a path of a file of rows, which polydnn splits, rather than of a folder of images."""
    return is_file(name) and name.lower().endswith((*TABLES, ".npz")) and not Path(name).expanduser().is_dir()


def load_data(
    name: str,
    *,
    target: Sequence[str] = (),
    task: Task | None = None,
    test_fraction: float | None = None,
    folder: str | None = None,
    classes: Sequence[str] = (),
) -> Dataset:
    """The data set of that name, or in that file; ``classes`` are those a model knows, for a table.

    Raises UsageError for a table without a target, UnknownNameError for a name nobody offers, and what the readers
    raise.
    """
    fraction = TEST_FRACTION if test_fraction is None else test_fraction
    if is_file(name):
        if name.lower().endswith(TABLES) and not target:
            raise _target_needed(name)
        return load(
            name,
            folder=folder,
            targets=list(target) or None,
            task=task,
            test_fraction=fraction,
            seed=SPLIT_SEED,
            classes=list(classes) if classes and is_table(name) else None,
        )
    if target or task or test_fraction:
        msg = f"--target, --task and --test-fraction are for files; {name!r} knows its own. Leave them out."
        raise InvalidArgumentError(msg)
    try:
        return dataset_of(name, folder)
    except UnknownNameError as error:
        msg = f"{error} A file of your own is named by its path, ending in .csv, .csv.gz or .npz."
        raise UnknownNameError(msg) from error


def _target_needed(name: str) -> click.UsageError:
    with open_csv(Path(name)) as table:
        columns = ", ".join(table.header)
    return click.UsageError(f"say which column of {name} is to be predicted with --target; its columns: {columns}.")


def rows_of(dataset: Dataset, split: str) -> Rows:
    """The rows for training, for testing, or all of them."""
    if split == "all":
        pairs = ((dataset.train.x, dataset.test.x), (dataset.train.y, dataset.test.y))
        return Rows(*(np.concatenate(pair) for pair in pairs))
    return dataset.train if split == "train" else dataset.test


def read_features(path: str, network: "Network") -> np.ndarray[Any, Any]:
    """The rows of a file to predict for: columns by the model's names in a table, the array x of an .npz file."""
    if path.lower().endswith(".npz"):
        return read_npz_features(path)
    if not path.lower().endswith(TABLES):
        msg = f"{path}: unknown ending; predict reads .csv, .csv.gz and .npz."
        raise InvalidArgumentError(msg)
    return read_csv_features(path, _feature_columns(path, network))


def _feature_columns(path: str, network: "Network") -> Sequence[str] | None:
    """The columns by the model's names; by their places where the model learnt from columns without names."""
    if not _unnamed(network.features, "x"):
        return network.features or None
    with open_csv(Path(path)) as table:
        header = table.header
    if set(network.features) <= set(header):
        return network.features
    columns = [name for name in header if name not in network.targets]
    if len(columns) != network.in_features:
        msg = (
            f"the model learnt from {network.in_features} columns without names, and {path} has {len(columns)}: "
            f"{_few(columns)}. Leave the others out."
        )
        raise InvalidDataError(msg)
    if columns != [str(number) for number in range(len(columns))] and all(map(_is_number, columns)):
        msg = f"{path}: the first line holds numbers only; put a header row with names above it."
        raise InvalidDataError(msg)
    return columns


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _unnamed(names: Sequence[str], letter: str) -> bool:
    """Whether these are the names that columns of arrays get, which have none of their own."""
    return tuple(names) in (tuple(f"{letter}{number}" for number in range(len(names))), (letter,))


def target_columns(name: str, network: "Network") -> tuple[str, ...]:
    """The model's target columns in a table; none where the model's targets had no names and the table has none such.

    The targets of arrays are called y, y0 or, where they were one-hot, class.
    """
    if not _unnamed(network.targets, "y") and network.targets != ("class",):
        return network.targets
    with open_csv(Path(name)) as table:
        return network.targets if set(network.targets) <= set(table.header) else ()


def as_model_expects(dataset: Dataset, network: "Network") -> Dataset:
    """The data set with its columns and its class numbers in the order the model learnt them in.

    A file numbers the classes that occur in it; a file in which one is missing would number them otherwise than the
    training data did. Raises InvalidDataError for features, targets or classes that the model does not know.
    """
    if network.task != dataset.task:
        msg = f"the model does {network.task}, the data set {dataset.name!r} is for {dataset.task}; say --task."
        raise InvalidDataError(msg)
    if network.features and set(network.features) - set(dataset.features):
        if _goes_by_place(dataset, network):
            return _with_classes(replace(dataset, features=network.features), network.classes)
        missing = [name for name in network.features if name not in dataset.features]
        msg = (
            f"{dataset.name!r} lacks {len(missing)} of the model's features: {_few(missing)}; "
            f"it has {_few(dataset.features)}."
        )
        raise InvalidDataError(msg)
    return _with_classes(_with_features(dataset, network.features), network.classes)


def _goes_by_place(dataset: Dataset, network: "Network") -> bool:
    """Whether the columns are as many as the model's, and at least one side has no names for them."""
    from_arrays = dataset.source.lower().endswith(".npz") and _unnamed(dataset.features, "x")
    return dataset.in_features == network.in_features and (from_arrays or _unnamed(network.features, "x"))


def _with_features(dataset: Dataset, features: Sequence[str]) -> Dataset:
    if not features or tuple(features) == dataset.features:
        return dataset
    places = [dataset.features.index(name) for name in features]
    train, test = (Rows(rows.x[:, places], rows.y) for rows in (dataset.train, dataset.test))
    return replace(dataset, train=train, test=test, features=tuple(features))


def _with_classes(dataset: Dataset, classes: Sequence[str]) -> Dataset:
    if not classes or tuple(classes) == dataset.classes or not dataset.classes:
        return dataset
    unknown = [name for name in dataset.classes if name not in classes]
    if unknown:
        msg = f"{dataset.name!r} has classes the model does not know: {_few(unknown)}; it knows {_few(classes)}."
        raise InvalidDataError(msg)
    numbers = np.array([classes.index(name) for name in dataset.classes])
    train, test = (Rows(rows.x, numbers[rows.y]) for rows in (dataset.train, dataset.test))
    return replace(dataset, train=train, test=test, classes=tuple(classes))


def _few(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")
