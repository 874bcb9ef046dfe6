"""Registers everything built in, through the hooks that a plugin uses."""

import importlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from polydnn.registry.marker import hookimpl
from polydnn.registry.specs import (
    ActivationSpec,
    BackendSpec,
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

AnySpec = TypeVar("AnySpec", bound=Spec)


def _records(record: type[AnySpec], factories: Iterable[Callable[..., Any]], ending: str = "") -> list[AnySpec]:
    """One record a factory, named after it (without the ending) and described by its docstring's first line."""
    return [record(f.__name__.removesuffix(ending), f, _first_line(f)) for f in factories]


def _first_line(factory: Callable[..., Any]) -> str:
    return (inspect.getdoc(factory) or "").partition("\n")[0]


def _room(room: str, contract: str) -> list[Callable[..., Any]]:
    """What a room exports and is annotated to return the contract."""
    try:
        module = importlib.import_module(f"polydnn.{room}")
    except ModuleNotFoundError:
        return []
    exported = [getattr(module, name) for name in getattr(module, "__all__", ())]
    return [f for f in exported if inspect.isfunction(f) and f.__annotations__.get("return").__name__ == contract]


@hookimpl
def polydnn_activations() -> list[ActivationSpec]:
    from polydnn import activations as room

    functions = (
        room.elu,
        room.gelu,
        room.identity,
        room.log_softmax,
        room.relu,
        room.selu,
        room.sigmoid,
        room.silu,
        room.softmax,
        room.softplus,
        room.tanh,
    )
    return _records(ActivationSpec, functions)


@hookimpl
def polydnn_losses() -> list[LossSpec]:
    return _records(LossSpec, _room("losses", "Loss"))


@hookimpl
def polydnn_optimizers() -> list[OptimizerSpec]:
    from polydnn import optimizers as room

    return _records(OptimizerSpec, (room.adagrad, room.adam, room.adamw, room.rmsprop, room.sgd))


@hookimpl
def polydnn_initializers() -> list[InitializerSpec]:
    return _records(InitializerSpec, _room("initializers", "Initializer"))


@hookimpl
def polydnn_metrics() -> list[MetricSpec]:
    return _records(MetricSpec, _room("metrics", "Metric"))


@hookimpl
def polydnn_schedules() -> list[ScheduleSpec]:
    from polydnn import optimizers as room

    functions = (room.constant_schedule, room.cosine_schedule, room.exponential_schedule, room.step_schedule)
    return _records(ScheduleSpec, functions, "_schedule")


@hookimpl
def polydnn_layers() -> list[LayerSpec]:
    from polydnn import layers as room

    classes = (room.BatchNormalization, room.Dense, room.Dropout, room.Normalization)
    return [LayerSpec(layer.type, layer, _first_line(layer)) for layer in classes]


@hookimpl
def polydnn_backends() -> list[BackendSpec]:
    from polydnn import arrays as room

    return [
        BackendSpec("array-api-strict", room.strict_backend, _first_line(room.strict_backend)),
        BackendSpec("cupy", room.cupy_backend, _first_line(room.cupy_backend)),
        BackendSpec("jax", room.jax_backend, _first_line(room.jax_backend)),
        BackendSpec("numpy", room.numpy_backend, _first_line(room.numpy_backend)),
        BackendSpec("torch", room.torch_backend, _first_line(room.torch_backend)),
    ]


@hookimpl
def polydnn_executors() -> list[ExecutorSpec]:
    return []


@hookimpl
def polydnn_datasets() -> list[DatasetSpec]:
    try:
        from polydnn.datasets import builtin_datasets
    except ImportError:
        return []
    return [DatasetSpec(name, loader, summary) for name, loader, summary in builtin_datasets()]
