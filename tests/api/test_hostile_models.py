"""Model files that are whole and still make no sense: refused by ModelFileError in time and memory, running nothing."""

import copy
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.api.description import components_of, describe_network
from polydnn.errors import ModelFileError, UnknownNameError
from polydnn.storage import model_description
from tests.yardstick import assert_within

Edit = Callable[[dict[str, Any]], Any]


def layer(index: int, **options: Any) -> Edit:
    return lambda d: d["network"]["layers"][index]["options"].update(options)


def network(**values: Any) -> Edit:
    return lambda d: d["network"].update(values)


def layers(*described: Any) -> Edit:
    return lambda d: d["network"].update(layers=list(described))


def item(kind: str, name: Any, **options: Any) -> dict[str, Any]:
    return {"item": kind, "name": name, "options": options}


def component(**values: Any) -> Edit:
    made = {"kind": "activation", "name": "mine", "distribution": None, "version": None} | values
    return lambda d: d["components"].append(made)


DENSE = {"units": 3, "activation": item("activation", "relu"), "use_bias": True, "initializer": None}
HOSTILE: dict[str, Edit] = {
    "no layers": layers(),
    "unknown layer": layers({"type": "conv", "options": {}}),
    "layer by import path": layers({"type": "os.system", "options": {"command": "true"}}),
    "layer by entry point": layers({"type": "subprocess:Popen", "options": {}}),
    "layer of dunders": layers({"type": "__class__", "options": {}}),
    "dense without options": layers({"type": "dense", "options": {}}),
    "option too many": layer(1, colour="red"),
    "option of python": layer(1, __class__="x"),
    "option self": layer(1, self=1),
    "units text": layer(1, units="4"),
    "units float": layer(1, units=4.5),
    "units true": layer(1, units=True),
    "units null": layer(1, units=None),
    "units list": layer(1, units=[4]),
    "units zero": layer(1, units=0),
    "units negative": layer(1, units=-4),
    "units huge": layer(1, units=2**53),
    "units beyond 64 bits": layer(1, units=2**64 - 1),
    "units of another width": layer(1, units=5),
    "use_bias number": layer(1, use_bias=1),
    "use_bias text": layer(1, use_bias="no"),
    "use_bias false": layer(1, use_bias=False),
    "activation number": layer(1, activation=3),
    "activation list": layer(1, activation=["relu"]),
    "activation without name": layer(1, activation={"item": "activation", "options": {}}),
    "activation of another kind": layer(1, activation=item("loss", "mean_squared_error")),
    "activation of no kind": layer(1, activation=item("shell", "relu")),
    "activation kind a list": layer(1, activation=item([], "relu")),  # type: ignore[arg-type]
    "activation unknown": layer(1, activation=item("activation", "os.system")),
    "activation name a number": layer(1, activation=item("activation", 3)),
    "activation name a list": layer(1, activation=item("activation", ["relu"])),
    "activation name empty": layer(1, activation=item("activation", "")),
    "activation name with colons": layer(1, activation=item("activation", "a:b:c")),
    "activation option unknown": layer(1, activation=item("activation", "relu", alpha=1)),
    "activation option text": layer(1, activation=item("activation", "elu", alpha="1")),
    "activation option negative": layer(1, activation=item("activation", "elu", alpha=-1.0)),
    "activation options a list": layer(1, activation={"item": "activation", "name": "relu", "options": [1]}),
    "activation options text": layer(1, activation={"item": "activation", "name": "relu", "options": "ab"}),
    "activation with a key too many": layer(1, activation=item("activation", "relu") | {"module": "os"}),
    "initializer unknown": layer(1, initializer=item("initializer", "nowhere")),
    "initializer an activation": layer(1, initializer=item("activation", "relu")),
    "dropout rate one": layers({"type": "dropout", "options": {"rate": 1.0}}, {"type": "dense", "options": DENSE}),
    "dropout rate text": layers({"type": "dropout", "options": {"rate": "half"}}),
    "normalization second": layers(
        {"type": "dense", "options": DENSE}, {"type": "normalization", "options": {"kind": "standard"}}
    ),
    "in_features of another width": network(in_features=7),
    "in_features huge": network(in_features=2**53),
    "in_features beyond 64 bits": network(in_features=2**64 - 1),
    "dtype of another": network(dtype="float16"),
    "dtype unknown": network(dtype="complex128"),
    "target unknown kind": network(target_normalization={"kind": "log"}),
    "target option unknown": network(target_normalization={"kind": "standard", "hook": 1}),
    "target without arrays": network(target_normalization={"kind": "standard"}),
    "target list in": network(target_normalization={"kind": ["standard"]}),
    "component kind twice": component(kind="dense"),
    "object of its author": lambda d: (component()(d), layer(1, activation=item("activation", "mine"))(d)),
    "layers without number": layers(*[{"type": "dropout", "options": {"rate": 0.0}}] * 30_000),
    "a thousand layers": layers(*[{"type": "dense", "options": DENSE}] * 1000),
}
MISSING: dict[str, Edit] = {
    "package missing": lambda d: (
        component(name="snake", distribution="polydnn-nowhere", version="1")(d),
        layer(1, activation=item("activation", "polydnn-nowhere:snake"))(d),
    ),
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Edit], Path]:
    made = polydnn.Network(3, [polydnn.Dropout(0.1), polydnn.Dense(4, "elu"), polydnn.Dense(2, "softmax")])
    arrays = {name: np.asarray(array) for name, array in made.arrays.items()}
    description = model_description(describe_network(made), components_of(made))

    def write_edited(edit: Edit) -> Path:
        edited = copy.deepcopy(description)
        edit(edited)
        path = tmp_path / "model.safetensors"
        unchecked(path, edited, arrays)
        return path

    return write_edited


