"""The trainer as users write it: names of losses, optimizers, metrics and schedules become objects, plugins listen."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from polydnn.api.checkpoints import Checkpointer, read_newest, trainer_arguments, write_snapshot
from polydnn.api.description import Custom, strangers
from polydnn.api.network import network_of
from polydnn.arrays import Backend, check_seed
from polydnn.errors import InvalidArgumentError
from polydnn.execution import Candidate
from polydnn.losses.loss import Loss
from polydnn.metrics.metric import Metric
from polydnn.network import Network
from polydnn.optimizers.optimizer import Optimizer
from polydnn.optimizers.schedule import Schedule
from polydnn.registry import Entry, ExecutorSpec, default_registry, executor_entries, provenance
from polydnn.registry import loss as loss_of
from polydnn.registry import metric as metric_of
from polydnn.registry import optimizer as optimizer_of
from polydnn.registry import schedule as schedule_of
from polydnn.registry.lookup import Wanted
from polydnn.training import Callback, History
from polydnn.training import Trainer as TrainerCore
from polydnn.training.settings import BatchSize, check_epochs
from polydnn.training.snapshot import restore
from polydnn.training.weights import ClassWeight

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Trainer"]

_UNSETTLED = 64
"""What stands for "auto" until it is settled."""

logger = logging.getLogger("polydnn")


class Trainer(TrainerCore):
    """Trains a network by gradient descent on batches.

    ``loss`` is a name, a (name, options) pair or a Loss; ``optimizer``, ``schedule`` and each of ``metrics`` likewise.
    ``learning_rate`` defaults to the optimizer's own. ``batch_size`` is a number of rows, "full" for batch gradient
    descent, or "auto": the first fit then measures for a few seconds which number trains fastest, and settles it.
    ``l1``, ``l2`` and decoupled ``weight_decay`` reach weights, not biases; ``clip_value`` bounds every element of the
    gradients, ``clip_norm`` their norm together. ``seed`` (by default the network's) fixes the order of the rows and
    the dropout masks. ``execution`` is "auto", "reference" or an executor's name.

    Raises InvalidArgumentError naming the argument, and UnknownNameError with the names there are.

    >>> from polydnn import Dense, Network
    >>> trainer = Trainer(Network(2, [Dense(1)]), loss="mean_squared_error", optimizer=("sgd", {"momentum": 0.9}))
    >>> history = trainer.fit([[0.0, 0.0], [1.0, 1.0]], [[0.0], [2.0]], epochs=3)
    >>> history["epoch"]
    [1, 2, 3]
    """

    def __init__(
        self,
        network: Network,
        *,
        loss: Wanted[Loss],
        optimizer: Wanted[Optimizer] = "sgd",
        learning_rate: float | None = None,
        schedule: Wanted[Schedule] | None = None,
        batch_size: BatchSize | Literal["auto"] = 64,
        seed: int | None = None,
        metrics: Sequence[Wanted[Metric]] = (),
        callbacks: Sequence[Callback] = (),
        execution: str = "auto",
        l1: float = 0.0,
        l2: float = 0.0,
        weight_decay: float | None = None,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        check_every: int | None = None,
    ) -> None:
        chosen = loss_of(loss)
        super().__init__(
            network,
            loss=chosen,
            optimizer=optimizer_of(optimizer),
            learning_rate=learning_rate,
            schedule=None if schedule is None else schedule_of(schedule),
            batch_size=_UNSETTLED if batch_size == "auto" else batch_size,
            seed=None if seed is None else check_seed(seed),
            metrics=_metrics(metrics, network, chosen.target_kind),
            callbacks=callbacks,
            execution=_executor_name(execution),
            executors=[_candidate(each) for each in executor_entries()],
            l1=l1,
            l2=l2,
            weight_decay=weight_decay,
            clip_value=clip_value,
            clip_norm=clip_norm,
            check_every=check_every,
        )
        self._unsettled = batch_size == "auto"
        self.batch_size_reason = ""
        listeners = _PluginEvents.for_installed()
        if listeners is not None:
            self.callbacks = (*self.callbacks, listeners)

    def fit(
        self,
        x: object,
        y: object,
        *,
        epochs: int,
        validation_data: tuple[object, object] | None = None,
        validation_fraction: float | None = None,
        sample_weight: object | None = None,
        class_weight: ClassWeight | None = None,
        checkpoints: str | Path | None = None,
        checkpoint_every: int | None = None,
        keep: int = 3,
        on_storage_failure: Literal["stop", "continue"] = "stop",
    ) -> History:
        """Train for ``epochs`` passes over x (n, in_features) and y, and return the history of all fits so far.

        y is (n,) integer labels or one-hot rows for a loss on classes and (n, outputs) otherwise. Rows for validation
        are given, or ``validation_fraction`` of the rows is set aside. Weights of examples (``sample_weight``, (n,))
        and of classes make the cost a weighted mean. A second call goes on from where the first ended.

        With ``checkpoints``, a folder, the whole state is written there every ``checkpoint_every`` steps (every epoch
        unless given); the last ``keep`` and the best are kept. ``Trainer.resume`` goes on from them.

        Raises InvalidArgumentError and InvalidDataError (ShapeError, DTypeError) naming the argument, StorageError
        where a checkpoint cannot be written (unless ``on_storage_failure="continue"``), and DivergenceError where the
        loss or a parameter stops being finite. Whatever is raised, the trainer then stands where its last whole epoch
        ended.
        """
        arguments: dict[str, Any] = {
            "epochs": epochs,
            "validation_data": validation_data,
            "validation_fraction": validation_fraction,
            "sample_weight": sample_weight,
            "class_weight": class_weight,
        }
        if checkpoints is None and checkpoint_every is not None:
            msg = f"checkpoint_every={checkpoint_every!r} needs a folder; give it with checkpoints."
            raise InvalidArgumentError(msg)
        weights = {name: arguments[name] for name in ("sample_weight", "class_weight", "validation_fraction")}
        check_epochs(epochs)  # before anything is measured
        self.settle_batch_size(x, y, **weights)
        schedule = [] if self.schedule is None else [("schedule", self.schedule)]
        used = strangers(("loss", self.loss), ("optimizer", self.optimizer), *schedule)
        self.network.trained_with = tuple(used)
        if checkpoints is None:
            return super().fit(x, y, **arguments)
        writer = Checkpointer(checkpoints, every=checkpoint_every, keep=keep, on_failure=on_storage_failure)
        writer.best = self.best_so_far
        callbacks = self.callbacks
        self.callbacks = (*callbacks, writer)
        try:
            return super().fit(x, y, **arguments)
        finally:
            self.callbacks = callbacks
            writer.close()

    def settle_batch_size(
        self,
        x: object,
        y: object,
        *,
        sample_weight: object | None = None,
        class_weight: ClassWeight | None = None,
        validation_fraction: float | None = None,
        budget: float = 5.0,
    ) -> BatchSize:
        """Replace the batch size "auto" by the number that trains fastest here, and return it.

        ``fit`` does this by itself. Steps of several sizes and the noise of the gradient are measured in a copy for
        about ``budget`` seconds; ``batch_size_reason`` then says why it is this number, as does the log "polydnn". A
        number that is settled stays, in checkpoints as well. Raises as ``fit`` does for rows that it would refuse.
        """
        if self._unsettled:
            from polydnn.batch_size.automatic import choose_batch_size  # imported where it is wanted only

            chosen = choose_batch_size(
                self,
                x,
                y,
                sample_weight=sample_weight,
                class_weight=class_weight,
                validation_fraction=validation_fraction,
                budget=budget,
            )
            self.batch_size, self.batch_size_reason, self._unsettled = chosen.batch_size, chosen.why, False
            logger.info(f"batch_size='auto' chose {chosen.batch_size}: {chosen.why}")
        return self.batch_size

    @property
    def best_so_far(self) -> float:
        """The lowest loss the history knows, of the validation rows where there are any."""
        column = "val_loss" if "val_loss" in self.history else "loss"
        return min(self.history[column], default=math.inf) if len(self.history) else math.inf

    def save_checkpoint(self, path: str | Path) -> Path:
        """Write the whole state of the fit to one file, atomically, and return its path.

        Parameters, optimizer state, place in the epoch, history, the state of the callbacks, and how network and
        trainer were made. Raises CheckpointError before the first fit, StorageError where the disk refuses.
        """
        return write_snapshot(self, path)

    @classmethod
    def resume(
        cls,
        path: str | Path,
        *,
        backend: str | Backend | None = None,
        callbacks: Sequence[Callback] = (),
        custom: Custom | None = None,
    ) -> "Trainer":
        """The trainer of a checkpoint file, or of the newest readable checkpoint in a folder.

        Call ``fit`` with the same rows, weights, validation rows and epochs: it goes on at the very step, and on NumPy
        to the very bits of the run that was never stopped. Callbacks with a state of their own, early stopping among
        them, are given again and take their state back. Raises CheckpointError for a damaged file, other rows, other
        epochs or other callbacks; UnknownNameError that says what to install where a plugin is missing.
        """
        _, described, snapshot = read_newest(path)
        given = custom or {}
        first = {
            name.removeprefix("network/"): array
            for name, array in snapshot.arrays.items()
            if name.startswith("network/")
        }
        network = network_of(described["network"], described["components"], given, backend, first)
        trainer = cls(network, callbacks=callbacks, **trainer_arguments(described, given))
        restore(trainer, snapshot)
        return trainer


def _metrics(metrics: Sequence[Wanted[Metric]], network: Network, target_kind: str) -> list[Metric]:
    """The metrics as objects, each of which must measure the task at hand."""
    if isinstance(metrics, str) or not isinstance(metrics, Sequence):
        msg = f"metrics must be a sequence such as ['accuracy'], found {metrics!r}."
        raise InvalidArgumentError(msg)
    task = _task(network, target_kind)
    found = [_for_task(metric_of(each), task) for each in metrics]
    names = [each.name for each in found]
    for metric in found:
        if metric.tasks and task not in metric.tasks:
            fitting = [name for name in default_registry().names("metric") if task in _tasks(name)]
            msg = f"metrics: {metric.name} does not measure a {task} task; those that do: {', '.join(fitting)}."
            raise InvalidArgumentError(msg)
        if names.count(metric.name) > 1:
            msg = f"metrics: {metric.name} is there more than once, and the history has one column for a name."
            raise InvalidArgumentError(msg)
    return found


def _task(network: Network, target_kind: str) -> str:
    """The task that the loss makes of the network: its own on real targets, else what the targets are."""
    if not isinstance(network, Network):
        return "regression"  # what is no network the trainer itself refuses, in better words
    if target_kind == "real" or network.task != "regression":
        return network.task
    return "multiclass" if target_kind == "classes" else "binary" if network.outputs == 1 else "multilabel"


def _tasks(name: str) -> tuple[str, ...]:
    return metric_of(name).tasks


def _for_task(metric: Metric, task: str) -> Metric:
    """A metric that tells its task from the targets, told the network's: a few rows may look like another task."""
    source = provenance("metric", metric)
    if task == "regression" or source is None or metric.options.get("task") != "auto":
        return metric
    return metric_of((source.qualified, {**metric.options, "task": task}))


def _candidate(entry: Entry) -> Candidate:
    assert isinstance(entry.spec, ExecutorSpec)
    return Candidate(default_registry().address(entry), entry.spec.factory, entry.spec.backends)


def _executor_name(execution: str) -> str:
    """The name under which an executor is a candidate; plain names that two packages offer are an error here."""
    plain = str(execution).rpartition(":")[2]
    if execution in ("auto", "reference") or not any(entry.spec.name == plain for entry in executor_entries()):
        return execution
    return default_registry().address(default_registry().find("executor", execution))


class _PluginEvents(Callback):
    """Passes the events of a fit on to the plugins that implement them."""

    def __init__(self, callers: Mapping[str, "Callable[..., None]"]) -> None:
        self._callers = callers

    @classmethod
    def for_installed(cls) -> "_PluginEvents | None":
        """A listener where some plugin wants events, None otherwise."""
        registry = default_registry()
        names = ("polydnn_fit_start", "polydnn_epoch_end", "polydnn_fit_end")
        callers = {name: caller for name in names if (caller := registry.hooks_for(name)) is not None}
        return cls(callers) if callers else None

    def _call(self, event: str, **arguments: Any) -> None:
        if event in self._callers:
            self._callers[event](**arguments)

    def on_fit_start(self, trainer: TrainerCore) -> None:
        self._call("polydnn_fit_start", trainer=trainer)

    def on_epoch_end(self, trainer: TrainerCore, logs: Mapping[str, Any]) -> None:
        self._call("polydnn_epoch_end", trainer=trainer, epoch=logs["epoch"], logs=logs)

    def on_fit_end(self, trainer: TrainerCore, history: History) -> None:
        self._call("polydnn_fit_end", trainer=trainer, history=history)
