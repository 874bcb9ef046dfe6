"""The NumPy executor: flat buffers for parameters, gradients and state, and every array of a step made beforehand."""

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from polydnn.execution.executor import Data, Executor, all_finite_on_host
from polydnn.execution.plan import Key, OptimizerState, StepPlan
from polydnn.execution.reference import NO_NOISE
from polydnn.executors.on_numpy.blas import libraries
from polydnn.executors.on_numpy.block import Block
from polydnn.executors.on_numpy.buffers import Buffers
from polydnn.executors.on_numpy.updates import Update, is_plain_descent
from polydnn.layers import Dense
from polydnn.types import Array, Parameters

__all__ = ["NumpyExecutor"]

LARGE = 2**14
"""Parameters from which on writing the gradients down costs more than moving the weights layer by layer."""


class NumpyExecutor(Executor):
    """Steps on NumPy without a new array where one can be kept."""

    def __init__(self, plan: StepPlan) -> None:
        super().__init__(plan)
        if plan.backend.library != "numpy":
            msg = f"it computes with NumPy, and the backend is {plan.backend.name}"
            raise NotImplementedError(msg)
        self._buffers = Buffers(plan)
        if self._buffers.size == 0:
            msg = "the network has no parameters"
            raise NotImplementedError(msg)
        self._update = Update(plan, self._buffers)
        self._random = any(layer.random for layer in plan.layers)
        self._direct = (
            is_plain_descent(plan)
            and self._buffers.size >= LARGE
            and bool(libraries())
            and all(isinstance(layer, Dense) for layer in plan.layers)
        )
        self._blocks: dict[int, Block] = {}
        self._scalar = self._buffers.dtype.type

    def load(self, parameters: Parameters, optimizer_state: OptimizerState) -> None:
        self._buffers.load(parameters, optimizer_state)

    def read(self) -> tuple[Parameters, OptimizerState]:
        return self._buffers.read()

    def step(self, x: Array, y: Array, learning_rate: float, key: Key, weights: Array | None = None) -> Array:
        data = Data(x, y, weights)
        return self._step(data, slice(0, x.shape[0]), x.shape[0], learning_rate, key)

    def steps(self, data: Data, order: Array, batch_size: int, rates: Sequence[float], key: Key) -> Array:
        losses: list[Any] = []
        for count, rate in enumerate(rates):
            index = order[count * batch_size : (count + 1) * batch_size]
            loss = self._step(data, index, batch_size, rate, Key(key.seed, key.step + count))
            losses.append(loss)
            if self._spoilt:
                break
        return np.asarray(losses, self._buffers.dtype)

    def timed_step(self, data: Data, index: Array, learning_rate: float, key: Key) -> dict[str, float]:
        """The seconds of the parts; plain descent of a large network moves weights on the way back: optimizer is 0."""
        rows = int(index.shape[0])
        block, clock = self._block(rows), time.perf_counter
        noise = self.plan.noise(key, rows) if self._random else NO_NOISE
        shares = None if data.weights is None else _shares(data.weights[index])
        marks = [clock()]
        block.take(data, index)
        marks.append(clock())
        block.forward(noise, 1.0 / rows, shares)
        marks.append(clock())
        if self._direct:
            block.descend(learning_rate)
            marks.append(clock())
        else:
            block.backward(first=True)
            marks.append(clock())
            self._update(learning_rate, key.step)
        marks.append(clock())
        return dict(zip(("gather", "forward", "backward", "optimizer"), np.diff(marks).tolist(), strict=True))

    def stopped(self, loss: Array) -> bool:
        return self._spoilt

    def _block(self, rows: int) -> Block:
        if rows not in self._blocks:
            self._blocks[rows] = Block(self.plan, self._buffers, self._buffers.gradients, rows, direct=self._direct)
        return self._blocks[rows]

    def _step(self, data: Data, index: Any, rows: int, learning_rate: float, key: Key) -> Any:
        block = self._block(rows)
        block.take(data, index)
        noise = self.plan.noise(key, rows) if self._random else NO_NOISE
        shares = None if data.weights is None else _shares(data.weights[index])
        loss = block.forward(noise, 1.0 / rows, shares)
        if self._direct:
            moved = block.descend(learning_rate)
            self._spoilt = not (math.isfinite(loss) and moved < 1e60)
        else:
            block.backward(first=True)
            loss = self._update.charge(loss)
            self._update(learning_rate, key.step)
            self._spoilt = not math.isfinite(loss)
        self._spoilt = self._spoilt or not all_finite_on_host([self._buffers.parameters])
        return self._scalar(loss)


def _shares(weights: Any) -> Any:
    """What each row counts; a batch without weight moves nothing."""
    total = weights.sum()
    return weights / total if total > 0.0 else np.zeros_like(weights)
