"""Plugins without packages: entry points that lead to objects made in a test."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from polydnn.activations import Activation
from polydnn.registry import ActivationSpec, configure, hookimpl
from tests.plugin_environments import environment_without_settings
from tests.plugin_packages import PACKAGES, install


@dataclass
class MadeEntryPoint:
    """What the registry reads of an ``importlib.metadata.EntryPoint``."""

    name: str
    value: str
    dist: Any
    target: Any
    loads: int = 0

    def load(self) -> Any:
        self.loads += 1
        if isinstance(self.target, BaseException):
            raise self.target
        return self.target


def make_plugin(name: str, *functions: Any, distribution: str = "", version: str = "1.0", target: Any = None) -> Any:
    """An entry point to an object with these functions, or to ``target``, which is raised if it is an exception."""
    owner = SimpleNamespace(name=distribution or f"polydnn-{name}", version=version)
    plugin = SimpleNamespace(**{function.__name__: function for function in functions}) if target is None else target
    return MadeEntryPoint(name, f"polydnn_{name}", owner, plugin)


@pytest.fixture
def plugin() -> Callable[..., Any]:
    """Makes entry points; see ``make_plugin``."""
    return make_plugin


@pytest.fixture
def activations() -> Callable[..., Any]:
    """Makes a ``polydnn_activations`` implementation that offers activations z * factor of the given names."""

    def offering(*names: str, **fields: Any) -> Any:
        def record(name: str) -> ActivationSpec:
            def factory(factor: float = 1.0) -> Activation:
                return Activation(
                    name,
                    lambda z, *, xp: factor * z,
                    derivative=lambda z, y, *, xp: factor * xp.ones_like(z),
                )

            return ActivationSpec(name, factory, **fields)

        @hookimpl
        def polydnn_activations() -> list[ActivationSpec]:
            return [record(name) for name in names]

        return polydnn_activations

    return offering


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An environment and a working folder that say nothing about plugins; the folder is given."""
    for name in ("POLYDNN_DISABLE_PLUGINS", "POLYDNN_NO_PLUGINS", "POLYDNN_STRICT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    configure()
    yield tmp_path
    configure()


@pytest.fixture(scope="session")
def clean_environment() -> dict[str, str]:
    """The environment for a process that must not see the settings of whoever runs the tests."""
    return environment_without_settings()


@pytest.fixture(scope="session")
def installed_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the good plugin package and the broken ones."""
    pytest.importorskip("pip", reason="pip is needed to install packages for real")
    folder = tmp_path_factory.mktemp("packages")
    install(PACKAGES.values(), folder / "target", folder / "sources")
    assert sys.path.count(str(folder / "target")) == 0
    return folder / "target"
