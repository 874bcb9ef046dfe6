"""What goes to standard output: one JSON object, or text and tables for people."""

import contextlib
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

__all__ = ["counted", "figure", "only_results_on_stdout", "plain", "print_json", "print_table"]

PIPE_WIDTH = 1000
"""Columns where the output is no terminal: lines are not broken there, so that other programs can read them."""


@contextlib.contextmanager
def only_results_on_stdout() -> Iterator[None]:
    """Send what libraries and plugins print to standard error, so that standard output holds results alone."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object; NaN and infinity, which JSON does not have, become null."""
    click.echo(json.dumps(plain(value), indent=2, allow_nan=False))


def plain(value: Any) -> Any:
    """``value`` in what JSON has."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value


def figure(value: float) -> str:
    """A measure in four digits or in whole numbers, whichever says more.

    >>> figure(0.123456), figure(60770.4), figure(float("nan"))
    ('0.1235', '60,770', 'nan')
    """
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.4g}"


def counted(number: int, noun: str) -> str:
    """A number of things, in words.

    >>> counted(1, "epoch"), counted(1200, "step")
    ('1 epoch', '1,200 steps')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that fits the terminal; text is text, with no markup."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    with console.capture() as text:
        console.print(made)
    lines = (line.rstrip() for line in text.get().splitlines())
    click.echo("\n".join(line for line in lines if line))
