"""PyTorch in eager mode: a Sequential of Linear layers, autograd, and its own fused optimizers where it has them."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from peer_frameworks.framework import BETA1, BETA2, EPS, Arrays, Framework, Problem

__all__ = ["TorchEager"]


class TorchEager(Framework):
    """The loop of PyTorch's documentation on tensors that stay where they are; no DataLoader, which is slower."""

    libraries = ("torch",)
    capturable = False

    def load(self, problem: Problem, weights: Arrays) -> None:
        torch.backends.cuda.matmul.allow_tf32 = False
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        self.problem, self.initial = problem, [self._tensor(each) for each in weights]
        x, y = problem.data
        self.x, self.y = self._tensor(x), self._tensor(y)
        self.batch = (self.x[: problem.batch_size].clone(), self.y[: problem.batch_size].clone())
        widths = problem.case.widths
        layers: list[torch.nn.Module] = []
        for m, k in pairwise(widths):
            layers += [torch.nn.Linear(m, k, device=self.device), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1])
        self.loss = functional.cross_entropy if y.ndim == 1 else functional.mse_loss
        self.optimizer = self._optimizer()
        self.build()
        self.reset()

    def build(self) -> None:
        """Whatever else the step needs."""

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array.copy()).to(self.device)

    def _optimizer(self) -> torch.optim.Optimizer:
        rate, parameters = self.problem.learning_rate, list(self.model.parameters())
        if self.problem.optimizer == "sgd":
            return torch.optim.SGD(parameters, lr=rate, fused=True)
        options: dict[str, Any] = {"betas": (BETA1, BETA2), "eps": EPS, "capturable": self.capturable}
        return torch.optim.Adam(parameters, lr=rate, fused=True, **options)

    def _pairs(self) -> Iterator[tuple[torch.nn.Parameter, torch.Tensor]]:
        """Every parameter with its initial value as PyTorch lays it out: weights (out, in)."""
        for parameter, value in zip(self.model.parameters(), self.initial, strict=True):
            yield parameter, value.T if value.ndim == 2 else value

    def reset(self) -> None:
        with torch.no_grad():
            for parameter, value in self._pairs():
                parameter.copy_(value)
            for state in self.optimizer.state.values():
                for tensor in state.values():
                    if isinstance(tensor, torch.Tensor):
                        tensor.zero_()
        self.wait()

    def wait(self) -> None:
        """Until the device has finished."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def step(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """One update; the loss before it."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def steps(self, count: int) -> None:
        x, y = self.batch
        for _ in range(count):
            self.step(x, y)
        self.wait()

    def epochs(self, count: int) -> None:
        size = self.problem.batch_size
        for _ in range(count):
            order = torch.randperm(len(self.x), device=self.device)
            for index in order.split(size):
                self.step(self.x[index], self.y[index])
        self.wait()

    def losses(self, count: int) -> list[float]:
        return [float(self.step(*self.batch)) for _ in range(count)]

    def parameters(self) -> Arrays:
        return [each.detach().cpu().numpy().T.copy() for each in self.model.parameters()]

    def device_bytes(self) -> int | None:
        return int(torch.cuda.max_memory_allocated()) if self.device == "cuda" else None
