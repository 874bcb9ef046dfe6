"""The options of a run that is resumed: those of its own experiment file where the command line leaves them out."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from polydnn.cli.experiment_file import read_experiment

__all__ = ["with_experiment_of_run"]


def with_experiment_of_run(ctx: click.Context, options: dict[str, Any], file: Path) -> dict[str, Any]:
    """``options`` with every value that nobody gave taken from the run's experiment file, where there is one.

    An experiment file on the command line and flags win; that they differ from the run's is found out later.
    """
    if not file.exists():
        return options
    kept = read_experiment(file, ctx)
    by_name = {str(param.name): param for param in ctx.command.params}
    return {
        name: by_name[name].process_value(ctx, kept[name]) if name in kept and _left_out(ctx, name) else value
        for name, value in options.items()
    }


def _left_out(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) in (ParameterSource.DEFAULT, None)
