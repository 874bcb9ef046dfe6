"""The specifications are sound pluggy, every hook and every argument is documented, and every example runs."""

import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pluggy
import pytest

from polydnn.registry import builtins, hookspecs
from polydnn.registry.kinds import EVENTS, HOOKS, KINDS, RECORDS
from tests.plugin_packages import Package, install

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "plugins-hooks.md"
GUIDE = ROOT / "docs" / "plugins.md"
SECTIONS = dict(re.findall(r"^## (polydnn_\w+)\((.*)\)$", PAGE.read_text(), re.MULTILINE))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def section(hook):
    """The text under a hook's heading."""
    return PAGE.read_text().partition(f"\n## {hook}(")[2].partition("\n## ")[0]


def blocks(hook):
    """The Python blocks of a section: the module, and what uses it."""
    return [text for language, text in BLOCK.findall(section(hook)) if language == "python"]


def module_name(block):
    """The name that a block's first line gives the module."""
    return re.match(r"# (polydnn_\w+)\.py\n", block)[1]


def test_pluggy_accepts_the_specifications():
    manager = pluggy.PluginManager("polydnn")
    manager.add_hookspecs(hookspecs)
    assert set(HOOKS) == {name for name in vars(manager.hook) if name.startswith("polydnn_")}
    manager.register(builtins)
    manager.check_pending()


def test_every_hook_is_described_in_its_docstring_and_typed():
    for name in HOOKS:
        specification = getattr(hookspecs, name)
        assert len(inspect.getdoc(specification)) > 30, name
        assert set(inspect.get_annotations(specification)) == {*HOOKS[name], "return"}, name


def test_the_table_of_kinds_follows_from_the_hooks():
    assert set(RECORDS) | set(EVENTS) == set(HOOKS)
    assert len(set(KINDS)) == len(RECORDS) == 11


def test_every_hook_has_its_section():
    assert list(SECTIONS) == list(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_argument_of_a_hook_is_documented(hook):
    assert tuple(filter(None, SECTIONS[hook].split(", "))) == HOOKS[hook]
    described = re.findall(r"^\| `(\w+)` \| .{10,} \|$", section(hook), re.MULTILINE)
    assert tuple(described) == HOOKS[hook]
    if hook in RECORDS:
        assert "Called\nwithout arguments." in section(hook) or "Called without arguments." in section(hook).replace(
            "\n", " "
        )
        assert f"`{RECORDS[hook].__name__}`" in section(hook)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_full_example(hook):
    module, use = blocks(hook)
    assert f"@hookimpl\ndef {hook}(" in module
    assert module_name(module)
    assert "assert " in use


def test_the_guide_leads_to_the_reference():
    if not GUIDE.exists():
        pytest.skip("docs/plugins.md has not been written yet")
    assert "plugins-hooks.md" in GUIDE.read_text()


def test_the_project_table_is_right():
    (text,) = [text for language, text in BLOCK.findall(PAGE.read_text()) if language == "toml"]
    project = tomllib.loads(text)["project"]
    assert list(project["entry-points"]) == ["polydnn"]
    names = {module_name(blocks(hook)[0]) for hook in HOOKS}
    assert set(project["entry-points"]["polydnn"].values()) <= names


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """A folder in which every example module is installed as a package of its own."""
    pytest.importorskip("pip", reason="pip is needed to install packages for real")
    folder = tmp_path_factory.mktemp("examples")
    modules = {module_name(blocks(hook)[0]): blocks(hook)[0] for hook in HOOKS}
    assert len(modules) == len(HOOKS)
    packages = [Package(name.replace("_", "-"), source) for name, source in modules.items()]
    install(packages, folder / "target", folder / "sources")
    return folder / "target"


PROGRAM = """
import sys
from polydnn.registry import configure
for hook, use in {uses!r}.items():
    print(hook, file=sys.stderr)
    for name in [name for name in sys.modules if name.startswith("polydnn_")]:
        del sys.modules[name]  # an example that counts must not hear what another one did
    configure()
    exec(use, {{}})
"""


def test_every_example_runs(examples, clean_environment):
    uses = {hook: blocks(hook)[1] for hook in HOOKS}
    program = PROGRAM.format(uses=uses)
    environment = clean_environment | {"PYTHONPATH": f"{examples}:{ROOT}", "POLYDNN_STRICT_PLUGINS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.split() == list(HOOKS)
