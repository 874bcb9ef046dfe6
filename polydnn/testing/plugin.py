"""Checks everything that one installed package offers: what ``polydnn plugins check`` prints and its tests run."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from polydnn.arrays import Backend
from polydnn.errors import BackendUnavailableError, UnknownNameError, unknown_name
from polydnn.registry import Entry, ExecutorSpec, PluginRecord, Registry, default_registry
from polydnn.registry.installed import normalized
from polydnn.registry.kinds import KINDS as EVERY_KIND
from polydnn.registry.records import BUILT_IN
from polydnn.testing.backends import default_backends, resolve
from polydnn.testing.report import Report, Verdict
from polydnn.testing.subject import KINDS, MADE, kind_of, run_checks

__all__ = ["Case", "PluginReport", "cases", "check_plugin"]

PROMISE = "the factory makes an item when it is called without options"


@dataclass(frozen=True)
class PluginReport:
    """The verdicts on everything a package offers.

    ``problems`` are reasons why the package or some of its records cannot be used at all; ``notes`` say what was not
    looked at. ``str`` gives the words for people, ``to_json`` the same for programs.
    """

    package: str
    reports: tuple[Report, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the package loads and no check of any item failed."""
        return not self.problems and all(report.passed for report in self.reports)

    def to_json(self) -> dict[str, Any]:
        """The report in plain dictionaries, lists, strings and numbers."""
        return {
            "package": self.package,
            "passed": self.passed,
            "problems": list(self.problems),
            "notes": list(self.notes),
            "reports": [report.to_json() for report in self.reports],
        }

    def __str__(self) -> str:
        failed = [report for report in self.reports if not report.passed]
        parts = [str(report) for report in self.reports if report.passed]
        parts += [f"\n{report}\n" for report in failed]
        parts += [f"problem: {problem}" for problem in self.problems]
        parts += [f"note: {note}" for note in self.notes]
        return "\n".join([*parts, f"{self.package}: {self._counted()}"]).replace("\n\n\n", "\n\n")

    def _counted(self) -> str:
        """How many items were checked, how many were not, and how it went; an item unchecked has not passed."""
        looked_at = {_item(report) for report in self.reports if _was_checked(report)}
        unchecked = {_item(report) for report in self.reports} - looked_at
        broken = {_item(report) for report in self.reports if not report.passed}
        words = [f"{len(looked_at)} item{'s' if len(looked_at) != 1 else ''} checked"]
        words += [f"{len(unchecked)} not checked"] * bool(unchecked)
        if not self.passed:
            words.append(f"{len(broken)} with failed checks, {len(self.problems)} other problems")
        elif looked_at:
            words.append("all checked pass" if unchecked else "all pass")
        return ", ".join(words)


def _item(report: Report) -> tuple[str, str]:
    return report.kind, report.item


def _was_checked(report: Report) -> bool:
    return any(verdict.passed is not None for verdict in report.verdicts)


@dataclass(frozen=True)
class Case:
    """One item of a package on one backend; ``item`` is the factory, of an executor the record."""

    kind: str
    name: str
    backend: str
    item: Callable[..., Any] | ExecutorSpec

    def __str__(self) -> str:
        return f"{self.kind}-{self.name}-{self.backend}"

    def report(self) -> Report:
        """Run the checks; raises BackendUnavailableError where the backend cannot be used here."""
        place = resolve(self.backend)
        reason = "" if isinstance(self.item, ExecutorSpec) else _needed_options(self.item)
        if reason:
            return _unmade(self, Verdict(MADE, None, reason, 0.0, PROMISE))
        try:
            return run_checks(self.item, self.kind, place)
        except Exception as error:  # the factory is the plugin's
            detail = f"expected  an item\nfound     {type(error).__name__}: {error}\ndo        correct the factory."
            return _unmade(self, Verdict(MADE, False, detail, 0.0, PROMISE))