def unchecked(path: Path, description: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Write what ``write_model`` would refuse to write, with the right checksum."""
    from polydnn.storage.record import write_record

    write_record(path, description, arrays)


def test_the_starting_point_is_valid(write: Callable[[Edit], Path]) -> None:
    assert polydnn.Network.load(write(lambda d: None)).widths == (3, 3, 4, 2)
    assert len(HOSTILE) >= 40


@pytest.mark.parametrize("fault", HOSTILE)
def test_it_is_refused_by_the_one_class_in_time_and_memory(fault: str, write: Callable[[Edit], Path]) -> None:
    path = write(HOSTILE[fault])

    def refused() -> ModelFileError:
        with pytest.raises(ModelFileError) as error:
            polydnn.Network.load(path)
        return error.value

    assert_within(50.0, refused)
    tracemalloc.start()
    with pytest.raises(ModelFileError):
        polydnn.Network.load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < path.stat().st_size + 64 * 2**20
    text = str(refused())
    assert str(path) in text
    assert len(text) > len(f"'{path}' cannot be used as a model file: ")


@pytest.mark.parametrize("fault", MISSING)
def test_a_missing_package_is_named_with_what_to_install(fault: str, write: Callable[[Edit], Path]) -> None:
    with pytest.raises(UnknownNameError, match="pip install polydnn-nowhere"):
        polydnn.Network.load(write(MISSING[fault]))


FORBIDDEN = ("exec", "compile", "import", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.")
WATCHED: list[Any] = []
ACTIVE = [False]


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if ACTIVE[0] and (event == "open" or event.startswith(FORBIDDEN)):
        WATCHED.append((event, str(arguments[0]) if arguments else ""))


sys.addaudithook(_watch)


@pytest.mark.parametrize("fault", [None, "layer by import path", "activation unknown", "layer by entry point"])
def test_loading_opens_the_file_and_does_nothing_else(fault: str | None, write: Callable[[Edit], Path]) -> None:
    good = write(lambda d: None)
    polydnn.Network.load(good)  # what is imported once is imported here
    path = write(HOSTILE[fault] if fault else lambda d: None)
    WATCHED.clear()
    ACTIVE[0] = True
    try:
        polydnn.Network.load(path)
    except ModelFileError:
        assert fault
    finally:
        ACTIVE[0] = False
    assert {name for event, name in WATCHED if event == "open"} <= {str(path)}
    assert [event for event, _ in WATCHED if event != "open"] == []
