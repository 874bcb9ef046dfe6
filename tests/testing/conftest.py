"""A plugin package as pip would leave it: a module and the metadata of its distribution, in a folder on the path."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from textwrap import dedent

import pytest

from polydnn.registry import Registry

METADATA = "Metadata-Version: 2.1\nName: polydnn-{name}\nVersion: 1.0\n"


@pytest.fixture
def write_plugin(tmp_path: Path) -> Callable[[str, str], Path]:
    """``write_plugin(name, source)`` lays the distribution polydnn-<name> into the folder that it returns."""

    def write(name: str, source: str) -> Path:
        (tmp_path / f"polydnn_{name}.py").write_text(dedent(source))
        metadata = tmp_path / f"polydnn_{name}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(METADATA.format(name=name))
        (metadata / "entry_points.txt").write_text(f"[polydnn]\n{name}_plugin = polydnn_{name}\n")
        return tmp_path

    return write


@pytest.fixture
def installed_registry(
    write_plugin: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str, str], Registry]]:
    """``installed_registry(name, source)`` is a registry that knows that one plugin."""
    before = set(sys.modules)

    def make(name: str, source: str) -> Registry:
        folder = write_plugin(name, source)
        monkeypatch.syspath_prepend(str(folder))
        return Registry(_entry_points(folder))

    yield make
    for module in set(sys.modules) - before:
        if module.startswith("polydnn_"):
            del sys.modules[module]


def _entry_points(folder: Path) -> list[EntryPoint]:
    return [
        each for found in distributions(path=[str(folder)]) for each in found.entry_points if each.group == "polydnn"
    ]
