"""A NumPy loop written by hand for these networks and nothing else; in float64 it is what all others are checked by."""

import numpy as np

from peer_frameworks.framework import BETA1, BETA2, EPS, Arrays, Framework, Problem

__all__ = ["NumpyLoop", "true_training"]


class NumpyLoop(Framework):
    """What a careful author would write: in-place updates, the joined gradient of softmax and cross entropy."""

    def __init__(self, device: str = "cpu", dtype: type[np.floating] = np.float32) -> None:
        super().__init__(device)
        self.dtype = dtype
        self.rng = np.random.default_rng(3)

    def load(self, problem: Problem, weights: Arrays) -> None:
        self.problem, self.initial = problem, [each.astype(self.dtype) for each in weights]
        x, y = problem.data
        self.x, self.y = x.astype(self.dtype, copy=False), y if y.ndim == 1 else y.astype(self.dtype, copy=False)
        self.batch = (self.x[: problem.batch_size].copy(), self.y[: problem.batch_size].copy())
        self.rate = self.dtype(problem.learning_rate)
        self.update = self._adam if problem.optimizer == "adam" else self._sgd
        self.reset()

    def reset(self) -> None:
        self.values = [each.copy() for each in self.initial]
        self.first = [np.zeros_like(each) for each in self.initial]
        self.second = [np.zeros_like(each) for each in self.initial]
        self.count = 0

    def steps(self, count: int) -> None:
        x, y = self.batch
        for _ in range(count):
            self.step(x, y)

    def epochs(self, count: int) -> None:
        x, y, size = self.x, self.y, self.problem.batch_size
        for _ in range(count):
            order = self.rng.permutation(len(x))
            for start in range(0, len(x), size):
                index = order[start : start + size]
                self.step(x[index], y[index])

    def losses(self, count: int) -> list[float]:
        return [float(self.step(*self.batch)) for _ in range(count)]

    def parameters(self) -> Arrays:
        return self.values

    def step(self, x: np.ndarray, y: np.ndarray) -> np.floating:
        """One update of all weights and biases in place; the loss before it."""
        values, last = self.values, len(self.values) - 2
        activations = [x]
        for place in range(0, len(values), 2):
            z = activations[-1] @ values[place]
            z += values[place + 1]
            if place < last:
                np.maximum(z, 0, out=z)
            activations.append(z)
        loss, d = (cross_entropy if y.ndim == 1 else squared_error)(activations[-1], y)
        gradients: Arrays = []
        for place in range(last, -1, -2):
            a = activations[place // 2]
            gradients += [d.sum(axis=0), a.T @ d]
            if place:
                d = d @ values[place].T
                d *= a > 0
        self.count += 1
        for place, gradient in enumerate(reversed(gradients)):
            self.update(place, gradient)
        return loss

    def _sgd(self, place: int, gradient: np.ndarray) -> None:
        gradient *= self.rate
        self.values[place] -= gradient

    def _adam(self, place: int, gradient: np.ndarray) -> None:
        first, second = self.first[place], self.second[place]
        first *= self.dtype(BETA1)
        first += self.dtype(1 - BETA1) * gradient
        second *= self.dtype(BETA2)
        gradient *= gradient
        gradient *= self.dtype(1 - BETA2)
        second += gradient
        np.sqrt(second, out=gradient)
        root = (1 - BETA2**self.count) ** 0.5
        gradient += self.dtype(EPS * root)  # so that eps stands beside the root of the corrected second moment
        np.divide(first, gradient, out=gradient)
        gradient *= self.dtype(self.problem.learning_rate * root / (1 - BETA1**self.count))
        self.values[place] -= gradient


def squared_error(z: np.ndarray, y: np.ndarray) -> tuple[np.floating, np.ndarray]:
    """Mean squared error of one output, and its gradient."""
    error = z - y
    loss = np.mean(error * error)
    error *= 2.0 / len(y)
    return loss, error


def cross_entropy(z: np.ndarray, y: np.ndarray) -> tuple[np.floating, np.ndarray]:
    """Mean cross entropy after softmax, and its gradient at z (whose memory it takes)."""
    rows = np.arange(len(y))
    z -= z.max(axis=1, keepdims=True)
    chosen = z[rows, y]
    np.exp(z, out=z)
    total = z.sum(axis=1, keepdims=True)
    loss = np.mean(np.log(total[:, 0]) - chosen)
    z /= total
    z[rows, y] -= 1
    z /= len(y)
    return loss, z


def true_training(problem: Problem, weights: Arrays, count: int) -> tuple[list[float], Arrays]:
    """The losses of ``count`` steps and the weights after them, computed in float64."""
    loop = NumpyLoop(dtype=np.float64)
    loop.load(problem, weights)
    return loop.losses(count), loop.parameters()
