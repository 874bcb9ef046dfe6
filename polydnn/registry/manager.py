"""The registry: loads the built-ins and the plugins at the first look-up, and turns names into objects from then on."""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from polydnn.errors import AmbiguousNameError, InvalidArgumentError, PluginLoadError, UnknownNameError, did_you_mean
from polydnn.registry.assembly import Assembly, assemble, metadata_record
from polydnn.registry.events import event_caller
from polydnn.registry.installed import Source, installed, sources
from polydnn.registry.kinds import EVENTS, ITEMS, check_kind
from polydnn.registry.making import complete, make_item
from polydnn.registry.origins import Origins
from polydnn.registry.records import PluginRecord
from polydnn.registry.reporting import warn
from polydnn.registry.settings import PluginSettings, read_settings
from polydnn.registry.table import Entry

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Registry"]

NESTED = ("activation", "initializer")
"""Options of a layer that users may give by name."""


class Registry:
    """Names of activations, losses, optimizers ... and the packages that offer them.

    ``entry_points`` are those of the installed packages unless others are given; ``settings`` are read from the
    environment and the configuration file unless they are given. Nothing is imported before the first look-up.

    A plugin that does not work is left out with one ``PolydnnPluginWarning`` and stays visible in ``records()``. In
    strict mode every look-up raises PluginLoadError instead. A built-in keeps its plain name; see ``table.py``.

    >>> registry = Registry([])
    >>> registry.make("activation", "relu").name
    'relu'
    >>> registry.find("activation", "polydnn:relu").owner.distribution
    'polydnn'
    """

    def __init__(
        self, entry_points: "Iterable[EntryPoint] | None" = None, *, settings: PluginSettings | None = None
    ) -> None:
        self._entry_points = None if entry_points is None else list(entry_points)
        self._given_settings = settings
        self._lock = threading.RLock()
        self._assembly: Assembly | None = None
        self._origins = Origins()

    # looking up

    def find(self, kind: str, name: str) -> Entry:
        """The record of a name, and its owner.

        ``name`` is plain or qualified: ``"relu"``, ``"polydnn-huber:huber"``. Raises UnknownNameError, which repeats
        why a plugin that might have offered it is not there, and AmbiguousNameError for a name of two plugins.
        """
        check_kind(kind)
        _check_name(kind, name)
        assembly = self._loaded()
        try:
            return assembly.table.find(kind, name)
        except AmbiguousNameError:
            raise
        except UnknownNameError as error:
            raise UnknownNameError(str(error) + assembly.explain_absence(kind, name)) from None

    def names(self, kind: str) -> tuple[str, ...]:
        """The shortest name of every item of a kind, sorted; qualified where the plain one belongs to another."""
        return tuple(sorted(self._loaded().table.address(entry) for entry in self.entries(kind)))

    def address(self, entry: Entry) -> str:
        """The shortest name that finds the entry."""
        return self._loaded().table.address(entry)

    def entries(self, kind: str) -> tuple[Entry, ...]:
        """Every entry of a kind, built-ins and shadowed ones included, sorted by name and package."""
        check_kind(kind)
        return tuple(self._loaded().table.of_kind(kind))

    def make(self, kind: str, wanted: Any, /, **options: Any) -> Any:
        """The item for a name, a (name, options) pair, or an item, which is returned as it is.

        The item carries ``name``, which finds it again, and ``options``, completed with the factory's defaults. For a
        layer, the options ``activation`` and ``initializer`` may be names or pairs themselves.
        Raises InvalidArgumentError for options that do not fit, and what ``find`` raises.

        >>> Registry([]).make("optimizer", ("sgd", {"momentum": 0.9})).options
        {'momentum': 0.9, 'nesterov': False}
        """
        check_kind(kind)
        if kind not in ITEMS:
            msg = f"{_article(kind)} {kind} is not made from options; use find({kind!r}, name).spec.factory."
            raise InvalidArgumentError(msg)
        if isinstance(wanted, ITEMS[kind]):
            if options:
                msg = f"{kind} is an object already and takes no options, found {next(iter(options))!r}; give a name."
                raise InvalidArgumentError(msg)
            return wanted
        name, given = _name_and_options(kind, wanted, options)
        entry = self.find(kind, name)
        given = complete(entry, given)
        if kind == "layer":
            given |= {key: self.make(key, given[key]) for key in NESTED if given.get(key) is not None}
        item = make_item(entry, self._loaded().table.address(entry), given)
        self._origins.remember(item, entry)
        return item

    def origin(self, kind: str, item: Any) -> Entry | None:
        """The entry an item was made from; None for an item of the user's own code.

        An item that this registry did not make is recognized by its name and by the package its functions come from.
        """
        check_kind(kind)
        return self._origins.of(item) or self._origins.guess(item, self.entries(kind))

    # plugins

    def records(self, *, load: bool = False) -> tuple[PluginRecord, ...]:
        """The state of every installed plugin, sorted by package and entry point.

        Reads metadata only and imports nothing, unless ``load`` is true: a plugin that no look-up has loaded yet is
        "disabled" or "not loaded". Raises PluginLoadError only with ``load`` in strict mode.
        """
        with self._lock:
            if load:
                self._loaded()
            if self._assembly is not None:
                return tuple(self._assembly.records.values())
            settings = self._settings()
            return tuple(metadata_record(source.plugin, settings) for source in self._sources())

    def hooks_for(self, event: str) -> Callable[..., None] | None:
        """One callable that tells every plugin implementing the event; None where none does.

        An implementation that raises is reported with its plugin's name and not called again by this callable; in
        strict mode it raises PluginError. Raises InvalidArgumentError for a hook that is no event.
        """
        if event not in EVENTS:
            msg = f"event must be one of {', '.join(EVENTS)}; found {event!r}." + did_you_mean(event, EVENTS)
            raise InvalidArgumentError(msg)
        hooks = {plugin: hooks[event] for plugin, hooks in self._loaded().hooks.items() if event in hooks}
        return event_caller(event, hooks, strict=self._settings().strict) if hooks else None

    # loading

    def _settings(self) -> PluginSettings:
        if self._given_settings is None:
            self._given_settings = read_settings()
        return self._given_settings

    def _sources(self) -> list[Source]:
        return sources(installed() if self._entry_points is None else self._entry_points)

    def _loaded(self) -> Assembly:
        with self._lock:
            if self._assembly is None:
                self._load()
            assembly = self._assembly
            assert assembly is not None
            if assembly.finished and assembly.faults and self._settings().strict:
                msg = "plugins are strict, and not all of them work:\n" + "\n".join(assembly.faults)
                raise PluginLoadError(msg)
            return assembly

    def _load(self) -> None:
        settings, found = self._settings(), self._sources()
        assembly = Assembly()
        self._assembly = assembly  # set before it is filled: a plugin that looks up a name finds the built-ins
        try:
            assemble(assembly, found, settings)
        except BaseException:
            self._assembly = None  # KeyboardInterrupt, or a broken built-in: never half a registry
            raise
        for text in assembly.notes if settings.strict else assembly.faults + assembly.notes:
            warn(text)


def _check_name(kind: str, name: object) -> None:
    if not isinstance(name, str):
        msg = f"the name of {_article(kind)} {kind} must be a string, found {name!r}."
        raise InvalidArgumentError(msg)


def _article(kind: str) -> str:
    return "an" if kind[0] in "aeiou" else "a"


def _name_and_options(kind: str, wanted: Any, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    match wanted:
        case str():
            return wanted, dict(options)
        case (str() as name, Mapping() as given) if isinstance(wanted, tuple | list):
            return name, {**given, **options}
    hint = " Call it first, or give its name." if callable(wanted) else ""
    expected = f"a name, a (name, options) pair or a polydnn.{ITEMS[kind].__name__}"
    msg = f"{kind} must be {expected}; found {wanted!r}.{hint}"
    raise InvalidArgumentError(msg)
