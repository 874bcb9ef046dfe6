"""The study as tables for the terminal: the answer, a row a batch size, the caches, and what to mind."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from polydnn.batch_size.report import facts
from polydnn.batch_size.report.wording import NOTHING

__all__ = ["print_study", "study_tables"]

HEADINGS = {
    "batch size": "batch\nsize",
    "step": "step",
    "±": "±",
    "examples/s": "examples\n/s",
    "GFLOP/s": "GFLOP/s",
    "working set": "working\nset",
    "fits in": "fits\nin",
    "to target, predicted": "predicted",
    "to target, measured": "measured",
}
"""The columns for which eighty letters have room; the others stand in the JSON and on the page."""

CAPTION = "predicted, measured: time to the target loss in multiples of the shortest"


def print_study(record: Mapping[str, Any], console: Console) -> None:
    """Print the study on a console."""
    for part in study_tables(record):
        console.print(part)


def study_tables(record: Mapping[str, Any]) -> Iterator[RenderableType]:
    """What is printed, part by part. Words of the record stand as they are: "[bold]" in a name is no markup.

    A column without any value, such as the measured time to the target before a validation, is left out.
    """
    yield _sizes(record)
    caches = facts.cache_rows(record)
    if caches:
        yield _table("Caches", ("cache", "detected", "measured", "used"), caches)
    best = record["best"]
    yield Text(facts.headline(record), style="bold")
    yield Text(best["why"])
    for name in ("below", "at", "above"):
        yield Text(f"- {best[name]}")
    for name, value, remark in facts.key_figures(record):
        yield Text(f"{name}: {value} ({remark})")
    for skipped in record["skipped"]:
        yield Text(f"left out {skipped['batch_size']}: {skipped['why']}")
    for warning in record["machine"]["warnings"]:
        yield Text(f"mind: {warning}", style="yellow")


def _sizes(record: Mapping[str, Any]) -> Table:
    rows = facts.size_rows(record)
    kept = [column for column in HEADINGS if any(row[column] != NOTHING for row in rows)]
    made = _table("Batch sizes", [*(HEADINGS[column] for column in kept), ""], [], right=len(kept))
    for column in made.columns:
        column.no_wrap = True
    made.caption = CAPTION if record["prediction"] else None
    made.caption_justify = "left"
    for row, measured in zip(rows, record["sweep"], strict=True):
        best = measured["batch_size"] == record["best"]["batch_size"]
        cells = [*(row[column] for column in kept), "◀" if best else ""]
        made.add_row(*(Text(cell) for cell in cells), style="bold green" if best else "")
    return made


def _table(title: str, columns: Sequence[str], rows: Sequence[tuple[str, ...]], right: int = 0) -> Table:
    """A table whose first ``right`` columns hold numbers."""
    made = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    made.pad_edge, made.show_edge, made.padding = False, False, (0, 1, 0, 0)
    for number, column in enumerate(columns):
        made.add_column(column, overflow="fold", justify="right" if number < right else "left")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made
