"""What is known about a plugin: who it is, whether it works here, and if not, why."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

__all__ = ["BUILT_IN", "Plugin", "PluginRecord", "PolydnnPluginWarning", "Status"]

BUILT_IN = "polydnn"
"""The distribution that owns the built-in items."""

Status: TypeAlias = Literal["ok", "failed", "disabled", "incompatible", "shadowed", "not loaded"]
"""What became of a plugin.

``ok``            everything it offers can be used by its plain name
``failed``        nothing of it is registered; the cause says what went wrong
``disabled``      switched off, and not imported
``incompatible``  a record of it was made for another plugin API and is left out; its other records work
``shadowed``      a name of it (an item's, or the entry point's own) is another's too; qualified names reach its items
``not loaded``    nobody has looked up a name yet, so it has not been imported
"""


class PolydnnPluginWarning(UserWarning):
    """A plugin does not work, or not wholly; polydnn goes on without it."""


@dataclass(frozen=True)
class Plugin:
    """One entry point of an installed package.

    >>> print(Plugin("polydnn-huber", "1.0", "huber", "polydnn_huber"))
    polydnn-huber 1.0 (entry point huber = polydnn_huber)
    """

    distribution: str
    version: str
    entry_point: str
    module: str

    @property
    def built_in(self) -> bool:
        """Whether this is polydnn itself."""
        return self.distribution == BUILT_IN

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} (entry point {self.entry_point} = {self.module})"


@dataclass(frozen=True)
class PluginRecord:
    """The state of one plugin, as ``polydnn plugins list`` shows it.

    ``hooks`` are the hooks it implements and ``items`` the names it offers by kind; both are empty for a plugin that is
    not loaded. ``seconds`` is how long importing it and asking it took.
    """

    plugin: Plugin
    status: Status
    cause: str = ""
    hooks: tuple[str, ...] = ()
    items: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The record as plain data for JSON.

        >>> PluginRecord(Plugin("polydnn-huber", "1.0", "huber", "polydnn_huber"), "ok").as_dict()["status"]
        'ok'
        """
        rest = {
            "status": self.status,
            "cause": self.cause,
            "hooks": list(self.hooks),
            "items": {kind: list(names) for kind, names in self.items.items()},
            "seconds": self.seconds,
        }
        return asdict(self.plugin) | rest
