"""What the executor asks of CuPy, call by call, noted by a stand-in: orders of streams, captures, pools, flags."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from polydnn.executors.on_cupy import device as room
from polydnn.executors.on_cupy.device import CudaDevice
from tests.pretended_cublaslt import PretendedCublasLt

LOG: list[str] = []


class Stream:
    """A stream that notes what is asked of it; ``broken`` makes the end of a capture fail, as CUDA does."""

    current = "caller"
    broken = False
    ptr = 77

    def __init__(self, name: str = "own", non_blocking: bool = True) -> None:
        assert non_blocking
        self.name = name

    def record(self, event: str) -> str:
        LOG.append(f"{self.name} records")
        return f"event of {self.name}"

    def wait_event(self, event: str) -> None:
        LOG.append(f"{self.name} waits for {event}")

    def __enter__(self) -> None:
        LOG.append(f"{self.name} is current")

    def __exit__(self, *error: object) -> None:
        LOG.append(f"{self.name} is left")

    def begin_capture(self) -> None:
        LOG.append("begin_capture")

    def end_capture(self) -> Any:
        LOG.append("end_capture")
        if self.broken:
            msg = "cudaErrorStreamCaptureInvalidated"
            raise RuntimeError(msg)
        return SimpleNamespace(
            upload=lambda stream: LOG.append(f"upload to {stream.name}"),
            launch=lambda stream: LOG.append(f"launch on {stream.name}"),
        )

    def synchronize(self) -> None:
        LOG.append("synchronize")


class Here:
    """A device as a context."""

    id = 0

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass


class Memory(np.ndarray[Any, Any]):
    """Pinned memory: a buffer with an address."""

    @property
    def ptr(self) -> int:
        return int(self.ctypes.data)


@contextmanager
def using_allocator(allocator: Any) -> Iterator[None]:
    LOG.append(f"allocates by {allocator}")
    yield
    LOG.append("allocates as before")


def stand_in(major: int, sizes: list[int]) -> ModuleType:
    def empty(size: int, dtype: Any) -> Any:
        sizes.append(size)
        return SimpleNamespace(data=SimpleNamespace(ptr=4096))

    cupy: Any = ModuleType("cupy")
    cupy.uint8, cupy.empty = np.uint8, empty
    cupy.cuda = SimpleNamespace(
        Stream=Stream,
        Event=lambda disable_timing: "event",
        MemoryPool=lambda: SimpleNamespace(malloc="its pool"),
        using_allocator=using_allocator,
        get_current_stream=lambda: Stream("caller"),
        alloc_pinned_memory=lambda size: np.full(size, 1, np.uint8).view(Memory),
        runtime=SimpleNamespace(getDeviceProperties=lambda number: {"major": major}),
    )
    return cupy


def made(monkeypatch: pytest.MonkeyPatch, major: int = 9) -> tuple[CudaDevice, list[int]]:
    sizes: list[int] = []
    monkeypatch.setitem(__import__("sys").modules, "cupy", stand_in(major, sizes))
    monkeypatch.setattr(room, "load_library", PretendedCublasLt)
    backend: Any = SimpleNamespace(device=Here(), xp="namespace", device_name=lambda: "Pretended GPU")
    made = CudaDevice(backend)
    LOG.clear()
    return made, sizes


@pytest.mark.parametrize(("major", "mebibytes"), [(8, 4), (9, 32)])
def test_the_workspace_is_as_large_as_the_architecture_wants(
    major: int, mebibytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda, sizes = made(monkeypatch, major)
    assert sizes == [mebibytes * 2**20]
    assert (cuda.lt.workspace, cuda.lt.workspace_bytes) == (4096, mebibytes * 2**20)
    assert cuda.describe() == {"device": "Pretended GPU", "cublaslt": 130100}
    assert (cuda.queue, cuda.xp) == (77, "namespace")


def test_work_comes_after_the_callers_and_before_the_callers_next(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, _ = made(monkeypatch)
    expected = ["caller records", "own waits for event of caller", "own is current", "own is left"]
    expected += ["own records", "caller waits for event of own"]
    with cuda.ordered():
        pass
    assert expected == LOG
    LOG.clear()
    with pytest.raises(ValueError, match="in between"), cuda.ordered():
        raise ValueError("in between")  # noqa: EM101
    assert expected == LOG


def test_a_capture_is_uploaded_and_launched_on_its_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, _ = made(monkeypatch)
    graph = cuda.capture(lambda: LOG.append("run"))
    graph.launch()
    assert LOG == ["begin_capture", "run", "end_capture", "upload to own", "launch on own"]


@pytest.mark.parametrize("broken", [False, True])
def test_a_failed_capture_is_ended_and_tells_its_cause(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, _ = made(monkeypatch)
    monkeypatch.setattr(Stream, "broken", broken)

    def run() -> None:
        msg = "calling cuBLAS API during stream capture is unsupported"
        raise NotImplementedError(msg)

    with pytest.raises(NotImplementedError, match="calling cuBLAS API during stream capture"):
        cuda.capture(run)
    assert LOG == ["begin_capture", "end_capture"]


def test_an_invalid_capture_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, _ = made(monkeypatch)
    monkeypatch.setattr(Stream, "broken", True)
    with pytest.raises(RuntimeError, match="cudaErrorStreamCaptureInvalidated"):
        cuda.capture(lambda: None)


def test_every_program_has_a_pool_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, _ = made(monkeypatch)
    pool = cuda.pool()
    for _ in range(2):
        with pool():
            LOG.append("run")
    assert LOG == ["allocates by its pool", "run", "allocates as before"] * 2


def test_the_flag_is_host_memory_that_a_kernel_can_write(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, _ = made(monkeypatch)
    flag = cuda.flag()
    assert not flag
    ctypes.c_int.from_address(int(flag.pointer)).value = 1
    assert flag
    flag.clear()
    assert not flag
    assert flag.pointer.dtype == np.uint64
