"""The packages of plugins/ are distributions as a stranger's would be: complete, and made of public names only."""

import ast
import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.plugin_environments import ROOT

PLUGINS = ROOT / "plugins"
OFFERED = {
    "polydnn-huber": {"loss": ["huber", "log_cosh"]},
    "polydnn-leaky-relu": {"activation": ["leaky_relu"]},
    "polydnn-lion": {"optimizer": ["lion"]},
    "polydnn-numba": {"executor": ["numba"]},
}
PUBLIC = {"polydnn", "polydnn.errors", "polydnn.testing"}
PUBLIC |= {"polydnn.execution", "polydnn.executors", "polydnn.executors.on_numpy"}  # for executors


def imported(source: str) -> Iterator[str]:
    """The modules of polydnn that a source text names, and the attributes of polydnn it reaches through the package."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module or ""


def sources(name: str) -> list[Path]:
    """The files that are installed: one module, or a folder of them."""
    module = name.replace("-", "_")
    return [*(PLUGINS / name).glob(f"{module}.py"), *(PLUGINS / name / module).glob("*.py")]


def test_the_packages_are_there() -> None:
    assert sorted(path.name for path in PLUGINS.iterdir() if path.is_dir()) == sorted(OFFERED)


@pytest.mark.parametrize("name", OFFERED)
def test_each_is_a_complete_distribution(name: str) -> None:
    folder = PLUGINS / name
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == name
    needed = [each.partition(">")[0] for each in project["dependencies"]]
    assert needed == (["polydnn", "numba"] if name == "polydnn-numba" else ["polydnn"])
    assert any(each.startswith("pytest") for each in project["optional-dependencies"]["test"])
    module = name.replace("-", "_")
    assert project["entry-points"] == {"polydnn": {name.removeprefix("polydnn-"): module}}
    assert [path.stem for path in folder.glob("*.py")] == ([] if (folder / module).is_dir() else [module])
    assert f"pip install {name}" in (folder / "README.md").read_text()
    assert list((folder / "tests").glob("test_*.py"))


@pytest.mark.parametrize("name", OFFERED)
def test_each_imports_public_names_only(name: str) -> None:
    tests = list((PLUGINS / name / "tests").glob("test_*.py"))
    for path in [*sources(name), *tests]:
        ours = {module for module in imported(path.read_text()) if module.partition(".")[0] == "polydnn"}
        assert ours <= PUBLIC, path
        assert ours or len(sources(name)) > 1, path
        if name != "polydnn-numba" and path not in tests:
            assert "numpy" not in set(imported(path.read_text()))


def test_nothing_in_the_core_knows_them() -> None:
    words = ("leaky_relu", "polydnn_huber", "polydnn_lion", "polydnn_numba", "log_cosh")
    for path in (ROOT / "polydnn").rglob("*.py"):
        code = ast.parse(path.read_text())
        names = {node.id for node in ast.walk(code) if isinstance(node, ast.Name)} | set(imported(path.read_text()))
        assert not names & set(words), path


def test_installed_they_all_work_and_say_what_they_offer(seeing: Callable, shipped_target: Path) -> None:
    done = seeing(shipped_target).polydnn("plugins", "list", "--load", "--json", POLYDNN_STRICT_PLUGINS="1")
    assert done.returncode == 0, done.stderr
    records = {each["distribution"]: each for each in json.loads(done.stdout)["plugins"]}
    assert {name: record["items"] for name, record in records.items()} == OFFERED
    assert {record["status"] for record in records.values()} == {"ok"}
    installed = {path.relative_to(shipped_target) for path in shipped_target.rglob("*.py")}
    assert installed == {path.relative_to(PLUGINS / name) for name in OFFERED for path in sources(name)}  # and no tests


@pytest.mark.parametrize("name", OFFERED)
def test_each_passes_the_conformance_kit(seeing: Callable, shipped_target: Path, name: str) -> None:
    done = seeing(shipped_target).polydnn("plugins", "check", name, "--backend", "array-api-strict", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["passed"]) == (0, True), report
    names = sum(len(items) for kind, items in OFFERED[name].items() if kind != "executor")  # no checks for those
    assert [each["passed"] for each in report["reports"]] == [True] * names


@pytest.mark.slow
@pytest.mark.parametrize("name", OFFERED)
def test_its_own_tests_pass(seeing: Callable, shipped_target: Path, name: str) -> None:
    if name == "polydnn-numba":
        pytest.importorskip("numba", reason="numba is needed to compile")
    done = seeing(shipped_target).run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(PLUGINS / name))
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
