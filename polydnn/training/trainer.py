"""The trainer: batch, stochastic and mini-batch gradient descent as one loop over one step."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from polydnn.errors import CheckpointError, DivergenceError, InvalidArgumentError
from polydnn.execution.choice import Candidate, Choice, FirstBatch, choose
from polydnn.execution.executor import Executor
from polydnn.execution.plan import Key, OptimizerState, StepPlan, first_state
from polydnn.execution.reference import back_propagation
from polydnn.losses.loss import Loss
from polydnn.metrics.metric import Metric
from polydnn.network import Network
from polydnn.optimizers.optimizer import Optimizer
from polydnn.optimizers.schedule import Schedule
from polydnn.training.batches import Rows, batch_count, epoch_batches
from polydnn.training.callbacks import Callback
from polydnn.training.divergence import Found
from polydnn.training.evaluation import evaluate
from polydnn.training.history import History
from polydnn.training.placement import place_fit, place_rows
from polydnn.training.progress import Progress
from polydnn.training.settings import (
    SETTINGS,
    BatchSize,
    check_batch_size,
    check_callbacks,
    check_epochs,
    check_interval,
    check_learning_rate,
    check_penalties,
)
from polydnn.training.snapshot import fingerprint
from polydnn.training.step_loop import StepLoop
from polydnn.training.weights import ClassWeight
from polydnn.types import Gradients, Parameters

__all__ = ["Trainer"]

logger = logging.getLogger("polydnn")


class Trainer:
    """Trains a network by gradient descent on batches.

    ``batch_size`` is "full" for batch, 1 for stochastic and anything between for mini-batch gradient descent. Rows are
    shuffled before every epoch; an epoch is ceil(n / batch_size) steps, the last of which may be of fewer rows.
    ``learning_rate`` defaults to the optimizer's own and is multiplied by the ``schedule``. ``l1``, ``l2`` and
    decoupled ``weight_decay`` reach weights, not biases; ``clip_value`` and ``clip_norm`` bound the gradients.
    ``check_every`` says how often losses and parameters are looked at for NaN and infinity: every so many steps; None
    means every 100. On the host every step is looked at besides. The very step is named.
    ``execution`` is "auto", "reference" or the name of one of the ``executors``.
    """

    def __init__(
        self,
        network: Network,
        *,
        loss: Loss,
        optimizer: Optimizer,
        learning_rate: float | None = None,
        schedule: Schedule | None = None,
        batch_size: BatchSize = 64,
        seed: int | None = None,
        metrics: Sequence[Metric] = (),
        callbacks: Sequence[Callback] = (),
        execution: str = "auto",
        executors: Sequence[Candidate] = (),
        l1: float = 0.0,
        l2: float = 0.0,
        weight_decay: float | None = None,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        check_every: int | None = None,
    ) -> None:
        if not isinstance(network, Network):
            msg = f"Trainer: network must be a polydnn.Network, found {network!r}."
            raise InvalidArgumentError(msg)
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        rate = optimizer.learning_rate if learning_rate is None else learning_rate
        self.learning_rate = check_learning_rate(rate)
        self.schedule = schedule
        self.batch_size = check_batch_size(batch_size)
        self.seed = network.seed if seed is None else seed
        self.metrics = tuple(metrics)
        self.callbacks = check_callbacks(callbacks)
        self.execution = execution
        self.executors = tuple(executors)
        self.penalties = check_penalties(l1, l2, weight_decay, clip_value, clip_norm)
        self.check_every = check_interval(check_every)
        self.plan = StepPlan(network, loss, optimizer, self.penalties)
        self.history = History()
        self.progress: Progress | None = None
        self.choice: Choice | None = None
        self.stop_requested = False
        self.interrupted: str | None = None
        self._fingerprint: str | None = None
        self._data: tuple[Rows, Rows | None] | None = None
        self._optimizer_state: OptimizerState | Callable[[], OptimizerState] | None = None
        self._resuming = False

    # ---- the public verbs ------------------------------------------------------------------------------------------

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
    ) -> History:
        """Train for ``epochs`` passes over x (n, in_features) and y, and return the history of all fits so far.

        y is (n,) integer labels or one-hot rows for a loss on classes and (n, outputs) otherwise. Rows for validation
        are given, or ``validation_fraction`` of the rows is set aside. Weights of examples (``sample_weight``, (n,))
        and of classes make the cost a weighted mean. A second call goes on from where the first ended.

        Raises InvalidArgumentError and InvalidDataError (ShapeError, DTypeError) naming the argument, and
        DivergenceError where the loss or a parameter stops being finite. Whatever is raised, network, optimizer state
        and counters then stand where the last whole epoch ended.
        """
        epochs = check_epochs(epochs)
        if self.interrupted:
            msg = f"this trainer was interrupted ({self.interrupted}); go on with Trainer.resume from its checkpoint."
            raise InvalidArgumentError(msg)
        rows, validation = place_fit(
            self.network,
            self.loss,
            x,
            y,
            seed=self.seed,
            sample_weight=sample_weight,
            class_weight=class_weight,
            validation_data=validation_data,
            validation_fraction=validation_fraction,
        )
        self._bind(rows, validation)
        progress = self._begin(len(rows), epochs)
        for callback in self._overriding("on_fit_start"):
            callback.on_fit_start(self)
        self._run(rows, validation, progress)
        if not self.interrupted:
            for callback in self._overriding("on_fit_end"):
                callback.on_fit_end(self, self.history)
        return self.history

    def evaluate(self, x: object, y: object) -> dict[str, float]:
        """``{"loss": ..., metric: ...}`` on the rows x (n, in_features) with targets y, as in ``fit``."""
        return evaluate(self.plan, self.metrics, self._placed(x, y))

    def executor_for(self, x: object, y: object) -> Executor:
        """The executor that a fit of these rows would use, loaded with the network as it stands.

        For measuring steps, or for a loop of one's own: ``executor.step(x, y, learning_rate, Key(seed, step))`` takes
        arrays of the backend, and ``executor.read()`` gives parameters and optimizer state. The network stays as it is.
        """
        rows = self._placed(x, y)
        size = self.rows_per_batch(len(rows))
        progress = Progress(0, 1, 0, batch_count(len(rows), size), 0, 0)
        self.choice = self.choice or self._choose(rows, progress)
        self.choice.executor.load(self.network.arrays, self.optimizer_state)
        return self.choice.executor

    def loss_and_gradients(self, x: object, y: object) -> tuple[float, Gradients]:
        """The cost of these rows as training sees it, but without dropout, and its gradients by parameter name.

        The gradients lie where the data came from: NumPy arrays for host data. Penalties are part of both.
        """
        rows = self._placed(x, y)
        result = back_propagation(self.plan)(self.network.arrays, rows.x, rows.y, {})
        names = self.network.parameter_names
        if self.network.backend.owns(x):
            return float(result.loss), {name: result.gradients[name] for name in names}
        to_numpy = self.network.backend.to_numpy
        return float(result.loss), {name: to_numpy(result.gradients[name]) for name in names}

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that are numbers or words, as they stand; with the same items they make a trainer like this."""
        values = {**vars(self), **vars(self.penalties)}
        return {name: values[name] for name in SETTINGS}

    @property
    def optimizer_state(self) -> OptimizerState:
        """The optimizer's state of every parameter."""
        if self._optimizer_state is None:
            self._optimizer_state = first_state(self.plan)
        if callable(self._optimizer_state):
            self._optimizer_state = self._optimizer_state()
        return self._optimizer_state

    # ---- preparing -------------------------------------------------------------------------------------------------

    def _placed(self, x: object, y: object) -> Rows:
        if not self.network.normalized:
            msg = "the network's Normalization has no constants yet; train it with Trainer.fit first."
            raise InvalidArgumentError(msg)
        return place_rows(self.network, self.loss, x, y, "x", "y")

    def continue_from(
        self, progress: Progress, state: OptimizerState, data_fingerprint: str | None, *, stop_requested: bool
    ) -> None:
        """Stand where a snapshot was taken: the next ``fit`` goes on from there with the same rows and epochs."""
        self.progress, self._optimizer_state = progress, state
        self._fingerprint, self.stop_requested = data_fingerprint, stop_requested
        self._resuming = True

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the history that a fit of the rows in place measures, beside the counters and clocks."""
        validated = self._data is not None and self._data[1] is not None
        names = [metric.name for metric in self.metrics]
        return ("loss", "val_loss", *(f"val_{name}" for name in names)) if validated else ("loss", *names)

    @property
    def data_fingerprint(self) -> str | None:
        """A digest of the rows of the fit, worked out when it is first asked for; None before any fit."""
        if self._fingerprint is None and self._data is not None:
            self._fingerprint = fingerprint(self, *self._data)
        return self._fingerprint

    def _bind(self, rows: Rows, validation: Rows | None) -> None:
        """Remember which rows this fit is about; a resumed fit takes no others than the checkpoint's."""
        expected = self._fingerprint if self._resuming else None
        self._data, self._fingerprint = (rows, validation), None
        if expected is None or self.data_fingerprint == expected:
            return
        msg = (
            f"resume: these rows are not the checkpoint's (fingerprint {self.data_fingerprint}, "
            f"expected {expected}). Give the same x, y, weights and validation rows, in the same order."
        )
        self._data, self._fingerprint = None, expected  # a second call is held to the checkpoint's rows as well
        raise CheckpointError(msg)

    def _begin(self, n: int, epochs: int) -> Progress:
        steps = batch_count(n, self.rows_per_batch(n))
        if self._resuming and self.progress is not None:
            planned = self.progress.end_epoch - self.progress.first_epoch
            if (steps, epochs) != (self.progress.steps_per_epoch, planned):
                msg = (
                    f"resume: the run has {planned} epochs of {self.progress.steps_per_epoch} steps, "
                    f"found {epochs} epochs of {steps}. Give the same epochs; a further fit may follow."
                )
                raise CheckpointError(msg)
            self._resuming = False
            return self.progress
        done_epochs = self.progress.epoch if self.progress else 0
        done_steps = self.progress.step if self.progress else 0
        self.stop_requested = False
        self.progress = Progress(done_epochs, done_epochs + epochs, done_steps, steps, done_epochs, done_steps)
        return self.progress

    def rows_per_batch(self, n: int) -> int:
        """How many rows a whole batch of a fit of ``n`` rows has."""
        return n if self.batch_size == "full" else min(int(self.batch_size), n)

    # ---- the loop --------------------------------------------------------------------------------------------------

    def _run(self, rows: Rows, validation: Rows | None, progress: Progress) -> None:
        if self.choice is None:
            self.choice = self._choose(rows, progress)
        while progress.epoch < progress.end_epoch and not (self.stop_requested or self.interrupted):
            kept = progress.copy(), (self.network.arrays, self.optimizer_state)
            try:
                row = self._epoch(rows, validation, progress)
            except BaseException:
                self.progress = kept[0]
                self.adopt(lambda: kept[1])  # noqa: B023 - the loop ends here
                raise
            if row is None:
                return
            self.history.append(row)
            progress.begin_epoch()
            for callback in self._overriding("on_epoch_end"):
                callback.on_epoch_end(self, row)

    def _epoch(self, rows: Rows, validation: Rows | None, progress: Progress) -> dict[str, Any] | None:
        """What is left of an epoch and its row of the history; None where a callback asked to stop before its end."""
        started = time.perf_counter()
        assert self.choice is not None
        loop = StepLoop(self, self.choice.executor, rows, progress, self.rows_per_batch(len(rows)))
        finished = loop.run(self._overriding("on_step_end"))
        self.network.backend.synchronize()
        if not finished:
            return None
        seconds = time.perf_counter() - started
        loss = progress.loss_sum / progress.mass
        self._check_finite(loss, "the loss", progress)
        self._check_parameters(progress)
        progress.epoch += 1
        return self._row(loss, seconds, len(rows), rows, validation, progress)

    def _choose(self, rows: Rows, progress: Progress) -> Choice:
        n = self.rows_per_batch(len(rows))
        place = min(progress.batch, progress.steps_per_epoch - 1)  # a snapshot may stand after an epoch's last step
        batch = next(epoch_batches(rows, n, self.seed, progress.epoch, self.network.backend, first=place))
        first = FirstBatch(
            self.network.arrays,
            self.optimizer_state,
            batch.x,
            batch.y,
            self.learning_rate,
            Key(self.seed, progress.step + 1),
            batch.weights,
            bundles=n < len(rows),
        )
        choice = choose(self.plan, first, self.executors, self.execution)
        for reason in choice.reasons:
            logger.warning(reason)
        return choice

    def adopt(self, read: Callable[[], tuple[Parameters, OptimizerState]]) -> None:
        """Stand where ``read`` says; it is called when somebody first asks for the arrays."""
        once = cache(read)
        self.network.replace_arrays(lambda: once()[0])
        self._optimizer_state = lambda: once()[1]

    def rate(self, step: int, progress: Progress) -> float:
        """The learning rate of a step of the fit under way."""
        if self.schedule is None:
            return self.learning_rate
        return self.learning_rate * self.schedule.factor(step - progress.first_step, progress.total_steps)

    def _row(
        self, loss: float, seconds: float, n: int, rows: Rows, validation: Rows | None, progress: Progress
    ) -> dict[str, Any]:
        """The epoch's row of the history; metrics are of the validation rows where there are any."""
        row: dict[str, Any] = {"epoch": progress.epoch, "loss": loss}
        if validation is not None:
            row |= {f"val_{name}": value for name, value in evaluate(self.plan, self.metrics, validation).items()}
        elif self.metrics:
            measured = evaluate(self.plan, self.metrics, rows)
            row |= {name: value for name, value in measured.items() if name != "loss"}
        row["learning_rate"] = self.rate(progress.step, progress)
        row["seconds"] = seconds
        row["samples_per_second"] = n / seconds if seconds > 0 else math.inf
        return row

    def _check_parameters(self, progress: Progress) -> None:
        """Refuse an epoch that ends with parameters that are not finite; one number is read back."""
        xp, arrays = self.network.xp, self.network.arrays
        finite = [xp.all(xp.isfinite(array)) for array in arrays.values()]
        if finite and not bool(xp.all(xp.stack(finite))):
            name = next(name for name, good in zip(arrays, finite, strict=True) if not bool(good))
            self._check_finite(math.nan, name, progress)

    def _check_finite(self, value: float, what: str, progress: Progress) -> None:
        if not math.isfinite(value):
            raise DivergenceError(self.divergence(Found(progress.step, what, value, None), progress))

    def divergence(self, found: Found, progress: Progress) -> str:
        """Epoch, step, layer and advice."""
        rate = self.rate(max(found.step, 1), progress)
        began = "" if found.where is None else f" The first number that is not finite is in {found.where}."
        return (
            f"{found.what} became {found.value} in epoch {progress.epoch + 1}, at step {found.step}.{began} "
            f"Try a learning rate below {rate:g} (a tenth of it, say), clip_norm=1.0, or inputs of smaller scale "
            f"(a Normalization layer first). The network keeps the arrays of the last whole epoch."
        )

    def _overriding(self, method: str) -> list[Callback]:
        return [each for each in self.callbacks if getattr(type(each), method) is not getattr(Callback, method)]
