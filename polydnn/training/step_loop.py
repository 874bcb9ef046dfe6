"""The steps of an epoch, run in bundles between which callbacks are called and the numbers looked at."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polydnn.errors import DivergenceError
from polydnn.execution.executor import Data, Executor
from polydnn.execution.plan import Key, OptimizerState
from polydnn.execution.trace import StepInputs
from polydnn.training.batches import Rows, epoch_order
from polydnn.training.callbacks import Callback
from polydnn.training.divergence import Found, all_finite, find_first
from polydnn.training.progress import Progress
from polydnn.types import Array, Parameters

if TYPE_CHECKING:
    from polydnn.training.trainer import Trainer

__all__ = ["READ_BACK", "StepLoop"]

READ_BACK = 100
"""Steps between two looks, unless the user says otherwise: reading a device waits for all steps before it."""

BUNDLE_SECONDS = 0.03
"""A bundle grows until it lasts this long: callbacks that wait for a signal or draw a bar are then called in time."""


class StepLoop:
    """Runs what is left of an epoch.

    Losses and parameters are looked at every ``check_every`` steps, and whenever the executor stopped early because it
    saw itself that something is not finite. What was there at the last look is kept, so that the very step and the
    first array can be found by computing the steps since then again, on devices as well, which are never waited for in
    between.
    """

    def __init__(self, trainer: "Trainer", executor: Executor, rows: Rows, progress: Progress, batch_size: int) -> None:
        self._trainer, self._executor, self._rows, self._progress = trainer, executor, rows, progress
        self._backend = trainer.network.backend
        self._data = Data(rows.x, rows.y, rows.weights)
        self._size = batch_size
        self._every = trainer.check_every or READ_BACK
        self._host_weights = None if rows.weights is None else self._backend.to_numpy(rows.weights).astype(np.float64)
        self._bundle = 1

    def run(self, watchers: Sequence[Callback]) -> bool:
        """The steps left of the epoch; False where a callback asked to stop before its end."""
        trainer, progress = self._trainer, self._progress
        parameters, state = trainer.network.arrays, trainer.optimizer_state
        self._executor.load(parameters, state)
        self._begin(parameters, state)
        while progress.batch < progress.steps_per_epoch:
            started = time.perf_counter()
            losses = self._steps(self._count(watchers))
            self._pace(time.perf_counter() - started)
            if self._stopped or progress.step % self._every == 0:
                self._look()
            if watchers:
                trainer.adopt(self._executor.read)
                loss = losses[-1] if self._backend.owns(losses) else self._backend.asarray(losses[-1])
                for watcher in watchers:
                    watcher.on_step_end(trainer, loss)
                if (trainer.stop_requested or trainer.interrupted) and progress.batch < progress.steps_per_epoch:
                    return False
        self._look()
        trainer.adopt(lambda: self._good)
        return True

    # ---- bundles ---------------------------------------------------------------------------------------------------

    def _begin(self, parameters: Parameters, state: OptimizerState) -> None:
        """Everything is well up to here."""
        self._good = parameters, state
        self._unseen: list[Array] = []
        self._since = 0
        self._stopped = False

    def _count(self, watchers: Sequence[Callback]) -> int:
        """How many steps to run at once: up to the next look, the next call of a callback, the last full batch."""
        progress = self._progress
        full = len(self._rows) // self._size - progress.batch
        limits = [self._bundle, self._every - progress.step % self._every, max(full, 1)]
        return min(limits + [watcher.steps_until_call(self._trainer) for watcher in watchers])

    def _pace(self, seconds: float) -> None:
        if seconds < BUNDLE_SECONDS / 2:
            self._bundle = min(2 * self._bundle, self._every)
        elif seconds > BUNDLE_SECONDS:
            self._bundle = max(self._bundle // 2, 1)

    def _steps(self, count: int) -> Array:
        """Run ``count`` steps and note their losses."""
        trainer, progress, n = self._trainer, self._progress, len(self._rows)
        first = progress.step + 1
        key = Key(trainer.seed, first)
        rates = [trainer.rate(step, progress) for step in range(first, first + count)]
        if self._size >= n:  # the rows as they are, since their order does not matter to a mean
            loss = self._executor.step(*self._data[:2], rates[0], key, self._data.weights)
            losses = self._backend.xp.reshape(loss, (1,))
            self._stopped = self._executor.stopped(loss)
        else:
            start = progress.batch * self._size
            rows = min(self._size, n - start)
            order = self._order[start : start + count * rows]
            losses = self._executor.steps(self._data, order, rows, rates, key)
            self._stopped = losses.shape[0] < count or self._executor.stopped(losses[-1])
        taken = int(losses.shape[0])
        progress.note(losses, self._masses(progress.batch, taken), self._to_host)
        self._unseen.append(losses)
        self._since += taken
        return losses

    def _to_host(self, losses: list[Array]) -> np.ndarray[Any, Any]:
        if all(isinstance(each, np.ndarray) for each in losses):
            return np.concatenate(losses)
        return self._backend.to_numpy(losses[0] if len(losses) == 1 else self._backend.xp.concat(losses))

    @property
    def _order(self) -> Array:
        """The epoch's row numbers where the executor wants them."""
        return self._ordered()[1]

    def _ordered(self) -> tuple[np.ndarray[Any, Any], Array]:
        """The epoch's row numbers on the host, and where the executor wants them."""
        if not hasattr(self, "_orders"):
            host = epoch_order(len(self._rows), self._trainer.seed, self._progress.epoch)
            on_host = self._executor.order_on_host
            self._orders = host, host if on_host else self._backend.asarray(host, dtype=self._backend.index_dtype)
        return self._orders

    def _masses(self, batch: int, count: int) -> list[float]:
        """The weights of ``count`` batches from number ``batch`` on."""
        n = len(self._rows)
        spans = [(each * self._size, min((each + 1) * self._size, n)) for each in range(batch, batch + count)]
        if self._host_weights is None:
            return [float(end - start) for start, end in spans]
        if self._size >= n:
            return [float(self._host_weights.sum())]
        order = self._ordered()[0]
        return [float(self._host_weights[order[start:end]].sum()) for start, end in spans]

    # ---- looking ---------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Raise DivergenceError where a step since the last look left something that is not finite."""
        if not self._unseen:
            return
        parameters, state = self._executor.read()
        names = self._trainer.network.parameter_names
        if all_finite(self._backend, self._unseen, [parameters[name] for name in names]):
            self._begin(parameters, state)
            return
        found = find_first(self._trainer.plan, self._executor, *self._good, self._feed_again())
        if found is None:  # a device need not give the same bits twice
            found = Found(self._progress.step, "the loss or a parameter", math.nan, None)
        raise DivergenceError(self._trainer.divergence(found, self._progress))

    def _feed_again(self) -> Iterator[StepInputs]:
        """What the steps since the last look were given."""
        trainer, progress, xp = self._trainer, self._progress, self._backend.xp
        for back in range(self._since, 0, -1):
            step, start = progress.step - back + 1, (progress.batch - back) * self._size
            data = self._data
            if self._size < len(self._rows):
                index = self._order[start : min(start + self._size, len(self._rows))]
                data = Data(*(None if each is None else xp.take(each, index, axis=0) for each in data))
            yield StepInputs(data.x, data.y, data.weights, trainer.rate(step, progress), Key(trainer.seed, step))
