"""An executor laid out for its checks: plans of small networks, rows for them, and epochs with a smaller last batch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from polydnn.activations import identity, relu, sigmoid, softmax, tanh
from polydnn.arrays import Backend
from polydnn.execution.executor import Data, Executor, PureExecutor, executor_of
from polydnn.execution.plan import Key, OptimizerState, Penalties, StepPlan, first_state
from polydnn.execution.reference import reference_step
from polydnn.layers import BatchNormalization, Dense, Dropout, Layer
from polydnn.losses import Loss, binary_cross_entropy, categorical_cross_entropy, mean_squared_error
from polydnn.network import Network
from polydnn.optimizers import Optimizer, adam, sgd
from polydnn.registry import ExecutorSpec
from polydnn.testing.backends import has_float64
from polydnn.testing.bench import Bench, Call, Host, draw
from polydnn.testing.finding import Finding, raised
from polydnn.types import Array, Parameters

__all__ = ["BATCH", "ROWS", "Batch", "ExecutorBench", "Trial", "bound_of", "on_host"]

ROWS, BATCH, FEATURES = 13, 5, 4
SEED = 3
NO_PENALTIES = Penalties()


class Batch(NamedTuple):
    """One step of a run: which rows, at what rate, where in the random stream."""

    order: Host
    rate: float
    key: Key


class Trial:
    """One plan with rows for it, and what the factory makes of it."""

    def __init__(self, label: str, plan: StepPlan, factory: Callable[..., Any], rate: float, weighted: bool) -> None:
        self.label, self.plan, self.rate = label, plan, rate
        self._factory, self._weighted = factory, weighted

    def build(self) -> Executor:
        """A new executor; raises NotImplementedError where the factory declines the plan."""
        made = self._factory(self.plan)
        if not isinstance(made, Executor) and not callable(made):
            raise Finding(
                expected="a polydnn.execution.Executor, or a function with the signature of the reference step",
                found=f"a {type(made).__name__} from the factory",
                where=self.label,
            )
        return executor_of(self.plan, made)

    @cached_property
    def executor(self) -> Executor:
        """The one that most checks load anew: a compiler need not work for each of them."""
        return self.build()

    def reference(self) -> Executor:
        """What it has to agree with."""
        return PureExecutor(self.plan, reference_step(self.plan))

    def start(self) -> tuple[Parameters, OptimizerState]:
        """Where a run begins: arrays of its own each time."""
        backend = self.plan.backend
        arrays = self.plan.network.arrays
        copies = {name: backend.asarray(np.array(backend.to_numpy(each))) for name, each in arrays.items()}
        return copies, first_state(self.plan)

    def data(self, spoilt: int | None = None) -> Data:
        """The rows on the device, new arrays each time; the numbers of row ``spoilt`` are NaN."""
        backend, dtype = self.plan.backend, self.plan.network.dtype
        x = draw("executor x", ROWS, FEATURES)
        if spoilt is not None:
            x[spoilt] = np.nan
        real = backend.dtype(dtype)
        weights = 0.5 + np.abs(draw("executor weights", ROWS)) if self._weighted else None
        return Data(
            backend.asarray(x, dtype=real),
            self._targets(real),
            None if weights is None else backend.asarray(weights, dtype=real),
        )

    def _targets(self, real: Any) -> Array:
        outputs, kind, backend = self.plan.network.widths[-1], self.plan.loss.target_kind, self.plan.backend
        if kind == "classes":
            return backend.asarray(np.arange(ROWS) % outputs, dtype=backend.index_dtype)
        drawn = draw("executor targets", ROWS, outputs)
        return backend.asarray(drawn if kind == "real" else (drawn > 0.0).astype(np.float64), dtype=real)

    def batches(self, epochs: int = 2) -> Iterator[Batch]:
        """Whole epochs in shuffled order: every third batch has but three rows."""
        step = 0
        for epoch in range(epochs):
            order = np.argsort(draw(f"executor order {epoch}", ROWS))
            for first in range(0, ROWS, BATCH):
                step += 1
                yield Batch(order[first : first + BATCH], self.rate / step, Key(SEED, step))

    def step(self, executor: Executor, data: Data, batch: Batch) -> Array:
        """``step`` on the rows of the batch."""
        backend = self.plan.backend
        index = backend.asarray(batch.order, dtype=backend.index_dtype)
        x, y, weights = (None if each is None else backend.xp.take(each, index, axis=0) for each in data)
        return executor.step(x, y, batch.rate, batch.key, weights)

    def steps(self, executor: Executor, data: Data, order: Host, size: int, rates: Sequence[float], first: int) -> Host:
        """``steps`` on these rows; the losses on the host."""
        backend = self.plan.backend
        index = order if executor.order_on_host else backend.asarray(order, dtype=backend.index_dtype)
        losses = executor.steps(data, index, size, rates, Key(SEED, first))
        return np.asarray(losses if isinstance(losses, np.ndarray) else backend.to_numpy(losses))


def on_host(trial: Trial, executor: Executor) -> dict[str, Host]:
    """Copies of everything that ``read`` gives, by name; of the optimizer's state by name and slot."""
    parameters, state = executor.read()
    return copies(trial.plan.backend, parameters, state)


