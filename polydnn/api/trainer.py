"""The trainer as users write it: names of losses, optimizers, metrics and schedules become objects, plugins listen."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from polydnn.arrays import check_seed
from polydnn.execution import Candidate
from polydnn.losses.loss import Loss
from polydnn.metrics.metric import Metric
from polydnn.network import Network
from polydnn.optimizers.optimizer import Optimizer
from polydnn.optimizers.schedule import Schedule
from polydnn.registry import default_registry, executor_entries
from polydnn.registry import loss as loss_of
from polydnn.registry import metric as metric_of
from polydnn.registry import optimizer as optimizer_of
from polydnn.registry import schedule as schedule_of
from polydnn.registry.lookup import Wanted
from polydnn.training import Callback, History
from polydnn.training import Trainer as TrainerCore
from polydnn.training.settings import BatchSize

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Trainer"]


class Trainer(TrainerCore):
    """Trains a network by gradient descent on batches.

    ``loss`` is a name, a (name, options) pair or a Loss; ``optimizer``, ``schedule`` and each of ``metrics`` likewise.
    ``learning_rate`` defaults to the optimizer's own. ``batch_size`` is a number of rows, or "full" for batch
    gradient descent. ``l1``, ``l2`` and decoupled ``weight_decay`` reach weights, not biases; ``clip_value`` bounds every element
    of the gradients, ``clip_norm`` their norm together. ``seed`` (by default the network's) fixes the order of the rows
    and the dropout masks. ``execution`` is "auto", "reference" or an executor's name.

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
        batch_size: BatchSize = 64,
        seed: int | None = None,
        metrics: Sequence[Wanted[Metric]] = (),
        callbacks: Sequence[Callback] = (),
        execution: str = "auto",
        l1: float = 0.0,
        l2: float = 0.0,
        weight_decay: float = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        check_every: int | None = None,
    ) -> None:
        super().__init__(
            network,
            loss=loss_of(loss),
            optimizer=optimizer_of(optimizer),
            learning_rate=learning_rate,
            schedule=None if schedule is None else schedule_of(schedule),
            batch_size=batch_size,
            seed=None if seed is None else check_seed(seed),
            metrics=[metric_of(each) for each in metrics],
            callbacks=callbacks,
            execution=execution,
            executors=[Candidate(entry.spec.name, entry.spec.factory) for entry in executor_entries()],
            l1=l1,
            l2=l2,
            weight_decay=weight_decay,
            clip_value=clip_value,
            clip_norm=clip_norm,
            check_every=check_every,
        )
        listeners = _PluginEvents.for_installed()
        if listeners is not None:
            self.callbacks = (*self.callbacks, listeners)


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
