"""scikit-learn's MLPClassifier and MLPRegressor by partial_fit."""

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from peer_frameworks.framework import BETA1, BETA2, EPS, Arrays, Framework, Problem

__all__ = ["ScikitLearn"]


class ScikitLearn(Framework):
    """One call of ``partial_fit`` a step; an epoch is one call on all rows with ``batch_size`` and ``shuffle``.

    Its squared error is half of the mean square, so the learning rate of gradient descent is doubled and Adam's eps
    halved, which gives the same updates; its penalty is set to zero.
    """

    libraries = ("scikit-learn", "numpy", "scipy")

    def load(self, problem: Problem, weights: Arrays) -> None:
        self.problem, self.initial = problem, weights
        self.x, y = problem.data
        self.half = y.ndim == 2
        self.y = y[:, 0].copy() if self.half else y
        size = problem.batch_size
        self.batch = (self.x[:size].copy(), self.y[:size].copy())
        scale = 2.0 if self.half else 1.0
        adam = problem.optimizer == "adam"
        options: dict[str, Any] = {
            "hidden_layer_sizes": problem.case.widths[1:-1],
            "solver": problem.optimizer,
            "alpha": 0.0,
            "batch_size": size,
            "learning_rate_init": problem.learning_rate * (1.0 if adam else scale),
            "momentum": 0.0,
            "nesterovs_momentum": False,
            "beta_1": BETA1,
            "beta_2": BETA2,
            "epsilon": EPS / scale,
            "n_iter_no_change": 2**31,
            "shuffle": False,
            "random_state": 3,
        }
        self.model = (MLPRegressor if self.half else MLPClassifier)(**options)
        first = {} if self.half else {"classes": np.arange(problem.case.widths[-1])}
        self.model.partial_fit(*self.batch, **first)
        self.notes = ["squared error is half the mean square here: learning rate doubled, Adam's eps halved"]
        self.reset()

    def reset(self) -> None:
        self.model.coefs_ = [each.copy() for each in self.initial[0::2]]
        self.model.intercepts_ = [each.copy() for each in self.initial[1::2]]
        self.model.loss_curve_ = []
        self.model.__dict__.pop("_optimizer", None)  # the next call makes a fresh one

    def steps(self, count: int) -> None:
        x, y = self.batch
        self.model.shuffle = False
        for _ in range(count):
            self.model.partial_fit(x, y)

    def epochs(self, count: int) -> None:
        self.model.shuffle = True
        for _ in range(count):
            self.model.partial_fit(self.x, self.y)

    def losses(self, count: int) -> list[float]:
        found = []
        for _ in range(count):
            self.steps(1)
            found.append(float(self.model.loss_) * (2.0 if self.half else 1.0))
        return found

    def parameters(self) -> Arrays:
        pairs = zip(self.model.coefs_, self.model.intercepts_, strict=True)
        return [each for pair in pairs for each in pair]
