"""Names and plugins: what is registered under which name, by which package, and the doors through which it came."""

from polydnn.registry.lookup import (
    activation,
    backend_entry,
    command_entries,
    dataset,
    executor_entries,
    initializer,
    layer,
    loss,
    metric,
    optimizer,
    plugins,
    schedule,
)
from polydnn.registry.manager import Registry
from polydnn.registry.marker import hookimpl, hookspec
from polydnn.registry.process import configure, default_registry
from polydnn.registry.provenance import Provenance, entry_of, provenance
from polydnn.registry.records import Plugin, PluginRecord, PolydnnPluginWarning
from polydnn.registry.settings import PluginSettings
from polydnn.registry.specs import (
    API_VERSION,
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
from polydnn.registry.table import Entry

__all__ = [
    "API_VERSION",
    "ActivationSpec",
    "BackendSpec",
    "CommandSpec",
    "DatasetSpec",
    "Entry",
    "ExecutorSpec",
    "InitializerSpec",
    "LayerSpec",
    "LossSpec",
    "MetricSpec",
    "OptimizerSpec",
    "Plugin",
    "PluginRecord",
    "PluginSettings",
    "PolydnnPluginWarning",
    "Provenance",
    "Registry",
    "ScheduleSpec",
    "Spec",
    "activation",
    "backend_entry",
    "command_entries",
    "configure",
    "dataset",
    "default_registry",
    "entry_of",
    "executor_entries",
    "hookimpl",
    "hookspec",
    "initializer",
    "layer",
    "loss",
    "metric",
    "optimizer",
    "plugins",
    "provenance",
    "schedule",
]
