"""Makes an item from its record and the user's options, and explains options that do not fit."""

import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from polydnn.errors import InvalidArgumentError, PluginError, PolydnnError, did_you_mean
from polydnn.registry.kinds import ITEMS
from polydnn.registry.table import Entry

__all__ = ["check_made", "complete", "make_item"]


def complete(entry: Entry, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with the factory's defaults filled in.

    Raises InvalidArgumentError for an option the factory does not have, and for one that it needs and was not given.
    """
    try:
        signature = inspect.signature(entry.spec.factory)
    except (TypeError, ValueError):  # a factory written in C may hide its arguments
        return dict(options)
    named = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    _check_known(entry, options, [p.name for p in named], takes_any)
    missing = [p.name for p in named if p.default is p.empty and p.name not in options]
    if missing:
        msg = f"{entry} needs the option {', '.join(map(repr, missing))}."
        raise InvalidArgumentError(msg)
    return {p.name: p.default for p in named if p.default is not p.empty} | dict(options)


def make_item(entry: Entry, address: str, options: Mapping[str, Any]) -> Any:
    """The item itself, carrying the name that finds it again and the options it was made with.

    Raises InvalidArgumentError where the factory refuses the options, PluginError where it fails or returns
    something else than its kind.
    """
    options = {key: _plain(value) for key, value in options.items()}
    try:
        item = entry.spec.factory(**options)
    except PolydnnError:
        raise
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in options.items()) or "no options"
        msg = f"{entry} refused {given}: {type(error).__name__}: {error}"
        raise InvalidArgumentError(msg) from error
    except Exception as error:
        msg = f"{entry} could not be made: {type(error).__name__}: {error}"
        raise PluginError(msg) from error
    check_made(entry, item, ITEMS[entry.spec.kind])
    return _signed(item, address, options)


def check_made(entry: Entry, made: object, expected: type[Any]) -> None:
    """Raise PluginError where ``made``, which the record's factory returned, is no object of its kind."""
    if not isinstance(made, expected):
        package = expected.__module__.partition(".")[0]
        msg = (
            f"the factory of {entry} must return a {package}.{expected.__name__}, found an object of type "
            f"{type(made).__name__}; report it to the authors of {entry.owner.distribution}."
        )
        raise PluginError(msg)


def _check_known(entry: Entry, options: Mapping[str, Any], possible: list[str], takes_any: bool) -> None:
    unknown = [name for name in options if name not in possible]
    if not unknown or takes_any:
        return
    if not possible:
        msg = f"{entry} takes no options, found {unknown[0]!r}."
        raise InvalidArgumentError(msg)
    near = did_you_mean(unknown[0], possible)
    if entry.spec.kind == "optimizer" and unknown[0] in ("learning_rate", "lr"):
        near = " The learning rate stands beside the optimizer: learning_rate=..., or --learning-rate."
    msg = f"{entry} has no option {unknown[0]!r}; possible: {', '.join(sorted(possible))}.{near}"
    raise InvalidArgumentError(msg)


def _signed(item: Any, address: str, options: Mapping[str, Any]) -> Any:
    if not is_dataclass(item) or isinstance(item, type):
        return item  # layers and backends know their names and options themselves
    known = {field.name for field in fields(item)}
    changes: dict[str, Any] = {}
    if "name" in known and getattr(item, "name") != address:  # noqa: B009 - the contracts that have one differ in type
        changes["name"] = address
    if "options" in known and not getattr(item, "options") and options:  # noqa: B009
        changes["options"] = dict(options)
    return replace(item, **changes) if changes else item


def _plain(value: Any) -> Any:
    """The Python number of an array without axes; what no file can hold stays, and saving refuses it by name."""
    return value.item() if getattr(value, "ndim", None) == 0 else value
