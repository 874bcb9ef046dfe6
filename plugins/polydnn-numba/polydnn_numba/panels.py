"""The executor for large networks of dense layers: weights in panels, one for each thread, steps in compiled code."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from polydnn import StepPlan
from polydnn.execution import Data, Executor, Key
from polydnn.executors.on_numpy import Blas, aligned, libraries, thread_limit, usable_threads
from polydnn_numba.masks import Masks
from polydnn_numba.multiplying import multiplying_library
from polydnn_numba.native import APART
from polydnn_numba.panel_bundle import steps
from polydnn_numba.panel_held import STATISTICS, Held, Rows
from polydnn_numba.panel_layout import BLOCK, Piece, panel_layout
from polydnn_numba.recognition import optimizer_rule
from polydnn_numba.rows import NO_LABELS, prepared
from polydnn_numba.teams import GIVE_WAY, Team

__all__ = ["PanelExecutor"]


class PanelExecutor(Executor):
    """Runs the steps of a plan of dense layers with polydnn's own functions; raises NotImplementedError for others."""

    def __init__(self, plan: StepPlan, panels: int | None = None) -> None:
        """``panels`` is how many there are at most, by default one for each processor; the bits depend on it."""
        super().__init__(plan)
        if plan.backend.library != "numpy":
            msg = f"it computes on NumPy arrays, not on those of {plan.backend.library}"
            raise NotImplementedError(msg)
        if not libraries():
            msg = "NumPy's BLAS cannot be called"
            raise NotImplementedError(msg)
        self._rule = optimizer_rule(plan.optimizer)
        self._layout = panel_layout(plan, self._rule, panels or usable_threads())
        self._dtype = np.dtype(plan.network.dtype)
        self._libraries: dict[int, Blas] = {}
        self._team = Team(self._layout.panels.shape[1])
        self._masks = Masks(plan, self._layout.dropped)
        self._held = self._holding()
        self._nothing = np.zeros(0, self._dtype)
        self._fixed_for_labels = self._layout.with_labels()
        self._finite = True

    def _holding(self) -> Held:
        layout = self._layout
        panels = layout.panels.shape[1]
        p, rows = self._zeros(panels, layout.size), 1 + max(self._rule.slots.values(), default=-1)
        slots = self._zeros(panels, rows, layout.size) if rows else p[:, None]
        return Held(
            0, np.dtype(libraries()[0].integer).type(0), GIVE_WAY,
            layout.table, layout.alphas, layout.panels, layout.fixed,
            np.asarray(self._rule.options, np.float64), layout.numbers,
            p, self._zeros(panels, 0), slots, self._zeros(layout.work_size),
            np.zeros((2, panels, max(len(STATISTICS), APART))), self._team.counters,
        )  # fmt: skip

    def _library(self, rows: int) -> Blas:
        """What multiplies batches of so many rows."""
        rows = min(rows, BLOCK)
        if rows not in self._libraries:
            self._libraries[rows] = multiplying_library(*self._layout.largest, rows, self._dtype.name)
        return self._libraries[rows]

    def _zeros(self, *shape: int) -> Any:
        return aligned(int(np.prod(shape)), self._dtype).reshape(shape)

    # ---- arrays in and out -------------------------------------------------------------------------------------------

    def load(self, parameters: Any, optimizer_state: Any) -> None:
        self._loaded = dict(parameters)
        self._held.work[...], self._held.g[...] = 0.0, 0.0
        for piece in self._layout.pieces:
            _view(self._held.p, piece)[...] = parameters[piece.name][piece.part]
            for slot, row in self._rule.slots.items():
                _view(self._held.slots[:, row], piece)[...] = optimizer_state[piece.name][slot][piece.part]
        self._shift = self._scale = self._nothing
        if self._layout.normalization is not None:
            self._shift, self._scale = (np.array(parameters[name]) for name in self._layout.normalization)

    def read(self) -> tuple[Any, Any]:
        parameters = self._loaded | self._gathered(self._held.p)
        state: dict[str, dict[str, Any]] = {piece.name: {} for piece in self._layout.pieces}
        for slot, row in self._rule.slots.items():
            for name, array in self._gathered(self._held.slots[:, row]).items():
                state[name][slot] = array
        return parameters, state

    def _gathered(self, buffers: Any) -> dict[str, Any]:
        """New arrays, each of the pieces that the panels have of it."""
        arrays = {piece.name: np.empty(self._loaded[piece.name].shape, self._dtype) for piece in self._layout.pieces}
        for piece in self._layout.pieces:
            arrays[piece.name][piece.part] = _view(buffers, piece)
        return arrays

    # ---- steps -------------------------------------------------------------------------------------------------------

    def step(self, x: Any, y: Any, learning_rate: float, key: Key, weights: Any = None) -> Any:
        data = Data(x, y, weights)
        return self.steps(data, np.arange(len(x)), len(x), [float(learning_rate)], key)[0]

    def steps(self, data: Data, order: Any, batch_size: int, rates: Sequence[float], key: Key) -> Any:
        data, order = prepared(self.plan, data, order, labels=self._fixed_for_labels is not None)
        if len(order) and not (order.min() >= 0 and order.max() < len(data.x)):
            msg = f"order must hold row numbers from 0 to {len(data.x) - 1}, found others."
            raise IndexError(msg)
        losses = np.empty(len(rates), self._dtype)
        given, done, self._finite = np.asarray(rates, np.float64), 0, True
        with thread_limit(True):
            for start, end in self._masks.portions(batch_size, len(rates)):
                noise = self._masks.draw(key, start, end, batch_size)
                of_step = len(noise) // (end - start)
                while done < end and self._finite:
                    now = done + self._team.at_once(end - done)
                    part, rates_now = order[done * batch_size : now * batch_size], given[done:now]
                    masks = noise[(done - start) * of_step : (now - start) * of_step]
                    taken = self._run(data, masks, part, batch_size, rates_now, key.step + done, losses[done:now])
                    done += abs(taken)
                    self._finite = taken > 0 or self._all_finite(losses[done - 1])
        return losses[:done]

    def stopped(self, loss: Any) -> bool:
        return not self._finite

    def _run(
        self, data: Data, masks: Any, order: Any, batch_size: int, rates: Any, first_step: int, losses: Any
    ) -> int:
        """Run a part of a bundle on all threads; the number of steps taken."""
        of_labels = data.y.ndim == 1
        rows = Rows(
            data.x, data.x if of_labels else data.y, data.y if of_labels else NO_LABELS,
            self._nothing if data.weights is None else data.weights, self._shift, self._scale, masks,
        )  # fmt: skip
        together = self._layout.together
        if (together or batch_size > BLOCK) and not self._held.g.size:
            self._held = self._held._replace(g=np.zeros_like(self._held.p))
        held = self._held._replace(
            blas=self._library(batch_size).address("gemm", self._dtype.name),
            fixed=self._fixed_for_labels if of_labels else self._held.fixed,
        )
        shared = (held, rows, together, order, batch_size, rates, first_step, losses)
        return self._team.run(lambda me, threads: steps(*shared, me, threads), batch_size, len(rates))

    def _all_finite(self, loss: Any) -> bool:
        """Whether a step that may have left something that is not finite has left nothing of the kind."""
        return bool(np.isfinite(loss) and np.isfinite(self._held.p).all())


def _view(buffers: Any, piece: Piece) -> Any:
    size = int(np.prod(piece.shape))
    return buffers[piece.panel, piece.start : piece.start + size].reshape(piece.shape)
