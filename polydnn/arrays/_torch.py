"""PyTorch, on the CPU or on CUDA, used as an array library: its autograd is never asked."""

from typing import Any

import numpy as np

from polydnn.arrays.backend import Backend
from polydnn.arrays.machine import cpu_name
from polydnn.errors import BackendUnavailableError
from polydnn.types import Array, DType

__all__ = ["TorchBackend", "torch_backend"]


class TorchBackend(Backend):
    """Tensors of one torch device, through array-api-compat."""

    library = "torch"

    def __init__(self, torch: Any, xp: Any, device: str) -> None:
        self.xp = xp
        self.device = torch.device(device)
        self._torch = torch

    @property
    def name(self) -> str:
        return "torch" if self.device.type == "cpu" else f"torch:{self.device}"

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        host: np.ndarray[Any, Any] = array.detach().cpu().numpy()
        return host

    def owns(self, value: object) -> bool:
        return isinstance(value, self._torch.Tensor) and value.device == self.device

    def synchronize(self) -> None:
        if self.device.type == "cuda":
            self._torch.cuda.synchronize(self.device)

    def device_name(self) -> str:
        return str(self._torch.cuda.get_device_name(self.device)) if self.device.type == "cuda" else cpu_name()

    def caches(self) -> dict[str, int]:
        if self.device.type != "cuda":
            return super().caches()
        return {"L2": int(self._torch.cuda.get_device_properties(self.device).L2_cache_size)}

    def memory_bytes(self) -> int | None:
        if self.device.type != "cuda":
            return super().memory_bytes()
        return int(self._torch.cuda.mem_get_info(self.device)[0])

    def asarray(self, value: object, *, dtype: DType | None = None) -> Array:
        array = super().asarray(value, dtype=dtype)
        return array.detach() if array.requires_grad else array

    def _from_host(self, host: np.ndarray[Any, Any], dtype: DType | None) -> Array:
        # torch refuses negative strides and warns about read-only memory: hand it a private, writable, C-ordered copy.
        return self._torch.from_numpy(np.array(host, order="C")).to(device=self.device, dtype=dtype)


def torch_backend(device: str | None = None) -> TorchBackend:
    """PyTorch on ``device``: "cpu" (the default), "cuda" or "cuda:N"."""
    try:
        import torch
        from array_api_compat import torch as xp
    except ImportError as error:
        msg = "backend 'torch' needs PyTorch: pip install 'polydnn[torch]'"
        raise BackendUnavailableError(msg) from error
    wanted = device or "cpu"
    if wanted.startswith("cuda"):
        if not torch.cuda.is_available():
            msg = (
                f"backend 'torch:{wanted}': PyTorch {torch.__version__} finds no CUDA device here. "
                f"Use 'torch', or install a CUDA build of PyTorch on a machine with a GPU; 'polydnn doctor' tells more."
            )
            raise BackendUnavailableError(msg)
        wanted = f"cuda:{torch.cuda.current_device()}" if wanted == "cuda" else wanted
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as error:
        msg = f"backend 'torch:{wanted}' cannot be used: {str(error).splitlines()[0]}. Use 'torch' or 'torch:cuda'."
        raise BackendUnavailableError(msg) from error
    return TorchBackend(torch, xp, wanted)
