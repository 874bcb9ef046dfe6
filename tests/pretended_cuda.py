"""A CUDA device pretended on the host: kernels compiled by g++, cublasLt by NumPy, and captures that record calls.

While it captures, nothing is computed: kernels, products, and what NumPy is asked to do with device arrays are noted
with their arrays and numbers, as in a CUDA graph, and done when the graph is launched. Reading a number back, or
uploading one, then fails as it does on a device.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

from polydnn.executors.on_cupy.cublaslt import CublasLt
from polydnn.executors.on_cupy.device import HostFlag
from polydnn.types import Namespace
from tests.cuda_on_host import host_module
from tests.pretended_cublaslt import PretendedCublasLt

__all__ = ["CAPTURING", "DeviceArray", "PretendedCuda"]

CAPTURING = "the current stream is capturing"

Work = Callable[[], None]


class Recorder:
    """Where work goes: it is done at once, or noted while something is captured."""

    notes: list[Work] | None = None

    @classmethod
    def queue(cls, work: Work) -> None:
        if cls.notes is None:
            work()
        else:
            cls.notes.append(work)


def plain(value: Any) -> Any:
    """The same memory as NumPy's own array, inside lists and tuples too."""
    if isinstance(value, DeviceArray):
        return value.view(np.ndarray)
    return type(value)(plain(each) for each in value) if type(value) in (list, tuple) else value


class DeviceArray(np.ndarray[Any, Any]):
    """An array whose operations can be recorded."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        arguments = plain(inputs)
        call = getattr(ufunc, method)
        if out is not None:
            targets = plain(out)
            Recorder.queue(lambda: call(*arguments, out=targets, **options) and None)
            return out[0]
        return recorded(call, arguments, options)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        options = {name: plain(value) for name, value in options.items()}
        return recorded(function, plain(tuple(arguments)), options)

    def __setitem__(self, index: Any, value: Any) -> None:
        target, source = self.view(np.ndarray)[index], plain(value)
        assert isinstance(target, np.ndarray), "a number of an array was set from the host"
        Recorder.queue(lambda: np.copyto(target, source, casting="same_kind"))

    def astype(self, dtype: Any, order: Any = "K", casting: Any = "unsafe", subok: Any = True, copy: Any = True) -> Any:
        if not copy and self.dtype == dtype:
            return self
        return recorded(np.ndarray.astype, (plain(self), dtype), {})

    def __bool__(self) -> bool:
        return bool(self._read())

    def __float__(self) -> float:
        return float(self._read())

    def _read(self) -> Any:
        if Recorder.notes is not None:
            raise RuntimeError(CAPTURING)
        return self.view(np.ndarray)[()]


def recorded(call: Any, arguments: Any, options: Any) -> Any:
    """The result of a call in an array of its own, filled now or at every launch."""
    with np.errstate(all="ignore"):  # a capture computes with whatever happens to be in memory
        first = call(*arguments, **options)
    if not isinstance(first, np.ndarray | np.generic):
        return first
    if isinstance(first, np.ndarray) and any(
        isinstance(each, np.ndarray) and np.shares_memory(first, each) for each in arguments
    ):
        return first.view(DeviceArray)
    result = np.array(first)
    if Recorder.notes is not None:
        Recorder.notes.append(lambda: np.copyto(result, call(*arguments, **options)))
    return result.view(DeviceArray)


class PretendedGraph:
    """Notes that can be worked off again and again."""

    def __init__(self, device: "PretendedCuda", notes: list[Work]) -> None:
        self._device, self.notes = device, notes

    def launch(self) -> None:
        self._device.log.append("launch")
        for work in self.notes:
            work()


class PretendedCuda:
    """What CudaDevice is on a GPU. ``log`` lists captures and launches; ``refused`` goes to the stand-in of cublasLt.

    With ``no_capture`` every capture fails.
    """

    queue = 1

    def __init__(self, xp: Namespace, *, refused: int = -1, no_capture: bool = False) -> None:
        self.xp = xp
        self.log: list[str] = []
        self.inside = 0
        self._no_capture = no_capture
        self.library = PretendedCublasLt(Recorder.queue, refused)
        self._workspace = np.zeros(64, np.uint8)
        self.lt = CublasLt(self.library, self._workspace.ctypes.data, 64)

    def describe(self) -> dict[str, Any]:
        return {"device": "pretended", "cublaslt": self.lt.version}

    def zeros(self, shape: int | tuple[int, ...], dtype: Any) -> Any:
        assert self.inside == 1, "memory was asked for outside of the executor's stream"
        return np.zeros(shape, dtype).view(DeviceArray)

    def contiguous(self, array: Any) -> Any:
        return np.ascontiguousarray(array)

    def pointer(self, array: Any) -> int:
        assert array.flags.c_contiguous
        return int(array.ctypes.data)

    def upload(self, array: Any, host: Any) -> None:
        assert self.inside == 1
        if Recorder.notes is not None:
            raise RuntimeError(CAPTURING)
        assert (array.shape, array.dtype) == (host.shape, host.dtype)
        np.copyto(plain(array), host)

    def flag(self) -> HostFlag:
        words = np.zeros(2, np.int32)
        return HostFlag(words, words.ctypes.data)

    def synchronize(self) -> None:
        self.log.append("synchronize")

    @contextmanager
    def ordered(self) -> Iterator[None]:
        assert self.inside == 0
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    def pool(self) -> Callable[[], AbstractContextManager[None]]:
        return nullcontext

    def module(self, text: str, names: Sequence[str]) -> Mapping[str, Callable[..., None]]:
        return {name: self._launcher(kernel) for name, kernel in host_module(text, names).items()}

    def _launcher(self, kernel: Callable[..., None]) -> Callable[..., None]:
        def launch(grid: Any, block: Any, arguments: Any) -> None:
            assert self.inside == 1
            arrays = tuple(plain(each) for each in arguments)
            Recorder.queue(lambda: kernel(grid, block, arrays))

        return launch

    def capture(self, run: Work) -> PretendedGraph:
        assert Recorder.notes is None
        self.log.append("begin_capture")
        Recorder.notes = notes = []
        try:
            if self._no_capture:
                msg = "this driver does not capture"
                raise RuntimeError(msg)
            run()
        finally:
            Recorder.notes = None
            self.log.append("end_capture")
        return PretendedGraph(self, notes)
