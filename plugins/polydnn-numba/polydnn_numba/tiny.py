"""The executor for tiny networks: it keeps flat buffers and runs whole bundles of steps in compiled code."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from polydnn import StepPlan
from polydnn.execution import Data, Executor, Key
from polydnn.executors.on_numpy import usable_threads
from polydnn_numba.bundle import KNOWN, OUT_OF_RANGE, steps
from polydnn_numba.lanes import BYTES
from polydnn_numba.layout import layout_of
from polydnn_numba.masks import Masks
from polydnn_numba.native import APART
from polydnn_numba.recognition import optimizer_rule
from polydnn_numba.rows import NO_LABELS, prepared
from polydnn_numba.teams import GIVE_WAY, Team
from polydnn_numba.updates import SLOTS

__all__ = ["TinyExecutor"]

WORTH = 2**16
"""Multiplications of a step that are worth a thread: some five microseconds, where to meet takes a fifth of one."""


class TinyExecutor(Executor):
    """Runs the steps of a plan of dense layers with polydnn's own functions; raises NotImplementedError for others."""

    def __init__(self, plan: StepPlan) -> None:
        super().__init__(plan)
        if plan.backend.library != "numpy":
            msg = f"it computes on NumPy arrays, not on those of {plan.backend.library}"
            raise NotImplementedError(msg)
        self._rule = optimizer_rule(plan.optimizer)
        self._layout = layout_of(plan, self._rule)
        self._dtype = np.dtype(plan.network.dtype)
        size, self._most = self._layout.size, usable_threads()
        self._parameters, self._gradients = self._zeros(size), self._zeros(self._most * size).reshape(self._most, size)
        self._slots = self._zeros(SLOTS * size).reshape(SLOTS, size)
        self._work = self._zeros(self._most * self._layout.work_size).reshape(self._most, -1)
        self._known = np.zeros((self._most, max(len(KNOWN), APART)))
        self._masks = Masks(plan, self._layout.dropped)
        self._teams: dict[int, Team] = {}
        self._options = np.asarray(self._rule.options, np.float64)
        self._nothing = np.zeros(0, self._dtype)
        self._fixed_for_labels = self._layout.with_labels()
        self._finite = True

    def _zeros(self, size: int) -> np.ndarray[Any, Any]:
        """Zeros that begin where a vector may begin."""
        raw = np.zeros(size * self._dtype.itemsize + BYTES, np.uint8)
        start = -raw.ctypes.data % BYTES
        return raw[start : start + size * self._dtype.itemsize].view(self._dtype)

    # ---- arrays in and out -------------------------------------------------------------------------------------------

    def load(self, parameters: Any, optimizer_state: Any) -> None:
        self._loaded = dict(parameters)
        self._parameters[...], self._slots[...] = 0.0, 0.0  # room between rows that training left not finite
        for name, view in self._views(self._parameters):
            view[...] = parameters[name]
        for slot, row in self._rule.slots.items():
            for name, view in self._views(self._slots[row]):
                view[...] = optimizer_state[name][slot]
        if self._layout.normalization is None:
            self._shift = self._scale = self._nothing
        else:
            self._shift, self._scale = (np.array(parameters[name]) for name in self._layout.normalization)
        layout = self._layout
        self._held = (
            layout.table, layout.alphas, layout.numbers, self._options, self._shift, self._scale,
            self._parameters, self._gradients, self._slots, self._work, self._known,
        )  # fmt: skip

    def read(self) -> tuple[Any, Any]:
        parameters = self._loaded | {name: view.copy() for name, view in self._views(self._parameters)}
        state: dict[str, dict[str, Any]] = {place.name: {} for place in self._layout.places}
        for slot, row in self._rule.slots.items():
            for name, view in self._views(self._slots[row]):
                state[name][slot] = view.copy()
        return parameters, state

    def _views(self, flat: np.ndarray[Any, Any]) -> list[tuple[str, np.ndarray[Any, Any]]]:
        """The arrays of a flat buffer with their names."""
        return [(place.name, place.of(flat)) for place in self._layout.places]

    # ---- steps -------------------------------------------------------------------------------------------------------

    def step(self, x: Any, y: Any, learning_rate: float, key: Key, weights: Any = None) -> Any:
        data = Data(x, y, weights)
        return self.steps(data, np.arange(len(x)), len(x), [float(learning_rate)], key)[0]

    def steps(self, data: Data, order: Any, batch_size: int, rates: Sequence[float], key: Key) -> Any:
        (x, y, weights), order = prepared(self.plan, data, order, labels=self._fixed_for_labels is not None)
        of_labels = y.ndim == 1
        rows = x, x if of_labels else y, y if of_labels else NO_LABELS, self._nothing if weights is None else weights
        fixed = self._fixed_for_labels if of_labels else self._layout.fixed
        losses, given = np.empty(len(rates), self._dtype), np.asarray(rates, np.float64)
        taken = done = 0
        for start, end in self._masks.portions(batch_size, len(rates)):
            part, noise = order[start * batch_size : end * batch_size], self._masks.draw(key, start, end, batch_size)
            shared = (*rows, part, batch_size, given[start:end], key.step + start, noise, losses[start:end], fixed)
            taken = self._run(shared, batch_size, end - start)
            if taken == OUT_OF_RANGE:
                msg = f"order must hold row numbers from 0 to {len(x) - 1}, found others."
                raise IndexError(msg)
            done = start + abs(taken)
            if taken < 0:
                break
        self._finite = taken >= 0
        return losses[:done]

    def stopped(self, loss: Any) -> bool:
        return not self._finite

    def _run(self, shared: tuple[Any, ...], batch_size: int, count: int) -> int:
        """Run so many steps, whose arguments are ``shared`` by all threads; the number of steps taken."""
        parts = self._parts(batch_size)
        if parts not in self._teams:
            self._teams[parts] = Team(parts, single=True)  # meeting every few microseconds may come to nothing
        team = self._teams[parts]

        def task(me: int, threads: int) -> int:
            return int(steps(*shared, *self._held, parts, team.counters, GIVE_WAY, me, threads))

        return team.run(task, batch_size, count)

    def _parts(self, batch_size: int) -> int:
        """Into how many parts a batch of so many rows is cut: as many as processors, if each has enough to do."""
        worth = min(batch_size * self._layout.parameters // WORTH, batch_size // (BYTES // self._dtype.itemsize))
        return max(min(worth, self._most), 1)
