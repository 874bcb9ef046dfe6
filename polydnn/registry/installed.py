"""Which plugin packages are installed: read from their metadata, without importing any of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polydnn.registry.marker import GROUP
from polydnn.registry.records import BUILT_IN, Plugin

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Source", "built_in_source", "installed", "normalized", "sources"]

UNKNOWN = "unknown"
"""What stands for a version that the package's metadata does not give."""


@dataclass(frozen=True)
class Source:
    """An entry point, and the package it was found in."""

    plugin: Plugin
    entry_point: "EntryPoint"


def normalized(distribution: str) -> str:
    """The one spelling in which names of packages are compared.

    >>> normalized("Polydnn_Leaky.ReLU")
    'polydnn-leaky-relu'
    """
    return re.sub(r"[-_.]+", "-", distribution).lower()


def installed() -> list["EntryPoint"]:
    """The entry points of the group ``polydnn`` on ``sys.path``."""
    from importlib.metadata import entry_points

    return list(entry_points(group=GROUP))


def sources(entry_points: Iterable["EntryPoint"]) -> list[Source]:
    """The entry points with their packages, in an order that does not depend on the order of installation.

    One that polydnn itself might declare is left out: the built-ins need none.
    """
    found = [Source(_plugin(entry_point), entry_point) for entry_point in entry_points]
    found = [source for source in found if not source.plugin.built_in]
    return sorted(found, key=lambda source: (source.plugin.distribution, source.plugin.entry_point))


def built_in_source() -> Source:
    """The built-ins, as an entry point of polydnn itself: they need no installed package to be found."""
    from importlib.metadata import EntryPoint, PackageNotFoundError, version

    try:
        own = version(BUILT_IN)
    except PackageNotFoundError:  # a checkout that is only on sys.path
        own = UNKNOWN
    entry_point = EntryPoint("builtins", "polydnn.registry.builtins", GROUP)
    return Source(Plugin(BUILT_IN, own, entry_point.name, entry_point.value), entry_point)


def _plugin(entry_point: "EntryPoint") -> Plugin:
    name, version = _name_and_version(entry_point)
    return Plugin(normalized(name), version, entry_point.name, entry_point.value)


def _name_and_version(entry_point: "EntryPoint") -> tuple[str, str]:
    try:
        found = entry_point.dist
        return (str(found.name), str(found.version)) if found is not None else (entry_point.name, UNKNOWN)
    except Exception:  # a half-removed package: its metadata is gone, and its name with it
        return entry_point.name, UNKNOWN