def copies(backend: Backend, parameters: Parameters, state: Mapping[str, Mapping[str, Array]]) -> dict[str, Host]:
    """Host copies of parameters and optimizer state in one mapping."""
    named = dict(parameters) | {f"{name} {slot}": each for name, slots in state.items() for slot, each in slots.items()}
    return {name: np.array(backend.to_numpy(each)) for name, each in named.items()}


def bound_of(executor: Executor, wanted: Host, steps: int = 1) -> float:
    """How far apart two arrays may lie after some steps, given the largest of the numbers."""
    return steps * executor.tolerance * max(float(np.max(np.abs(wanted), initial=0.0)), 1e-8)


@dataclass(frozen=True)
class Subject:
    """One kind of network that a plan is made for."""

    label: str
    layers: Callable[[], list[Layer]]
    loss: Callable[[], Loss]
    optimizer: Callable[[], Optimizer]
    rate: float
    dtype: str = "float32"
    weighted: bool = False
    penalties: Penalties = NO_PENALTIES


def _dense(hidden: Callable[[], Any], units: int, last: Callable[[], Any]) -> Callable[[], list[Layer]]:
    return lambda: [Dense(6, hidden()), Dense(units, last())]


def _everything() -> list[Layer]:
    return [Dense(6, tanh()), Dropout(0.3), BatchNormalization(), Dense(2, identity())]


BINARY = (_dense(tanh, 1, sigmoid), binary_cross_entropy)
MULTICLASS = (_dense(relu, 3, softmax), categorical_cross_entropy)
REGRESSION = (_dense(tanh, 2, identity), mean_squared_error)
BOUNDED = Penalties(l1=0.01, l2=0.02, clip_value=0.5, clip_norm=0.4)

SUBJECTS = (
    Subject("binary classification with sgd", *BINARY, sgd, 0.5),
    Subject("binary classification with adam and weights", *BINARY, adam, 0.02, weighted=True),
    Subject("softmax with momentum", *MULTICLASS, lambda: sgd(momentum=0.9), 0.2),
    Subject("softmax with adam", *MULTICLASS, adam, 0.02),
    Subject("regression with sgd and weights", *REGRESSION, sgd, 0.1, "float64", weighted=True),
    Subject("regression with adam", *REGRESSION, adam, 0.02, "float64"),
    Subject(
        "dropout, batch normalization, penalties and clipping", _everything, mean_squared_error, adam, 0.02,
        penalties=BOUNDED,
    ),
)  # fmt: skip


class ExecutorBench(Bench):
    """An executor's record, with those of the small plans that it does not decline."""

    kind = "executor"
    item: ExecutorSpec

    def __init__(self, item: ExecutorSpec, backend: Backend, factory: Callable[..., Any] | None = None) -> None:
        super().__init__(item, backend, factory or item.factory)
        self._trials: list[Trial] | None = None
        self.declined: list[str] = []

    def calls(self, rows: int = 4, width: int = 3) -> list[Call]:
        """None: an executor is no function of arrays."""
        return []

    @property
    def trials(self) -> list[Trial]:
        """The plans it serves; what it raises but NotImplementedError is a finding."""
        if self._trials is None:
            found = []
            for subject in SUBJECTS:
                trial = self._trial(subject)
                try:
                    _ = trial.executor
                except NotImplementedError as error:
                    self.declined.append(f"{subject.label}: {error}")
                    continue
                except Finding:
                    raise
                except Exception as error:
                    finding = raised(error, f"the factory, for {subject.label},")
                    finding.expected = f"an executor for {subject.label}, or NotImplementedError"
                    raise finding from error
                found.append(trial)
            self._trials = found
        return self._trials

    def why_not(self) -> str:
        """Why there is nothing to look at on this backend; empty where there is."""
        made_for = self.item.backends
        if made_for and self.backend.library not in made_for:
            return f"it is for {', '.join(made_for)}"
        try:
            served = self.trials
        except Finding:
            return ""  # told by the checks
        return "" if served else f"it declined every plan; {self.declined[0]}"

    def _trial(self, subject: Subject) -> Trial:
        dtype = subject.dtype if has_float64(self.backend) else "float32"
        network = Network(FEATURES, subject.layers(), backend=self.backend, dtype=dtype, seed=SEED)
        plan = StepPlan(network, subject.loss(), subject.optimizer(), subject.penalties)
        return Trial(subject.label, plan, self.item.factory, subject.rate, subject.weighted)
