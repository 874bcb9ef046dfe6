"""The two markers of pluggy under polydnn's name: for its hook specifications, and for a plugin's implementations."""

import pluggy

__all__ = ["GROUP", "hookimpl", "hookspec"]

GROUP = "polydnn"
"""The entry-point group in which a plugin package announces itself, and the name of the markers."""

hookspec = pluggy.HookspecMarker(GROUP)
"""Marks the specification of a hook, in ``hookspecs.py`` only."""

hookimpl = pluggy.HookimplMarker(GROUP)
"""Marks a plugin's implementation of a hook: ``@polydnn.hookimpl`` above ``def polydnn_activations(): ...``."""
