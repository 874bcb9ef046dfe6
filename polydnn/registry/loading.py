"""Loads one plugin and asks it for its records, so that nothing it does can reach the others.

pluggy finds the implementations; each plugin has a manager of its own, so that what one breaks no other can see, and
the hooks are called one by one, so that one that raises loses nobody else's results.
"""

import contextlib
import inspect
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from polydnn.errors import did_you_mean
from polydnn.registry.kinds import HOOKS, RECORDS
from polydnn.registry.marker import GROUP
from polydnn.registry.specs import API_VERSION, Spec

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Fault", "Hook", "Loaded", "cause_of", "load"]

NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


class Fault(Exception):  # noqa: N818 - it never leaves the registry
    """Why a plugin cannot be used, in words for its user."""


@dataclass(frozen=True)
class Hook:
    """One implementation of a hook; it is called with those arguments of the hook that it names."""

    implementation: pluggy.HookImpl

    def __call__(self, **arguments: Any) -> Any:
        return self.implementation.function(*(arguments[name] for name in self.implementation.argnames))


@dataclass(frozen=True)
class Loaded:
    """What a plugin brought: its hooks, its records, and the records it has for another plugin API."""

    hooks: Mapping[str, Hook]
    specs: tuple[Spec, ...]
    incompatible: tuple[Spec, ...]


def load(entry_point: "EntryPoint") -> Loaded:
    """Import a plugin and collect its records; all of it or nothing.

    Raises Fault, and lets only KeyboardInterrupt through. What the plugin prints goes to standard error, which keeps
    the output of ``--json`` clean.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            hooks = _hooks(_imported(entry_point))
            offered = [spec for name in RECORDS if name in hooks for spec in _offered(name, hooks[name])]
    except (KeyboardInterrupt, Fault):
        raise
    except BaseException as error:  # a record's attributes can raise whatever they like, too
        raise Fault(cause_of(error)) from error
    fitting = tuple(spec for spec in offered if spec.api == API_VERSION)
    _check_unique(fitting)
    return Loaded(hooks, fitting, tuple(spec for spec in offered if spec.api != API_VERSION))


def cause_of(error: BaseException) -> str:
    """An exception in one line, with the place it came from.

    >>> cause_of(ValueError("too many\\nlines"))
    'ValueError: too many lines'
    """
    try:
        text = " ".join(str(error).split())
    except Exception:  # an exception that cannot even be printed
        text = ""
    frames = traceback.extract_tb(error.__traceback__)
    foreign = [frame for frame in frames if "importlib" not in frame.filename and frame.filename != __file__]
    place = f" ({foreign[-1].filename}:{foreign[-1].lineno})" if foreign else ""
    return f"{type(error).__name__}{': ' if text else ''}{text}{place}"


def _imported(entry_point: "EntryPoint") -> object:
    try:
        return entry_point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit at import must not end the host
        raise Fault(cause_of(error)) from error


def _hooks(plugin: object) -> dict[str, Hook]:
    if inspect.isclass(plugin):
        msg = f"the entry point names the class {plugin.__name__}; name a module, or an instance."
        raise Fault(msg)
    try:
        hooks = _implementations(plugin)
        _check_decorated(plugin, hooks)
    except (KeyboardInterrupt, Fault):
        raise
    except BaseException as error:  # attributes of a plugin can raise whatever they like
        raise Fault(cause_of(error)) from error
    return hooks


def _implementations(plugin: object) -> dict[str, Hook]:
    manager = pluggy.PluginManager(GROUP)
    manager.register(plugin)
    hooks: dict[str, Hook] = {}
    for caller in manager.get_hookcallers(plugin) or ():
        for implementation in caller.get_hookimpls():
            if caller.name not in HOOKS and implementation.optionalhook:
                continue
            _check_implementation(caller.name, implementation)
            if caller.name in hooks and hooks[caller.name].implementation is not implementation:
                msg = f"it implements {caller.name} twice; return all records from one function."
                raise Fault(msg)
            hooks[caller.name] = Hook(implementation)
    return hooks


def _check_implementation(name: str, implementation: pluggy.HookImpl) -> None:
    if name not in HOOKS:
        hint = did_you_mean(name, HOOKS) or f" Possible: {', '.join(HOOKS)}."
        msg = f"there is no hook {name!r}.{hint}"
        raise Fault(msg)
    if implementation.wrapper or implementation.hookwrapper:
        msg = f"{name} is a hook wrapper; a plugin may not change what others offer. Use a plain @hookimpl."
        raise Fault(msg)
    for argument in implementation.argnames:
        if argument not in HOOKS[name]:
            possible = ", ".join(HOOKS[name]) or "none"
            msg = f"{name} asks for the argument {argument!r}; possible: {possible}."
            raise Fault(msg + did_you_mean(argument, HOOKS[name]))


def _check_decorated(plugin: object, hooks: Mapping[str, Hook]) -> None:
    bare = [name for name in HOOKS if name not in hooks and callable(getattr(plugin, name, None))]
    if bare:
        msg = f"{bare[0]} is not marked as an implementation; write @polydnn.hookimpl above it."
        raise Fault(msg)
    if not hooks:
        what = f"module {plugin.__name__}" if isinstance(plugin, ModuleType) else f"object {plugin!r}"
        msg = f"the {what} implements no hook; possible: {', '.join(HOOKS)}."
        raise Fault(msg)


def _offered(name: str, hook: Hook) -> list[Spec]:
    expected = f"an iterable of {RECORDS[name].__name__}"
    try:
        result = hook()
        records = list(result) if isinstance(result, Iterable) else None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a hook may call sys.exit() as well
        msg = f"{name} raised {cause_of(error)}"
        raise Fault(msg) from error
    if records is None:
        hint = " Is a 'return' missing?" if result is None else " Wrap it in a list." if _is_record(result) else ""
        msg = f"{name} must return {expected}, found {_described(result)}.{hint}"
        raise Fault(msg)
    for record in records:
        _check_record(name, record)
    return records


def _is_record(value: object) -> bool:
    return isinstance(value, Spec)


def _described(value: object) -> str:
    return "None" if value is None else f"an object of type {type(value).__name__}"


def _check_record(hook: str, record: object) -> None:
    expected = RECORDS[hook]
    if not isinstance(record, expected):
        msg = f"{hook} must return {expected.__name__} records, found {_described(record)}."
        raise Fault(msg)
    if type(record.api) is int and record.api != API_VERSION:
        return  # what a record for another API holds is not ours to judge
    problem = _problem(record)
    if problem:
        msg = f"{hook} returned a {expected.__name__} whose {problem}."
        raise Fault(msg)


def _problem(record: Any) -> str:
    if type(record.api) is not int:
        return f"api must be a whole number, found {record.api!r}"
    if not isinstance(record.name, str) or not NAME.fullmatch(record.name):
        return f"name must be in lower snake case, like 'leaky_relu', found {record.name!r}"
    if not callable(record.factory):
        return f"factory must be callable, found {record.factory!r} (name {record.name!r})"
    if not isinstance(record.summary, str):
        return f"summary must be a string, found {record.summary!r} (name {record.name!r})"
    return ""


def _check_unique(specs: Iterable[Spec]) -> None:
    seen = set()
    for spec in specs:
        if (spec.kind, spec.name) in seen:
            msg = f"it offers the {spec.kind} {spec.name!r} twice; remove one of them."
            raise Fault(msg)
        seen.add((spec.kind, spec.name))
