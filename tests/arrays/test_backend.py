"""Every backend keeps the contract: names, devices, dtypes, copies, and arrays that never cross by themselves."""

import contextlib
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from polydnn.arrays import (
    Backend,
    cpu_name,
    cupy_backend,
    dtype_name,
    jax_backend,
    namespace_of,
    numpy_backend,
    strict_backend,
    torch_backend,
)
from polydnn.arrays._torch import TorchBackend
from polydnn.arrays.dtypes import DTYPE_NAMES
from polydnn.errors import BackendError, BackendUnavailableError, InvalidDataError, MixedBackendsError, UnknownNameError
from tests.fake_cupy import Device, install_fake_cupy


def test_arrays_go_there_and_back(backend: Backend) -> None:
    host = np.asarray([[1.0, 2.0], [3.0, 4.0]])
    array = backend.asarray(host)
    assert backend.owns(array)
    assert not backend.owns([1.0])
    back = backend.to_numpy(array @ array)
    assert type(back) is np.ndarray
    np.testing.assert_array_equal(back, host @ host)


def test_only_numpy_shares_memory_with_the_caller(backend: Backend) -> None:
    if backend.library == "numpy":
        pytest.skip("on NumPy the caller's own array may be used")
    memory = np.zeros(4096 * 8 + 64, dtype=np.uint8)
    start = -memory.ctypes.data % 64  # libraries go on using memory that is aligned as they like it
    host = memory[start : start + 4096 * 8].view(np.float64)
    host[:] = np.arange(4096.0)
    array = backend.asarray(host)
    host[:] = -1.0
    assert float(backend.to_numpy(array)[5]) == 5.0
    back = backend.to_numpy(array)
    back[5] = -1.0
    assert float(backend.to_numpy(array)[5]) == 5.0


def test_numpy_gives_the_callers_array_back() -> None:
    host = np.ones(3)
    backend = numpy_backend()
    assert backend.asarray(host) is host
    assert backend.to_numpy(host) is host


def test_numpy_makes_plain_arrays_of_subclasses() -> None:
    matrix = np.ones((2, 2)).view(np.matrix)
    assert not numpy_backend().owns(matrix)
    assert type(numpy_backend().asarray(matrix)) is np.ndarray
    assert numpy_backend().owns(np.float64(1.0))
    assert type(numpy_backend().asarray(np.float64(1.0))) is np.ndarray


@pytest.mark.parametrize("name", DTYPE_NAMES)
def test_a_dtype_has_one_name_everywhere(backend: Backend, name: str) -> None:
    if name in ("float16", "bfloat16") and not hasattr(backend.xp, name):
        with pytest.raises(BackendError, match=f"dtype '{name}' does not exist on backend '.*'; use 'float32'"):
            backend.dtype(name)
        return
    dtype = backend.dtype(name)
    assert dtype_name(dtype) == name
    assert backend.dtype(dtype) == dtype
    made = backend.xp.zeros(2, dtype=dtype, device=backend.device)
    assert dtype_name(made.dtype) == name
    assert backend.to_numpy(made).tolist() == [0, 0]


def test_dtypes_of_numpy_are_understood(backend: Backend) -> None:
    assert backend.dtype(np.float32) == backend.dtype(np.dtype("float32")) == backend.dtype("float32")


@pytest.mark.parametrize("name", ["flaot32", "pi", "sum", "complex64", "longdouble"])
def test_what_is_no_real_dtype_is_unknown(backend: Backend, name: str) -> None:
    with pytest.raises(UnknownNameError, match=f"unknown dtype '{name}'; registered: bfloat16, bool, float16, float32"):
        backend.dtype(name)


def test_the_near_dtype_is_suggested() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'float32'"):
        numpy_backend().dtype("flaot32")


def test_the_widest_dtype_is_float64_here(backend: Backend) -> None:
    assert dtype_name(backend.widest_dtype) == "float64"


def test_facts_about_the_device(backend: Backend) -> None:
    assert backend.device_name()
    assert all(size > 0 for size in backend.caches().values())
    memory = backend.memory_bytes()
    assert memory is None or memory > 0
    assert namespace_of(backend.asarray([1.0])) is not None
    backend.synchronize()
    backend.activate()
    if backend.on_host:
        assert backend.processors() == {}
    ran: list[int] = []
    assert backend.seconds(lambda: ran.append(1)) >= 0
    assert ran == [1]


def test_backends_are_equal_by_library_and_device() -> None:
    assert numpy_backend() == numpy_backend("cpu")
    assert strict_backend() == strict_backend("device1") != strict_backend("device2")
    assert len({numpy_backend(), numpy_backend("cpu"), strict_backend()}) == 2
    assert numpy_backend() != "numpy"
    assert repr(strict_backend("device2")) == "<backend array-api-strict:device2>"


