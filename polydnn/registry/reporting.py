"""Warns about a plugin at the line of the user's code that met it, not at a line of polydnn's."""

import sys
import warnings

from polydnn.registry.records import PolydnnPluginWarning

__all__ = ["warn"]


def warn(text: str) -> None:
    """Emit a PolydnnPluginWarning that names the first caller outside polydnn."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "polydnn":
        level, frame = level + 1, frame.f_back
    warnings.warn(text, PolydnnPluginWarning, stacklevel=level)
