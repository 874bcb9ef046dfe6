"""thinc: a chain of layers with begin_update and its callback, and thinc's own optimizers."""

from itertools import pairwise

import numpy as np
from thinc.api import SGD, Adam, Linear, NumpyOps, Optimizer, Relu, Softmax, chain, use_ops
from thinc.model import Model

from peer_frameworks.framework import BETA1, BETA2, EPS, Arrays, Framework, Problem

__all__ = ["Thinc"]


class Thinc(Framework):
    """The training loop of thinc's documentation; gradients of the losses are written by hand, as there."""

    libraries = ("thinc", "blis", "numpy")

    def load(self, problem: Problem, weights: Arrays) -> None:
        self.problem, self.initial = problem, weights
        self.x, self.y = problem.data
        size, widths = problem.batch_size, problem.case.widths
        self.batch = (self.x[:size].copy(), self.y[:size].copy())
        with use_ops("numpy"):
            hidden = [Relu(k, m) for m, k in pairwise(widths[:-1])]
            last = (Softmax if self.y.ndim == 1 else Linear)(widths[-1], widths[-2])
            self.model: Model = chain(*hidden, last).initialize()
        self.ops = NumpyOps()
        self.notes = [f"ops {type(self.model.ops).__name__}"]
        self.reset()

    def reset(self) -> None:
        layers = self.model.layers
        for layer, weight, bias in zip(layers, self.initial[0::2], self.initial[1::2], strict=True):
            layer.set_param("W", weight.T.copy())
            layer.set_param("b", bias.copy())
        self.optimizer = self._optimizer()

    def _optimizer(self) -> Optimizer:
        rate = self.problem.learning_rate
        if self.problem.optimizer == "sgd":
            return SGD(rate, L2=0.0, grad_clip=0.0, use_averages=False)
        return Adam(rate, beta1=BETA1, beta2=BETA2, eps=EPS, L2=0.0, grad_clip=0.0, use_averages=False)

    def step(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """One update; the prediction before it."""
        prediction, back = self.model.begin_update(x)
        if y.ndim == 1:  # its Softmax layer takes the gradient at the logits
            slope = prediction.copy()
            slope[np.arange(len(y)), y] -= 1
            slope /= len(y)
        else:
            slope = (prediction - y) * np.float32(2.0 / len(y))
        back(slope)
        self.model.finish_update(self.optimizer)
        return prediction

    def steps(self, count: int) -> None:
        x, y = self.batch
        for _ in range(count):
            self.step(x, y)

    def epochs(self, count: int) -> None:
        for _ in range(count):
            for x, y in self.ops.multibatch(self.problem.batch_size, self.x, self.y, shuffle=True):
                self.step(x, y)

    def losses(self, count: int) -> list[float]:
        y, found = self.batch[1], []
        for _ in range(count):
            prediction = self.step(*self.batch).astype(np.float64)
            chosen = prediction[np.arange(len(y)), y] if y.ndim == 1 else prediction - y
            found.append(float(np.mean(-np.log(chosen) if y.ndim == 1 else chosen * chosen)))
        return found

    def parameters(self) -> Arrays:
        found: Arrays = []
        for layer in self.model.layers:
            found += [layer.get_param("W").T, layer.get_param("b")]
        return found
