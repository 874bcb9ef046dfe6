"""Feed-forward deep neural networks on NumPy, CuPy, PyTorch and JAX from one code base.

    network = polydnn.Network(64, [polydnn.Dense(64, "relu"), polydnn.Dense(10, "softmax")])
    trainer = polydnn.Trainer(network, loss="categorical_cross_entropy", optimizer="adam")
    trainer.fit(x, y, epochs=10)

Importing the package loads no plugin and no array library but NumPy; names are looked up at first use.
"""

import importlib as _importlib

from polydnn.activations.activation import Activation
from polydnn.api.backends import backends, get_backend
from polydnn.api.layers import Dense
from polydnn.api.network import Network
from polydnn.api.trainer import Trainer
from polydnn.arrays import Backend, device_of
from polydnn.datasets.dataset import Dataset, Rows
from polydnn.errors import PolydnnError
from polydnn.execution import StepPlan, reference_step
from polydnn.initializers.initializer import Initializer
from polydnn.layers import BatchNormalization, Dropout, Layer, Normalization
from polydnn.losses.loss import LogitsForm, Loss, check_same_shape
from polydnn.metrics.metric import Metric
from polydnn.optimizers.optimizer import Optimizer
from polydnn.optimizers.schedule import Schedule
from polydnn.registry import (
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
    activation,
    dataset,
    hookimpl,
    initializer,
    layer,
    loss,
    metric,
    optimizer,
    plugins,
    schedule,
)
from polydnn.training import Callback, EarlyStopping, History

__all__ = [
    "Activation",
    "ActivationSpec",
    "Backend",
    "BackendSpec",
    "BatchNormalization",
    "Callback",
    "CommandSpec",
    "Dataset",
    "DatasetSpec",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "ExecutorSpec",
    "History",
    "Initializer",
    "InitializerSpec",
    "Layer",
    "LayerSpec",
    "LogitsForm",
    "Loss",
    "LossSpec",
    "Metric",
    "MetricSpec",
    "Network",
    "Normalization",
    "Optimizer",
    "OptimizerSpec",
    "PolydnnError",
    "Rows",
    "Schedule",
    "ScheduleSpec",
    "StepPlan",
    "Trainer",
    "activation",
    "backends",
    "check_same_shape",
    "dataset",
    "device_of",
    "get_backend",
    "hookimpl",
    "initializer",
    "layer",
    "loss",
    "metric",
    "optimizer",
    "plugins",
    "reference_step",
    "schedule",
]


def __getattr__(name: str) -> object:
    """``polydnn.testing``, the conformance kit, is imported when it is first named."""
    if name == "testing":
        return _importlib.import_module("polydnn.testing")
    msg = f"module 'polydnn' has no attribute {name!r}"
    raise AttributeError(msg)
