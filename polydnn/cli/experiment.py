"""An experiment as the options describe it: resolved for a data set, and turned into a network and a trainer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import click

from polydnn.cli.data import TEST_FRACTION, is_file, load_data
from polydnn.cli.item_text import Item
from polydnn.cli.loss_fit import as_loss_wants, check_loss, default_loss
from polydnn.datasets import Dataset, Task
from polydnn.errors import InvalidArgumentError

if TYPE_CHECKING:
    from polydnn import Callback, Network, Trainer

__all__ = ["DEFAULT_METRICS", "Experiment"]

DEFAULT_OUTPUTS: Mapping[Task, str] = {
    "binary": "sigmoid",
    "multiclass": "softmax",
    "multilabel": "sigmoid",
    "regression": "identity",
}
OUTPUTS_BY_KIND = {"signs": "identity", "probabilities": "sigmoid"}
"""The outputs that go before the task's, by what the loss calls its targets."""
DEFAULT_METRICS: Mapping[Task, tuple[Item, ...]] = {
    "binary": (Item("accuracy", {}), Item("roc_auc", {})),
    "multiclass": (Item("accuracy", {}),),
    "multilabel": (
        Item("f1", {"average": "micro", "task": "multilabel"}),
        Item("hamming_loss", {"task": "multilabel"}),
    ),
    "regression": (Item("r2", {}), Item("root_mean_squared_error", {})),
}
DEFAULT_RATES = {"adam": 0.004}
"""Where the optimizer's own rate is for long trainings: falling along a cosine, this one arrives in tens of epochs."""
BOUNDED_BELOW = ("relu", "sigmoid", "softplus")
"""Output activations that cannot reach targets of zero mean: their targets are scaled to [0, 1]."""


