"""The whole diagnosis: machine and backends together, with warnings about a choice that cannot work."""

import json
import sys
from typing import Any

import pytest

from polydnn.api import backends as backends_module
from polydnn.api.diagnosis import diagnose
from tests.fake_cupy import install_fake_cupy


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLYDNN_BACKEND", raising=False)
    monkeypatch.setattr(backends_module, "_made", {})
    for library in ("torch", "jax"):
        monkeypatch.setitem(sys.modules, library, None)


def topics(report: dict[str, Any], topic: str) -> list[dict[str, str]]:
    return [warning for warning in report["warnings"] if warning["topic"] == topic]


def test_machine_and_backends_stand_in_one_record() -> None:
    report = diagnose()
    assert json.loads(json.dumps(report)) == report
    assert report["default_backend"] == "numpy"
    names = [each["name"] for each in report["backends"]]
    assert {"numpy", "cupy", "torch", "jax", "array-api-strict"} <= set(names)
    assert report["cpu"]["usable_threads"] >= 1


def test_a_default_that_cannot_be_used_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYDNN_BACKEND", "torch")
    report = diagnose()
    assert report["default_backend"] is None
    [warning] = topics(report, "backends")
    assert "backend 'torch' needs PyTorch" in warning["text"]
    assert warning["remedy"] == "set POLYDNN_BACKEND to a backend that works, or unset it"


def test_a_driver_that_no_backend_uses_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr("polydnn.arrays.cuda.driver_cuda", lambda: "13.0")
    [warning] = topics(diagnose(), "backends")
    assert warning["text"] == "there is an NVIDIA driver for CUDA 13.0, and no backend that works on the GPU."
    assert warning["remedy"] == "pip install 'polydnn[cuda13x]'"


def test_a_gpu_that_works_is_listed_without_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fake_cupy(monkeypatch)
    monkeypatch.setattr("polydnn.arrays.cuda.driver_cuda", lambda: "13.0")
    report = diagnose()
    assert topics(report, "backends") == []
    assert [device["name"] for device in report["gpu"]["devices"]] == ["Pretended GPU 0", "Pretended GPU 1"]
