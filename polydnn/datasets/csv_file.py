"""A data set from a .csv file: a header row, numbers as features, targets by the names of their columns."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polydnn.datasets.csv_table import Column, CsvTable, open_csv
from polydnn.datasets.dataset import Dataset, Task
from polydnn.datasets.from_arrays import from_arrays
from polydnn.datasets.targets import check_task
from polydnn.errors import DataFileError, InvalidArgumentError

__all__ = ["dataset_from_table", "read_csv", "read_csv_features"]

INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


def read_csv(
    path: str | Path,
    targets: Sequence[str] | str,
    *,
    features: Sequence[str] | None = None,
    task: Task | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """The data set in a .csv or .csv.gz file; ``targets`` names the target columns.

    ``features`` names the columns of the features, in that order; what else is there is then not looked at. All but
    the targets are features where it is None. They are float64 (n, in_features). A target column of text holds
    classes, numbered in sorted order; ``task`` is inferred where it is None, by the rule of
    ``polydnn.datasets.targets``. ``test_fraction`` of the rows, drawn by ``seed``, are for testing; that and
    ``classes`` are as in ``from_arrays``. 20,000 rows of nine numbers take about a tenth of a second.

    Raises StorageError where there is no such file and DataFileError, with line and column, for a missing or repeated
    column, a row of another length, a cell that is empty, no number, NaN or infinite.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "flowers.csv"
    >>> _ = path.write_text("length,width,kind\\n5.1,3.5,iris\\n4.9,3.0,rose\\n4.7,3.2,iris\\n5.0,3.1,rose\\n")
    >>> dataset = read_csv(path, targets="kind")
    >>> dataset.task, dataset.features, dataset.classes
    ('binary', ('length', 'width'), ('iris', 'rose'))
    """
    path = Path(path)
    with open_csv(path) as table:
        return dataset_from_table(
            table,
            _target_names(table, targets),
            features=features,
            name=_stem(path),
            task=task,
            test_fraction=test_fraction,
            seed=seed,
            classes=classes,
        )


def dataset_from_table(
    table: CsvTable,
    targets: Sequence[str],
    *,
    name: str,
    features: Sequence[str] | None = None,
    task: Task | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """The data set in an open table; the arguments are those of ``read_csv``."""
    task = check_task(task)
    features = _feature_names(table, targets, features)
    x, columns = table.read(features, targets)
    values = [_values(table, column, task) for column in columns]
    return from_arrays(
        x,
        values[0] if len(values) == 1 else _side_by_side(table, columns, values),
        task=task,
        test_fraction=test_fraction,
        seed=seed,
        features=features,
        targets=targets,
        classes=classes,
        name=name,
        source=table.origin,
    )


def read_csv_features(path: str | Path, features: Sequence[str] | None = None) -> np.ndarray[Any, Any]:
    """The columns ``features`` of a .csv file, in that order, as float64 (n, len(features)); all columns for None.

    For predictions: columns that are not asked for, targets among them, may hold anything.
    Raises what ``read_csv`` raises.
    """
    with open_csv(Path(path)) as table:
        return table.read(table.header if features is None else list(features), [])[0]


def _target_names(table: CsvTable, targets: Sequence[str] | str) -> list[str]:
    names = [targets] if isinstance(targets, str) else list(targets)
    if not names or len(set(names)) < len(names):
        msg = f"targets must name one or more different columns of {table.origin}, found {names!r}."
        raise InvalidArgumentError(msg)
    for name in names:
        table.position(name)
    return names


def _feature_names(table: CsvTable, targets: Sequence[str], features: Sequence[str] | None) -> list[str]:
    if features is None:
        names = [each for each in table.header if each not in targets]
        if not names:
            msg = f"{table.origin}: all {len(table.header)} columns are targets; leave at least one as a feature."
            raise DataFileError(msg)
        return names
    names = [features] if isinstance(features, str) else list(features)
    if not names or len({*names, *targets}) < len(names) + len(targets):
        msg = f"features must name one or more different columns of {table.origin} beside the targets, found {names!r}."
        raise InvalidArgumentError(msg)
    return names


def _values(table: CsvTable, column: Column, task: Task | None) -> np.ndarray[Any, Any]:
    """The cells as int64, float64 or text, whichever they are written as."""
    if all(INTEGER.fullmatch(cell) for cell in column.cells):
        return np.array([int(cell) for cell in column.cells], dtype=np.int64)
    numbers = [_float(cell) for cell in column.cells]
    as_text = task in ("binary", "multiclass") and None in numbers
    if as_text or all(number is None for number in numbers):
        return np.array(column.cells)
    for line, cell, number in zip(column.lines, column.cells, numbers, strict=True):
        if number is None or not np.isfinite(number):
            raise table.bad_cell(line, column.name, cell, "a finite number (for classes named by text, give the task)")
    return np.array(numbers, dtype=np.float64)


def _side_by_side(
    table: CsvTable, columns: Sequence[Column], values: Sequence[np.ndarray[Any, Any]]
) -> np.ndarray[Any, Any]:
    for column, each in zip(columns, values, strict=True):
        if each.dtype.kind == "U":
            raise table.bad_cell(
                column.lines[0], column.name, column.cells[0], "a number, as there are several targets"
            )
    return np.stack(values, axis=1)


def _float(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".csv")
