"""The environment and the configuration file switch plugins off; what cannot be understood is an error."""

import pytest

from polydnn.errors import FileFormatError, InvalidArgumentError, StorageError
from polydnn.registry import Plugin, PluginSettings
from polydnn.registry.settings import configuration_file, read_settings

HUBER = Plugin("polydnn-huber", "1.0", "robust_losses", "polydnn_huber")


def read(tmp_path, text="", **environment):
    (tmp_path / "polydnn.toml").write_text(text)
    return read_settings({"XDG_CONFIG_HOME": str(tmp_path), **environment}, tmp_path)


@pytest.mark.parametrize("name", ["polydnn-huber", "Polydnn_Huber", "robust-losses", "robust_losses"])
def test_a_plugin_is_switched_off_by_its_package_or_its_entry_point(tmp_path, name):
    settings = read(tmp_path, POLYDNN_DISABLE_PLUGINS=f" other, {name} ")
    assert settings.switched_off_by(HUBER) == "POLYDNN_DISABLE_PLUGINS"


def test_nothing_said_means_nothing_off(tmp_path):
    settings = read(tmp_path, POLYDNN_DISABLE_PLUGINS="", POLYDNN_NO_PLUGINS="0", POLYDNN_STRICT_PLUGINS="")
    assert settings == PluginSettings()
    assert settings.switched_off_by(HUBER) == ""


@pytest.mark.parametrize(
    ("value", "strict"), [("1", True), ("TRUE", True), ("yes", True), ("0", False), ("off", False)]
)
def test_strict_by_the_environment(tmp_path, value, strict):
    assert read(tmp_path, POLYDNN_STRICT_PLUGINS=value).strict is strict


def test_all_off_by_the_environment(tmp_path):
    assert read(tmp_path, POLYDNN_NO_PLUGINS="1").switched_off_by(HUBER) == "POLYDNN_NO_PLUGINS"


@pytest.mark.parametrize("name", ["POLYDNN_STRICT_PLUGINS", "POLYDNN_NO_PLUGINS"])
def test_a_flag_that_is_neither_yes_nor_no(tmp_path, name):
    with pytest.raises(InvalidArgumentError, match=f"the environment variable {name} must be 1 or 0, found 'maybe'\\."):
        read(tmp_path, **{name: "maybe"})


def test_the_file_in_the_working_folder_comes_first(tmp_path):
    home, here = tmp_path / "home", tmp_path / "here"
    (home / "polydnn").mkdir(parents=True)
    here.mkdir()
    environment = {"XDG_CONFIG_HOME": str(home)}
    assert configuration_file(environment, here) is None
    (home / "polydnn" / "config.toml").write_text('[plugins]\ndisable = ["huber"]\n')
    assert configuration_file(environment, here) == home / "polydnn" / "config.toml"
    (here / "polydnn.toml").write_text("")
    assert configuration_file(environment, here) == here / "polydnn.toml"


def test_a_file_says_what_the_environment_can_say(tmp_path):
    settings = read(tmp_path, '[plugins]\ndisable = ["Polydnn.Huber"]\nstrict = true\n\n[other]\nkey = 1\n')
    assert settings.switched_off_by(HUBER) == str(tmp_path / "polydnn.toml")
    assert settings.strict
    assert read(tmp_path, "[plugins]\nload = false\n").all_off == str(tmp_path / "polydnn.toml")


def test_places_add_to_each_other(tmp_path):
    settings = read(tmp_path, '[plugins]\ndisable = ["a"]\n', POLYDNN_DISABLE_PLUGINS="b")
    assert sorted(settings.disabled) == ["a", "b"]
    joined = PluginSettings({"c": "--no-plugin c"}, strict=True) | settings
    assert (sorted(joined.disabled), joined.strict, joined.all_off) == (["a", "b", "c"], True, "")


FILES = {
    "plugins = 3": r"plugins must be a table, '\[plugins\]', found 3\.",
    "[plugins]\ndisabled = []": r"\[plugins\] has no key 'disabled'; possible: disable, load, strict\. Did you",
    "[plugins]\ndisable = 'huber'": r"\[plugins\] disable must be a list of names, found 'huber'\.",
    "[plugins]\ndisable = [1]": r"\[plugins\] disable must be a list of names, found \[1\]\.",
    "[plugins]\nstrict = 1": r"\[plugins\] strict must be true or false, found 1\.",
    "[plugins": r"polydnn\.toml is no TOML file: .* Mend it, or remove it\.",
}


@pytest.mark.parametrize("text", FILES)
def test_a_malformed_file(tmp_path, text):
    with pytest.raises(FileFormatError, match=FILES[text]):
        read(tmp_path, text)


def test_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "polydnn.toml").write_text("")
    monkeypatch.setattr("pathlib.Path.read_text", refuse)
    with pytest.raises(StorageError, match=r"polydnn\.toml cannot be read: Permission denied\. Change its permissions"):
        read_settings({}, tmp_path)
