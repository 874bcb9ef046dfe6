"""What a description may say: the keys of model files and checkpoints, and the type of each value.

A model's description:

    {"format": 1, "polydnn": "0.1.0", "kind": "model",
     "network": {"in_features": 4, "dtype": "float32",
                 "layers": [{"type": "dense", "options": {"units": 3, "activation": "softmax"}}, ...],
                 "task": "multiclass", "classes": ["setosa", ...], "features": ["sepal length", ...], "targets": [],
                 "seed": 0, "normalized": true, "target_normalization": null},     these may be left out
     "components": [{"kind": "activation", "name": "snake", "distribution": "polydnn-snake", "version": "0.1.0"}]}

A checkpoint's has "kind": "checkpoint", and "step" and "run" in the place of "network" and "components"; "run" is a
JSON object that belongs to the trainer. A key that is not listed here is refused, so that no file can ask a later
reader for something this one did not see. Names are only ever looked up in the registry, never imported.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

from polydnn.errors import did_you_mean
from polydnn.storage.layout import FORMAT
from polydnn.storage.refusal import Refusal, shown

__all__ = [
    "check_checkpoint_description",
    "check_model_description",
    "checkpoint_description",
    "model_description",
]

Check: TypeAlias = Callable[[Any, str], None]

COMPONENT_KINDS = (
    "activation",
    "backend",
    "dataset",
    "executor",
    "initializer",
    "layer",
    "loss",
    "metric",
    "optimizer",
    "schedule",
)
DTYPES = ("float16", "float32", "float64")
TASKS = ("binary", "multiclass", "multilabel", "regression")


def model_description(network: dict[str, Any], components: list[dict[str, Any]]) -> dict[str, Any]:
    """The description of a model file; ``network`` and ``components`` as the top of this file shows them.

    >>> description = model_description({"in_features": 2, "dtype": "float32", "layers": [], "task": None}, [])
    >>> description["format"], description["kind"]
    (1, 'model')
    """
    return _envelope("model") | {"network": network, "components": components}


def checkpoint_description(step: int, run: dict[str, Any]) -> dict[str, Any]:
    """The description of a checkpoint; ``run`` is what the trainer wants back."""
    return _envelope("checkpoint") | {"step": step, "run": run}


def check_model_description(description: dict[str, Any]) -> None:
    """Raise Refusal, naming the place, unless this is the description of a model."""
    _check_kind(description, "model")
    _model(description, "description")


def check_checkpoint_description(description: dict[str, Any]) -> None:
    """Raise Refusal, naming the place, unless this is the description of a checkpoint."""
    _check_kind(description, "checkpoint")
    _checkpoint(description, "description")


def _envelope(kind: str) -> dict[str, Any]:
    return {"format": FORMAT, "polydnn": _version(), "kind": kind}


@cache
def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # 20 ms, which a reader need not spend

    try:
        return version("polydnn")
    except PackageNotFoundError:
        return "unknown"


def _check_kind(description: dict[str, Any], kind: str) -> None:
    found = description.get("kind")
    if found != kind:
        msg = f"it is {shown(found)} by its description; expected is {kind!r}"
        raise Refusal(msg)


def _expected(where: str, value: Any, expected: str) -> Refusal:
    return Refusal(f"{where} is {shown(value)}; expected is {expected}")


def _object(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    """A JSON object with these keys and no others."""
    known = required | (optional or {})

    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise _expected(where, value, "an object")
        for key in value:
            if key not in known:
                msg = f"{where} has the unknown key {shown(key)}; possible: {', '.join(sorted(known))}."
                raise Refusal((msg + did_you_mean(key[:60], known)).rstrip("."))
        for key in required:
            if key not in value:
                msg = f"{where} lacks the key '{key}'"
                raise Refusal(msg)
        for key, item in value.items():
            known[key](item, f"{where}.{key}")

    return check


def _list(item: Check) -> Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, list):
            raise _expected(where, value, "a list")
        for place, entry in enumerate(value):
            item(entry, f"{where}[{place}]")

    return check


def _one_of(*possible: object) -> Check:
    words = ", ".join(map(str, possible))

    def check(value: Any, where: str) -> None:
        if not any(value is choice or (isinstance(value, str) and value == choice) for choice in possible):
            raise _expected(where, value, f"one of {words}")

    return check


def _integer(least: int) -> Check:
    def check(value: Any, where: str) -> None:
        if type(value) is not int or value < least:
            raise _expected(where, value, f"an integer from {least} on")

    return check


def _name(value: Any, where: str) -> None:
    """A word of the registry or of a package, for people to read as well: short and printable."""
    if not isinstance(value, str) or not 1 <= len(value) <= 200 or not value.isprintable():
        raise _expected(where, value, "a name of 1 to 200 printable characters")


def _optional_name(value: Any, where: str) -> None:
    if value is not None:
        _name(value, where)


def _label(value: Any, where: str) -> None:
    if not isinstance(value, str | int | float):
        raise _expected(where, value, "a string or a number")


def _any_object(value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise _expected(where, value, "an object")


def _share(value: Any, where: str) -> None:
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise _expected(where, value, "a number from 0 to 1")


def _object_or_null(value: Any, where: str) -> None:
    if value is not None:
        _any_object(value, where)


_ENVELOPE: dict[str, Check] = {"format": _integer(1), "polydnn": _name, "kind": _name}

_layer = _object({"type": _name, "options": _any_object})
_network = _object(
    {"in_features": _integer(1), "dtype": _one_of(*DTYPES), "layers": _list(_layer)},
    {
        "task": _one_of(None, *TASKS),
        "classes": _list(_label),
        "features": _list(_label),
        "targets": _list(_label),
        "seed": _integer(0),
        "threshold": _share,
        "normalized": _one_of(True, False),
        "target_normalization": _object_or_null,
    },
)
_component = _object(
    {"kind": _one_of(*COMPONENT_KINDS), "name": _name, "distribution": _optional_name, "version": _optional_name}
)
_model = _object(_ENVELOPE | {"network": _network, "components": _list(_component)})
_checkpoint = _object(_ENVELOPE | {"step": _integer(0), "run": _any_object})
