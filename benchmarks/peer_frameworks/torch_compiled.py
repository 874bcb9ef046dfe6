"""torch.compile of the whole step as one graph: forward, gradients by torch.func, and the optimizer's update."""

from typing import Any

import torch
from torch.nn import functional

from peer_frameworks.framework import BETA1, BETA2, EPS, Arrays
from peer_frameworks.torch_eager import TorchEager

__all__ = ["TorchCompiled"]


class TorchCompiled(TorchEager):
    """No graph break, static shapes; on CUDA in the mode that replays CUDA graphs (``reduce-overhead``)."""

    def build(self) -> None:
        torch._dynamo.reset()
        self.values = [value.clone() for value in self.initial]
        self.moments = [(torch.zeros_like(each), torch.zeros_like(each)) for each in self.values]
        self.count = torch.zeros((), device=self.device)
        mode = "reduce-overhead" if self.device == "cuda" else None
        self.compiled = torch.compile(self._whole_step, fullgraph=True, dynamic=False, mode=mode)

    def _whole_step(self, values: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        gradients, loss = torch.func.grad_and_value(self._cost)(values, x, y)
        if self.problem.optimizer == "sgd":
            for value, gradient in zip(values, gradients, strict=True):
                value.sub_(gradient, alpha=self.problem.learning_rate)
            return loss
        self.count.add_(1)
        correction = 1 - BETA1**self.count, torch.sqrt(1 - BETA2**self.count)
        for value, gradient, (first, second) in zip(values, gradients, self.moments, strict=True):
            first.mul_(BETA1).add_(gradient, alpha=1 - BETA1)
            second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
            move = (first / correction[0]) / (second.sqrt() / correction[1] + EPS)
            value.sub_(move, alpha=self.problem.learning_rate)
        return loss

    def _cost(self, values: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        for place in range(0, len(values), 2):
            x = torch.addmm(values[place + 1], x, values[place])
            if place < len(values) - 2:
                x = torch.relu(x)
        return functional.cross_entropy(x, y) if y.ndim == 1 else functional.mse_loss(x, y)

    def step(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        loss: Any = self.compiled(self.values, x, y)
        return loss

    def reset(self) -> None:
        with torch.no_grad():
            for value, start in zip(self.values, self.initial, strict=True):
                value.copy_(start)
            for each in (self.count, *(moment for pair in self.moments for moment in pair)):
                each.zero_()
        self.wait()

    def parameters(self) -> Arrays:
        return [each.cpu().numpy().copy() for each in self.values]
