"""The records a plugin returns: what it offers, under which name, and for which version of this contract."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from polydnn.activations.activation import Activation
from polydnn.arrays import Backend
from polydnn.initializers.initializer import Initializer
from polydnn.losses.loss import Loss
from polydnn.metrics.metric import Metric
from polydnn.optimizers.optimizer import Optimizer
from polydnn.optimizers.schedule import Schedule

if TYPE_CHECKING:
    import click

    from polydnn.datasets.dataset import Dataset

__all__ = [
    "API_VERSION",
    "ActivationSpec",
    "BackendSpec",
    "CommandSpec",
    "DatasetSpec",
    "ExecutorSpec",
    "InitializerSpec",
    "LayerSpec",
    "LossSpec",
    "MetricSpec",
    "OptimizerSpec",
    "ScheduleSpec",
    "Spec",
]

API_VERSION = 1
"""The version of the contracts in this package; a record made for another one is reported and left out."""


@dataclass(frozen=True)
class Spec:
    """What all records share.

    ``name`` is what users write, in lower snake case. ``factory`` makes the item; its keyword arguments are the item's
    options. ``summary`` is one line for listings. ``api`` is the contract version the plugin was written for.
    """

    kind: ClassVar[str]

    name: str
    factory: Callable[..., Any]
    summary: str = ""
    api: int = API_VERSION


@dataclass(frozen=True)
class ActivationSpec(Spec):
    """An activation: ``factory(**options) -> polydnn.Activation``."""

    kind = "activation"
    factory: Callable[..., Activation]


@dataclass(frozen=True)
class LossSpec(Spec):
    """A loss: ``factory(**options) -> polydnn.Loss``."""

    kind = "loss"
    factory: Callable[..., Loss]


@dataclass(frozen=True)
class OptimizerSpec(Spec):
    """An optimizer: ``factory(**options) -> polydnn.Optimizer``."""

    kind = "optimizer"
    factory: Callable[..., Optimizer]


@dataclass(frozen=True)
class InitializerSpec(Spec):
    """An initializer: ``factory(**options) -> polydnn.Initializer``."""

    kind = "initializer"
    factory: Callable[..., Initializer]


@dataclass(frozen=True)
class MetricSpec(Spec):
    """A metric: ``factory(**options) -> polydnn.Metric``."""

    kind = "metric"
    factory: Callable[..., Metric]


@dataclass(frozen=True)
class ScheduleSpec(Spec):
    """A learning-rate schedule: ``factory(**options) -> polydnn.Schedule``."""

    kind = "schedule"
    factory: Callable[..., Schedule]


@dataclass(frozen=True)
class LayerSpec(Spec):
    """A layer: ``factory(**options) -> polydnn.Layer``."""

    kind = "layer"


@dataclass(frozen=True)
class BackendSpec(Spec):
    """A backend: ``factory(device: str | None) -> polydnn.Backend``; ``device`` is what stands behind the colon."""

    kind = "backend"
    factory: Callable[[str | None], Backend]


@dataclass(frozen=True)
class ExecutorSpec(Spec):
    """An executor: ``factory(plan: polydnn.StepPlan)`` gives a polydnn.execution.Executor, or a pure step function.

    ``backends`` names the array libraries it is for ("numpy", "torch"); it is not tried on others, and on all of them
    where none is named. The factory raises where it cannot serve a plan: NotImplementedError where it was not made for
    such plans, which is told to those who ask for it by name, and anything else where something is wrong.
    """

    kind = "executor"
    backends: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetSpec(Spec):
    """A data set: ``factory(folder: pathlib.Path | None) -> polydnn.Dataset``."""

    kind = "dataset"
    factory: Callable[..., "Dataset"]


@dataclass(frozen=True)
class CommandSpec(Spec):
    """A command of the command line: ``factory() -> click.Command``, called when the command is used."""

    kind = "command"
    factory: Callable[[], "click.Command"]