def cases(package: str, backends: Sequence[str], *, registry: Registry | None = None) -> list[Case]:
    """Every item of the package that there are checks for, on every backend; host-side items once.

    An executor stands there for those backends that its record names.

    ``package`` is the name of a distribution or of its entry point, or "polydnn" for the built-ins. Raises
    UnknownNameError where no such plugin is installed.
    """
    _, entries = _find(package, registry or default_registry())
    return [
        _case(entry, backend)
        for entry in entries
        if entry.spec.kind in KINDS
        for backend in (backends if kind_of(entry.spec.kind).on_backends else ("numpy",))
        if _is_for(entry, backend)
    ]


def _case(entry: Entry, backend: str) -> Case:
    spec = entry.spec
    return Case(spec.kind, spec.name, backend, spec if isinstance(spec, ExecutorSpec) else spec.factory)


def _is_for(entry: Entry, backend: str) -> bool:
    made_for = entry.spec.backends if isinstance(entry.spec, ExecutorSpec) else ()
    return not made_for or backend.partition(":")[0] in made_for


def _elsewhere(entries: Sequence[Entry], backends: Sequence[str], asked: bool) -> tuple[list[Case], list[str]]:
    """Executors for none of these backends: on their own ones unless others were asked for; and what is missing."""
    found, notes = [], []
    for entry in entries:
        spec = entry.spec
        if not isinstance(spec, ExecutorSpec) or any(_is_for(entry, each) for each in backends):
            continue
        if asked:
            notes.append(f"executor {spec.name} is for {', '.join(spec.backends)}")
            continue
        for backend in spec.backends:
            try:
                resolve(backend)
                found.append(_case(entry, backend))
            except (BackendUnavailableError, UnknownNameError) as error:
                notes.append(f"executor {spec.name} was not checked: {error}")
    return found, notes


def check_plugin(
    package: str, *, backend: Backend | str | None = None, registry: Registry | None = None
) -> PluginReport:
    """Check every item that an installed package offers, and report without raising for what is wrong with it.

    ``package`` is the name of a distribution or of its entry point, or "polydnn" for the built-ins; ``backend`` is
    one backend, else NumPy and array-api-strict, and those that an executor is for where these are others. Raises
    UnknownNameError where no such plugin is installed, BackendUnavailableError for a backend that was asked for and
    cannot be used.

    >>> report = check_plugin("polydnn", backend="numpy")
    >>> report.passed
    True
    """
    registry = registry or default_registry()
    records, entries = _find(package, registry)
    places, note = ([resolve(backend)], "") if backend is not None else default_backends()
    names = [place.name for place in places]
    elsewhere, unchecked = _elsewhere(entries, names, asked=backend is not None)
    found = [*cases(package, names, registry=registry), *elsewhere]
    others = [entry for entry in entries if entry.spec.kind not in KINDS]
    unchecked += [f"there are no checks for a {entry.spec.kind}: {entry.spec.name}" for entry in others]
    problems = [f"{record.plugin} is {record.status}: {record.cause}" for record in records if record.status != "ok"]
    if not entries and not problems:
        problems = [f"{package} offers nothing: no hook implementation returned a record"]
    notes = [note] * bool(note) + unchecked
    return PluginReport(package, tuple(case.report() for case in found), tuple(problems), tuple(notes))


def _find(package: str, registry: Registry) -> tuple[list[PluginRecord], list[Entry]]:
    wanted = normalized(package)
    records = [record for record in registry.records(load=True) if wanted in _names(record)]
    if not records and wanted != BUILT_IN:
        possible = {record.plugin.distribution for record in registry.records()}
        error = unknown_name("plugin", package, [BUILT_IN, *possible])
        raise error
    owners = {record.plugin for record in records}
    entries = [
        entry
        for kind in EVERY_KIND
        for entry in registry.entries(kind)
        if entry.owner in owners or (wanted == BUILT_IN and entry.owner.built_in)
    ]
    return records, entries


def _names(record: PluginRecord) -> set[str]:
    return {record.plugin.distribution, normalized(record.plugin.entry_point)}


def _needed_options(factory: Callable[..., Any]) -> str:
    """Why the factory cannot be called without options; empty where it can."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return ""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in variable]
    if not needed:
        return ""
    return f"it needs {', '.join(needed)}; check it in a test of your own, with options"


def _unmade(case: Case, verdict: Verdict) -> Report:
    return Report(case.kind, case.name, case.backend, (verdict,))
