"""Loads the built-ins and every plugin one after another, and keeps what went wrong with each."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from polydnn.errors import did_you_mean
from polydnn.registry.installed import Source, built_in_source, normalized
from polydnn.registry.kinds import ITEMS
from polydnn.registry.loading import Fault, Hook, Loaded, load
from polydnn.registry.records import BUILT_IN, Plugin, PluginRecord, Status
from polydnn.registry.settings import PluginSettings
from polydnn.registry.specs import API_VERSION
from polydnn.registry.table import Entry, Table

__all__ = ["Assembly", "assemble", "metadata_record"]


@dataclass
class Assembly:
    """What loading found: the names, the state and the hooks of every plugin, and one text for each thing wrong."""

    table: Table = field(default_factory=Table)
    records: dict[Plugin, PluginRecord] = field(default_factory=dict)
    hooks: dict[Plugin, Mapping[str, Hook]] = field(default_factory=dict)
    left_out: list[Entry] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    finished: bool = False

    def explain_absence(self, kind: str, name: str) -> str:
        """Why a name might be unknown although a package for it is installed; empty where there is no such reason."""
        distribution, separator, plain = name.rpartition(":")
        for entry in self.left_out:
            if (entry.spec.kind, entry.spec.name) == (kind, plain):
                return f" {entry.owner.distribution} {entry.owner.version} has it for {_another_api(entry)}."
        if separator:
            return self._explain_package(normalized(distribution))
        reasons = [
            f"\n  {record.plugin} {record.status}: {record.cause}"
            for record in self.records.values()
            if record.status in ("failed", "disabled")
        ]
        opening = "\nThese plugins are installed and out of use; one of them may offer it:"
        if reasons:
            return opening + "".join(reasons)
        near = did_you_mean(name, (each.spec.name for each in self.table.of_kind(kind)))
        return "" if near or kind not in ITEMS else " No plugin that is installed offers it either."

    def _explain_package(self, distribution: str) -> str:
        records = [record for record in self.records.values() if record.plugin.distribution == distribution]
        if not records and distribution != BUILT_IN:
            return f" No plugin package {distribution!r} is installed."
        return "".join(f"\n{record.plugin} {record.status}: {record.cause}" for record in records if record.cause)


def metadata_record(plugin: Plugin, settings: PluginSettings) -> PluginRecord:
    """What can be said of a plugin that has not been imported."""
    place = settings.switched_off_by(plugin)
    return PluginRecord(plugin, "disabled", f"switched off by {place}") if place else PluginRecord(plugin, "not loaded")


def assemble(assembly: Assembly, sources: Iterable[Source], settings: PluginSettings) -> None:
    """Fill an empty assembly: the built-ins first, then each source.

    A fault of the built-ins is raised as it is: it is ours. Every other is noted, and the next source has its turn.
    """
    ours = built_in_source()
    assembly.table.add(load(ours.entry_point).specs, ours.plugin)
    found = list(sources)
    for source in found:
        record = metadata_record(source.plugin, settings)
        assembly.records[source.plugin] = record if record.status == "disabled" else _try(assembly, source)
    _note_shared_entry_points(assembly)
    _note_shared_names(assembly)
    _note_idle_switches(assembly, settings)
    assembly.finished = True


def _try(assembly: Assembly, source: Source) -> PluginRecord:
    plugin = source.plugin
    start = time.perf_counter()
    try:
        loaded = load(source.entry_point)
        _check_not_offered(assembly.table, loaded, plugin)
    except Fault as fault:
        assembly.faults.append(
            f"plugin {plugin} failed and is left out: {fault}\n"
            f"Update it, remove it, or switch it off with POLYDNN_DISABLE_PLUGINS={plugin.distribution}."
        )
        return PluginRecord(plugin, "failed", str(fault), seconds=time.perf_counter() - start)
    assembly.table.add(loaded.specs, plugin)
    assembly.hooks[plugin] = loaded.hooks
    record = PluginRecord(plugin, "ok", "", tuple(sorted(loaded.hooks)), _items(loaded), time.perf_counter() - start)
    return _without_incompatible(assembly, record, loaded)


def _check_not_offered(table: Table, loaded: Loaded, plugin: Plugin) -> None:
    """Two entry points of one package with one name: not even the qualified name could tell them apart."""
    for spec in loaded.specs:
        other = table.owned(spec.kind, spec.name, plugin.distribution)
        if other is not None:
            msg = f"its package offers the {spec.kind} {spec.name!r} already, by entry point {other.owner.entry_point}"
            raise Fault(msg)


def _items(loaded: Loaded) -> dict[str, tuple[str, ...]]:
    names = defaultdict(list)
    for spec in loaded.specs:
        names[spec.kind].append(spec.name)
    return {kind: tuple(sorted(of_kind)) for kind, of_kind in names.items()}


def _without_incompatible(assembly: Assembly, record: PluginRecord, loaded: Loaded) -> PluginRecord:
    if not loaded.incompatible:
        return record
    entries = [Entry(spec, record.plugin) for spec in loaded.incompatible]
    assembly.left_out.extend(entries)
    which = ", ".join(f"{entry.spec.kind} {entry.spec.name!r}" for entry in entries)
    cause = f"{which} made for {_another_api(entries[0])}"
    assembly.faults.append(
        f"plugin {record.plugin} is incompatible: {cause}, and left out. Install a version of "
        f"{record.plugin.distribution} made for this polydnn."
    )
    return replace(record, status="incompatible", cause=cause)


def _another_api(entry: Entry) -> str:
    return f"plugin API {entry.spec.api}, while this polydnn has {API_VERSION}"


def _note_shared_entry_points(assembly: Assembly) -> None:
    by_name = defaultdict(list)
    for plugin, record in assembly.records.items():
        if record.status not in ("failed", "disabled"):
            by_name[plugin.entry_point].append(plugin)
    for name, plugins in by_name.items():
        if len(plugins) > 1:
            cause = f"the entry-point name {name!r} is used by {_joined(plugins)}"
            assembly.faults.append(
                f"{cause}. All of them are loaded; switch one off by its package's name, not by {name!r}."
            )
            _shadow(assembly, plugins, cause)


def _note_shared_names(assembly: Assembly) -> None:
    for owners, entries in assembly.table.conflicts():
        which = ", ".join(f"{entry.spec.kind} {entry.spec.name!r}" for entry in entries)
        strangers = [owner for owner in owners if not owner.built_in]
        example = " or ".join(repr(f"{owner.distribution}:{entries[0].spec.name}") for owner in strangers)
        if len(strangers) == len(owners):
            cause = f"{which} offered by {_joined(strangers)}"
            assembly.faults.append(f"{cause}. The plain name is an error; write {example}.")
        else:
            cause = f"{which} built in, and offered by {_joined(strangers)} as well"
            assembly.faults.append(f"{cause}. The plain name means the built-in; write {example} for the other.")
        _shadow(assembly, strangers, cause)


def _shadow(assembly: Assembly, plugins: Iterable[Plugin], cause: str) -> None:
    for plugin in plugins:
        record = assembly.records[plugin]
        status: Status = "shadowed" if record.status == "ok" else record.status
        assembly.records[plugin] = replace(record, status=status, cause="; ".join(filter(None, (record.cause, cause))))


def _joined(plugins: Iterable[Plugin]) -> str:
    return " and ".join(str(plugin) for plugin in plugins)


def _note_idle_switches(assembly: Assembly, settings: PluginSettings) -> None:
    """A misspelt name behind --no-plugin would leave the plugin running without a word."""
    known = {normalized(name) for plugin in assembly.records for name in (plugin.distribution, plugin.entry_point)}
    for name, place in settings.disabled.items():
        if name not in known:
            possible = ", ".join(sorted(known)) or "none"
            assembly.notes.append(
                f"{place} switches off {name!r}, and no such plugin is installed; installed: {possible}."
                + did_you_mean(name, known)
            )