@dataclass(frozen=True)
class Experiment:
    """The values of all experiment options; None and "auto" wait for ``resolved_for``."""

    dataset: str
    target: tuple[str, ...]
    task: Task | None
    test_fraction: float | None
    folder: str | None
    normalization: str
    target_normalization: str
    hidden: tuple[int, ...]
    activation: Item
    output_activation: Item | None
    initializer: Item | None
    dropout: float
    batch_normalization: bool
    backend: str | None
    dtype: str
    epochs: int
    batch_size: int | Literal["full", "auto"]
    loss: Item | None
    optimizer: Item
    learning_rate: float | None
    schedule: Item | None
    metric: tuple[Item, ...]
    validation_fraction: float | None
    patience: int | None
    class_weight: str
    l1: float
    l2: float
    weight_decay: float | None
    clip_value: float | None
    clip_norm: float | None
    seed: int
    execution: str

    @classmethod
    def of_options(cls, options: Mapping[str, Any]) -> Self:
        """The experiment among a command's options."""
        return cls(**{field.name: options[field.name] for field in fields(cls)})

    def check_names(self) -> None:
        """Look up every name, so that a misspelt one is reported before any data is read."""
        from polydnn import activation, get_backend, initializer, loss, metric, optimizer, schedule

        get_backend(self.backend)
        lookups = (
            (activation, self.activation),
            (activation, self.output_activation),
            (initializer, self.initializer),
            (loss, self.loss),
            (optimizer, self.optimizer),
            (schedule, self.schedule),
            *((metric, each) for each in self.metric),
        )
        for look_up, item in lookups:
            if item is not None:
                look_up(item)

    def load_data(self) -> Dataset:
        """The data set, its targets as the loss wants them."""
        dataset = load_data(
            self.dataset,
            target=self.target,
            task=self.task,
            test_fraction=self.test_fraction,
            folder=self.folder,
        )
        return as_loss_wants(dataset, self.loss or default_loss(dataset.task))

    def resolved_for(self, dataset: Dataset) -> "Experiment":
        """The experiment with every choice made that depends on the data; paths are absolute from here on."""
        from polydnn import get_backend, loss, optimizer

        wanted = self.loss or default_loss(dataset.task)
        check_loss(wanted, dataset)
        target_kind = loss(wanted).target_kind
        default_output = OUTPUTS_BY_KIND.get(target_kind, DEFAULT_OUTPUTS[dataset.task])
        output = self.output_activation or Item(default_output, {})
        path = Path(self.dataset).expanduser().absolute() if is_file(self.dataset) else None
        table = path is not None and not path.is_dir()  # a folder of images knows its task and its split
        return replace(
            self,
            dataset=self.dataset if path is None else str(path),
            task=dataset.task if table else None,
            test_fraction=(self.test_fraction or TEST_FRACTION) if table else None,
            folder=None if self.folder is None else str(Path(self.folder).expanduser().absolute()),
            normalization=dataset.scaling if self.normalization == "auto" else self.normalization,
            target_normalization=self._target_normalization(dataset.task, target_kind, output.name),
            output_activation=output,
            backend=get_backend(self.backend).name,
            loss=wanted,
            learning_rate=self.learning_rate or DEFAULT_RATES.get(self.optimizer.name),
            metric=self.metric or DEFAULT_METRICS[dataset.task],
            weight_decay=optimizer(self.optimizer).weight_decay if self.weight_decay is None else self.weight_decay,
        )

    def _target_normalization(self, task: Task, target_kind: str, output: str) -> str:
        scalable = task == "regression" and target_kind == "real"
        if self.target_normalization not in ("auto", "none") and not scalable:
            msg = (
                f"--target-normalization {self.target_normalization} scales the targets of a regression with a loss "
                f"on any numbers; this is {task} with the loss {self.loss or default_loss(task)}. Leave it out."
            )
            raise click.UsageError(msg)
        if self.target_normalization != "auto":
            return self.target_normalization
        if not scalable:
            return "none"
        return "min-max" if output in BOUNDED_BELOW else "standard"

    def network_for(self, dataset: Dataset) -> "Network":
        """The untrained network of a resolved experiment."""
        from polydnn import Network

        target: Any = None if self.target_normalization == "none" else self.target_normalization
        return Network(
            dataset.in_features,
            self._layers(dataset),
            backend=self.backend,
            dtype=self.dtype,
            seed=self.seed,
            target_normalization=target,
            task=dataset.task,
            features=dataset.features,
            targets=dataset.targets,
            classes=dataset.classes,
        )

    def _layers(self, dataset: Dataset) -> Sequence[Any]:
        from polydnn import BatchNormalization, Dense, Dropout, Normalization

        assert self.output_activation is not None
        if "softmax" in self.output_activation.name and dataset.outputs == 1:
            msg = (
                f"the output activation {self.output_activation.name} needs several outputs, and {dataset.name!r} "
                f"({dataset.task}) has one; use sigmoid, or identity for a regression."
            )
            raise InvalidArgumentError(msg)
        layers: list[Any] = []
        if self.normalization != "none":
            kind: Any = self.normalization
            layers.append(Normalization(kind, shared=dataset.scaling == "min-max"))
        for units in self.hidden:
            layers.append(Dense(units, self.activation, initializer=self.initializer))
            layers += [BatchNormalization()] if self.batch_normalization else []
            layers += [Dropout(self.dropout)] if self.dropout else []
        return [*layers, Dense(dataset.outputs, self.output_activation, initializer=self.initializer)]

    def trainer_for(self, network: "Network", callbacks: Sequence["Callback"] = ()) -> "Trainer":
        """The trainer of a resolved experiment, stopping early where it has a patience."""
        from polydnn import EarlyStopping, Trainer
        from polydnn.training.settings import SETTINGS

        assert self.loss is not None
        stopping = [] if self.patience is None else [EarlyStopping(patience=self.patience)]
        return Trainer(
            network,
            loss=self.loss,
            optimizer=self.optimizer,
            schedule=self.schedule,
            metrics=self.metric,
            callbacks=[*stopping, *callbacks],
            **{name: value for name, value in vars(self).items() if name in SETTINGS},
        )
