"""Ten kinds of broken packages beside a good one, built and installed by pip, in a process of their own."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.yardstick import fixed_work

ROOT = Path(__file__).parents[2]

STATUS = {
    "polydnn-good": "ok",
    "polydnn-imitator": "shadowed",
    "polydnn-import-error": "failed",
    "polydnn-missing-attribute": "failed",
    "polydnn-misspelt-hook": "failed",
    "polydnn-other-api": "incompatible",
    "polydnn-raising-hook": "failed",
    "polydnn-rival-a": "shadowed",
    "polydnn-rival-b": "shadowed",
    "polydnn-system-exit": "failed",
    "polydnn-twin-a": "shadowed",
    "polydnn-twin-b": "shadowed",
    "polydnn-unknown-argument": "failed",
    "polydnn-wrong-record": "failed",
}

CAUSES = {
    "polydnn-import-error": "ModuleNotFoundError: No module named 'a_module_that_nobody_has'",
    "polydnn-missing-attribute": "AttributeError: module 'polydnn_missing_attribute' has no attribute 'plugin'",
    "polydnn-misspelt-hook": "there is no hook 'polydnn_activatons'. Did you mean 'polydnn_activations'?",
    "polydnn-other-api": "activation 'futuristic' made for plugin API 99, while this polydnn has 1",
    "polydnn-raising-hook": "polydnn_losses raised RuntimeError: the table of losses is empty",
    "polydnn-system-exit": "SystemExit: no licence",
    "polydnn-unknown-argument": "polydnn_epoch_end asks for the argument 'loss'; possible: trainer, epoch, logs.",
    "polydnn-wrong-record": "polydnn_activations must return ActivationSpec records, found an object of type LossSpec.",
    "polydnn-twin-a": "the entry-point name 'twin' is used by polydnn-twin-a 1.0",
    "polydnn-rival-b": "and polydnn-rival-b 2.0 (entry point rival-b = polydnn_rival_b)",
    "polydnn-imitator": "activation 'relu' built in, and offered by polydnn-imitator 1.0",
}

LISTING = """
import json, sys
from polydnn.registry import activation, plugins
before = [record.as_dict() for record in plugins()]
imported = [name for name in sys.modules if name.startswith("polydnn_")]
item = activation("stretched", factor=3.0)
after = [record.as_dict() for record in plugins()]
print(json.dumps({"before": before, "imported": imported, "options": dict(item.options), "after": after}))
"""


@pytest.fixture
def python(installed_packages, packages_without_plugins, clean_environment):
    """Runs a program in a fresh process that sees these packages, and no plugin of whoever runs the tests."""
    path = f"{installed_packages}:{ROOT}:{packages_without_plugins}"

    def run(program, *flags, **variables):
        environment = clean_environment | {"PYTHONPATH": path} | variables
        command = [sys.executable, "-S", *flags, "-c", program]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="module")
def names():
    return sorted(STATUS)


def test_the_good_one_works_and_every_other_is_named_once(python):
    done = python(LISTING)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["imported"] == []
    assert {record["status"] for record in found["before"]} == {"not loaded"}
    assert {record["distribution"]: record["status"] for record in found["after"]} == STATUS
    assert found["options"] == {"factor": 3.0}
    causes = {record["distribution"]: record["cause"] for record in found["after"]}
    for distribution, cause in CAUSES.items():
        assert cause in causes[distribution]
    warned = done.stderr.count("PolydnnPluginWarning:")
    assert warned == 7 + 1 + 1 + 1 + 1  # failed, incompatible, the twins, the rivals, the imitator
    for distribution in STATUS.keys() - {"polydnn-good"}:
        assert f"{distribution} " in done.stderr


@pytest.mark.parametrize("distribution", sorted(STATUS.keys() - {"polydnn-good"}))
def test_strict_mode_is_fatal_for_each(python, distribution):
    partner = (
        {"a": "b", "b": "a"}.get(distribution[-1], "") if "twin" in distribution or "rival" in distribution else ""
    )
    kept = {"polydnn-good", distribution, distribution[:-1] + partner}
    disabled = ",".join(sorted(STATUS.keys() - kept))
    program = "from polydnn.registry import activation; activation('relu')"
    done = python(program, POLYDNN_STRICT_PLUGINS="1", POLYDNN_DISABLE_PLUGINS=disabled)
    assert done.returncode == 1
    last = done.stderr[done.stderr.index("PluginLoadError") :]
    assert distribution in last
    assert CAUSES.get(distribution, "") in last
    assert "polydnn-good" not in last


def test_a_name_that_is_gone_repeats_the_causes(python):
    done = python("from polydnn.registry import activation; activation('lost')", "-W", "ignore")
    assert done.returncode == 1
    for distribution, status in STATUS.items():
        assert (f"{distribution} 1.0 (entry point" in done.stderr) == (status == "failed"), distribution
    assert "unknown activation 'lost'; registered: elu" in done.stderr


def test_disabled_packages_are_not_imported(python):
    disabled = ",".join(name for name in STATUS if name != "polydnn-good")
    program = (
        "import sys; from polydnn.registry import activation; activation('stretched'); "
        "print([name for name in sys.modules if name.startswith('polydnn_')])"
    )
    done = python(program, "-W", "error", POLYDNN_DISABLE_PLUGINS=disabled)
    assert done.stdout == "['polydnn_good']\n", done.stderr
    done = python(program.replace("'stretched'", "'relu'"), "-W", "error", POLYDNN_NO_PLUGINS="1")
    assert done.stdout == "[]\n", done.stderr


def test_importing_polydnn_imports_no_plugin_and_no_library(python):
    done = python(
        "import sys, polydnn\n"
        "unwanted = ('polydnn_', 'torch', 'jax', 'cupy', 'matplotlib')\n"
        "print([name for name in sys.modules if name.startswith(unwanted)])"
    )
    assert done.stdout == "[]\n", done.stderr


COST = f"""
{inspect.getsource(fixed_work)}
import time
from polydnn.registry import PluginSettings, Registry
from polydnn.registry.installed import installed
Registry([]).names("activation")  # the built-ins are imported
def seconds(entry_points):
    start = time.process_time()
    Registry(entry_points(), settings=PluginSettings()).names("activation")
    return time.process_time() - start
only = lambda name: [each for each in installed() if each.name == name]
first = seconds(lambda: only("good")) - min(seconds(lambda: only("none")) for _ in range(5))
again = min(seconds(lambda: only("good")) for _ in range(5)) - min(seconds(lambda: only("none")) for _ in range(5))
start = time.process_time()
fixed_work()
print(first, again, time.process_time() - start)
"""


def test_a_plugin_that_is_not_used_costs_little(python):
    """A part of the yardstick, both with the import of its module and later."""
    measured = [[float(each) for each in python(COST).stdout.split()] for _ in range(5)]
    first, again, unit = (min(column) for column in zip(*measured, strict=True))
    assert max(first, again) < 0.6 * unit, measured
