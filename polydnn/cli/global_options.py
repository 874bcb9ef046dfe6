"""The options that every command takes: debugging, and which plugins may load."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import click

from polydnn.cli.sections import GLOBAL_SECTION, SectionedOption
from polydnn.registry import configure

__all__ = ["Session", "add_global_options"]


@dataclass
class Session:
    """What the global options of one run said, before the command's name and after it together."""

    debug: bool = False
    disabled: list[str] = field(default_factory=list)
    load: bool = True
    strict: bool = False

    def configure_plugins(self) -> None:
        """Tell the registry, which then starts anew."""
        configure(disabled=self.disabled, strict=self.strict, load=self.load)


def _session(ctx: click.Context) -> Session:
    return ctx.find_root().ensure_object(Session)


def _debug(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        _session(ctx).debug = True


def _no_plugin(ctx: click.Context, param: click.Parameter, value: Iterable[str]) -> None:
    names = list(value)
    if names:
        _session(ctx).disabled += names
        _session(ctx).configure_plugins()


def _no_plugins(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        _session(ctx).load = False
        _session(ctx).configure_plugins()


def _strict_plugins(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        _session(ctx).strict = True
        _session(ctx).configure_plugins()


def add_global_options(command: click.Command) -> click.Command:
    """Give a command, and the commands inside it, the options of every command that it does not have itself."""
    taken = {name for param in command.params for name in param.opts}
    command.params += [option for option in _options() if not taken.intersection(option.opts)]
    for inner in getattr(command, "commands", {}).values():
        add_global_options(inner)
    return command


def _options() -> list[SectionedOption]:
    # eager, so that plugins are chosen before another option looks up a name
    common: dict[str, Any] = {"section": GLOBAL_SECTION, "expose_value": False, "is_eager": True}
    return [
        SectionedOption(["--debug"], is_flag=True, callback=_debug, help="Show the traceback of an error.", **common),
        SectionedOption(
            ["--no-plugin"],
            metavar="NAME",
            multiple=True,
            callback=_no_plugin,
            help="Leave out this plugin (package or entry point); can be repeated.",
            **common,
        ),
        SectionedOption(["--no-plugins"], is_flag=True, callback=_no_plugins, help="Leave out all plugins.", **common),
        SectionedOption(
            ["--strict-plugins"],
            is_flag=True,
            callback=_strict_plugins,
            help="Make a plugin that does not work an error.",
            **common,
        ),
    ]
