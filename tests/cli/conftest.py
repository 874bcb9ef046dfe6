"""What the tests of the command line share: a runner in a folder of its own, and small data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from polydnn.cli import main
from polydnn.registry import configure

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``run("train", "--epochs", 1)``: the command's result, in an empty folder and without the user's settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("POLYDNN_BACKEND", "POLYDNN_DATA", "POLYDNN_DISABLE_PLUGINS", "POLYDNN_STRICT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runner = CliRunner()

    def call(*arguments: object) -> Result:
        return runner.invoke(main, [str(argument) for argument in arguments])

    yield call
    configure()


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """A table of 60 rows, two features and two species that a line separates."""
    rows = [f"{i % 10 + (0.5 if i % 2 else 10)},{i % 7},{'rose' if i % 2 else 'iris'}" for i in range(60)]
    path = tmp_path / "flowers.csv"
    path.write_text("length,width,species\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A table of 50 rows with y = 100 a + 20 b and an identifier that is no feature of interest."""
    rows = [f"{i},{i % 5},{i % 3},{100 * (i % 5) + 20 * (i % 3)}" for i in range(50)]
    path = tmp_path / "lines.csv"
    path.write_text("id,a,b,y\n" + "\n".join(rows) + "\n")
    return path
