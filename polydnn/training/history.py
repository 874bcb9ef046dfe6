"""The history of a fit: one row an epoch, as a table."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["History"]


class History:
    """What was measured in every epoch.

    ``history["loss"]`` is a column, ``history.rows`` the rows as mappings, ``str(history)`` a table. The columns are
    epoch (counted from 1), loss (mean of the cost over the epoch's steps, weighted by rows), the metrics, val_loss and
    val_ metrics where there are validation rows, learning_rate (of the last step), seconds and samples_per_second (of
    the training steps, evaluation left out).

    >>> history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    >>> history["loss"]
    [0.5, 0.25]
    """

    def __init__(self, rows: list[dict[str, Any]] | None = None) -> None:
        self.rows: list[dict[str, Any]] = [] if rows is None else rows

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in the order of their first appearance."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def append(self, row: Mapping[str, Any]) -> None:
        """Add the row of one epoch."""
        self.rows.append(dict(row))

    def __getitem__(self, column: str) -> list[Any]:
        return [row[column] for row in self.rows if column in row]

    def __contains__(self, column: object) -> bool:
        return any(column in row for row in self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def to_csv(self, path: str | Path | None = None) -> str:
        """The table as CSV text, also written to ``path`` where one is given; numbers keep every digit."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        if path is not None:
            Path(path).write_text(text.getvalue(), encoding="utf-8")
        return text.getvalue()

    def __str__(self) -> str:
        columns = self.columns
        cells = [columns, *([_in_words(row.get(name)) for name in columns] for row in self.rows)]
        widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
        return "\n".join("  ".join(f"{cell:>{w}}" for cell, w in zip(line, widths, strict=True)) for line in cells)

    def __repr__(self) -> str:
        return f"<History of {len(self)} epochs: {', '.join(self.columns)}>"


def _in_words(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
