"""The NumPy executor: flat buffers for parameters, gradients and state, and every array of a step made beforehand."""

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from polydnn.execution.executor import Data, Executor, all_finite_on_host
from polydnn.execution.plan import Key, OptimizerState, StepPlan
from polydnn.execution.reference import NO_NOISE
from polydnn.executors.on_numpy.blas import libraries, thread_limit
from polydnn.executors.on_numpy.buffers import Buffers
from polydnn.executors.on_numpy.schedule import Batch, Schedule, Threads, Whole, schedule_for
from polydnn.executors.on_numpy.threads import ThreadPace
from polydnn.executors.on_numpy.updates import FlatUpdate, Update, is_plain_descent
from polydnn.layers import Dense
from polydnn.types import Array, Parameters

__all__ = ["NumpyExecutor"]

LARGE = 2**14
"""Parameters from which on writing the gradients down costs more than moving the weights layer by layer."""


LARGEST_MOVE = 1e60
"""The square of a move after which parameters are looked at one by one; far below what float32 holds."""


class NumpyExecutor(Executor):
    """Steps on NumPy without a new array where one can be kept."""

    def __init__(self, plan: StepPlan, rule: FlatUpdate | None = None) -> None:
        """``rule`` takes the place of the optimizer's update; see ``updates.FlatUpdate``."""
        super().__init__(plan)
        if plan.backend.library != "numpy":
            msg = f"it computes with NumPy, and the backend is {plan.backend.name}"
            raise NotImplementedError(msg)
        self._buffers = Buffers(plan)
        if self._buffers.size == 0:
            msg = "the network has no parameters"
            raise NotImplementedError(msg)
        self._update = Update(plan, self._buffers, rule)
        self._random = any(layer.random for layer in plan.layers)
        self._direct = (
            is_plain_descent(plan)
            and self._buffers.size >= LARGE
            and bool(libraries())
            and all(isinstance(layer, Dense) for layer in plan.layers)
        )
        self._schedules: dict[int, Schedule] = {}
        self._pace = ThreadPace(libraries())
        self._scalar = self._buffers.dtype.type
        self._spoilt = False

    def load(self, parameters: Parameters, optimizer_state: OptimizerState) -> None:
        self._buffers.load(parameters, optimizer_state)

    def read(self) -> tuple[Parameters, OptimizerState]:
        return self._buffers.read()

    def step(self, x: Array, y: Array, learning_rate: float, key: Key, weights: Array | None = None) -> Array:
        rows = int(x.shape[0])
        data, index, schedule = Data(x, y, weights), slice(0, rows), self._schedule(rows)
        if schedule.threads is Threads.UNTOUCHED:  # a context for nothing is a thirtieth of a small step
            with np.errstate(all="ignore"):
                return self._step(schedule, data, index, rows, learning_rate, key)
        with self._threads(schedule), np.errstate(all="ignore"):
            return self._step(schedule, data, index, rows, learning_rate, key)

    def steps(self, data: Data, order: Array, batch_size: int, rates: Sequence[float], key: Key) -> Array:
        losses: list[Any] = []
        schedule = self._schedule(batch_size)
        with self._threads(schedule), np.errstate(all="ignore"):  # what is not finite is an error of its own
            for count, rate in enumerate(rates):
                index = order[count * batch_size : (count + 1) * batch_size]
                losses.append(self._step(schedule, data, index, batch_size, rate, Key(key.seed, key.step + count)))
                if self._spoilt:
                    break
        return np.asarray(losses, self._buffers.dtype)

    def stopped(self, loss: Array) -> bool:
        return self._spoilt

    def timed_step(self, data: Data, index: Array, learning_rate: float, key: Key) -> dict[str, float] | None:
        """The seconds of the parts; plain descent of a large network moves weights on the way back: optimizer is 0."""
        rows, clock = int(index.shape[0]), time.perf_counter
        schedule = self._schedule(rows)
        if not isinstance(schedule, Whole):
            return None
        batch = self._batch(data, index, rows, key)
        with self._threads(schedule), np.errstate(all="ignore"):
            if schedule.threads is Threads.PACED:
                self._pace.begin(rows)
            marks = [clock()]
            schedule.take(batch)
            marks.append(clock())
            schedule.forward(batch)
            marks.append(clock())
            moved = schedule.backward(learning_rate)
            marks.append(clock())
            if moved is None:
                self._update(learning_rate, key.step)
            marks.append(clock())
        return dict(zip(("gather", "forward", "backward", "optimizer"), np.diff(marks).tolist(), strict=True))

    def _schedule(self, rows: int) -> Schedule:
        if rows not in self._schedules:
            self._schedules[rows] = schedule_for(self.plan, self._buffers, rows, direct=self._direct)
        return self._schedules[rows]

    def _threads(self, schedule: Schedule) -> AbstractContextManager[None]:
        if schedule.threads is Threads.PACED:
            return self._pace.restored()
        return thread_limit(True) if schedule.threads is Threads.ONE else nullcontext()

    def _batch(self, data: Data, index: Any, rows: int, key: Key) -> Batch:
        noise = self.plan.noise(key, rows) if self._random else NO_NOISE
        shares = None if data.weights is None else _shares(data.weights[index])
        return Batch(data, index, rows, noise, shares)

    def _step(self, schedule: Schedule, data: Data, index: Any, rows: int, learning_rate: float, key: Key) -> Any:
        """One step; whether it left something that is not finite stays in ``_spoilt``.

        Where parameters were moved on the way back, none can have become infinite unless a move was beyond all bounds:
        that saves a pass over all of them, which for a batch of one costs as much as a product.
        """
        threads, pace = schedule.threads, self._pace
        begun = pace.begin(rows) if threads is Threads.PACED else None
        loss, moved = schedule.run(self._batch(data, index, rows, key), learning_rate)
        if moved is None:
            loss = self._update.charge(loss)
            self._update(
                learning_rate, key.step, shared=threads is Threads.ONE or (threads is Threads.PACED and pace.single)
            )
            flat = self._buffers.parameters
            fine = math.isfinite(flat.dot(flat)) or all_finite_on_host([flat])
        else:
            fine = moved < LARGEST_MOVE
        self._spoilt = not (fine and math.isfinite(loss))
        if begun is not None:
            pace.end(begun)
        return loss if type(loss) is self._scalar else self._scalar(loss)  # to make one of itself takes time, too


def _shares(weights: Any) -> Any:
    """What each row counts; a batch without weight moves nothing."""
    total = weights.sum()
    return weights / total if total > 0.0 else np.zeros_like(weights)
