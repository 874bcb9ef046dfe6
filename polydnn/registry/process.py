"""The one registry of this process, made at the first look-up, and the command line's say in what it loads."""

import threading
from collections.abc import Iterable

from polydnn.registry.installed import normalized
from polydnn.registry.manager import Registry
from polydnn.registry.settings import PluginSettings, read_settings

__all__ = ["configure", "default_registry"]


class _Process:
    """What would otherwise be two global variables and their lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.configured = PluginSettings()
        self.registry: Registry | None = None


_process = _Process()


def default_registry() -> Registry:
    """The registry that ``polydnn.activation`` and the other look-ups use; the same object at every call.

    Raises InvalidArgumentError or FileFormatError where the settings cannot be understood.

    >>> default_registry() is default_registry()
    True
    """
    with _process.lock:
        if _process.registry is None:
            _process.registry = Registry(settings=_process.configured | read_settings())
        return _process.registry


def configure(*, disabled: Iterable[str] = (), strict: bool = False, load: bool = True) -> None:
    """Say which plugins the process may load, on top of the environment and the configuration file.

    ``disabled`` are names of packages or entry points (``--no-plugin``); ``load=False`` keeps all plugins out
    (``--no-plugins``); ``strict`` makes a plugin that does not work an error (``--strict-plugins``). It replaces what
    an earlier call said, and the next look-up starts with a new registry; a plugin that was imported before stays
    imported, and is not registered again where it is now switched off.

    >>> configure(disabled=["polydnn-huber"])
    >>> configure()  # the environment and the file alone
    """
    names = {normalized(name): f"--no-plugin {name}" for name in disabled}
    with _process.lock:
        _process.configured = PluginSettings(names, "" if load else "--no-plugins", strict)
        _process.registry = None
