"""The process has one registry, and the command line's wishes come before its first look-up."""

import pytest

from polydnn.errors import PluginLoadError
from polydnn.registry import activation, configure, default_registry, plugins
from polydnn.registry.settings import read_settings


@pytest.fixture
def offered(monkeypatch, no_settings, plugin, activations):
    """A good and a broken plugin, as if they were installed."""
    made = [plugin("good", activations("cube")), plugin("broken", target=ImportError("nothing there"))]
    monkeypatch.setattr("polydnn.registry.manager.installed", lambda: made)
    return made


def test_there_is_one_registry(no_settings):
    assert default_registry() is default_registry()


def test_configure_starts_afresh(no_settings):
    before = default_registry()
    configure(strict=False)
    assert default_registry() is not before


def test_one_plugin_is_switched_off(offered):
    configure(disabled=["polydnn-Broken"])
    assert activation("cube").name == "cube"
    assert {record.plugin.entry_point: record.cause for record in plugins()} == {
        "broken": "switched off by --no-plugin polydnn-Broken",
        "good": "",
    }
    assert [entry_point.loads for entry_point in offered] == [1, 0]


def test_all_are_switched_off(offered):
    configure(load=False)
    activation("relu")
    assert {record.cause for record in plugins()} == {"switched off by --no-plugins"}
    assert [entry_point.loads for entry_point in offered] == [0, 0]


def test_strict(offered):
    configure(strict=True)
    with pytest.raises(PluginLoadError, match="nothing there"):
        activation("relu")
    configure(strict=True, disabled=["broken"])
    assert activation("cube").name == "cube"


def test_the_command_line_adds_to_the_environment(monkeypatch, offered):
    monkeypatch.setenv("POLYDNN_DISABLE_PLUGINS", "good")
    configure(disabled=["broken"])
    assert {record.status for record in plugins(load=True)} == {"disabled"}
    assert sorted(read_settings().disabled) == ["good"]
