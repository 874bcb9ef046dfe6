"""Registers everything built in, through the hooks that a plugin uses."""

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
    from polydnn import losses as room

    functions = (
        room.binary_cross_entropy,
        room.categorical_cross_entropy,
        room.hinge,
        room.mean_absolute_error,
        room.mean_squared_error,
        room.sum_squared_error,
    )
    return _records(LossSpec, functions)


@hookimpl
def polydnn_optimizers() -> list[OptimizerSpec]:
    from polydnn import optimizers as room

    return _records(OptimizerSpec, (room.adagrad, room.adam, room.adamw, room.rmsprop, room.sgd))


@hookimpl
def polydnn_initializers() -> list[InitializerSpec]:
    from polydnn import initializers as room

    functions = (
        room.glorot_normal,
        room.glorot_uniform,
        room.he_normal,
        room.he_uniform,
        room.lecun_normal,
        room.lecun_uniform,
        room.normal,
        room.uniform,
        room.zeros,
    )
    return _records(InitializerSpec, functions)


@hookimpl
def polydnn_metrics() -> list[MetricSpec]:
    from polydnn import metrics as room

    functions = (
        room.accuracy,
        room.f1,
        room.hamming_loss,
        room.mean_absolute_error,
        room.precision,
        room.r2,
        room.recall,
        room.roc_auc,
        room.root_mean_squared_error,
        room.top_k_accuracy,
    )
    return _records(MetricSpec, functions)


@hookimpl
def polydnn_schedules() -> list[ScheduleSpec]:
    from polydnn import optimizers as room

    functions = (room.constant_schedule, room.cosine_schedule, room.exponential_schedule, room.step_schedule)
    return _records(ScheduleSpec, functions, "_schedule")


@hookimpl
def polydnn_layers() -> list[LayerSpec]:
    from polydnn import layers as room

    def dense(
        units: int,
        activation: Any = "identity",  # the registry makes an object of it, of this default too
        *,
        use_bias: bool = True,
        initializer: Any = None,
    ) -> room.Dense:
        return room.Dense(units, activation, use_bias=use_bias, initializer=initializer)

    others = (room.BatchNormalization, room.Dropout, room.Normalization)
    records = [LayerSpec(layer.type, layer, _first_line(layer)) for layer in others]
    return [*records, LayerSpec("dense", dense, _first_line(room.Dense))]


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
    from polydnn import executors as room

    return [
        ExecutorSpec("numpy", room.numpy_executor, _first_line(room.numpy_executor), backends=("numpy",)),
        ExecutorSpec("cupy_graph", room.cupy_executor, _first_line(room.cupy_executor), backends=("cupy",)),
        ExecutorSpec("jax_jit", room.jax_executor, _first_line(room.jax_executor), backends=("jax",)),
        ExecutorSpec(
            "torch_flat", room.torch_flat_executor, _first_line(room.torch_flat_executor), backends=("torch",)
        ),
        ExecutorSpec(
            "torch_graph", room.torch_graph_executor, _first_line(room.torch_graph_executor), backends=("torch",)
        ),
    ]


@hookimpl
def polydnn_datasets() -> list[DatasetSpec]:
    from polydnn.datasets import builtin_datasets

    return [DatasetSpec(name, loader, summary) for name, loader, summary in builtin_datasets()]
