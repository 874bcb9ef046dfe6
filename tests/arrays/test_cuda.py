"""What is said of GPUs: from a stand-in for CuPy, and from a machine that has neither CuPy nor a driver."""

import sys
from pathlib import Path
from typing import Any

import pytest

from polydnn.arrays import cuda
from polydnn.arrays.cuda import cuda_report, cupy_install, driver_version
from tests.fake_cupy import install_fake_cupy


def test_devices_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fake_cupy(monkeypatch)
    monkeypatch.setattr(cuda, "driver_version", lambda: "580.65.06")
    monkeypatch.setattr(cuda, "driver_cuda", lambda: "13.0")
    report = cuda_report()
    devices = report.pop("devices")
    assert report == {
        "works": True,
        "driver": "580.65.06",
        "driver_cuda": "13.0",
        "cupy": "14.2.0",
        "runtime_cuda": "13.0",
    }
    assert devices[1] == {
        "number": 1,
        "name": "Pretended GPU 1",
        "compute_capability": "9.0",
        "multiprocessors": 132,
        "l2_bytes": 60 * 2**20,
        "shared_bytes_per_multiprocessor": 228 * 2**10,
        "memory_bytes": 139 * 2**30,
        "free_bytes": 100 * 2**30 + 2**20,
    }
    assert len(devices) == 2


def test_without_cupy_the_driver_chooses_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(cuda, "driver_cuda", lambda: "12.8")
    report = cuda_report()
    assert report["works"] is False
    assert report["reason"].startswith("backend 'cupy' needs CuPy, which is not installed.")
    assert report["install"] == "pip install 'polydnn[cuda12x]'"


def test_a_cupy_that_does_not_work_keeps_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fake_cupy(monkeypatch, RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected"))
    assert "RuntimeError: cudaErrorNoDevice: no CUDA-capable device is detected" in cuda_report()["reason"]


def test_the_extra_that_fits_the_driver() -> None:
    assert cupy_install("13.1") == "pip install 'polydnn[cuda13x]'"
    assert cupy_install("12.0") == "pip install 'polydnn[cuda12x]'"
    for unknown in (None, "11.8"):
        assert cupy_install(unknown).endswith("or 'polydnn[cuda12x]', never both")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 2024\nGCC 12.2.0",
            "535.183.01",
        ),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n", "580.65.06"),
        ("no version here", None),
    ],
)
def test_the_drivers_version(tmp_path: Path, text: str, version: str | None) -> None:
    path = tmp_path / "version"
    path.write_text(text)
    assert driver_version(path) == version
    assert driver_version(tmp_path / "nothing") is None


def test_the_drivers_cuda_version(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        def cuDriverGetVersion(self, pointer: Any) -> int:
            pointer._obj.value = 12080
            return 0

    monkeypatch.setattr(cuda.ctypes, "CDLL", lambda name: Library())
    assert cuda.driver_cuda() == "12.8"

    def missing(name: str) -> Any:
        raise OSError(name)

    monkeypatch.setattr(cuda.ctypes, "CDLL", missing)
    assert cuda.driver_cuda() is None