def test_names_select_the_same_backend_again() -> None:
    assert strict_backend().name == "array-api-strict"
    assert strict_backend("CPU_DEVICE").name == "array-api-strict:CPU_DEVICE"
    assert strict_backend().device_name() == "simulated device device1"
    assert numpy_backend().device_name() == cpu_name()


def test_torch_names_and_devices() -> None:
    pytest.importorskip("torch")
    assert torch_backend() == torch_backend("cpu")
    assert torch_backend().name == "torch"
    for device in ("meta", "bogus", "cuda:999"):
        text = f"backend 'torch:{device}': PyTorch .* cannot compute there .* Use 'torch' for the CPU"
        with pytest.raises(BackendUnavailableError, match=text):
            torch_backend(device)


def test_jax_names_and_devices() -> None:
    jax = pytest.importorskip("jax")
    platform = jax.devices()[0].platform
    assert jax_backend() == jax_backend(platform) == jax_backend(f"{platform}:0")
    assert jax_backend(platform).name == "jax"
    for device in ("bogus", f"{platform}:999", f"{platform}:-1", f"{platform}:x"):
        with pytest.raises(
            BackendUnavailableError, match=f"backend 'jax:{device}': JAX .* has no such device here .* It"
        ):
            jax_backend(device)


def test_devices_that_do_not_exist_are_named() -> None:
    with pytest.raises(BackendUnavailableError, match="backend 'numpy:gpu': NumPy has the device 'cpu' only"):
        numpy_backend("gpu")
    with pytest.raises(BackendUnavailableError, match="'array-api-strict:x': no such device; there are CPU_DEVICE"):
        strict_backend("x")
    with pytest.raises(BackendUnavailableError, match="backend 'cupy:x': a CUDA device is named by its number"):
        cupy_backend("x")


def test_foreign_arrays_are_refused_by_asarray(backend: Backend) -> None:
    stranger = strict_backend("device2").asarray([1.0])
    with pytest.raises(MixedBackendsError, match=r"value is a array_api_strict.Array on .* but the backend is '"):
        backend.asarray(stranger)
    with pytest.raises(MixedBackendsError, match=r"weights is a array_api_strict.Array on"):
        backend.refuse_foreign(stranger, "weights")
    backend.refuse_foreign(np.ones(2), "weights")
    backend.refuse_foreign([1.0], "weights")


def test_torch_refuses_what_would_lose_its_gradient_record() -> None:
    torch = pytest.importorskip("torch")
    array = torch_backend().asarray(torch.ones(2, requires_grad=True) * 2)
    assert not array.requires_grad
    assert torch_backend().to_numpy(torch.ones(2, requires_grad=True)).tolist() == [1.0, 1.0]


def test_jax_synchronize_waits_for_the_work() -> None:
    jax = pytest.importorskip("jax")
    backend = jax_backend()
    square = jax.jit(lambda a: a @ a @ a @ a)
    big = backend.asarray(np.ones((1200, 1200), dtype=np.float32))
    square(big).block_until_ready()  # compiled
    product = square(big)
    backend.synchronize()
    assert product.is_ready()


WITHOUT_64_BITS = """
import numpy as np, pytest
from polydnn.arrays import as_input, dtype_name, jax_backend
from polydnn.errors import BackendError, InvalidDataError
backend = jax_backend()
assert dtype_name(backend.asarray([1.0]).dtype) == "float32"
assert dtype_name(backend.asarray(np.arange(3)).dtype) == "int32"
assert dtype_name(as_input(backend, np.arange(3, dtype=">u8"), "x").dtype) == "uint32"
assert dtype_name(backend.index_dtype) == "int32" and dtype_name(backend.widest_dtype) == "float32"
for name in ("float64", "int64", "uint64"):
    with pytest.raises(BackendError, match=f"dtype '{name}' is switched off in JAX; set JAX_ENABLE_X64=1 before"):
        backend.dtype(name)
with pytest.raises(BackendError, match="dtype 'float64' is switched off in JAX"):
    backend.asarray([1.0], dtype=backend.xp.float64)
with pytest.raises(InvalidDataError, match="value holds 1099511627776, which int32 cannot hold"):
    backend.asarray(2**40)
with pytest.raises(InvalidDataError, match="value holds 1e.300, which float32 cannot hold"):
    backend.asarray(1e300)
"""


