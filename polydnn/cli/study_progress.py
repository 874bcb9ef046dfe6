"""What a batch-size study shows while it runs: a bar on a terminal, a line a stage elsewhere, on standard error."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["StudyProgress"]


class StudyProgress:
    """Is called with what is being done and the part of the time that is spent."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._stage = ""
        self._bar: Progress | None = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

            self._bar = Progress(
                BarColumn(bar_width=16), TaskProgressColumn(), TextColumn("{task.description}"),
                console=Console(stderr=True),
            )  # fmt: skip
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, text: str, share: float) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=text, completed=share)
            return
        stage = text if text.startswith("validating") else text.partition(":")[0]
        if not self._quiet and stage != self._stage:
            click.echo(stage, err=True)
        self._stage = stage
