"""A network in words and back: what a model file says, and how the registry makes the network again."""

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from polydnn.activations.activation import Activation
from polydnn.errors import InvalidArgumentError, ModelFileError, PolydnnError
from polydnn.initializers.initializer import Initializer
from polydnn.layers import Layer, Normalization
from polydnn.network import Network
from polydnn.registry import Provenance, default_registry, entry_of, provenance

__all__ = [
    "Custom",
    "components_of",
    "describe_item",
    "describe_network",
    "item_of",
    "layers_of",
    "strangers",
    "target_of",
]

Custom = Mapping[str, Any]
"""Objects of the user's own by name, for items that no package registers."""

MAX_LAYERS = 10_000
"""To make so many takes half a second; a file that only has to be refused may not keep its reader busy for longer."""

KINDS: dict[str, type] = {"activation": Activation, "initializer": Initializer}


def describe_network(network: Network) -> dict[str, Any]:
    """The architecture in plain values: everything but the arrays."""
    target = network.target_normalization
    return {
        "in_features": network.in_features,
        "dtype": network.dtype,
        "seed": network.seed,
        "task": network.task,
        "threshold": network.threshold,
        "normalized": network.normalized,
        "layers": [_layer(layer) for layer in network.layers],
        "target_normalization": None if target is None else dict(target.options),
        "features": list(network.features),
        "targets": list(network.targets),
        "classes": list(network.classes),
    }


def describe_item(kind: str, item: Any) -> dict[str, Any]:
    """A registered item in plain values, ``{"item": kind, "name": ..., "options": ...}``."""
    return {"item": kind, "name": _full_name(kind, item, item.name), "options": dict(item.options)}


def _full_name(kind: str, item: Any, name: str) -> str:
    """The name with its package where that is not polydnn: a plugin may offer an item under a built-in's name."""
    source = provenance(kind, item)
    return name if source is None or source.built_in else source.qualified


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "type": _full_name("layer", layer, layer.type),
        "options": {key: _value(value) for key, value in layer.options.items()},
    }


def _value(value: Any) -> Any:
    for kind, contract in KINDS.items():
        if isinstance(value, contract):
            return describe_item(kind, value)
    if is_dataclass(value) or callable(value):
        msg = f"a model file cannot hold the layer option {value!r}; options are numbers, texts, and registered items."
        raise InvalidArgumentError(msg)
    return value


def _items(network: Network) -> Iterator[tuple[str, Any]]:
    for layer in network.layers:
        yield "layer", layer
        for value in layer.options.values():
            for kind, contract in KINDS.items():
                if isinstance(value, contract):
                    yield kind, value


def components_of(network: Network, *more: tuple[str, Any]) -> list[dict[str, Any]]:
    """The parts that are not built in: kind, name, package and version (null for the user's own objects)."""
    return strangers(*_items(network), *more)


def strangers(*items: tuple[str, Any]) -> list[dict[str, Any]]:
    """Those of the items, given with their kinds, that are not built in, as a file names them."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    built_in: set[tuple[str, str]] = set()
    for kind, item in items:
        name = item.type if kind == "layer" else item.name
        source = provenance(kind, item)
        if source is None and not _is_builtin_layer(kind, item):
            found[kind, name] = {"kind": kind, "name": name, "distribution": None, "version": None}
        elif source is not None and not source.built_in:
            found[kind, source.qualified] = source.as_dict()
        elif source is not None:
            built_in.add((kind, name))
    for kind, name in built_in & set(found):
        msg = f"your own {kind} and a built-in are both called {name!r}, which no file can tell apart; rename yours."
        raise InvalidArgumentError(msg)
    return list(found.values())


def _is_builtin_layer(kind: str, item: Any) -> bool:
    return kind == "layer" and any(base.__module__.startswith("polydnn.layers.") for base in type(item).__mro__[:-2])


def item_of(described: Mapping[str, Any], components: list[dict[str, Any]], custom: Custom) -> Any:
    """The item that ``describe_item`` described, from the very package that it came from.

    Raises UnknownNameError that says what to install, and ModelFileError for an object of the writer's own that
    ``custom`` does not hold.
    """
    try:
        kind, name, options = described["item"], described["name"], dict(described["options"])
        if len(described) > 3:
            raise ValueError  # a key that this version does not know
    except (KeyError, TypeError, ValueError):
        msg = f"the description of an item is malformed: {described!r}."
        raise ModelFileError(msg) from None
    return _make(kind, name, options, components, custom)


def _make(kind: str, name: str, options: dict[str, Any], components: list[dict[str, Any]], custom: Custom) -> Any:
    record = next((each for each in components if each["kind"] == kind and _name_of(each) == name), None)
    if record is None:
        return default_registry().make(kind, f"polydnn:{name}", **options)
    if record["distribution"] is not None:
        return default_registry().make(kind, entry_of(Provenance.from_dict(record)).qualified, **options)
    if name in custom:
        return custom[name]
    msg = (
        f"the model uses the {kind} {name!r}, an object of its author's own that no package registers; "
        f"give it with custom={{{name!r}: ...}}."
    )
    raise ModelFileError(msg)


def _name_of(component: Mapping[str, Any]) -> str:
    """How items of the description call this component."""
    plain, distribution = component["name"], component["distribution"]
    return plain if distribution is None else f"{distribution}:{plain}"


def layers_of(description: Mapping[str, Any], components: list[dict[str, Any]], custom: Custom) -> list[Layer]:
    """The layers of a description."""
    if len(description["layers"]) > MAX_LAYERS:
        msg = f"the description has {len(description['layers'])} layers, of {MAX_LAYERS} allowed in a file."
        raise ModelFileError(msg)
    layers = []
    for layer in description["layers"]:
        options = {
            key: item_of(value, components, custom) if isinstance(value, dict) else value
            for key, value in layer["options"].items()
        }
        try:
            layers.append(_make("layer", layer["type"], options, components, custom))
        except (TypeError, AttributeError) as error:
            msg = f"the description of layer {len(layers)} ({layer['type']}) does not fit: {error}."
            raise ModelFileError(msg) from error
        except PolydnnError as error:
            if isinstance(error, InvalidArgumentError):
                msg = f"the description of layer {len(layers)} ({layer['type']}) does not fit: {error}"
                raise ModelFileError(msg) from error
            raise
    return layers


def target_of(description: Mapping[str, Any]) -> Normalization | None:
    """The target normalization of a description."""
    options = description.get("target_normalization")
    return None if options is None else Normalization(**options)
