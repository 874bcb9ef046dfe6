"""Names become objects here: the look-ups behind the public constructors and the command line.

Each takes a name ("relu", or "distribution:name" where two packages offer one), a (name, options) pair, or an object,
which is returned as it is. Each raises UnknownNameError for a name nobody registered, AmbiguousNameError for a plain
name that two packages registered, and InvalidArgumentError for options that do not fit, naming those that do.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from polydnn.activations.activation import Activation
from polydnn.errors import AmbiguousNameError, PluginError, PolydnnError, UnknownNameError
from polydnn.initializers.initializer import Initializer
from polydnn.layers.layer import Layer
from polydnn.losses.loss import Loss
from polydnn.metrics.metric import Metric
from polydnn.optimizers.optimizer import Optimizer
from polydnn.optimizers.schedule import Schedule
from polydnn.registry.installed import normalized
from polydnn.registry.loading import cause_of
from polydnn.registry.making import check_made
from polydnn.registry.process import default_registry
from polydnn.registry.records import PluginRecord
from polydnn.registry.table import Entry
from polydnn.types import Options

if TYPE_CHECKING:
    from polydnn.datasets.dataset import Dataset

__all__ = [
    "Wanted",
    "activation",
    "backend_entry",
    "command_entries",
    "dataset",
    "executor_entries",
    "initializer",
    "layer",
    "loss",
    "metric",
    "optimizer",
    "plugins",
    "schedule",
]

Item = TypeVar("Item")

Wanted: TypeAlias = str | tuple[str, Options] | Item
"""What a user may write where an item is wanted: a name, a name with options, or the item."""


def activation(wanted: Wanted[Activation], /, **options: Any) -> Activation:
    """The activation of that name.

    >>> activation("relu").name
    'relu'
    """
    found: Activation = default_registry().make("activation", wanted, **options)
    return found


def loss(wanted: Wanted[Loss], /, **options: Any) -> Loss:
    """The loss of that name.

    >>> loss("mean_squared_error").target_kind
    'real'
    """
    found: Loss = default_registry().make("loss", wanted, **options)
    return found


def optimizer(wanted: Wanted[Optimizer], /, **options: Any) -> Optimizer:
    """The optimizer of that name.

    >>> optimizer("sgd", momentum=0.9).options
    {'momentum': 0.9, 'nesterov': False}
    """
    found: Optimizer = default_registry().make("optimizer", wanted, **options)
    return found


def initializer(wanted: Wanted[Initializer], /, **options: Any) -> Initializer:
    """The initializer of that name.

    >>> initializer("zeros").name
    'zeros'
    """
    found: Initializer = default_registry().make("initializer", wanted, **options)
    return found


def metric(wanted: Wanted[Metric], /, **options: Any) -> Metric:
    """The metric of that name.

    >>> metric("accuracy").higher_is_better
    True
    """
    found: Metric = default_registry().make("metric", wanted, **options)
    return found


def schedule(wanted: Wanted[Schedule], /, **options: Any) -> Schedule:
    """The learning-rate schedule of that name.

    >>> schedule(("cosine", {"final": 0.1})).name
    'cosine'
    """
    found: Schedule = default_registry().make("schedule", wanted, **options)
    return found


def layer(wanted: Wanted[Layer], /, **options: Any) -> Layer:
    """The layer of that name; its options ``activation`` and ``initializer`` may be names themselves.

    >>> layer("dense", units=3, activation="relu").options["activation"].name
    'relu'
    """
    found: Layer = default_registry().make("layer", wanted, **options)
    return found


def dataset(name: str, folder: str | Path | None = None) -> "Dataset":
    """The data set of that name, from ``folder`` where the user gave one.

    Raises UnknownNameError for a name nobody registered, a file's among them, DatasetUnavailableError where it can be
    had nowhere, PluginError where a plugin's factory fails or returns something else.
    """
    from polydnn.datasets.dataset import Dataset

    try:
        entry = default_registry().find("dataset", name)
    except UnknownNameError as error:
        if isinstance(error, AmbiguousNameError) or not Path(name).suffix:
            raise
        msg = f"{error} A file of your own is read by polydnn.datasets.load."
        raise UnknownNameError(msg) from None
    place = None if folder is None else Path(folder)
    try:
        found: Dataset = entry.spec.factory(place)
    except PolydnnError:
        raise
    except Exception as error:
        if entry.owner.built_in:
            raise
        msg = f"{entry} could not be read: {cause_of(error)}; report it to the authors of {entry.owner.distribution}."
        raise PluginError(msg) from error
    check_made(entry, found, Dataset)
    return found


def backend_entry(name: str) -> tuple[Entry, str | None]:
    """The entry for a backend's name, and the device that stands behind its colon.

    The name may be qualified as well: ``"polydnn-mlx:mlx:gpu"``.

    >>> entry, device = backend_entry("cupy:1")
    >>> entry.spec.name, device
    ('cupy', '1')
    >>> backend_entry("polydnn:numpy")[1] is None
    True
    """
    registry = default_registry()
    if not isinstance(name, str):
        return registry.find("backend", name), None  # which explains what a name is
    qualified = {entry.qualified for entry in registry.entries("backend")}
    first, *rest = name.split(":")
    if rest and f"{normalized(first)}:{rest[0]}" in qualified:
        first, *rest = f"{first}:{rest[0]}", *rest[1:]
    return registry.find("backend", first), ":".join(rest) or None


def executor_entries() -> tuple[Entry, ...]:
    """The executors on offer: polydnn's own first, then those of plugins, each sorted by name."""
    return tuple(sorted(default_registry().entries("executor"), key=lambda entry: not entry.owner.built_in))


def command_entries() -> tuple[Entry, ...]:
    """The commands that plugins add to the command line, sorted by name."""
    return default_registry().entries("command")


def plugins(*, load: bool = False) -> tuple[PluginRecord, ...]:
    """The installed plugins, each with its state; reads metadata only unless ``load`` asks to import them.

    >>> all(record.plugin.version for record in plugins())
    True
    """
    return default_registry().records(load=load)
