"""All the work of one training step at one batch size, in buffers that belong to it and never move."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from polydnn.execution.executor import Data
from polydnn.execution.plan import StepPlan
from polydnn.execution.reference import cost_function, penalty_function
from polydnn.executors.on_cupy.graph import StepGraph
from polydnn.executors.on_cupy.kernels import (
    BLOCK,
    CONTROL,
    ROWS,
    close_step_kernel,
    gather_kernel,
    gather_name,
    sum_kernels,
)
from polydnn.executors.on_cupy.launching import NULL, Kernels, one_axis, two_axes
from polydnn.executors.on_cupy.loss_kernels import loss_kernel, loss_kernels
from polydnn.executors.on_cupy.stages import DenseStage, PureStage, Scalars, Setting, Stage, is_plain_dense
from polydnn.executors.on_cupy.store import Store
from polydnn.layers import Dense
from polydnn.optimizers.clipping import clip_by_global_norm, clip_by_value
from polydnn.optimizers.weight_decay import decay_weight
from polydnn.types import Array

__all__ = ["BatchKind", "Program"]


@dataclass(frozen=True)
class BatchKind:
    """What a program is made for: the number of rows, and what the rows are gathered from."""

    rows: int
    x_dtype: str
    y_dtype: str
    y_shape: tuple[int, ...]
    weighted: bool

    @classmethod
    def of(cls, data: Data, rows: int) -> "BatchKind":
        """The kind of batches of ``rows`` rows of ``data``."""
        return cls(rows, str(data.x.dtype), str(data.y.dtype), tuple(data.y.shape[1:]), data.weights is not None)


class Program:
    """Gathers a batch, runs forward and backward, updates, and writes the loss; ``graph`` runs it many times.

    ``store`` holds what lasts from step to step. ``into_weights`` lets the products of plain gradient descent change
    the weights themselves; CublasLtError where the library cannot.
    """

    def __init__(
        self, plan: StepPlan, device: Any, store: Store, kind: BatchKind, *, tf32: bool, into_weights: bool
    ) -> None:
        self._plan, self._device, self._store, self._kind = plan, device, store, kind
        self._into_weights = into_weights
        self._real = plan.network.dtype
        self._kernels = Kernels(device, self._real)
        self._pool = device.pool()
        ones = (np.ones(1, self._real), np.zeros(1, self._real))  # kept: products read them when they are queued
        self._host_scalars = ones
        current = device.pointer(store.current)
        size = np.dtype(self._real).itemsize
        scalars = Scalars(ones[0].ctypes.data, ones[1].ctypes.data, current + size, current + 2 * size)
        self._set = Setting(device, self._kernels, kind.rows, self._real, tf32, into_weights, scalars)
        self._make_inputs()
        self._make_stages()
        self._make_loss()
        self._need_kernels()
        self._kernels.compile()
        for number, stage in enumerate(self._stages):
            if isinstance(stage, DenseStage):
                stage.tune(self._input(number), self._gradient_of_input(number))
        self.graph = StepGraph(device, self._run, f"a step of {kind.rows} rows")

    # ---- putting together ------------------------------------------------------------------------------------------

    def _make_inputs(self) -> None:
        plan, kind, zeros = self._plan, self._kind, self._device.zeros
        widths = plan.network.widths
        self._x = self._set.buffer(widths[0])
        sample = zeros((1, *kind.y_shape), np.dtype(kind.y_dtype))
        self._loss_kernel = loss_kernel(plan.loss, plan.form, sample, widths[-1])
        kept = kind.y_dtype if self._loss_kernel is None else self._real
        self._y_dtype = "int64" if self._loss_kernel is not None and self._loss_kernel.target == "labels" else kept
        self._y = zeros((kind.rows, *kind.y_shape), np.dtype(self._y_dtype))
        self._weights = zeros((kind.rows,), np.dtype(self._real)) if kind.weighted else None

    def _make_stages(self) -> None:
        plan, store = self._plan, self._store
        trained = set(plan.network.parameter_names)
        self._stages: list[Stage] = []
        self._first = next(
            (index for index, names in enumerate(plan.names) if trained & set(names.values())), len(plan.names)
        )
        for index, (layer, names) in enumerate(zip(plan.layers, plan.names, strict=True)):
            parameters = {short: store.arrays[full] for short, full in names.items()}
            gradients = {short: store.gradients[full] for short, full in names.items() if full in trained}
            stage: Stage
            if isinstance(layer, Dense) and is_plain_dense(layer):
                stage = DenseStage(layer, (parameters, gradients), self._set, need_dx=index > self._first)
            else:
                stage = PureStage(layer, (parameters, gradients), self._set)
                stage.y = self._set.buffer(plan.network.widths[index + 1])
                if layer.random:
                    stage.noise = self._set.buffer(plan.network.widths[index])
            stage.dy = self._set.buffer(plan.network.widths[index + 1])
            self._stages.append(stage)

    def _make_loss(self) -> None:
        self._values = self._device.zeros((self._kind.rows,), np.dtype(self._real))
        self._shares = self._device.zeros((self._kind.rows,), np.dtype(self._real)) if self._kind.weighted else NULL
        self._cost = cost_function(self._plan)
        self._charge = penalty_function(self._plan)

    def _need_kernels(self) -> None:
        need = self._kernels.need
        for source, target in self._gathered():
            need(gather_kernel(source, target), gather_name(source, target))
        need(sum_kernels(), "batch_shares")
        need(close_step_kernel(), "close_step")
        if self._loss_kernel is not None:
            need(loss_kernels(self._loss_kernel), self._loss_kernel.name)
        if self._store.kernel is not None:
            need(self._store.kernel.text, "update")

    def _gathered(self) -> list[tuple[str, str]]:
        """Source and target of the rows of x, y and the weights."""
        pairs = [(self._kind.x_dtype, self._real), (self._kind.y_dtype, self._y_dtype)]
        return [*pairs, (self._real, self._real)] if self._kind.weighted else pairs

    # ---- one step --------------------------------------------------------------------------------------------------

    @property
    def random_stages(self) -> dict[int, PureStage]:
        """The stages that need an array of noise before every step, by the number of their layer."""
        return {
            number: stage
            for number, stage in enumerate(self._stages)
            if isinstance(stage, PureStage) and stage.noise is not None
        }

    def _run(self) -> None:
        """Queue one step; whatever CuPy allocates on the way comes from this program's pool."""
        with self._pool():
            self._gather()
            for number, stage in enumerate(self._stages):
                stage.forward(self._input(number))
            rows = self._losses()
            for number in range(len(self._stages) - 1, self._first - 1, -1):
                self._stages[number].backward(self._input(number), self._gradient_of_input(number))
            rows = self._shape_gradients(rows)
            self._update()
            self._keep_statistics()
            self._launch("close_step", (1,), (BLOCK,), self._store.control, self._store.current, self._values, rows)

    def _input(self, number: int) -> Array:
        return self._x if number == 0 else self._stages[number - 1].y

    def _gradient_of_input(self, number: int) -> Array | None:
        return self._stages[number - 1].dy if number > self._first else None

    def _launch(self, name: str, grid: tuple[int, ...], block: tuple[int, ...], *arguments: Any) -> None:
        self._kernels.launch(name, grid, block, *arguments, self._store.broken.pointer)

    def _gather(self) -> None:
        batches = (self._x, self._y, self._weights)
        for field, (batch, pair) in enumerate(zip(batches, self._gathered(), strict=False)):
            rows, columns = self._kind.rows, math.prod(batch.shape[1:])
            name, control = gather_name(*pair), self._store.control
            self._kernels.launch(
                name, *two_axes(rows, columns), control, CONTROL.index(FIELDS[field]), batch, rows, columns
            )

    def _losses(self) -> int:
        """Queue the losses and the gradient of their mean; how many elements of ``values`` hold the loss."""
        output, rows = self._stages[-1], self._kind.rows
        if self._loss_kernel is None:
            loss, gradient = self._cost(output.y, self._y, self._weights)
            output.dy[...] = gradient
            self._values[:1] = loss
            return 1
        if self._weights is not None:
            self._kernels.launch("batch_shares", (1,), (BLOCK,), self._weights, self._shares, rows)
        arguments = (output.y, self._y, self._shares, self._kernels.real(1.0 / rows), output.dy, self._values)
        grid = (-(-rows // ROWS),)
        self._kernels.launch(self._loss_kernel.name, grid, (32, ROWS), *arguments, rows, output.y.shape[1])
        return rows

    def _shape_gradients(self, rows: int) -> int:
        """Penalties and clipping, by the reference's functions; how many elements of ``values`` hold the loss."""
        penalties, xp = self._plan.penalties, self._device.xp
        views = self._store.gradients
        gradients = dict(views)
        if self._charge is not None:
            loss = self._charge(self._store.arrays, gradients, xp.sum(self._values[:rows]))
            self._values[:1] = loss
            rows = 1
        if penalties.clip_value is not None:
            gradients = clip_by_value(gradients, penalties.clip_value, xp=xp)
        if penalties.clip_norm is not None:
            gradients = clip_by_global_norm(gradients, penalties.clip_norm, xp=xp)
        for name, view in views.items():
            if gradients[name] is not view:
                view[...] = gradients[name]
        return rows

    def _update(self) -> None:
        store = self._store
        if store.kernel is not None:
            first = store.layout.decayed if self._into_weights else 0
            if first < store.layout.size:
                slots = [store.state[slot] for slot in store.kernel.slots]
                counts = (first, store.layout.size, store.layout.decayed)
                grid = one_axis(store.layout.size - first)
                self._launch("update", *grid, store.parameters, store.gradient, *slots, store.current, *counts)
        elif self._plan.optimizer.elementwise:
            self._update_flat()
        else:
            self._update_named()

    def _update_flat(self) -> None:
        """A plug-in's update over everything at once, for it says that elements move by themselves."""
        store, xp = self._store, self._device.xp
        if store.decay:
            weights = store.parameters[: store.layout.decayed]
            weights[...] = decay_weight(weights, learning_rate=store.rate, weight_decay=store.decay)
        numbers = {"learning_rate": store.rate, "step": store.step, "xp": xp}
        parameters, state = self._plan.optimizer.update(store.gradient, store.state, store.parameters, **numbers)
        store.parameters[...] = parameters
        for slot, array in state.items():
            store.state[slot][...] = array

    def _update_named(self) -> None:
        """A plug-in's update, parameter by parameter; clipping has been done."""
        store, xp = self._store, self._device.xp
        for name, gradient in store.gradients.items():
            parameter = store.arrays[name]
            if store.decay and name in self._plan.weight_names:
                parameter = decay_weight(parameter, learning_rate=store.rate, weight_decay=store.decay)
            own = store.state_of(name)
            numbers = {"learning_rate": store.rate, "step": store.step, "xp": xp}
            fresh, state = self._plan.optimizer.update(gradient, own, parameter, **numbers)
            store.arrays[name][...] = fresh
            for slot, array in state.items():
                own[slot][...] = array

    def _keep_statistics(self) -> None:
        for names, stage in zip(self._plan.names, self._stages, strict=True):
            changes: Mapping[str, Array] = stage.changes if isinstance(stage, PureStage) else {}
            for short, value in changes.items():
                self._store.arrays[names[short]][...] = value


FIELDS = ("x", "y", "weights")
