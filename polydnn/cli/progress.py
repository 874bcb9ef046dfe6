"""What a fit shows while it runs: a bar on a terminal, a line an epoch elsewhere, both on standard error."""

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from polydnn.cli.output import figure
from polydnn.training import Callback

if TYPE_CHECKING:
    from rich.progress import Progress

    from polydnn.training import History, Trainer
    from polydnn.types import Array

__all__ = ["Bar", "Lines", "Shown", "measures_in_words", "progress_callbacks"]

REFRESH = 0.1
"""Seconds between two updates of the bar; a step may take microseconds."""

NOT_MEASURES = ("epoch", "learning_rate", "seconds", "samples_per_second")


class Shown(Callback):
    """A callback that shows how a fit goes on."""

    def close(self) -> None:
        """Give the terminal back; called also where the fit ends by an error."""


def progress_callbacks(*, quiet: bool) -> list[Shown]:
    """The callback that fits standard error; none where the user wants quiet."""
    if quiet:
        return []
    return [Bar()] if sys.stderr.isatty() else [Lines()]


def measures_in_words(row: Mapping[str, Any]) -> str:
    """Loss and metrics of a row of the history.

    >>> measures_in_words({"epoch": 1, "loss": 0.25, "val_loss": 0.3, "val_accuracy": 0.9, "seconds": 1.0})
    'loss 0.25  val_loss 0.3  val_accuracy 0.9'
    """
    return "  ".join(f"{name} {figure(value)}" for name, value in row.items() if name not in NOT_MEASURES)


class Lines(Shown):
    """One line an epoch, for files and pipes."""

    def on_epoch_end(self, trainer: "Trainer", logs: Mapping[str, Any]) -> None:
        assert trainer.progress is not None
        last = trainer.progress.end_epoch
        rate = logs["samples_per_second"]
        click.echo(
            f"epoch {logs['epoch']:>{len(str(last))}}/{last}  {measures_in_words(logs)}  {rate:,.0f} samples/s",
            err=True,
        )


class Bar(Shown):
    """A bar with the last epoch's loss and metrics, samples per second and the time left.

    Steps are counted and no loss is read, so that the device is not waited for.
    """

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: Any = None
        self._measures = ""
        self._due = 0.0

    def on_fit_start(self, trainer: "Trainer") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        self._progress = Progress(
            TextColumn("{task.fields[epoch]}"),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[measures]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=Console(stderr=True),
        )
        assert trainer.progress is not None
        total = trainer.progress.total_steps
        self._task = self._progress.add_task("", total=total, epoch="", measures="")
        self._progress.start()
        self._show(trainer)

    def steps_until_call(self, trainer: "Trainer") -> int:
        return sys.maxsize  # bundles of steps are shorter than the time between two looks of the bar

    def on_step_end(self, trainer: "Trainer", loss: "Array") -> None:
        if time.monotonic() >= self._due:
            self._show(trainer)

    def on_epoch_end(self, trainer: "Trainer", logs: Mapping[str, Any]) -> None:
        shown = {"loss": logs["loss"]}
        metrics = [metric.name for metric in trainer.metrics[:1]]  # one line of 80 columns holds no more
        shown |= {key: logs[key] for name in metrics for key in (f"val_{name}", name) if key in logs}
        self._measures = f"{measures_in_words(shown)}  {logs['samples_per_second']:,.0f} samples/s"
        self._show(trainer)

    def on_fit_end(self, trainer: "Trainer", history: "History") -> None:
        self._show(trainer)
        self.close()

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _show(self, trainer: "Trainer") -> None:
        now = trainer.progress
        assert now is not None
        assert self._progress is not None
        self._due = time.monotonic() + REFRESH
        epoch = min(now.epoch + 1, now.end_epoch)
        self._progress.update(
            self._task,
            completed=now.step - now.first_step,
            epoch=f"epoch {epoch}/{now.end_epoch}",
            measures=self._measures,
        )
