"""The public surface: ``__all__`` is sorted and complete, and every public thing says what it is."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import polydnn

DESIGNED = {  # what DESIGN promises under the name of the package
    *("Network", "Dense", "Dropout", "BatchNormalization", "Normalization", "Trainer"),
    *("activation", "loss", "optimizer", "initializer", "metric", "schedule", "layer", "dataset"),
    *("ActivationSpec", "LossSpec", "OptimizerSpec", "hookimpl", "plugins", "get_backend", "backends"),
}


def modules() -> list[str]:
    found = [info.name for info in pkgutil.walk_packages(polydnn.__path__, "polydnn.")]
    return ["polydnn", *(name for name in found if not name.endswith("__main__") and ".templates" not in name)]


MODULES = {name: importlib.import_module(name) for name in modules()}
WITH_ALL = [name for name, module in MODULES.items() if hasattr(module, "__all__")]
ROOMS = [name for name in WITH_ALL if hasattr(MODULES[name], "__path__")]


def isort_like(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions: the order the linter sorts ``__all__`` in."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2, name)


def bound_by(module: ModuleType) -> set[str]:
    """The public names that a room's ``__init__`` binds itself, by import or by definition; not its files."""
    names: set[str] = set()
    for node in ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("name", WITH_ALL)
def test_all_is_sorted_and_every_name_in_it_exists(name: str) -> None:
    module = MODULES[name]
    assert list(module.__all__) == sorted(module.__all__, key=isort_like)
    assert len(set(module.__all__)) == len(module.__all__)
    for each in module.__all__:
        assert hasattr(module, each), f"{name}.{each}"


@pytest.mark.parametrize("name", ROOMS)
def test_what_a_room_binds_is_what_it_offers(name: str) -> None:
    module = MODULES[name]
    assert bound_by(module) == set(module.__all__)


def test_the_package_offers_what_was_designed() -> None:
    assert set(polydnn.__all__) >= DESIGNED
    assert "testing" in {info.name for info in pkgutil.iter_modules(polydnn.__path__)}
    with pytest.raises(AttributeError):
        polydnn.Nothing  # type: ignore[attr-defined] # noqa: B018


def described(thing: Any) -> bool:
    """Whether it has a docstring of its own; a dataclass's made-up signature is none."""
    text = thing.__doc__ or ""
    return bool(text.strip()) and not text.startswith(f"{thing.__name__}(")


@pytest.mark.parametrize("name", ROOMS)
def test_every_public_function_and_class_has_a_docstring(name: str) -> None:
    module, silent = MODULES[name], []
    for each in module.__all__:
        thing = getattr(module, each)
        if not (inspect.isfunction(thing) or inspect.isclass(thing)) or not str(thing.__module__).startswith("polydnn"):
            continue
        if not described(thing) and not getattr(thing, "_is_protocol", False):
            silent.append(each)
    assert not silent, f"{name}: {silent}"


@pytest.mark.parametrize("name", polydnn.__all__)
def test_every_public_method_has_a_docstring(name: str) -> None:
    thing = getattr(polydnn, name)
    if not inspect.isclass(thing):
        return
    silent = []
    for method, value in vars(thing).items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if not method.startswith("_") and inspect.isfunction(function) and not inspect.getdoc(getattr(thing, method)):
            silent.append(method)
    assert not silent, f"{name}: {silent}"
