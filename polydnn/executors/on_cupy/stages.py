"""The layers of a plan as stages with buffers of their own: dense ones by products and kernels, others as they are."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from polydnn.execution.tuning import fastest
from polydnn.executors.on_cupy.activation_kernels import IDENTITY, activation_kernels, kernel_form
from polydnn.executors.on_cupy.cublaslt import Product, Terms
from polydnn.executors.on_cupy.kernels import COLUMNS, ROWS, sum_kernels
from polydnn.executors.on_cupy.launching import NULL, Kernels, two_axes
from polydnn.executors.on_cupy.products import forward_terms, input_gradient_terms, weight_gradient_terms
from polydnn.layers import Dense, Layer
from polydnn.types import Array, Gradients

__all__ = ["DenseStage", "PureStage", "Scalars", "Setting", "Stage", "is_plain_dense"]

ROWS_PER_BLOCK = 256
"""Rows whose column sums one block takes; above that the blocks' sums are summed once more."""

REPEATS = 20
"""Runs of a product between two looks at the clock."""


def is_plain_dense(layer: Layer) -> bool:
    """Whether a layer computes what the dense layer does; a subclass may compute something else."""
    kind = type(layer)
    return issubclass(kind, Dense) and kind.forward is Dense.forward and kind.pre_activation is Dense.pre_activation


@dataclass(frozen=True)
class Scalars:
    """Pointers to alpha and beta: one and zero on the host, minus the learning rate and one on the device."""

    one: int
    zero: int
    minus_rate: int
    device_one: int


@dataclass(frozen=True)
class Setting:
    """What every stage of a program is given: device, kernels, batch size, dtype, and how products are taken."""

    device: Any
    kernels: Kernels
    rows: int
    dtype: str
    tf32: bool
    into_weights: bool
    scalars: Scalars

    def buffer(self, width: int) -> Array:
        """An array (rows, width) of the network's dtype."""
        return self.device.zeros((self.rows, width), np.dtype(self.dtype))


