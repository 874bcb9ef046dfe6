"""Help texts with their options under headings."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["GLOBAL_SECTION", "PLAIN_SECTION", "SectionedCommand", "SectionedGroup", "SectionedOption", "option"]

Command = TypeVar("Command", bound=Callable[..., Any])

PLAIN_SECTION, GLOBAL_SECTION = "Options", "Every command"


class SectionedOption(click.Option):
    """An option that belongs under a heading of the help text."""

    def __init__(self, *args: Any, section: str = PLAIN_SECTION, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.section = section


def option(section: str, *flags: str, **settings: Any) -> Callable[[Command], Command]:
    """An option under a heading."""
    return click.option(*flags, cls=SectionedOption, section=section, **settings)


def _write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """The options under their headings, in the order in which these first appear, what every command takes last."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
        if record is not None:
            section = GLOBAL_SECTION if "--help" in param.opts else getattr(param, "section", PLAIN_SECTION)
            sections.setdefault(section, []).append(record)
    for title in sorted(sections, key=lambda title: title == GLOBAL_SECTION):
        with formatter.section(title):
            formatter.write_dl(sections[title])


class SectionedCommand(click.Command):
    """A command whose help lists its options under their headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_options(self, ctx, formatter)


class SectionedGroup(click.Group):
    """A group of such commands."""

    command_class = SectionedCommand

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)