def test_jax_without_64_bits_narrows_loudly() -> None:
    pytest.importorskip("jax")
    environment = {**os.environ, "JAX_ENABLE_X64": "0"}
    command = [sys.executable, "-W", "error", "-c", WITHOUT_64_BITS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_torch_on_cuda_tells_its_multiprocessors_and_its_time_by_events() -> None:
    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None: ...

        def synchronize(self) -> None: ...

        def elapsed_time(self, end: "Event") -> float:
            return 20.0

    told = SimpleNamespace(
        L2_cache_size=60 * 2**20, multi_processor_count=132, shared_memory_per_multiprocessor=228 * 2**10
    )
    cuda = SimpleNamespace(
        device=lambda device: contextlib.nullcontext(), Event=Event, get_device_properties=lambda device: told
    )
    backend = TorchBackend(SimpleNamespace(cuda=cuda), None, SimpleNamespace(type="cuda"))
    assert backend.seconds(lambda: None) == 0.02
    assert backend.caches() == {"L2": 60 * 2**20}
    assert backend.processors() == {"multiprocessors": 132, "shared_bytes_per_multiprocessor": 228 * 2**10}
    assert not backend.on_host


def test_cupy_is_accepted_after_its_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fake_cupy(monkeypatch)
    first, second = cupy_backend(), cupy_backend("1")
    assert (first.name, second.name) == ("cupy", "cupy:1")
    assert Device.current == 0, "a probe leaves the current device alone"
    assert first.device_name() == "Pretended GPU 0"
    assert first.caches() == {"L2": 60 * 2**20}
    assert first.memory_bytes() == 100 * 2**30 + 2**20
    assert first.processors() == {"multiprocessors": 132, "shared_bytes_per_multiprocessor": 228 * 2**10}
    assert first.seconds(lambda: None) == 0.25, "events tell the time of a device"
    assert not first.on_host
    array = second.asarray([1.0, 2.0], dtype=np.float32)
    assert second.owns(array)
    assert not first.owns(array)
    assert second.to_numpy(array).tolist() == [1.0, 2.0]
    second.activate()
    assert Device.current == 1


def test_cupy_arrays_do_not_cross_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fake_cupy(monkeypatch)
    array = cupy_backend("1").asarray([1.0])
    text = r"value is a cupy.ndarray on <CUDA Device 1>, but the backend is 'cupy'; .*cupy.asnumpy\(value\), or move .*"
    with pytest.raises(MixedBackendsError, match=text + r"network.to\('cupy:1'\)"):
        cupy_backend().asarray(array)
    with pytest.raises(MixedBackendsError, match=r"a cupy.ndarray on <CUDA Device 1>, but the backend is 'numpy'"):
        numpy_backend().asarray(array)


class CUDARuntimeError(RuntimeError):
    """Named like CuPy's own."""


CUPY_FAILURES: list[tuple[Exception, str, str]] = [
    (
        CUDARuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient\nmore"),
        r"\(CUDARuntimeError: cudaErrorInsufficientDriver: CUDA driver version is insufficient\)",
        r"It needs a CUDA device and its driver; then pip install 'polydnn\[cuda13x\]'",
    ),
    (
        ImportError("libcublas.so.13: cannot open shared object file"),
        r"\(ImportError: libcublas.so.13: cannot open shared object file\)",
        r"CUDA libraries are missing: pip install 'cupy-cuda13x\[ctk\]'",
    ),
    (
        RuntimeError("libnvrtc could not be loaded"),
        r"\(RuntimeError: libnvrtc could not be loaded\)",
        r"CUDA libraries are missing: pip install 'cupy-cuda13x\[ctk\]'",
    ),
]


@pytest.mark.parametrize(("failure", "cause", "remedy"), CUPY_FAILURES)
def test_cupy_that_imports_and_does_not_work_is_explained(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, cause: str, remedy: str
) -> None:
    install_fake_cupy(monkeypatch, failure)
    text = f"backend 'cupy:0': CuPy 14.2.0 is installed but does not work here {cause}. {remedy}"
    with pytest.raises(BackendUnavailableError, match=text):
        cupy_backend()


def test_cupy_that_computes_wrongly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fake_cupy(monkeypatch, product=5.0)
    with pytest.raises(BackendUnavailableError, match=r"a matrix product came out as 5.0 instead of 4.0"):
        cupy_backend()


def test_a_cuda_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fake_cupy(monkeypatch)
    text = r"backend 'cupy:7': .* device 7 was asked for, there are 2\). Name one of the devices there are."
    with pytest.raises(BackendUnavailableError, match=text):
        cupy_backend("7")


@pytest.mark.parametrize(
    ("factory", "module", "text"),
    [
        (
            cupy_backend,
            "cupy",
            r"'cupy' needs CuPy, which is not installed. Install it: pip install 'polydnn\[cuda13x\]",
        ),
        (torch_backend, "torch", r"'torch' needs PyTorch, which is not installed. .*pip install 'polydnn\[torch\]'"),
        (jax_backend, "jax", r"'jax' needs JAX, which is not installed. .*pip install 'polydnn\[jax\]'"),
        (strict_backend, "array_api_strict", r"'array-api-strict' needs .* not installed.*install 'polydnn\[strict\]'"),
    ],
)
def test_a_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, factory: Any, module: str, text: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BackendUnavailableError, match=f"backend {text}"):
        factory()


def test_asarray_refuses_what_is_no_real_number(backend: Backend) -> None:
    with pytest.raises(InvalidDataError, match="value must hold real numbers, found text"):
        backend.asarray(["a"])
