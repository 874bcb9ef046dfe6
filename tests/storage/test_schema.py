"""The vocabulary of descriptions: every key is known, and every value has the type that readers count on."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polydnn.errors import InvalidArgumentError, ModelFileError
from polydnn.storage import FORMAT, model_description, read_model, write_model

FULL = model_description(
    {
        "in_features": 4,
        "dtype": "float64",
        "task": "multiclass",
        "classes": ["setosa", 1, 2.5, True],
        "features": ["sepal length"],
        "targets": ["species"],
        "seed": 2**64 - 1,
        "normalized": False,
        "target_normalization": {"kind": "standard"},
        "layers": [
            {"type": "dense", "options": {"units": 3, "activation": {"name": "elu", "options": {"alpha": 0.1}}}},
            {"type": "polydnn-noise:noise", "options": {}},
        ],
    },
    [
        {"kind": "layer", "name": "noise", "distribution": "polydnn-noise", "version": "0.1.0"},
        {"kind": "activation", "name": "mine", "distribution": None, "version": None},
    ],
)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The full description with the value at a dotted path replaced; a value of ``...`` deletes the key."""
    description: Any = copy.deepcopy(FULL)
    *way, last = path.split(".")
    place = description
    for key in way:
        place = place[int(key) if key.isdigit() else key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return description  # type: ignore[no-any-return]


def test_a_full_description_comes_back_equal(tmp_path: Path) -> None:
    write_model(tmp_path / "m", FULL, {})
    assert read_model(tmp_path / "m")[0] == FULL
    assert FULL["format"] == FORMAT == 1


def test_all_but_the_architecture_may_be_left_out(tmp_path: Path) -> None:
    description = model_description({"in_features": 1, "dtype": "float32", "layers": []}, [])
    write_model(tmp_path / "m", description, {})
    assert read_model(tmp_path / "m")[0] == description


FAULTS = {
    "format 0": (changed("format", 0), r"description\.format is 0; expected is an integer from 1 on"),
    "no format": (changed("format", ...), "description lacks the key 'format'"),
    "format is true": (changed("format", True), r"description\.format is True; expected is an integer"),
    "another kind": (changed("kind", "checkpoint"), "it is 'checkpoint' by its description; expected is 'model'"),
    "unknown key": (changed("networks", {}), r"has the unknown key 'networks'; possible: .*Did you mean 'network'\?"),
    "unknown key inside": (
        changed("network.loader", "os.system"),
        r"description\.network has the unknown key 'loader'",
    ),
    "key missing": (changed("components", ...), "description lacks the key 'components'"),
    "network is a list": (changed("network", []), r"description\.network is \[\]; expected is an object"),
    "no features": (changed("network.in_features", 0), r"network\.in_features is 0; expected is an integer from 1"),
    "features as float": (changed("network.in_features", 4.0), r"network\.in_features is 4\.0; expected is an integer"),
    "dtype": (changed("network.dtype", "object"), r"dtype is 'object'; expected is one of float16, float32, float64"),
    "task": (changed("network.task", "ranking"), r"task is 'ranking'; expected is one of None, binary, multiclass"),
    "feature is null": (
        changed("network.features", [None]),
        r"features\[0\] is None; expected is a string or a number",
    ),
    "seed below zero": (changed("network.seed", -1), r"network\.seed is -1; expected is an integer from 0 on"),
    "normalized as number": (changed("network.normalized", 1), r"normalized is 1; expected is one of True, False"),
    "target as text": (changed("network.target_normalization", "min-max"), r"is 'min-max'; expected is an object"),
    "class is a list": (changed("network.classes", [[]]), r"classes\[0\] is \[\]; expected is a string or a number"),
    "layers is text": (changed("network.layers", "dense"), r"network\.layers is 'dense'; expected is a list"),
    "layer type": (changed("network.layers.0.type", ""), r"layers\[0\]\.type is ''; expected is a name of 1 to 200"),
    "type with escape": (changed("network.layers.0.type", "\x1b[2J"), r"type is '\\x1b\[2J'; expected is a name"),
    "layer options": (changed("network.layers.0.options", 3), r"layers\[0\]\.options is 3; expected is an object"),
    "layer with more": (changed("network.layers.0.module", "os"), r"layers\[0\] has the unknown key 'module'"),
    "component kind": (
        changed("components.0.kind", "script"),
        r"components\[0\]\.kind is 'script'; expected is one of",
    ),
    "component name": (changed("components.0.name", 5), r"components\[0\]\.name is 5; expected is a name"),
    "component version": (changed("components.0.version", 1), r"components\[0\]\.version is 1; expected is a name"),
}


@pytest.mark.parametrize(("description", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_when_written_and_when_read(
    tmp_path: Path, craft: Callable[..., bytes], description: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=reason):
        write_model(tmp_path / "m", description, {})
    assert not (tmp_path / "m").exists()
    (tmp_path / "m").write_bytes(craft(description))
    version = "its format version is (0|None|True); expected is an integer from 1 to 1"
    with pytest.raises(ModelFileError, match=f"{reason}|{version}"):
        read_model(tmp_path / "m")
