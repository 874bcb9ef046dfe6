"""A plugin that nothing asks for is not imported, by the library or by the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin_environments import ROOT

# Not here: polydnn --help, which lists the commands that plugins offer and has to ask them.
SEEN = "\nimport sys; print('imported', [name for name in sys.modules if name.startswith('polydnn_')])"
COMMAND = "import sys; sys.argv[1:] = {!r}; from polydnn.cli import main\ntry: main()\nexcept SystemExit: pass"


@pytest.mark.parametrize("arguments", [["--version"], ["train", "--help"], ["plugins", "list"]])
def test_commands_that_train_nothing(seeing: Callable, shipped_target: Path, arguments: list[str]) -> None:
    done = seeing(shipped_target).run("-W", "error", "-c", COMMAND.format(arguments) + SEEN)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("imported []\n")


def test_importing_polydnn_and_listing(seeing: Callable, shipped_target: Path) -> None:
    program = "import polydnn; records = polydnn.plugins(); print(len(records), {each.status for each in records})"
    done = seeing(shipped_target).run("-W", "error", "-c", program + SEEN)
    assert done.stdout == "4 {'not loaded'}\nimported []\n", done.stderr


def test_the_first_name_that_is_looked_up_loads_them(seeing: Callable, shipped_target: Path) -> None:
    done = seeing(shipped_target).run("-W", "error", "-c", "import polydnn; polydnn.activation('relu')" + SEEN)
    assert done.stdout == "imported ['polydnn_huber', 'polydnn_leaky_relu', 'polydnn_lion', 'polydnn_numba']\n", (
        done.stderr
    )


def test_objects_of_the_users_own_load_none(seeing: Callable, shipped_target: Path) -> None:
    program = (
        "import polydnn\n"
        "square = polydnn.Activation('square', lambda z, *, xp: z * z, derivative=lambda z, y, *, xp: 2 * z)\n"
        "square(__import__('numpy').ones((1, 1)))"
    )
    done = seeing(shipped_target).run("-W", "error", "-c", program + SEEN)
    assert done.stdout == "imported []\n", done.stderr


def test_the_stored_cost_of_an_unused_plugin_is_below_the_aim() -> None:
    stored = json.loads((ROOT / "benchmarks" / "results" / "plugin_startup.json").read_text())
    assert stored["aim_ms"] == 5.0
    assert stored["rounds"] >= 30
    assert set(stored["starts"]) == {"import_polydnn", "version", "first_look_up"}
    for start in stored["starts"].values():
        assert start["processor"]["added_ms"] < stored["aim_ms"]
        assert start["processor"]["error_ms"] < stored["aim_ms"]
