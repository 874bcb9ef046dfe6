"""Tells plugins what happens in training, and keeps a plugin that fails at it from stopping the training."""

from collections.abc import Callable, Mapping
from typing import Any

from polydnn.errors import PluginError
from polydnn.registry.loading import Hook, cause_of
from polydnn.registry.records import Plugin
from polydnn.registry.reporting import warn

__all__ = ["event_caller"]


def event_caller(event: str, hooks: Mapping[Plugin, Hook], *, strict: bool) -> Callable[..., None]:
    """A function that calls every plugin's implementation with the event's arguments, given by name.

    One that raises is reported once and not called again by this function; in strict mode it raises PluginError.
    """
    working = dict(hooks)

    def call(**arguments: Any) -> None:
        for plugin, hook in list(working.items()):
            try:
                hook(**arguments)
            except (Exception, SystemExit) as error:
                msg = f"plugin {plugin}: {event} raised {cause_of(error)}"
                if strict:
                    raise PluginError(msg) from error
                del working[plugin]
                warn(f"{msg}\nIt is not called again.")

    return call
