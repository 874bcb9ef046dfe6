"""Every hook a plugin can implement; the reference with one full example each is ``docs/plugins-hooks.md``.

Eleven hooks offer items: polydnn calls them once, at the first look-up of a name, and each returns an iterable of
records. Three hooks are events of training, called as often as they happen and only where a plugin implements them.
An implementation may leave out arguments it does not need. No meaning depends on the order of plugins.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from polydnn.registry.marker import hookspec
from polydnn.registry.specs import (
    ActivationSpec,
    BackendSpec,
    CommandSpec,
    DatasetSpec,
    ExecutorSpec,
    InitializerSpec,
    LayerSpec,
    LossSpec,
    MetricSpec,
    OptimizerSpec,
    ScheduleSpec,
)

if TYPE_CHECKING:
    from polydnn.training import History, Trainer

# mypy: disable-error-code="empty-body"


@hookspec
def polydnn_activations() -> Iterable[ActivationSpec]:
    """Offer activations; each record's factory returns a ``polydnn.Activation``."""


@hookspec
def polydnn_losses() -> Iterable[LossSpec]:
    """Offer losses; each record's factory returns a ``polydnn.Loss``."""


@hookspec
def polydnn_optimizers() -> Iterable[OptimizerSpec]:
    """Offer optimizers; each record's factory returns a ``polydnn.Optimizer``."""


@hookspec
def polydnn_initializers() -> Iterable[InitializerSpec]:
    """Offer initializers; each record's factory returns a ``polydnn.Initializer``."""


@hookspec
def polydnn_metrics() -> Iterable[MetricSpec]:
    """Offer metrics; each record's factory returns a ``polydnn.Metric``."""


@hookspec
def polydnn_schedules() -> Iterable[ScheduleSpec]:
    """Offer learning-rate schedules; each record's factory returns a ``polydnn.Schedule``."""


@hookspec
def polydnn_layers() -> Iterable[LayerSpec]:
    """Offer layers; each record's factory returns a ``polydnn.Layer``.

    Where the user names the options ``activation`` or ``initializer`` by a string, the factory receives the object.
    """


@hookspec
def polydnn_backends() -> Iterable[BackendSpec]:
    """Offer array libraries; a record's factory takes what stands behind the colon of ``--backend name:device``."""


@hookspec
def polydnn_executors() -> Iterable[ExecutorSpec]:
    """Offer faster ways to run the training step; each is compared with the reference step before it is trusted."""


@hookspec
def polydnn_datasets() -> Iterable[DatasetSpec]:
    """Offer data sets; a record's factory takes the folder the user gave, or None, and returns a ``Dataset``."""


@hookspec
def polydnn_commands() -> Iterable[CommandSpec]:
    """Offer commands for the command line; a record's factory returns a ``click.Command`` when it is used."""


@hookspec
def polydnn_fit_start(trainer: "Trainer") -> None:
    """Training is about to begin; ``trainer`` is the ``polydnn.Trainer`` whose ``fit`` was called."""


@hookspec
def polydnn_epoch_end(trainer: "Trainer", epoch: int, logs: Mapping[str, Any]) -> None:
    """An epoch has ended: ``epoch`` counts from 1, and ``logs`` maps columns of the history to their values."""


@hookspec
def polydnn_fit_end(trainer: "Trainer", history: "History") -> None:
    """Training has ended; ``history`` is what ``fit`` is about to return."""
