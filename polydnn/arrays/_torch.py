"""PyTorch, on the CPU or on CUDA, used as an array library: its autograd is never asked."""

from collections.abc import Callable
from typing import Any

import numpy as np

from polydnn.arrays.backend import Backend
from polydnn.arrays.installing import INSTALL, cause_of, import_library, warnings_logged
from polydnn.arrays.machine import cpu_name
from polydnn.errors import BackendUnavailableError
from polydnn.types import Array, DType

__all__ = ["TorchBackend", "torch_backend"]


class TorchBackend(Backend):
    """Tensors of one torch device, through array-api-compat."""

    library = "torch"

    def __init__(self, torch: Any, xp: Any, device: Any) -> None:
        self.xp = xp
        self.device = device
        self._torch = torch

    @property
    def name(self) -> str:
        return "torch" if self.device.type == "cpu" else f"torch:{self.device}"

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        held = array.detach()
        if held.dtype == self._torch.bfloat16:  # NumPy has no such type, and float32 holds every value of it
            held = held.to(self._torch.float32)
        host: np.ndarray[Any, Any] = np.array(held.cpu().numpy())
        return host

    def owns(self, value: object) -> bool:
        return isinstance(value, self._torch.Tensor) and bool(value.device == self.device)

    def synchronize(self) -> None:
        if self.device.type == "cuda":
            self._torch.cuda.synchronize(self.device)

    def seconds(self, run: Callable[[], object]) -> float:
        if self.device.type != "cuda":
            return super().seconds(run)
        with self._torch.cuda.device(self.device):
            begin, end = (self._torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            run()
            end.record()
            end.synchronize()
            return float(begin.elapsed_time(end)) / 1000

    def peak_bytes(self, run: Callable[[], object]) -> int | None:
        if self.device.type != "cuda":
            return super().peak_bytes(run)
        cuda = self._torch.cuda
        cuda.reset_peak_memory_stats(self.device)
        before = int(cuda.memory_allocated(self.device))
        run()
        return max(int(cuda.max_memory_allocated(self.device)) - before, 0)

    @property
    def on_host(self) -> bool:
        return bool(self.device.type == "cpu")

    @property
    def looks_are_free(self) -> bool:
        return self.on_host

    def device_name(self) -> str:
        if self.device.type == "cpu":
            return cpu_name()
        return str(self._torch.cuda.get_device_name(self.device)) if self.device.type == "cuda" else str(self.device)

    def caches(self) -> dict[str, int]:
        if self.on_host:
            return super().caches()
        size = self._cuda_property("L2_cache_size")
        return {"L2": size} if size else {}

    def processors(self) -> dict[str, int]:
        names = (
            ("multiprocessors", "multi_processor_count"),
            ("shared_bytes_per_multiprocessor", "shared_memory_per_multiprocessor"),
        )
        return {ours: size for ours, theirs in names if (size := self._cuda_property(theirs))}

    def memory_bytes(self) -> int | None:
        if self.device.type == "cpu":
            return super().memory_bytes()
        return int(self._torch.cuda.mem_get_info(self.device)[0]) if self.device.type == "cuda" else None

    def asarray(self, value: object, *, dtype: DType | None = None) -> Array:
        array = super().asarray(value, dtype=dtype)
        return array.detach() if array.requires_grad else array

    def _cuda_property(self, name: str) -> int:
        if self.device.type != "cuda":
            return 0
        return int(getattr(self._torch.cuda.get_device_properties(self.device), name, 0))

    def _from_host(self, host: np.ndarray[Any, Any], dtype: DType | None) -> Array:
        # torch refuses negative strides and warns about read-only memory: hand it a private, writable, C-ordered copy.
        return self._torch.from_numpy(np.array(host, order="C")).to(device=self.device, dtype=dtype)


def torch_backend(device: str | None = None) -> TorchBackend:
    """PyTorch on ``device``: "cpu" (the default), "cuda" or "cuda:N".

    Raises BackendUnavailableError where PyTorch is missing, or a small matrix product fails on the device.
    """
    torch, xp = import_library("torch", "torch", "array_api_compat.torch")
    wanted = device or "cpu"
    try:
        with warnings_logged("torch"):
            found = _probe(torch, wanted)
    except Exception as error:  # torch raises RuntimeError, AssertionError, NotImplementedError, by device
        msg = (
            f"backend 'torch:{wanted}': PyTorch {torch.__version__} cannot compute there ({cause_of(error)}). "
            f"Use 'torch' for the CPU; 'torch:cuda' needs an NVIDIA GPU and {INSTALL['torch:cuda']}"
        )
        raise BackendUnavailableError(msg) from error
    return TorchBackend(torch, xp, found)


def _probe(torch: Any, device: str) -> Any:
    """Multiply two matrices and read the result back; the device as torch itself names it, "cuda:0" for "cuda"."""
    ones = torch.ones((2, 2), device=device)
    product = float((ones @ ones)[0, 0])
    if product != 2.0:
        msg = f"a matrix product came out as {product} instead of 2.0"
        raise RuntimeError(msg)
    return ones.device
