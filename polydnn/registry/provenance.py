"""Which package an item came from: what a model file writes down, and how reading one finds the item again.

A file names packages; nothing here imports or installs one because a file names it. The words of a file are checked
before they are put into a sentence that a user might copy into a shell.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from polydnn.errors import ModelFileError, UnknownNameError
from polydnn.registry.installed import UNKNOWN
from polydnn.registry.kinds import KINDS
from polydnn.registry.loading import NAME
from polydnn.registry.manager import Registry
from polydnn.registry.process import default_registry
from polydnn.registry.records import BUILT_IN
from polydnn.registry.reporting import warn
from polydnn.registry.table import Entry

__all__ = ["Provenance", "entry_of", "provenance"]

PATTERNS = {
    "kind": re.compile("|".join(KINDS)),
    "name": NAME,
    "distribution": re.compile(r"[a-z0-9]+(-[a-z0-9]+)*"),
    "version": re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*"),
}


@dataclass(frozen=True)
class Provenance:
    """An item's kind and name, and the package and version that it came from.

    >>> Provenance("loss", "huber", "polydnn-huber", "1.0").qualified
    'polydnn-huber:huber'
    """

    kind: str
    name: str
    distribution: str
    version: str

    @property
    def built_in(self) -> bool:
        """Whether the item is part of polydnn itself."""
        return self.distribution == BUILT_IN

    @property
    def qualified(self) -> str:
        """The name that finds the item whatever else is installed."""
        return f"{self.distribution}:{self.name}"

    def as_dict(self) -> dict[str, str]:
        """The record as it stands in a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Provenance":
        """Read what ``as_dict`` wrote; raises ModelFileError for anything else.

        >>> Provenance.from_dict({"kind": "loss", "name": "huber", "distribution": "polydnn-huber", "version": "1.0"})
        Provenance(kind='loss', name='huber', distribution='polydnn-huber', version='1.0')
        """
        for key, pattern in PATTERNS.items():
            value = record.get(key)
            if not isinstance(value, str) or len(value) > 200 or not pattern.fullmatch(value):
                msg = f"the record of a component has no valid {key!r}: found {value!r}."
                raise ModelFileError(msg)
        return cls(**{key: record[key] for key in PATTERNS})

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} of {self.distribution} {self.version}"


def provenance(kind: str, item: Any, *, registry: Registry | None = None) -> Provenance | None:
    """Where an item came from; None for one of the user's own code, which no file can name.

    >>> from polydnn.registry import activation
    >>> provenance("activation", activation("relu")).distribution
    'polydnn'
    """
    entry = (registry or default_registry()).origin(kind, item)
    if entry is None:
        return None
    return Provenance(kind, entry.spec.name, entry.owner.distribution, entry.owner.version)


def entry_of(wanted: Provenance, *, registry: Registry | None = None) -> Entry:
    """The entry that a file names, from the very package it names.

    Raises UnknownNameError with what to ``pip install`` where the package is missing or does not offer the item, and
    warns (PolydnnPluginWarning) where a plugin is installed in another version than the file was written with.
    """
    registry = registry or default_registry()
    try:
        entry = registry.find(wanted.kind, wanted.qualified)
    except UnknownNameError:
        raise UnknownNameError(_absence(wanted, registry)) from None
    now = entry.owner.version
    if not wanted.built_in and UNKNOWN not in (now, wanted.version) and now != wanted.version:
        msg = (
            f"{wanted} is needed, and version {now} is installed; results may differ. "
            f"For the one it was saved with: {_command(wanted, exact=True)}"
        )
        warn(msg)
    return entry


def _absence(wanted: Provenance, registry: Registry) -> str:
    if wanted.built_in:
        return f"{wanted} is needed, and this polydnn does not have it; it takes another version: {_command(wanted)}"
    records = [record for record in registry.records(load=True) if record.plugin.distribution == wanted.distribution]
    out_of_use = [record for record in records if record.status in ("failed", "disabled", "incompatible")]
    broken = [f"{record.plugin} {record.status}: {record.cause}" for record in out_of_use]
    if broken:
        return f"{wanted} is needed, and {'; '.join(broken)}"
    if records:
        version = records[0].plugin.version
        exact = _command(wanted, exact=True)
        return f"{wanted} is needed, and version {version} of the package does not offer it; {exact}"
    return f"{wanted} is needed, and the package is not installed; if you trust it: {_command(wanted)}"


def _command(wanted: Provenance, *, exact: bool = False) -> str:
    known = exact and wanted.version != UNKNOWN
    return f"pip install {wanted.distribution}" + (f"=={wanted.version}" if known else "")
