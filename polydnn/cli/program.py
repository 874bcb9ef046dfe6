"""The command ``polydnn``: its subcommands, built in and from plugins, each imported when it is used."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from polydnn.cli.global_options import Session, add_global_options
from polydnn.cli.messages import messages_on_stderr, run_to_status, warn_in_one_line
from polydnn.cli.sections import SectionedGroup
from polydnn.errors import PluginError, PolydnnError, did_you_mean
from polydnn.registry import Entry, command_entries, default_registry
from polydnn.registry.making import check_made

__all__ = ["Program", "main"]

COMMANDS = {
    "batch-size": "Measure and predict which batch size is best on this machine, and say why.",
    "datasets": "List the data sets, describe one, or fetch one.",
    "doctor": "Report processor, caches, BLAS, memory, backends and GPU.",
    "evaluate": "Measure a trained model on a data set.",
    "parity": "Compare a training on two backends, array by array and step by step.",
    "plugins": "List installed plugins, check one, or start a new one.",
    "predict": "Predict classes or values for the rows of a file.",
    "train": "Train a network; with nothing else given, on handwritten digits.",
}
"""Name and summary; the command is the object of that name, with underscores, in the module of that name."""


class Program(SectionedGroup):
    """The group of all commands; a mistake of the user ends in one message and never in a traceback."""

    def main(  # type: ignore[override] # click spells out an overload for each standalone_mode
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        """Run and exit: 0 done, 1 a failure that the message explains, 2 wrong usage, 130 interrupted."""
        call = super().main
        session = Session()
        extra |= {"standalone_mode": False, "obj": session}
        with messages_on_stderr():
            status = run_to_status(lambda: call(args, prog_name, **extra), session)
        sys.exit(status)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*COMMANDS, *(default_registry().address(entry) for entry in _plugin_commands())})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            name = cmd_name.replace("-", "_")
            found: click.Command = getattr(import_module(f"polydnn.cli.{name}"), name)
            return add_global_options(found)
        plain = cmd_name.rpartition(":")[2]
        if not any(entry.spec.name == plain for entry in _plugin_commands()):
            return None
        return add_global_options(_made(default_registry().find("command", cmd_name)))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            possible = self.list_commands(ctx)
            msg = f"no command {args[0]!r}; there are {', '.join(possible)}.{did_you_mean(args[0], possible)}"
            raise click.UsageError(msg, ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from_plugins = {
            default_registry().address(entry): f"{entry.spec.summary} ({entry.owner.distribution})"
            for entry in _plugin_commands()
        }
        with formatter.section("Commands"):
            formatter.write_dl(sorted((from_plugins | COMMANDS).items()))


def _plugin_commands() -> tuple[Entry, ...]:
    """The commands of plugins; where plugins are strict and one does not work, a warning and none."""
    try:
        return command_entries()
    except PolydnnError as error:
        warn_in_one_line(str(error))
        return ()


def _made(entry: Entry) -> click.Command:
    try:
        command: click.Command = entry.spec.factory()
    except Exception as error:
        msg = f"{entry} cannot be used: {type(error).__name__}: {error}"
        raise PluginError(msg) from error
    check_made(entry, command, click.Command)
    return command


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        try:
            number = version("polydnn")
        except PackageNotFoundError:  # run from a source tree that is not installed
            number = "(not installed)"
        click.echo(f"polydnn {number}")
        ctx.exit()


@click.group(
    cls=Program,
    name="polydnn",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Try: polydnn train",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
def main() -> None:
    """Train feed-forward networks on NumPy, CuPy, PyTorch or JAX."""


add_global_options(main)
