"""Which losses serve which data: the check before a training, and labels as the rows that a loss on numbers wants."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from polydnn.cli.item_text import Item
from polydnn.datasets import Dataset, Rows, Task
from polydnn.errors import InvalidArgumentError, PolydnnError

__all__ = ["as_loss_wants", "check_loss", "default_loss"]

DEFAULT_LOSSES: Mapping[Task, str] = {
    "binary": "binary_cross_entropy",
    "multiclass": "categorical_cross_entropy",
    "multilabel": "binary_cross_entropy",
    "regression": "mean_squared_error",
}
KINDS: Mapping[Task, tuple[str, ...]] = {
    "binary": ("probabilities", "real", "signs"),
    "multiclass": ("classes", "real"),
    "multilabel": ("probabilities", "real", "signs"),
    "regression": ("real",),
}
"""What losses call their targets (``Loss.target_kind``) that serve a task."""


def default_loss(task: Task) -> Item:
    """The loss of a task for which none is named."""
    return Item(DEFAULT_LOSSES[task], {})


def check_loss(loss: Item, dataset: Dataset) -> None:
    """Raise InvalidArgumentError, with the losses that serve it, where the loss does not serve the data set's task."""
    if _target_kind(loss) in _kinds(dataset):
        return
    msg = (
        f"the loss {loss.name!r} does not serve {dataset.name!r}, which is for {dataset.task}; those that do: "
        f"{', '.join(_serving(dataset))}. Without --loss it is {DEFAULT_LOSSES[dataset.task]}."
    )
    raise InvalidArgumentError(msg)


def as_loss_wants(dataset: Dataset, loss: Item) -> Dataset:
    """The data set with one-hot rows (n, classes) for labels (n,) where the loss is one on numbers."""
    if dataset.task != "multiclass" or _target_kind(loss) != "real":
        return dataset
    ones = np.eye(len(dataset.classes), dtype=np.int64)
    train, test = (Rows(rows.x, ones[rows.y]) for rows in (dataset.train, dataset.test))
    return replace(dataset, train=train, test=test)


def _target_kind(loss: Any) -> str:
    from polydnn import loss as loss_of

    return loss_of(loss).target_kind


def _kinds(dataset: Dataset) -> tuple[str, ...]:
    kinds = KINDS[dataset.task]
    if dataset.task == "regression" and _shares(dataset):
        return (*kinds, "probabilities")
    return kinds


def _shares(dataset: Dataset) -> bool:
    """Whether every target lies between 0 and 1, as the share of something does."""
    return all(bool(np.all((rows.y >= 0) & (rows.y <= 1))) for rows in (dataset.train, dataset.test))


def _serving(dataset: Dataset) -> list[str]:
    from polydnn.registry import default_registry

    kinds = _kinds(dataset)
    return [name for name in default_registry().names("loss") if _kind_or_none(name) in kinds]


def _kind_or_none(name: str) -> str | None:
    """None for a loss of a plugin that is broken, or that cannot be made without options."""
    try:
        return _target_kind(name)
    except PolydnnError:
        return None
