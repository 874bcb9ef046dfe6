"""Names and whose they are: the table in which a name of a kind is looked up.

The rules, which do not depend on the order of installation:

- a built-in keeps its plain name whatever is installed, so that no experiment changes its meaning by an installation;
  a plugin's item of the same name is reached as ``distribution:name``, and its plugin is reported as shadowed;
- of a name that two plugins offer, the plain form is an error that lists both qualified names;
- ``distribution:name`` always works, for built-ins too: ``polydnn:relu``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from polydnn.errors import AmbiguousNameError, unknown_name
from polydnn.registry.installed import normalized
from polydnn.registry.records import Plugin
from polydnn.registry.specs import Spec

__all__ = ["Entry", "Table"]


@dataclass(frozen=True)
class Entry:
    """A registered item: the record, and the plugin it came from."""

    spec: Spec
    owner: Plugin

    @property
    def qualified(self) -> str:
        """The name that works whatever else is installed: ``"polydnn-huber:huber"``."""
        return f"{self.owner.distribution}:{self.spec.name}"

    def __str__(self) -> str:
        whose = "" if self.owner.built_in else f" of {self.owner.distribution} {self.owner.version}"
        return f"{self.spec.kind} {self.spec.name!r}{whose}"


@dataclass
class Table:
    """All entries, by kind and plain name."""

    entries: dict[tuple[str, str], list[Entry]] = field(default_factory=dict)

    def add(self, specs: Iterable[Spec], owner: Plugin) -> None:
        """Register what a plugin offers; the caller has made sure that its package does not offer it already."""
        for spec in specs:
            self.entries.setdefault((spec.kind, spec.name), []).append(Entry(spec, owner))

    def owned(self, kind: str, name: str, distribution: str) -> Entry | None:
        """The entry of that name in that package."""
        same = (each for each in self.entries.get((kind, name), ()) if each.owner.distribution == distribution)
        return next(same, None)

    def of_kind(self, kind: str) -> list[Entry]:
        """Every entry of a kind, sorted by name and package."""
        found = [entry for (of, _), entries in self.entries.items() if of == kind for entry in entries]
        return sorted(found, key=lambda entry: (entry.spec.name, entry.owner.distribution))

    def address(self, entry: Entry) -> str:
        """The shortest name that finds the entry: the plain one where it is unmistakable, else the qualified one."""
        rivals = self.entries[(entry.spec.kind, entry.spec.name)]
        return entry.spec.name if entry.owner.built_in or len(rivals) == 1 else entry.qualified

    def find(self, kind: str, name: str) -> Entry:
        """The entry for a plain or a qualified name.

        Raises UnknownNameError, and AmbiguousNameError for a plain name of two plugins.
        """
        distribution, separator, plain = name.rpartition(":")
        if separator:
            owned = self.owned(kind, plain, normalized(distribution))
            if owned is None:
                raise unknown_name(kind, name, self._names(kind))
            return owned
        rivals = self.entries.get((kind, name), [])
        if not rivals:
            raise unknown_name(kind, name, self._names(kind))
        built_in = [entry for entry in rivals if entry.owner.built_in]
        if not built_in and len(rivals) > 1:
            raise _ambiguous(kind, name, rivals)
        return (built_in or rivals)[0]

    def conflicts(self) -> Iterator[tuple[tuple[Plugin, ...], list[Entry]]]:
        """Groups of plugins that offer the same names, each with one entry for every such name."""
        groups: dict[tuple[Plugin, ...], list[Entry]] = {}
        for rivals in self.entries.values():
            if len(rivals) > 1:
                owners = sorted((entry.owner for entry in rivals), key=lambda owner: owner.distribution)
                groups.setdefault(tuple(owners), []).append(rivals[0])
        yield from groups.items()

    def _names(self, kind: str) -> list[str]:
        return [self.address(entry) for entry in self.of_kind(kind)]


def _ambiguous(kind: str, name: str, rivals: list[Entry]) -> AmbiguousNameError:
    choices = sorted(entry.qualified for entry in rivals)
    msg = f"{kind} {name!r} is offered by {len(rivals)} packages; say which: {' or '.join(map(repr, choices))}."
    return AmbiguousNameError(msg)
