"""The options that mean the same in several commands, in one wording."""

from collections.abc import Callable
from typing import Any, TypeVar

from polydnn.cli.sections import PLAIN_SECTION, option

__all__ = ["RUN", "backend_option", "json_option", "quiet_option"]

Command = TypeVar("Command", bound=Callable[..., Any])

RUN = "Run"
"""The heading of what concerns a run and not its experiment."""

backend_option = option(
    PLAIN_SECTION, "--backend", metavar="NAME", help="The array library; POLYDNN_BACKEND, else numpy, unless given."
)
quiet_option = option(RUN, "--quiet", is_flag=True, help="Show no progress.")


def json_option(section: str = PLAIN_SECTION, what: str = "one JSON object") -> Callable[[Command], Command]:
    """The flag --json, the argument ``json`` of the command."""
    return option(section, "--json", "json", is_flag=True, help=f"Print {what} on standard output.")
