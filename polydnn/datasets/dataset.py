"""What a data set is to the rest of polydnn: rows to train on, rows to test on, and what they mean."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

__all__ = ["Dataset", "Rows", "Task"]

Task: TypeAlias = Literal["binary", "multiclass", "multilabel", "regression"]


@dataclass(frozen=True)
class Rows:
    """Some rows of a data set.

    ``x`` is (n, in_features), numbers of any real or integer dtype. ``y`` is (n,) integer labels 0 .. k-1 for a
    multi-class task, (n, 1) of 0 and 1 for a binary one, (n, labels) of 0 and 1 for a multi-label one and
    (n, outputs) real numbers for regression.
    """

    x: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Dataset:
    """A data set with its split.

    ``features`` and ``targets`` name the columns of x and y; ``classes`` names the labels of a binary or multi-class
    task in the order of their numbers; ``scaling`` is the input normalization its values ask for ("standard",
    "min-max" or "none"). ``source`` says where the rows come from and under which licence.
    """

    name: str
    task: Task
    train: Rows
    test: Rows
    features: tuple[str, ...]
    targets: tuple[str, ...]
    classes: tuple[str, ...] = ()
    scaling: Literal["standard", "min-max", "none"] = "standard"
    summary: str = ""
    source: str = ""

    @property
    def in_features(self) -> int:
        """The number of columns of x."""
        return int(self.train.x.shape[1])

    @property
    def outputs(self) -> int:
        """The number of units a network's last layer needs."""
        return len(self.classes) if self.task == "multiclass" else int(self.train.y.shape[1])
