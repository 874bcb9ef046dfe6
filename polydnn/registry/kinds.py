"""The kinds of items a plugin can offer: the hook that offers them, the record, and the class of the item itself."""

from typing import Any

from polydnn.activations.activation import Activation
from polydnn.arrays import Backend
from polydnn.errors import InvalidArgumentError, did_you_mean
from polydnn.initializers.initializer import Initializer
from polydnn.layers.layer import Layer
from polydnn.losses.loss import Loss
from polydnn.metrics.metric import Metric
from polydnn.optimizers.optimizer import Optimizer
from polydnn.optimizers.schedule import Schedule
from polydnn.registry import hookspecs
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
    Spec,
)

__all__ = ["EVENTS", "HOOKS", "ITEMS", "KINDS", "RECORDS", "check_kind"]

RECORDS: dict[str, type[Spec]] = {
    "polydnn_activations": ActivationSpec,
    "polydnn_losses": LossSpec,
    "polydnn_optimizers": OptimizerSpec,
    "polydnn_initializers": InitializerSpec,
    "polydnn_metrics": MetricSpec,
    "polydnn_schedules": ScheduleSpec,
    "polydnn_layers": LayerSpec,
    "polydnn_backends": BackendSpec,
    "polydnn_executors": ExecutorSpec,
    "polydnn_datasets": DatasetSpec,
    "polydnn_commands": CommandSpec,
}
"""The record each offering hook returns, by hook."""

KINDS = tuple(record.kind for record in RECORDS.values())
"""``("activation", "loss", ...)``."""

ITEMS: dict[str, type[Any]] = {
    "activation": Activation,
    "loss": Loss,
    "optimizer": Optimizer,
    "initializer": Initializer,
    "metric": Metric,
    "schedule": Schedule,
    "layer": Layer,
    "backend": Backend,
}
"""What the factory of a kind returns; the other kinds are not made by name and options."""

HOOKS: dict[str, tuple[str, ...]] = {
    name: spec.__code__.co_varnames[: spec.__code__.co_argcount]
    for name, spec in vars(hookspecs).items()
    if name.startswith("polydnn_")
}
"""The arguments of every hook, by hook."""

EVENTS = tuple(name for name in HOOKS if name not in RECORDS)
"""The hooks that are events of training."""


def check_kind(kind: str) -> None:
    """Raise InvalidArgumentError unless ``kind`` is one of ``KINDS``."""
    if kind not in KINDS:
        msg = f"kind must be one of {', '.join(KINDS)}; found {kind!r}." + did_you_mean(str(kind), KINDS)
        raise InvalidArgumentError(msg)
