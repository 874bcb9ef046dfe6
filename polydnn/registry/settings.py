"""Which plugins may load and how strictly: from the environment, a configuration file, or the command line.

Three places can switch plugins off, and each adds to the others:

- the environment: ``POLYDNN_DISABLE_PLUGINS=huber,polydnn-lion``, ``POLYDNN_NO_PLUGINS=1``,
  ``POLYDNN_STRICT_PLUGINS=1``;
- the first of ``./polydnn.toml`` and ``$XDG_CONFIG_HOME/polydnn/config.toml`` (``~/.config`` where the variable is not
  set) that there is::

      [plugins]
      disable = ["huber"]     # names of packages or of entry points
      load = false            # no plugin at all
      strict = true           # a plugin that does not work is an error

- ``polydnn.registry.configure``, which the command line calls for ``--no-plugin``, ``--no-plugins`` and
  ``--strict-plugins``.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polydnn.errors import FileFormatError, InvalidArgumentError, StorageError, did_you_mean
from polydnn.registry.installed import normalized
from polydnn.registry.records import Plugin

__all__ = ["PluginSettings", "configuration_file", "read_settings"]

KEYS = {"disable": "a list of names", "load": "true or false", "strict": "true or false"}
TRUE = ("1", "true", "yes", "on")
FALSE = ("", "0", "false", "no", "off")


@dataclass(frozen=True)
class PluginSettings:
    """The decisions of one place, or of several joined with ``|``.

    ``disabled`` maps names to the place that switched them off. ``all_off`` is the place that switched every plugin
    off, empty where nobody did.
    """

    disabled: Mapping[str, str] = field(default_factory=dict)
    all_off: str = ""
    strict: bool = False

    def __or__(self, other: "PluginSettings") -> "PluginSettings":
        return PluginSettings(
            {**other.disabled, **self.disabled}, self.all_off or other.all_off, self.strict or other.strict
        )

    def switched_off_by(self, plugin: Plugin) -> str:
        """The place that switched this plugin off, by its package's name or its entry point's; empty where none did."""
        names = (normalized(plugin.distribution), normalized(plugin.entry_point))
        return self.all_off or next((self.disabled[name] for name in names if name in self.disabled), "")


def read_settings(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> PluginSettings:
    """What the environment and the configuration file say.

    Raises InvalidArgumentError for a variable that is neither yes nor no, FileFormatError for a malformed file.
    """
    variables = os.environ if environment is None else environment
    path = configuration_file(variables, folder)
    return _from_environment(variables) | (_from_file(path) if path else PluginSettings())


def configuration_file(environment: Mapping[str, str], folder: Path | None = None) -> Path | None:
    """The configuration file that counts here, None where there is none."""
    home = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    candidates = ((folder or Path()) / "polydnn.toml", Path(home) / "polydnn" / "config.toml")
    return next((path for path in candidates if path.is_file()), None)


def _from_environment(variables: Mapping[str, str]) -> PluginSettings:
    name = "POLYDNN_DISABLE_PLUGINS"
    asked = variables.get(name, "").replace(",", " ").split()
    all_off = "POLYDNN_NO_PLUGINS" if _flag(variables, "POLYDNN_NO_PLUGINS") else ""
    strict = _flag(variables, "POLYDNN_STRICT_PLUGINS")
    return PluginSettings({normalized(each): name for each in asked}, all_off, strict)


def _flag(variables: Mapping[str, str], name: str) -> bool:
    value = variables.get(name, "").strip().lower()
    if value not in TRUE + FALSE:
        msg = f"the environment variable {name} must be 1 or 0, found {variables[name]!r}."
        raise InvalidArgumentError(msg)
    return value in TRUE


def _from_file(path: Path) -> PluginSettings:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is no TOML file: {error}. Mend it, or remove it."
        raise FileFormatError(msg) from None
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}. Change its permissions, or remove it."
        raise StorageError(msg) from None
    table = content.get("plugins", {})
    _check_table(path, table)
    disabled = {normalized(name): str(path) for name in table.get("disable", [])}
    return PluginSettings(disabled, "" if table.get("load", True) else str(path), table.get("strict", False))


def _check_table(path: Path, table: Any) -> None:
    if not isinstance(table, dict):
        msg = f"{path}: plugins must be a table, '[plugins]', found {table!r}."
        raise FileFormatError(msg)
    for key, value in table.items():
        if key not in KEYS:
            msg = f"{path}: [plugins] has no key {key!r}; possible: {', '.join(KEYS)}.{did_you_mean(key, KEYS)}"
            raise FileFormatError(msg)
        is_names = isinstance(value, list) and all(isinstance(name, str) for name in value)
        if not (is_names if key == "disable" else isinstance(value, bool)):
            msg = f"{path}: [plugins] {key} must be {KEYS[key]}, found {value!r}."
            raise FileFormatError(msg)
