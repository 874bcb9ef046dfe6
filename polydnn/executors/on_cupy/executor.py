"""The executor that trains on one CUDA device through CuPy, by graphs that are captured once and replayed."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from polydnn.execution.choice import TOLERANCE
from polydnn.execution.executor import Data, Executor
from polydnn.execution.plan import Key, OptimizerState, StepPlan
from polydnn.executors.on_cupy.cublaslt import CublasLtError
from polydnn.executors.on_cupy.device import CudaDevice
from polydnn.executors.on_cupy.kernels import GATHERED
from polydnn.executors.on_cupy.precision import TF32_TOLERANCE, tf32_wanted
from polydnn.executors.on_cupy.program import BatchKind, Program
from polydnn.executors.on_cupy.stages import is_plain_dense
from polydnn.executors.on_cupy.store import Store
from polydnn.types import Array, Parameters

__all__ = ["CupyExecutor", "cupy_executor"]


def cupy_executor(plan: StepPlan) -> Executor:
    """The executor for a plan on CuPy.

    Raises NotImplementedError for other libraries, other dtypes than float32 and float64, and without cublasLt.
    """
    if plan.backend.library != "cupy":
        msg = f"it is made for CuPy, and this network is on {plan.backend.name!r}; use network.to('cupy')"
        raise NotImplementedError(msg)
    return CupyExecutor(plan, CudaDevice(plan.backend))


class CupyExecutor(Executor):
    """Keeps everything in buffers on the device, with a program for every batch size that it meets.

    Dense layers, built-in activations, losses and optimizers have kernels; what else a plan holds runs by its own
    functions inside the same step, and is captured with it if it can be. ``device`` is a CudaDevice.
    """

    def __init__(self, plan: StepPlan, device: Any) -> None:
        super().__init__(plan)
        self._device = device
        self._tf32 = tf32_wanted() and plan.network.dtype == "float32"
        if plan.network.dtype not in TOLERANCE:
            msg = f"there are no kernels for dtype {plan.network.dtype!r}, only for float32 and float64"
            raise NotImplementedError(msg)
        self._programs: dict[BatchKind, Program] = {}
        self._counted: dict[int, Array] = {}
        self.writes_into_weights = _plain_descent(plan)
        """Whether the products of plain gradient descent change the weights themselves."""
        with device.ordered():
            self._store = Store(plan, device)

    @property
    def tolerance(self) -> float:
        """How far from the reference its results may be, relative to an array's largest element."""
        return TF32_TOLERANCE if self._tf32 else TOLERANCE[self.plan.network.dtype]

    def load(self, parameters: Parameters, optimizer_state: OptimizerState) -> None:
        if self._store.broken:
            self._device.synchronize()  # a kernel under way might set it again
            self._store.broken.clear()
        with self._device.ordered():
            self._store.write(parameters, optimizer_state)

    def read(self) -> tuple[Parameters, OptimizerState]:
        with self._device.ordered():
            return self._store.read()

    def step(self, x: Array, y: Array, learning_rate: float, key: Key, weights: Array | None = None) -> Array:
        rows = int(x.shape[0])
        if rows not in self._counted:
            with self._device.ordered():
                self._counted = {rows: self._device.zeros((rows,), np.dtype(np.int64))}
                self._device.upload(self._counted[rows], np.arange(rows, dtype=np.int64))
        return self.steps(Data(x, y, weights), self._counted[rows], rows, [learning_rate], key).reshape(())

    def steps(self, data: Data, order: Array, batch_size: int, rates: Sequence[float], key: Key) -> Array:
        with self._device.ordered():
            data = Data(*(None if each is None else self._readable(each) for each in data))
            if data.weights is not None:
                data = data._replace(weights=self.plan.backend.xp.astype(data.weights, self._real, copy=False))
            program = self._program(BatchKind.of(data, batch_size))
            losses = self._device.zeros((len(rates),), np.dtype(self.plan.network.dtype))
            self._begin(data, order, list(rates), key.step, losses)
            self._launch(program, len(rates), key, batch_size)
        return losses

    def stopped(self, loss: Array) -> bool:
        """Whether the device has reported something that is not finite so far; it is not waited for."""
        return bool(self._store.broken)

    @property
    def _real(self) -> Any:
        return self.plan.network.real_dtype

    def _readable(self, array: Array) -> Array:
        """In the order of C, and of a dtype that the gather kernel knows."""
        if str(array.dtype) not in GATHERED:
            array = self.plan.backend.xp.astype(array, self._real)
        return self._device.contiguous(array)

    def _begin(self, data: Data, order: Array, rates: list[float], step: int, losses: Array) -> None:
        """Tell the device where the rows lie, which ones are wanted, and the numbers of every step."""
        device, store = self._device, self._store
        host = store.table(rates, step)
        order = device.contiguous(self.plan.backend.xp.astype(order, self.plan.backend.xp.int64, copy=False))
        table = device.zeros(host.shape, host.dtype)
        arrays = (data.x, data.y, data.weights, order, table, losses)
        words = [0 if each is None else device.pointer(each) for each in arrays]
        device.upload(table, host)
        device.upload(store.current, host[0])
        device.upload(store.control, np.asarray([*words, 0], dtype=np.uint64))
        self._held = arrays  # until the next call: the addresses are all that the device knows of them

    def _launch(self, program: Program, count: int, key: Key, rows: int) -> None:
        random = program.random_stages
        if not random:
            program.graph.launch(count)
            return
        for number in range(count):
            noise = self.plan.noise(Key(key.seed, key.step + number), rows)
            for index, stage in random.items():
                assert stage.noise is not None
                stage.noise[...] = noise[index]
            program.graph.launch(1)

    def _program(self, kind: BatchKind) -> Program:
        if kind not in self._programs:
            self._programs[kind] = self._made(kind)
        return self._programs[kind]

    def _made(self, kind: BatchKind) -> Program:
        """A program; plain descent goes by way of the gradient where cublasLt cannot write into the weights."""
        parts = (self.plan, self._device, self._store, kind)
        if self.writes_into_weights:
            try:
                return Program(*parts, tf32=self._tf32, into_weights=True)
            except CublasLtError:
                self.writes_into_weights = False
                self._programs.clear()  # all batch sizes alike
        return Program(*parts, tf32=self._tf32, into_weights=False)


def _plain_descent(plan: StepPlan) -> bool:
    """Whether W <- W - learning_rate * dW is all that happens to every weight, and every weight is a dense layer's."""
    penalties, optimizer = plan.penalties, plan.optimizer
    plain = optimizer.update.__module__ == "polydnn.optimizers.sgd" and not optimizer.options.get("momentum")
    changed = penalties.l1 or penalties.l2 or penalties.clip_value is not None or penalties.clip_norm is not None
    decayed = optimizer.weight_decay if penalties.weight_decay is None else penalties.weight_decay
    dense = {names["weight"] for layer, names in zip(plan.layers, plan.names, strict=True) if is_plain_dense(layer)}
    return plain and not changed and not decayed and dense == set(plan.weight_names)
