"""Keras 3: train_on_batch for the step and fit for the epoch, on the backend that KERAS_BACKEND names."""

from typing import Any

import keras
import numpy as np

from peer_frameworks.framework import BETA1, BETA2, EPS, Arrays, Framework, Problem

__all__ = ["Keras", "KerasSteps"]


class Keras(Framework):
    """A Sequential model as its documentation writes it; the loss takes logits, so the last layer is linear."""

    libraries = ("keras", "jax", "torch")

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self.notes = [f"backend {keras.backend.backend()}", "train_on_batch returns the loss to the host"]

    def versions(self) -> dict[str, str]:
        found = super().versions()
        return {name: found[name] for name in ("keras", keras.backend.backend()) if name in found}

    def load(self, problem: Problem, weights: Arrays) -> None:
        keras.backend.clear_session()
        self.problem, self.initial = problem, weights
        self.x, y = problem.data
        self.y = y.astype(np.int32) if y.ndim == 1 else y
        size = problem.batch_size
        self.batch = tuple(keras.ops.convert_to_tensor(each[:size].copy()) for each in (self.x, self.y))
        widths = problem.case.widths
        layers: list[Any] = [keras.layers.Dense(width, activation="relu") for width in widths[1:-1]]
        self.model = keras.Sequential([keras.Input((widths[0],)), *layers, keras.layers.Dense(widths[-1])])
        self.compile(1)
        self.reset()

    def compile(self, steps_per_execution: int) -> None:
        """A compiled model with a fresh optimizer."""
        rate = self.problem.learning_rate
        self.model.compile(
            optimizer=keras.optimizers.SGD(rate)
            if self.problem.optimizer == "sgd"
            else keras.optimizers.Adam(rate, beta_1=BETA1, beta_2=BETA2, epsilon=EPS),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            if self.y.ndim == 1
            else keras.losses.MeanSquaredError(),
            steps_per_execution=steps_per_execution,
        )
        self.model.optimizer.build(self.model.trainable_variables)

    def reset(self) -> None:
        self.model.set_weights(self.initial)
        for variable in self.model.optimizer.variables:
            if variable is not self.model.optimizer.learning_rate:
                variable.assign(np.zeros(variable.shape, variable.dtype))

    def steps(self, count: int) -> None:
        x, y = self.batch
        for _ in range(count):
            self.model.train_on_batch(x, y)

    def epochs(self, count: int) -> None:
        size = self.problem.batch_size
        self.model.fit(self.x, self.y, batch_size=size, epochs=count, shuffle=True, verbose=0)

    def losses(self, count: int) -> list[float]:
        found = []
        for _ in range(count):
            self.model.reset_metrics()  # what is returned is a mean since the last reset
            found.append(float(self.model.train_on_batch(*self.batch)))
        return found

    def parameters(self) -> Arrays:
        return [np.asarray(each) for each in self.model.get_weights()]


class KerasSteps(Keras):
    """Keras with ``steps_per_execution``: up to 32 steps of an epoch in one call of its backend."""

    measures = ("epoch",)

    def load(self, problem: Problem, weights: Arrays) -> None:
        super().load(problem, weights)
        self.together = 1

    def epochs(self, count: int) -> None:
        wanted = min(32, self.problem.rows // self.problem.batch_size)
        if self.together != wanted:
            self.together = wanted
            self.compile(wanted)
        super().epochs(count)
