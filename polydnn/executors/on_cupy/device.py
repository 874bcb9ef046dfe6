"""What the executor asks of CUDA, through CuPy: a stream, memory, kernels, products and captures.

The executor's work is queued on a stream of its own, which waits for the caller's stream on the way in and is waited
for on the way out, so that arrays may pass freely between the two. What CuPy itself allocates while a step runs (the
results of a plug-in's functions) comes from a memory pool that belongs to that step alone: a replayed graph writes to
the addresses of its capture, and nobody else must ever be given them.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from polydnn.arrays import Backend
from polydnn.executors.on_cupy.cublaslt import CublasLt, load_library
from polydnn.executors.on_cupy.graph import Graph
from polydnn.types import Array, DType, Namespace

__all__ = ["CudaDevice", "HostFlag"]

HOPPER = 9
WORKSPACE_BYTES = {True: 32 * 2**20, False: 4 * 2**20}  # for Hopper, and for others: what cuBLAS itself takes

logger = logging.getLogger("polydnn")


class HostFlag:
    """A number in host memory that kernels can set: to look at it waits for nothing."""

    def __init__(self, words: np.ndarray[Any, Any], pointer: int, keep: object = None) -> None:
        self._words, self._keep = words, keep
        self.pointer = np.uint64(pointer)
        """The kernel's argument."""
        self.clear()

    def __bool__(self) -> bool:
        return bool(self._words[0])

    def clear(self) -> None:
        """Unset it; to be called when no kernel that might set it is under way."""
        self._words[0] = 0


class CudaDevice:
    """The device of a CuPy backend, with a stream and a cublasLt handle for one executor.

    Raises NotImplementedError where there is no cublasLt.
    """

    def __init__(self, backend: Backend) -> None:
        import cupy

        self.backend = backend
        self._cupy = cupy
        with backend.device:
            self.stream = cupy.cuda.Stream(non_blocking=True)
            major = int(cupy.cuda.runtime.getDeviceProperties(backend.device.id)["major"])
            size = WORKSPACE_BYTES[major == HOPPER]
            self._workspace = cupy.empty(size, dtype=cupy.uint8)
            self.lt = CublasLt(load_library(), self.pointer(self._workspace), size)

    @property
    def xp(self) -> Namespace:
        """The namespace that a plug-in's functions are given."""
        return self.backend.xp

    def describe(self) -> dict[str, Any]:
        """What the speed of a product depends on."""
        return {"device": self.backend.device_name(), "cublaslt": self.lt.version}

    def zeros(self, shape: int | tuple[int, ...], dtype: DType) -> Array:
        """A new array."""
        return self._cupy.zeros(shape, dtype=dtype)

    def contiguous(self, array: Array) -> Array:
        """The array itself, or a copy in the order of C."""
        return self._cupy.ascontiguousarray(array)

    def pointer(self, array: Array) -> int:
        """The address of the first element."""
        return int(array.data.ptr)

    def upload(self, array: Array, host: np.ndarray[Any, Any]) -> None:
        """Queue a copy of host numbers; CUDA has taken them out of pageable memory when this returns."""
        array.set(host, stream=self.stream)

    def flag(self) -> HostFlag:
        """A new flag, unset."""
        memory = self._cupy.cuda.alloc_pinned_memory(8)
        return HostFlag(np.frombuffer(memory, np.int32, 2), memory.ptr, memory)

    def synchronize(self) -> None:
        """Wait for all work on the executor's stream."""
        self.stream.synchronize()

    @contextmanager
    def ordered(self) -> Iterator[None]:
        """Queue on the executor's stream, behind the caller's work; the caller's later work comes behind ours."""
        with self.backend.device:
            caller = self._cupy.cuda.get_current_stream()  # CuPy keeps one for every device
            self.stream.wait_event(caller.record(self._event()))
            try:
                with self.stream:
                    yield
            finally:
                caller.wait_event(self.stream.record(self._event()))

    def pool(self) -> Callable[[], AbstractContextManager[None]]:
        """A memory pool as a context: whatever CuPy allocates inside comes from it."""
        pool = self._cupy.cuda.MemoryPool()
        return lambda: self._cupy.cuda.using_allocator(pool.malloc)

    def module(self, text: str, names: Sequence[str]) -> Mapping[str, Callable[..., None]]:
        """Compile CUDA C++; each kernel is called as ``kernel(grid, block, arguments)``."""
        module = self._cupy.RawModule(code=text, options=("-std=c++14",))
        with self.backend.device:
            return {name: module.get_function(name) for name in names}

    @property
    def queue(self) -> int:
        """The stream as cublasLt takes it."""
        return int(self.stream.ptr)

    def capture(self, run: Callable[[], None]) -> Graph:
        """What ``run`` queues on the executor's stream, as a graph, moved to the device."""
        self.stream.begin_capture()
        try:
            run()
        except BaseException:
            self._abandon()
            raise
        graph = self.stream.end_capture()
        graph.upload(self.stream)
        return _Launched(graph, self.stream)

    def _abandon(self) -> None:
        """End a capture that has failed; CUDA then reports the failure once more."""
        try:
            self.stream.end_capture()
        except Exception as error:
            logger.debug("cupy_graph: the capture was invalid: %s", error)

    def _event(self) -> Any:
        return self._cupy.cuda.Event(disable_timing=True)


class _Launched:
    """A graph with its stream."""

    def __init__(self, graph: Any, stream: Any) -> None:
        self._graph, self._stream = graph, stream

    def launch(self) -> None:
        self._graph.launch(self._stream)
