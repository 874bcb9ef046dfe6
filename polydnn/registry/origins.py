"""Remembers which entry an item was made from, so that a model file can say which package it needs."""

import functools
import inspect
import weakref
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

from polydnn.registry.table import Entry

__all__ = ["Origins"]


class Origins:
    """From an item, by identity, to the entry it was made from; an item that is gone is forgotten."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], Entry]] = {}

    def remember(self, item: Any, entry: Entry) -> None:
        """Note the entry of an item; an item that cannot be referred to weakly is left to ``guess``."""
        key = id(item)
        try:
            reference = weakref.ref(item, lambda gone: self._known.pop(key, None))
        except TypeError:
            return
        self._known[key] = (reference, entry)

    def of(self, item: Any) -> Entry | None:
        """The entry of an item this registry made."""
        reference, entry = self._known.get(id(item), (None, None))
        return entry if reference is not None and reference() is item else None

    def guess(self, item: Any, entries: Iterable[Entry]) -> Entry | None:
        """The entry of the item's name whose factory lives in a package that the item's own functions come from.

        The name alone would not do: a user's own activation may well be called "relu".
        """
        name = getattr(item, "name", None) or getattr(item, "type", None)
        packages = _packages(item)
        fitting = (
            entry
            for entry in entries
            if name in (entry.spec.name, entry.qualified)
            and _package(entry.spec.factory) in packages
            and _carries_options(item, entry.spec.factory)
        )
        return next(fitting, None)


def _carries_options(item: Any, factory: Any) -> bool:
    """Whether a file can say how the item was made; defaults in place of lost options would be another item."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return True
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return named <= set(getattr(item, "options", named))


def _packages(item: Any) -> set[str]:
    if not is_dataclass(item):
        return {_package(type(item))}
    return {_package(value) for value in (getattr(item, field.name) for field in fields(item)) if callable(value)}


def _package(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    home = function if inspect.isroutine(function) or inspect.isclass(function) else type(function)
    return (getattr(home, "__module__", None) or "").split(".")[0]
