"""polydnn itself: the executor that a fit would use for the step, and fit for the epoch."""

import logging
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np

import polydnn
from peer_frameworks.framework import BETA1, BETA2, EPS, Arrays, Framework, Problem

__all__ = ["Polydnn", "PolydnnSteps"]


class Place(NamedTuple):
    """Seed and number of a step, as executors take it."""

    seed: int
    step: int


class Data(NamedTuple):
    """Rows on the device, as executors take them."""

    x: Any
    y: Any
    weights: Any = None


class Messages(logging.Handler):
    """Keeps what polydnn warns of: an executor that is not used is named there with the reason."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


class Polydnn(Framework):
    """A Trainer with a named execution on a named backend."""

    def __init__(self, device: str = "cpu", execution: str = "auto", backend: str = "numpy") -> None:
        super().__init__(device)
        self.execution = execution
        if device == "cuda":
            backend = {"numpy": "cupy", "torch": "torch:cuda", "jax": "jax:cuda"}[backend]
        try:
            self.backend = polydnn.get_backend(backend)
        except polydnn.PolydnnError as error:
            raise ImportError(str(error)) from error
        self.messages = Messages()
        logging.getLogger("polydnn").addHandler(self.messages)

    def versions(self) -> dict[str, str]:
        library = self.backend.library
        return super().versions() | ({} if library in ("numpy", "cupy") else {library: metadata.version(library)})

    def load(self, problem: Problem, weights: Arrays) -> None:
        self.problem = problem
        x, y = problem.data
        asarray = self.backend.asarray
        self.x = asarray(x)
        self.y = asarray(y, dtype=self.backend.index_dtype if y.ndim == 1 else None)
        self.batch = tuple(asarray(np.array(each[: problem.batch_size])) for each in (x, self.backend.to_numpy(self.y)))
        widths = problem.case.widths
        softmax = problem.case.loss == "cross_entropy"
        hidden = [polydnn.Dense(width, "relu") for width in widths[1:-1]]
        last = polydnn.Dense(widths[-1], "softmax" if softmax else "identity")
        network = polydnn.Network(widths[0], [*hidden, last], backend=self.backend)
        names = list(network.parameters)
        network.set_parameters(dict(zip(names, weights, strict=True)))
        adam = ("adam", {"beta1": BETA1, "beta2": BETA2, "eps": EPS})
        self.trainer = polydnn.Trainer(
            network,
            loss="categorical_cross_entropy" if softmax else "mean_squared_error",
            optimizer=adam if problem.optimizer == "adam" else "sgd",
            learning_rate=problem.learning_rate,
            batch_size=problem.batch_size,
            execution=self.execution,
        )
        self.messages.texts.clear()
        self.executor: Any = self.trainer.executor_for(self.x, self.y)
        if self.execution not in ("auto", "reference") and self.messages.texts:
            msg = "; ".join(self.messages.texts)
            raise RuntimeError(msg)
        self.initial, self.state = self.executor.read()
        self.notes = [f"executor {type(self.executor).__name__}", *self.messages.texts]
        self.reset()

    def reset(self) -> None:
        self.executor.load(self.initial, self.state)
        self.trainer.network.set_parameters(self.initial)  # where the next fit starts
        self.done = 0

    def step(self) -> Any:
        """One update on the batch; the loss before it, on the device."""
        self.done += 1
        return self.executor.step(*self.batch, self.problem.learning_rate, Place(0, self.done))

    def steps(self, count: int) -> None:
        step, (x, y), rate = self.executor.step, self.batch, self.problem.learning_rate
        for number in range(self.done + 1, self.done + count + 1):
            last = step(x, y, rate, Place(0, number))
        self.done += count
        wait(last)
        self.backend.synchronize()

    def epochs(self, count: int) -> None:
        self.trainer.fit(self.x, self.y, epochs=count)

    def losses(self, count: int) -> list[float]:
        return [float(self.step()) for _ in range(count)]

    def parameters(self) -> Arrays:
        values, _ = self.executor.read()
        return [self.backend.to_numpy(values[name]) for name in self.trainer.network.parameters]


class PolydnnSteps(Polydnn):
    """Many steps in one call of the executor, rows gathered by number for each: beside JAX's scan."""

    measures = ("step",)

    def load(self, problem: Problem, weights: Arrays) -> None:
        self.block = max(1, min(64, int(2e10 / problem.products_flop)))
        super().load(problem, weights)
        self.orders: dict[int, Any] = {}
        self.notes.append(f"{self.block} steps a call, each gathers its rows")

    def _several(self, count: int) -> Any:
        if count not in self.orders:
            places = np.tile(np.arange(self.problem.batch_size), count)
            self.orders[count] = self.backend.asarray(places, dtype=self.backend.index_dtype)
        rates = [self.problem.learning_rate] * count
        place = Place(0, self.done + 1)
        self.done += count
        return self.executor.steps(Data(*self.batch), self.orders[count], self.problem.batch_size, rates, place)

    def steps(self, count: int) -> None:
        for _ in range(count // self.block):
            last = self._several(self.block)
        wait(last)
        self.backend.synchronize()

    def losses(self, count: int) -> list[float]:
        return self.backend.to_numpy(self._several(count)).tolist()


def wait(array: Any) -> None:
    """Until an array is computed, on libraries that answer before it is."""
    ready = getattr(array, "block_until_ready", None)
    if ready is not None:
        ready()
