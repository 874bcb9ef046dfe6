"""From what the command line says about data to a data set, and a data set in the terms of a trained model."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from polydnn.cli.columns import TABLES, few, unnamed
from polydnn.datasets import Dataset, Rows, Task, builtin_datasets, load
from polydnn.datasets.csv_table import open_csv
from polydnn.errors import InvalidArgumentError, InvalidDataError, UnknownNameError
from polydnn.registry import dataset as dataset_of

if TYPE_CHECKING:
    from polydnn import Network

__all__ = ["as_model_expects", "is_file", "is_table", "load_data", "rows_of"]

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
    features: Sequence[str] | None = None,
    task: Task | None = None,
    test_fraction: float | None = None,
    folder: str | None = None,
    classes: Sequence[str] = (),
) -> Dataset:
    """The data set of that name, or in that file; ``features`` and ``classes`` are those a model knows, for a table.

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
            features=features,
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


def as_model_expects(dataset: Dataset, network: "Network") -> Dataset:
    """The data set with its columns and its class numbers in the order the model learnt them in.

    A file numbers the classes that occur in it; a file in which one is missing would number them otherwise than the
    training data did. Raises InvalidDataError for features, targets or classes that the model does not know.
    """
    if network.task != dataset.task:
        advice = "say --task" if is_table(dataset.source) else f"choose one for {network.task}"
        msg = f"the model does {network.task}, the data set {dataset.name!r} is for {dataset.task}; {advice}."
        raise InvalidDataError(msg)
    if network.features and set(network.features) - set(dataset.features):
        if _goes_by_place(dataset, network):
            return _with_classes(replace(dataset, features=network.features), network.classes)
        missing = [name for name in network.features if name not in dataset.features]
        msg = (
            f"{dataset.name!r} lacks {len(missing)} of the model's features: {few(missing)}; "
            f"it has {few(dataset.features)}."
        )
        raise InvalidDataError(msg)
    return _with_classes(_with_features(dataset, network.features), network.classes)


def _goes_by_place(dataset: Dataset, network: "Network") -> bool:
    """Whether the columns are as many as the model's, and at least one side has no names for them."""
    from_arrays = dataset.source.lower().endswith(".npz") and unnamed(dataset.features, "x")
    return dataset.in_features == network.in_features and (from_arrays or unnamed(network.features, "x"))


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
        msg = f"{dataset.name!r} has classes the model does not know: {few(unknown)}; it knows {few(classes)}."
        raise InvalidDataError(msg)
    numbers = np.array([classes.index(name) for name in dataset.classes])
    train, test = (Rows(rows.x, numbers[rows.y]) for rows in (dataset.train, dataset.test))
    return replace(dataset, train=train, test=test, classes=tuple(classes))
