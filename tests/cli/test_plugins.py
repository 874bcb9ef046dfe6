"""``polydnn plugins``: the list, the check and the start of a new package."""

import json
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from polydnn import Activation, ActivationSpec, CommandSpec, hookimpl
from polydnn.registry import configure

pytestmark = pytest.mark.filterwarnings("always::polydnn.registry.PolydnnPluginWarning")


def _wrong() -> Activation:
    """z, with a derivative that is not its."""
    return Activation("wrong", lambda z, *, xp: z, derivative=lambda z, y, *, xp: 2.0 * xp.ones_like(z))


def _command() -> Any:
    import click

    @click.command()
    def greet() -> None:
        click.echo("good morning")

    return greet


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin module with a wrong activation and a command, and one that cannot be imported."""
    module: Any = ModuleType("polydnn_stranger")
    module.polydnn_activations = hookimpl(specname="polydnn_activations")(lambda: [ActivationSpec("wrong", _wrong)])
    module.polydnn_commands = hookimpl(specname="polydnn_commands")(
        lambda: [CommandSpec("greet", _command, "Say good morning."), CommandSpec("sulk", lambda: 1 / 0)]
    )
    monkeypatch.setitem(sys.modules, "polydnn_stranger", module)
    points = [
        EntryPoint("stranger", "polydnn_stranger", "polydnn"),
        EntryPoint("broken", "polydnn_that_is_not_there", "polydnn"),
    ]
    monkeypatch.setattr("polydnn.registry.manager.installed", lambda: points)
    configure()


def test_a_command_of_two_packages_is_reached_by_its_qualified_name(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain name would be whichever came first; it is an error that names both."""
    module: Any = ModuleType("polydnn_stranger")
    module.polydnn_commands = hookimpl(specname="polydnn_commands")(lambda: [CommandSpec("greet", _command, "Hello.")])
    monkeypatch.setitem(sys.modules, "polydnn_stranger", module)
    points = [_point("polydnn-aa"), _point("polydnn-bb")]
    monkeypatch.setattr("polydnn.registry.manager.installed", lambda: points)
    configure()
    assert run("polydnn-bb:greet").stdout == "good morning\n"
    plain = run("greet")
    assert plain.exit_code == 1
    assert "polydnn-aa:greet" in plain.stderr
    assert "polydnn-bb:greet" in plain.stderr
    assert "polydnn-aa:greet" in run("--help").stdout


def _point(distribution: str) -> Any:
    return SimpleNamespace(
        name=distribution.removeprefix("polydnn-"),
        value="polydnn_stranger",
        dist=SimpleNamespace(name=distribution, version="1.0"),
        load=lambda: sys.modules["polydnn_stranger"],
    )


def test_the_list_imports_nothing(run: Any, stranger: None) -> None:
    result = run("plugins", "list", "--json")
    states = {each["entry_point"]: each["status"] for each in json.loads(result.stdout)["plugins"]}
    assert states == {"stranger": "not loaded", "broken": "not loaded"}
    assert result.stderr == ""
    assert "not loaded" in run("plugins", "list").stdout


def test_the_list_can_load_and_say_what_is_wrong(run: Any, stranger: None) -> None:
    result = run("plugins", "list", "--load", "--json")
    assert result.stderr.startswith("Warning: plugin ")
    assert "entry point broken" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    found = {each["entry_point"]: each for each in json.loads(result.stdout)["plugins"]}
    assert found["stranger"]["status"] == "ok"
    assert found["stranger"]["items"]["activation"] == ["wrong"]
    assert found["broken"]["status"] == "failed"
    assert "polydnn_that_is_not_there" in found["broken"]["cause"]
    assert "activation wrong" in run("plugins", "list").stdout  # loaded by now


