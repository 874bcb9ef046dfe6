"""The packages of plugins/, built and installed by pip into a folder, and interpreters that see what they shall see."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin_environments import ROOT, Place
from tests.plugin_packages import PACKAGES, install, install_sources

SHIPPED = sorted(path.name for path in (ROOT / "plugins").glob("polydnn-*"))


@pytest.fixture(scope="session")
def shipped_target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which every package of plugins/ is installed."""
    pytest.importorskip("hatchling", reason="hatchling is needed to build the packages")
    target = tmp_path_factory.mktemp("shipped") / "target"
    install_sources([ROOT / "plugins" / name for name in SHIPPED], target)
    return target


@pytest.fixture(scope="session")
def broken_target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the good package and all broken ones are installed."""
    pytest.importorskip("pip", reason="pip is needed to install packages for real")
    folder = tmp_path_factory.mktemp("broken")
    install(PACKAGES.values(), folder / "target", folder / "sources")
    return folder / "target"


@pytest.fixture
def seeing(tmp_path: Path, packages_without_plugins: Path) -> Callable[..., Place]:
    """Makes an interpreter that sees this checkout of polydnn, and the plugins in the given folders."""

    def make(*targets: Path) -> Place:
        return Place(Path(sys.executable), tmp_path, (*targets, ROOT, packages_without_plugins))

    return make
