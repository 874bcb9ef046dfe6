"""A training run from fresh weights whose steps are timed and whose loss is looked at in between, off the clock."""

import math
import time
from dataclasses import dataclass

import numpy as np

from polydnn.arrays import stream
from polydnn.batch_size.twin import Twin, first_arrays, twin_of
from polydnn.execution.executor import Data
from polydnn.execution.plan import Key, StepPlan, first_state
from polydnn.training import Trainer
from polydnn.training.batches import Rows, batch_count, epoch_order
from polydnn.training.evaluation import evaluate
from polydnn.training.weights import ClassWeight
from polydnn.types import Array, Parameters

__all__ = ["Problem", "TimedRun", "place_problem"]

BUNDLE = 100
"""Steps that are run in one call of the executor at most, as in a fit."""

EVALUATION_ROWS = (1024, 4096)
"""Training rows on which the loss is looked at, least and most; they are the same for every run."""

EVALUATION_WORK = 2**29
"""Parameters times rows of a look; in between, small networks are looked at on more rows."""


@dataclass(frozen=True)
class Problem:
    """What all runs share: a copy of the trainer with the rows in place, and those that the loss is of."""

    twin: Twin
    shown: Rows

    @property
    def plan(self) -> StepPlan:
        """What the steps are made of."""
        return self.twin.plan

    @property
    def rows(self) -> Rows:
        """The rows to train on."""
        return self.twin.rows

    @property
    def reference_size(self) -> int:
        """The trainer's own batch size in rows."""
        size = self.twin.trainer.batch_size
        return len(self.rows) if size == "full" else min(int(size), len(self.rows))

    def first_arrays(self, seed: int) -> Parameters:
        """The arrays that a network of this seed starts from, with the constants learnt from these rows."""
        return first_arrays(self.plan.network, seed)

    def loss(self, arrays: Parameters) -> float:
        """The mean loss of ``shown``, without dropout and penalties."""
        network = self.plan.network
        kept = network.arrays
        network.replace_arrays({**kept, **arrays})
        try:
            return evaluate(self.plan, (), self.shown)["loss"]
        finally:
            network.replace_arrays(kept)


def place_problem(
    trainer: Trainer,
    x: object,
    y: object,
    *,
    sample_weight: object | None = None,
    class_weight: ClassWeight | None = None,
    validation_fraction: float | None = None,
) -> Problem:
    """The rows of a fit of ``trainer``, placed without touching it; raises what its ``fit`` raises for them."""
    twin = twin_of(
        trainer,
        x,
        y,
        sample_weight=sample_weight,
        class_weight=class_weight,
        validation_fraction=validation_fraction,
    )
    least, most = EVALUATION_ROWS
    count = min(max(EVALUATION_WORK // max(twin.trainer.network.parameter_count(), 1), least), most)
    places = stream(trainer.seed, "batch-size evaluation").permutation(len(twin.rows))[:count]
    return Problem(twin, twin.rows.take(places, twin.backend))


class TimedRun:
    """Steps of one batch size, taken as a fit takes them: epochs in their own order, with a short last batch.

    ``seconds`` sums up the time of the steps alone, with the gathering of rows and the drawing of each epoch's order;
    ``steps`` counts them. Loading, looking at the loss and choosing the executor are off the clock. ``execution`` names
    the executor. After ``start`` the run stands before its first step.
    """

    def __init__(self, problem: Problem, batch_size: int) -> None:
        self.problem, self.batch_size = problem, batch_size
        rows = problem.rows
        self._size = min(batch_size, len(rows))
        self._epoch_steps = batch_count(len(rows), self._size)
        self._data = Data(rows.x, rows.y, rows.weights)
        choice = problem.twin.choice(self._size)
        self._executor, self.execution = choice.executor, choice.name

    def start(self, arrays: Parameters, learning_rate: float, seed: int) -> None:
        """Stand before the first step of a run from ``arrays``; whatever has to be compiled is compiled here."""
        self._arrays, self._rate, self._seed = arrays, learning_rate, seed
        self._rewind()
        with np.errstate(all="ignore"):
            for place in {0, self._epoch_steps - 1}:  # a full batch and the short last one
                self.steps = place
                self._bundle(1)
        self._rewind()

    def again(self) -> None:
        """Stand before the first step of the same run once more."""
        self._rewind()

    def _rewind(self) -> None:
        self._executor.load(self._arrays, first_state(self.problem.plan))
        self.steps, self.seconds, self.diverged = 0, 0.0, False
        self._order: tuple[int, Array] | None = None

    def advance(self, to: int) -> None:
        """Take steps on the clock until ``steps`` is ``to``, or until something is no longer finite."""
        synchronize = self.problem.plan.backend.synchronize
        synchronize()
        started = time.perf_counter()
        with np.errstate(all="ignore"):  # a run that diverges says so itself
            while self.steps < to and not self.diverged:
                self._bundle(to - self.steps)
        synchronize()
        self.seconds += time.perf_counter() - started

    def loss(self) -> float:
        """The loss where the run stands; infinite once it has diverged."""
        with np.errstate(all="ignore"):
            found = math.inf if self.diverged else self.problem.loss(self._executor.read()[0])
        self.diverged = not math.isfinite(found)
        return math.inf if self.diverged else found

    def _bundle(self, most: int) -> None:
        n, place = len(self.problem.rows), self.steps % self._epoch_steps
        key = Key(self._seed, self.steps + 1)
        if self._size >= n:
            loss = self._executor.step(self._data.x, self._data.y, self._rate, key, self._data.weights)
            count, taken = 1, 1
        else:
            count = min(most, BUNDLE, max(n // self._size - place, 1))
            start = place * self._size
            rows = min(self._size, n - start)
            order = self._epoch_order()[start : start + count * rows]
            losses = self._executor.steps(self._data, order, rows, [self._rate] * count, key)
            taken = int(losses.shape[0])
            loss = losses[-1]
        self.steps += taken
        self.diverged = taken < count or self._executor.stopped(loss)

    def _epoch_order(self) -> Array:
        epoch = self.steps // self._epoch_steps
        if self._order is None or self._order[0] != epoch:
            host, backend = epoch_order(len(self.problem.rows), self._seed, epoch), self.problem.plan.backend
            on_host = self._executor.order_on_host
            self._order = epoch, host if on_host else backend.asarray(host, dtype=backend.index_dtype)
        return self._order[1]
