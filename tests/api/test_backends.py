"""Choosing a backend: who has the last word, what "auto" takes and says, and the state of all of them."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from polydnn.api import backends as module
from polydnn.api.backends import BackendStatus, backends, get_backend
from polydnn.arrays import Backend, numpy_backend, strict_backend
from polydnn.errors import (
    AmbiguousNameError,
    BackendUnavailableError,
    InvalidArgumentError,
    PluginError,
    UnknownNameError,
)
from polydnn.registry import BackendSpec, Registry, hookimpl, process
from tests.fake_cupy import Device, install_fake_cupy


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, and no backend kept from another test."""
    monkeypatch.delenv("POLYDNN_BACKEND", raising=False)
    monkeypatch.setattr(module, "_made", {})


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs a plugin that offers backends, given as name=factory."""

    def install(*names: str, **factories: Any) -> None:
        entry_points = []
        for name in names or ("polydnn_pretended",):
            made: Any = ModuleType(name)
            specs = [BackendSpec(key, factory) for key, factory in factories.items()]
            made.polydnn_backends = hookimpl(lambda specs=specs: specs)
            made.polydnn_backends.__name__ = "polydnn_backends"
            monkeypatch.setitem(sys.modules, name, made)
            entry_points.append(EntryPoint(name.removeprefix("polydnn_"), name, "polydnn"))
        monkeypatch.setattr(process._process, "registry", Registry(entry_points))

    return install


def without(monkeypatch: pytest.MonkeyPatch, *libraries: str) -> None:
    for library in libraries:
        monkeypatch.setitem(sys.modules, library, None)


def test_numpy_is_the_default() -> None:
    assert get_backend().name == "numpy"
    assert get_backend(None) is get_backend("numpy")


def test_the_environment_beats_the_default_and_the_argument_beats_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYDNN_BACKEND", " array-api-strict ")
    assert get_backend().name == "array-api-strict"
    assert get_backend("array-api-strict:device2").name == "array-api-strict:device2"
    assert get_backend("numpy").name == "numpy"
    monkeypatch.setenv("POLYDNN_BACKEND", "")
    assert get_backend().name == "numpy"


def test_a_backend_passes_as_it_is() -> None:
    backend = strict_backend("device2")
    assert get_backend(backend) is backend


def test_every_name_selects_its_device() -> None:
    names = ["numpy", "array-api-strict", "array-api-strict:device2", "polydnn:array-api-strict:CPU_DEVICE"]
    assert [get_backend(name).name for name in names] == [*names[:3], "array-api-strict:CPU_DEVICE"]
    for name, library in (("torch", "torch"), ("jax", "jax")):
        pytest.importorskip(library)
        assert get_backend(name).name == name


def test_a_backend_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = install_fake_cupy(monkeypatch)
    calls = []
    matmul = cupy.matmul
    monkeypatch.setattr(cupy, "matmul", lambda a, b: calls.append(1) or matmul(a, b))
    assert get_backend("cupy") is get_backend("cupy")
    assert len(calls) == 1
    assert get_backend("cupy:1") is not get_backend("cupy")
    assert len(calls) == 2


def test_choosing_a_cuda_device_makes_it_current_and_listing_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fake_cupy(monkeypatch)
    without(monkeypatch, "torch", "jax")
    get_backend("cupy:1")
    backends()
    assert Device.current == 1
    get_backend("cupy")
    assert Device.current == 0


def test_unknown_names_come_with_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        r"unknown backend 'nmupy'; registered: array-api-strict, cupy, jax, numpy, torch. Did you mean 'numpy'\? "
        r"For an NVIDIA GPU, 'cupy' or 'torch:cuda'; 'auto' takes the first that works.$"
    )
    with pytest.raises(UnknownNameError, match=text):
        get_backend("nmupy")
    monkeypatch.setenv("POLYDNN_BACKEND", "gpu")
    with pytest.raises(UnknownNameError, match=r"unknown backend 'gpu'; .* environment variable POLYDNN_BACKEND"):
        get_backend()


def test_an_unusable_backend_from_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "cupy")
    monkeypatch.setenv("POLYDNN_BACKEND", "cupy")
    with pytest.raises(BackendUnavailableError, match=r"'cupy' needs CuPy.* environment variable POLYDNN_BACKEND"):
        get_backend()


@pytest.mark.parametrize("name", [3, True, ["numpy"], numpy_backend])
def test_what_is_no_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"backend must be a name such as 'numpy' or a polydnn.Backend"):
        get_backend(name)


def test_auto_takes_cupy_where_it_works(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    install_fake_cupy(monkeypatch)
    with caplog.at_level(logging.INFO, logger="polydnn"):
        chosen = get_backend("auto")
    assert chosen.name == "cupy"
    assert chosen.reason == "'auto' chose cupy on Pretended GPU 0: it works, and comes first."
    assert caplog.messages == [chosen.reason]
    assert get_backend("cupy").reason == "", "a backend that was named carries no reason"
    assert get_backend("cupy") == chosen


def test_auto_falls_back_to_numpy_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fake_cupy(monkeypatch, RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected"))
    without(monkeypatch, "torch")
    chosen = get_backend("auto")
    assert chosen.name == "numpy"
    assert chosen.reason.startswith("'auto' chose numpy on ")
    assert "backend 'cupy:0': CuPy 14.2.0 is installed but does not work here (RuntimeError: cudaErr" in chosen.reason
    assert chosen.reason.endswith("; backend 'torch' needs PyTorch, which is not installed.")


def test_auto_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fake_cupy(monkeypatch)
    monkeypatch.setenv("POLYDNN_BACKEND", "auto")
    assert get_backend().name == "cupy"


def test_the_state_of_every_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "cupy", "torch", "jax")
    monkeypatch.setattr(module, "driver_cuda", lambda: "12.4")
    found = {status.name: status for status in backends()}
    assert list(found) == ["array-api-strict", "cupy", "jax", "numpy", "torch", "torch:cuda"]
    assert found["numpy"] == BackendStatus("numpy", True, numpy_backend().device_name())
    assert found["array-api-strict"].device == "simulated device device1"
    assert not found["cupy"].available
    assert found["cupy"].reason.startswith("backend 'cupy' needs CuPy, which is not installed.")
    assert found["cupy"].install == "pip install 'polydnn[cuda12x]'"
    assert found["jax"].install == "pip install 'polydnn[jax]'"
    assert found["torch"].install == "pip install 'polydnn[torch]'"


def failing(device: str | None) -> Backend:
    raise OSError(5, "the card fell off the bus")


def test_a_plugins_backend_takes_its_device(plugin: Callable[..., None]) -> None:
    plugin(mlx=lambda device: strict_backend("device2" if device == "gpu" else None))
    assert get_backend("mlx").name == "array-api-strict"
    assert get_backend("mlx:gpu").name == "array-api-strict:device2"
    assert "mlx" in [status.name for status in backends()]


def test_a_plugins_backend_that_fails_is_reported_not_raised(plugin: Callable[..., None]) -> None:
    plugin(broken=failing, wrong=lambda device: 3)
    text = r"backend 'broken' of pretended .* cannot be used: OSError: \[Errno 5\] the card fell off the bus. It comes"
    with pytest.raises(BackendUnavailableError, match=text):
        get_backend("broken")
    text = "the factory of backend 'wrong' of pretended .* must return a polydnn.Backend, found an object of type int"
    with pytest.raises(PluginError, match=text):
        get_backend("wrong")
    found = {status.name: status for status in backends()}
    assert "the card fell off the bus" in found["broken"].reason
    assert found["broken"].install == "pip install --upgrade pretended"
    assert "must return a polydnn.Backend" in found["wrong"].reason
    assert found["numpy"].available


@pytest.mark.filterwarnings("ignore::polydnn.registry.PolydnnPluginWarning")
def test_a_name_of_two_plugins_needs_the_qualified_form(plugin: Callable[..., None]) -> None:
    plugin("polydnn_one", "polydnn_two", mlx=lambda device: strict_backend(device))
    with pytest.raises(AmbiguousNameError, match="backend 'mlx' is offered by 2 packages; say which: 'one:mlx' or"):
        get_backend("mlx")
    assert get_backend("two:mlx:device2").name == "array-api-strict:device2"


def test_a_cupy_that_imports_and_does_not_work(tmp_path: Path) -> None:
    (tmp_path / "cupy").mkdir()
    (tmp_path / "cupy" / "__init__.py").write_text("__version__ = '0'\nndarray = type('ndarray', (), {})\n")
    code = "import polydnn.api.backends as b\nprint(b.get_backend('auto').name)\nb.get_backend('cupy')"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd(), *sys.path])}
    command = [sys.executable, "-c", f"import sys; sys.modules['torch'] = None\n{code}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "numpy\n"
    assert "BackendUnavailableError: backend 'cupy': CuPy is installed but cannot be imported (" in done.stderr
    assert "pip install 'polydnn[cuda13x]'" in done.stderr
