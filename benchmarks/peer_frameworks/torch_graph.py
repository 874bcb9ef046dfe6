"""PyTorch's step captured as one CUDA graph and replayed."""

import torch

from peer_frameworks.framework import Arrays, Problem
from peer_frameworks.torch_eager import TorchEager

__all__ = ["TorchGraph"]


class TorchGraph(TorchEager):
    """Batches are copied into the graph's own input tensors before each replay of an epoch."""

    capturable = True

    def __init__(self, device: str) -> None:
        super().__init__(device)
        if not torch.cuda.is_available():
            msg = "torch sees no CUDA device"
            raise ImportError(msg)

    def load(self, problem: Problem, weights: Arrays) -> None:
        self.graph: torch.cuda.CUDAGraph | None = None
        super().load(problem, weights)
        self._capture()
        self.reset()

    def _capture(self) -> None:
        self.inputs = tuple(each.clone() for each in self.batch)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                super().step(*self.inputs)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            self.loss_out = super().step(*self.inputs)
        self.graph = graph

    def step(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if x is not self.batch[0]:
            self.inputs[0].copy_(x)
            self.inputs[1].copy_(y)
        assert self.graph is not None
        self.graph.replay()
        return self.loss_out

    def reset(self) -> None:
        if self.graph is not None:
            for mine, given in zip(self.inputs, self.batch, strict=True):
                mine.copy_(given)
        super().reset()
