"""Which columns of a table a trained model takes; the others are ignored, and that is said."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polydnn.cli.messages import warn_in_one_line
from polydnn.datasets import read_csv_features, read_npz_features
from polydnn.datasets.csv_table import open_csv
from polydnn.errors import DataFileError, InvalidArgumentError, InvalidDataError

if TYPE_CHECKING:
    from polydnn import Network

__all__ = ["TABLES", "feature_columns", "few", "read_features", "target_columns", "unnamed"]

TABLES = (".csv", ".csv.gz")


def read_features(path: str, network: "Network") -> np.ndarray[Any, Any]:
    """The rows of a file to predict for: columns by the model's names in a table, the array x of an .npz file."""
    place = Path(path).expanduser()
    if path.lower().endswith(".npz"):
        return read_npz_features(place)
    if not path.lower().endswith(TABLES):
        msg = f"{path}: unknown ending; predict reads .csv, .csv.gz and .npz."
        raise InvalidArgumentError(msg)
    return read_csv_features(place, feature_columns(path, network, network.targets))


def feature_columns(path: str, network: "Network", targets: Sequence[str]) -> Sequence[str]:
    """The columns of a table by the model's names, or by their places where it learnt from columns without names.

    Columns that are neither features nor ``targets`` are named in a warning. Raises DataFileError where a feature is
    missing, InvalidDataError for another number of columns where places count.
    """
    header = _header(path)
    names = network.features
    if names and not (unnamed(names, "x") and set(names) - set(header)):
        _check_there(path, names)
        others = [name for name in header if name not in {*names, *network.targets, *targets}]
        if others:
            warn_in_one_line(f"{path}: columns that the model does not use are ignored: {few(others)}.")
        return names
    columns = [name for name in header if name not in targets]
    if names:
        _check_places(path, columns, network)
    return columns


def _check_there(path: str, names: Sequence[str]) -> None:
    with open_csv(Path(path).expanduser()) as table:
        try:
            for name in names:
                table.position(name)
        except DataFileError as error:
            msg = f"{error} The model was trained on {few(names)}."
            raise DataFileError(msg) from None


def _check_places(path: str, columns: Sequence[str], network: "Network") -> None:
    if len(columns) != network.in_features:
        advice = "Leave the others out." if len(columns) > network.in_features else "Add the rest."
        msg = (
            f"the model learnt from {network.in_features} columns without names, and {path} has {len(columns)}: "
            f"{few(columns)}. {advice}"
        )
        raise InvalidDataError(msg)
    if columns != [str(number) for number in range(len(columns))] and all(map(_is_number, columns)):
        msg = f"{path}: the first line holds numbers only; put a header row with names above it."
        raise InvalidDataError(msg)


def target_columns(path: str, network: "Network") -> tuple[str, ...]:
    """The model's target columns in a table; none where the model's targets had no names and the table has none such.

    The targets of arrays are called y, y0 or, where they were one-hot, class.
    """
    if not unnamed(network.targets, "y") and network.targets != ("class",):
        return network.targets
    return network.targets if set(network.targets) <= set(_header(path)) else ()


def unnamed(names: Sequence[str], letter: str) -> bool:
    """Whether these are the names that columns of arrays get, which have none of their own."""
    return tuple(names) in (tuple(f"{letter}{number}" for number in range(len(names))), (letter,))


def few(names: Sequence[str], most: int = 8) -> str:
    """The first names of a list, and how many there are."""
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")


def _header(path: str) -> tuple[str, ...]:
    with open_csv(Path(path).expanduser()) as table:
        return table.header


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
