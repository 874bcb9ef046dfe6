"""Reads a table of comma-separated values strictly: every fault is named by its line and column."""

import csv
import gzip
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from polydnn.datasets.reading import reading
from polydnn.errors import DataFileError, did_you_mean

__all__ = ["Column", "CsvTable", "open_csv"]

ROWS_AT_ONCE = 4096
"""Text of this many rows is held at a time; the rest of a large file is already numbers."""


@dataclass(frozen=True)
class Column:
    """One column as text, with the line of the file each cell stands on."""

    name: str
    cells: list[str]
    lines: list[int]


class CsvTable:
    """The header of a table and, by one call of ``read``, its columns."""

    def __init__(self, lines: Iterable[str], origin: str) -> None:
        self.origin = origin
        self._rows = csv.reader(lines, strict=True)
        first = next(self._filled_rows(), None)
        if first is None:
            msg = f"{origin} is empty; expected a header row with the names of the columns."
            raise DataFileError(msg)
        self.header = tuple(name.strip() for name in first[1])
        self._check_header()

    def read(self, numeric: Sequence[str], text: Sequence[str]) -> tuple[np.ndarray[Any, Any], list[Column]]:
        """The ``numeric`` columns as float64 (n, len(numeric)) and the ``text`` columns as they are written."""
        places = [self.position(name) for name in numeric]
        columns = [Column(name, [], []) for name in text]
        positions = [self.position(name) for name in text]
        blocks: list[np.ndarray[Any, Any]] = []
        for block in self._blocks():
            blocks.append(self._numbers(block, places, first=not blocks))
            for column, position in zip(columns, positions, strict=True):
                column.lines.extend(line for line, _ in block)
                column.cells.extend(self._text(line, row, position) for line, row in block)
        if not blocks:
            msg = f"{self.origin} has a header but no rows."
            raise DataFileError(msg)
        return np.concatenate(blocks), columns

    def position(self, name: str) -> int:
        """Where the column of that name stands; raises DataFileError where there is none."""
        if name in self.header:
            return self.header.index(name)
        msg = f"{self.origin} has no column {name!r}; its columns: {', '.join(self.header)}."
        raise DataFileError(msg + self._header_hint(name))

    def _header_hint(self, name: str) -> str:
        if len(self.header) == 1 and any(mark in self.header[0] for mark in ";\t|"):
            return " The cells seem to be separated by something else than commas."
        if all(_number(cell) is not None for cell in self.header):
            return " The first line holds numbers only; put a header row with names above it."
        return did_you_mean(name, self.header)

    def _check_header(self) -> None:
        if "" in self.header:
            place = self.header.index("") + 1
            hint = " (An index that was saved along with the table? Save it without.)" if place == 1 else ""
            msg = f"{self.origin}, line 1: column {place} of the header has no name.{hint}"
            raise DataFileError(msg)
        twice = [name for place, name in enumerate(self.header) if name in self.header[:place]]
        if twice and not all(_number(cell) is not None for cell in self.header):
            msg = f"{self.origin}, line 1: the header names the column {twice[0]!r} more than once."
            raise DataFileError(msg)

    def _filled_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Rows with the line they end on; empty lines are passed over."""
        try:
            for row in self._rows:
                if row:
                    yield self._rows.line_num, row
        except csv.Error as error:
            msg = f"{self.origin}, line {self._rows.line_num}: no valid CSV: {error}."
            raise DataFileError(msg) from error

    def _blocks(self) -> Iterator[list[tuple[int, list[str]]]]:
        width = len(self.header)
        block: list[tuple[int, list[str]]] = []
        for line, row in self._filled_rows():
            if len(row) != width:
                msg = f"{self.origin}, line {line}: expected {width} cells as in the header, found {len(row)}."
                raise DataFileError(msg)
            block.append((line, row))
            if len(block) == ROWS_AT_ONCE:
                yield block
                block = []
        if block:
            yield block

    def _numbers(self, block: list[tuple[int, list[str]]], places: list[int], *, first: bool) -> np.ndarray[Any, Any]:
        everything = places == list(range(len(self.header)))
        cells = [row if everything else [row[place] for place in places] for _, row in block]
        try:
            numbers = np.fromiter(map(float, chain.from_iterable(cells)), np.float64, len(block) * len(places))
        except ValueError:
            raise self._bad_number(block, places, first) from None
        # float() reads 1_000 as a thousand, which no table means
        if not np.all(np.isfinite(numbers)) or any("_" in "".join(row) for row in cells):
            raise self._bad_number(block, places, first)
        return numbers.reshape(len(block), len(places))

    def _bad_number(self, block: list[tuple[int, list[str]]], places: list[int], first: bool) -> DataFileError:
        line, place, cell = next(
            (line, place, row[place]) for line, row in block for place in places if _number(row[place]) is None
        )
        if first:
            words = [each for each in places if all(_number(row[each]) is None for _, row in block)]
            if place in words:
                return self._text_columns(line, cell, place, [self.header[each] for each in words])
        return self.bad_cell(line, self.header[place], cell, "a finite number")

    def _text_columns(self, line: int, cell: str, place: int, names: list[str]) -> DataFileError:
        """The error for columns without a single number, which no correction of a cell mends."""
        also = [name for name in names if name != self.header[place]]
        return DataFileError(
            f"{self.origin}, line {line}, column {self.header[place]!r}: expected a finite number, {_found(cell)}; no "
            f"cell of the column is a number. Encode it in numbers (a column of 0 and 1 for each of its values, for "
            f"instance), or leave it out." + (f" The same holds for: {', '.join(also)}." if also else "")
        )

    def _text(self, line: int, row: list[str], position: int) -> str:
        cell = row[position].strip()
        if not cell:
            raise self.bad_cell(line, self.header[position], cell, "a value")
        return cell

    def bad_cell(self, line: int, column: str, cell: str, expected: str) -> DataFileError:
        """The error for a cell that cannot be used."""
        return DataFileError(
            f"{self.origin}, line {line}, column {column!r}: expected {expected}, {_found(cell)}; "
            f"correct the cell or remove the row."
        )


def _found(cell: str) -> str:
    return f"found {cell!r}" if cell.strip() else "found an empty cell"


def _number(cell: str) -> float | None:
    """The finite number a cell holds, None where it holds something else."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if np.isfinite(number) and "_" not in cell else None


@contextmanager
def open_csv(path: Path) -> Iterator[CsvTable]:
    """The table in a UTF-8 file, plain or packed by gzip.

    Raises StorageError where the file cannot be read, DataFileError where it is no such table.
    """
    try:
        with reading(path), _open_text(path) as lines:
            yield CsvTable(lines, str(path))
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8."
        raise DataFileError(msg) from error


def _open_text(path: Path) -> TextIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")