class Stage(ABC):
    """One layer: its input and output widths, its output ``y`` and the gradient ``dy`` with respect to it.

    ``parameters`` and ``gradients`` are views by short name into the executor's buffers. ``backward`` may leave in
    ``dy`` what it likes.
    """

    def __init__(self, layer: Layer, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        self.layer, self.parameters, self.gradients = layer, parameters, gradients
        self.y: Array = None
        self.dy: Array = None

    @abstractmethod
    def forward(self, x: Array) -> None:
        """Queue y from x (rows, inputs)."""

    @abstractmethod
    def backward(self, x: Array, dx: Array | None) -> None:
        """Queue the gradients of the parameters, and that of x into ``dx`` unless it is None."""


class PureStage(Stage):
    """Any layer, by its own functions; its results are copied into the program's buffers."""

    def __init__(self, layer: Layer, views: tuple[Mapping[str, Array], Mapping[str, Array]], setting: Setting) -> None:
        super().__init__(layer, *views)
        self._xp = setting.device.xp
        self.noise: Array | None = None
        self.changes: Mapping[str, Array] = {}
        self._back: Callable[[Array, bool], tuple[Array | None, Gradients]] | None = None

    def forward(self, x: Array) -> None:
        y, self._back, self.changes = self.layer.forward(self.parameters, x, self.noise, xp=self._xp)
        self.y[...] = y

    def backward(self, x: Array, dx: Array | None) -> None:
        assert self._back is not None
        found, gradients = self._back(self.dy, dx is not None)
        for name, gradient in gradients.items():
            self.gradients[name][...] = gradient
        if dx is not None:
            dx[...] = found
        self._back = None  # what the way back held is free for the next step


class DenseStage(Stage):
    """A dense layer: products by cublasLt, bias and activation in one kernel, slope and bias gradient in another.

    With ``into_weights`` of the setting the weight is changed in place of a gradient, after it has served for dx.
    """

    def __init__(
        self, layer: Dense, views: tuple[Mapping[str, Array], Mapping[str, Array]], setting: Setting, need_dx: bool
    ) -> None:
        super().__init__(layer, *views)
        self._set, self._activation = setting, layer.activation
        self.form = kernel_form(layer.activation)
        self._kernel = self.form or IDENTITY
        setting.kernels.need(activation_kernels(self._kernel), f"{self._kernel.name}_forward")
        setting.kernels.need(activation_kernels(self._kernel), f"{self._kernel.name}_backward")
        setting.kernels.need(sum_kernels(), "column_sums")
        inputs, units = self.parameters["weight"].shape
        self._chunks = -(-setting.rows // ROWS_PER_BLOCK)
        self._parts = setting.device.zeros((self._chunks, units), np.dtype(setting.dtype))
        self.y = setting.buffer(units)
        apart = self.form is None or self.form.needs_z
        self.z = setting.buffer(units) if apart else self.y
        shape, kind = (setting.rows, inputs, units), {"double": setting.dtype == "float64", "tf32": setting.tf32}
        lt = setting.device.lt
        self._forward = lt.product(forward_terms(*shape, **kind))
        self._to_x = lt.product(input_gradient_terms(*shape, **kind)) if need_dx else None
        self._to_weight = lt.product(weight_gradient_terms(*shape, **kind, into_weights=setting.into_weights))

    def tune(self, x: Array, dx: Array | None) -> None:
        """Choose the fastest algorithm of every product; what they leave in the buffers is of no use to anybody."""
        weight, gradient = self.parameters["weight"], self.gradients["weight"]
        self._choose(self._forward, weight, x, self.z)
        if self._to_x is not None:
            self._choose(self._to_x, weight, self.dy, dx)
        self._choose(self._to_weight, self.dy, x, gradient)

    def forward(self, x: Array) -> None:
        self._multiply(self._forward, self.parameters["weight"], x, self.z)
        bias = self.parameters.get("bias", NULL)
        if self._kernel is not IDENTITY or "bias" in self.parameters:
            y = self.y if self.form is not None else self.z
            self._launch(f"{self._kernel.name}_forward", self.z, y, bias)
        if self.form is None:
            self.y[...] = self._activation.forward(self.z, xp=self._set.device.xp)

    def backward(self, x: Array, dx: Array | None) -> None:
        if self.form is None:
            self.dy[...] = self._activation.pull_back(self.dy, self.z, self.y, xp=self._set.device.xp)
        if self._kernel is not IDENTITY or "bias" in self.parameters:
            self._slope()
        if self._to_x is not None and dx is not None:
            self._multiply(self._to_x, self.parameters["weight"], self.dy, dx)
        arrays = self.parameters if self._set.into_weights else self.gradients
        self._multiply(self._to_weight, self.dy, x, arrays["weight"])

    def _slope(self) -> None:
        """dy becomes dz, and the bias gradient is taken on the way."""
        sums = self.gradients.get("bias", NULL)
        parts = sums if self._chunks == 1 or sums is NULL else self._parts
        rows, units = self.y.shape
        grid = (-(-units // COLUMNS), self._chunks)
        arguments = (self.dy, self.z, self.y, self.dy, parts, rows, units, ROWS_PER_BLOCK)
        self._set.kernels.launch(f"{self._kernel.name}_backward", grid, (COLUMNS, ROWS), *arguments)
        if parts is not sums:
            grid = (-(-units // COLUMNS), 1)
            self._set.kernels.launch("column_sums", grid, (COLUMNS, ROWS), parts, sums, self._chunks, units)

    def _launch(self, name: str, *arrays: Any) -> None:
        rows, units = self.y.shape
        self._set.kernels.launch(name, *two_axes(rows, units), *arrays, rows, units)

    def _multiply(self, product: Product, a: Array, b: Array, d: Array) -> None:
        device, scalars = self._set.device, self._set.scalars
        on_device = product.terms.scalars_on_device
        alpha, beta = (scalars.minus_rate, scalars.device_one) if on_device else (scalars.one, scalars.zero)
        product.run(device.pointer(a), device.pointer(b), device.pointer(d), alpha, beta, device.queue)

    def _choose(self, product: Product, a: Array, b: Array, d: Array) -> None:
        def timed(number: int) -> Callable[[], None]:
            def run() -> None:
                product.chosen = number
                for _ in range(REPEATS):
                    self._multiply(product, a, b, d)
                self._set.device.synchronize()

            return run

        calls = {str(number): timed(number) for number in range(len(product.algorithms))}
        question = {"what": "cublaslt", **self._set.device.describe(), **_question(product.terms)}
        product.chosen = int(fastest(question, calls)[0])


def _question(terms: Terms) -> dict[str, Any]:
    """A product in plain values, without addresses."""
    return {name: value for name, value in vars(terms).items() if name not in ("bias", "aux")}