def test_without_plugins_the_list_says_how_to_start_one(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polydnn.registry.manager.installed", list)
    configure()
    assert run("plugins", "list").stdout.startswith("No plugins are installed. Start one with: polydnn plugins new")


@pytest.mark.parametrize("place", [["--no-plugin", "broken", "train"], ["train", "--no-plugin", "broken"]])
def test_a_plugin_is_left_out_before_or_after_the_command(run: Any, stranger: None, place: list[str]) -> None:
    result = run(*place, "--epochs", 1, "--activation", "wrong", "--quiet")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""


def test_no_plugins_leaves_all_out_and_says_so_where_one_is_missed(run: Any, stranger: None) -> None:
    result = run("train", "--no-plugins", "--activation", "wrong")
    assert result.exit_code == 1
    assert "unknown activation 'wrong'" in result.stderr
    assert "--no-plugins" in result.stderr
    states = json.loads(run("plugins", "list", "--no-plugins", "--json").stdout)["plugins"]
    assert {each["status"] for each in states} == {"disabled"}


def test_strict_plugins_make_a_broken_one_fatal_but_not_for_help(run: Any, stranger: None) -> None:
    result = run("train", "--strict-plugins", "--epochs", 1)
    assert result.exit_code == 1
    assert "Error: plugins are strict, and not all of them work:" in result.stderr
    for arguments in (["--help"], ["--version"], ["plugins", "list"], ["train", "--help"]):
        assert run("--strict-plugins", *arguments).exit_code == 0


def test_a_plugin_s_command_is_there_and_loads_when_it_is_used(run: Any, stranger: None) -> None:
    text = run("--help").stdout
    assert "greet" in text
    assert "Say good morning." in text
    assert run("greet").stdout == "good morning\n"
    failing = run("sulk")
    assert failing.exit_code == 1
    assert "cannot be used: ZeroDivisionError: division by zero" in failing.stderr


def test_check_finds_what_is_wrong(run: Any, stranger: None, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("plugins", "check", "stranger", "--backend", "numpy", "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert report["passed"] is False
    failed = [check["name"] for each in report["reports"] for check in each["checks"] if check["passed"] is False]
    assert "derivative" in failed
    assert "derivative is the derivative of forward" in run("plugins", "check", "stranger", "--backend", "numpy").stdout


def test_check_passes_what_is_built_in(run: Any) -> None:
    result = run("plugins", "check", "polydnn", "--backend", "numpy", "--verbose")
    assert result.exit_code == 0, result.output
    assert "activation 'relu' on numpy:" in result.stdout
    assert "the factory has a docstring" in result.stdout
    assert result.stdout.rstrip().endswith("all pass")


@pytest.mark.parametrize("kind", ["activation", "loss", "optimizer"])
def test_new_writes_a_package_that_passes_its_own_check(run: Any, kind: str, tmp_path: Path) -> None:
    result = run("plugins", "new", "polydnn-soft-one", f"--{kind}", "--directory", "made", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    folder = tmp_path / "made" / "polydnn-soft-one"
    assert (report["name"], report["kind"], report["folder"]) == ("soft_one", kind, "made/polydnn-soft-one")
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == sorted(
        report["files"]
    )
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"] == {"polydnn": {"soft_one": "polydnn_soft_one"}}
    script = (
        f"import polydnn_soft_one as m; from polydnn.testing import check_{kind}; check_{kind}(m.soft_one); "
        "print(m.__all__)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['soft_one']\n"
    for name in report["files"]:  # beside them Python may have left compiled ones
        assert "$" not in (folder / name).read_text()


def test_new_says_how_to_go_on_and_keeps_what_is_there(run: Any) -> None:
    out = run("plugins", "new", "soft", "--loss").stdout
    assert "pip install --editable './polydnn-soft[test]'" in out
    assert "polydnn train --dataset california_housing --loss soft" in out
    again = run("plugins", "new", "soft", "--loss")
    assert again.exit_code == 1
    assert "polydnn-soft exists already; remove it, or choose another name or --directory." in again.stderr
