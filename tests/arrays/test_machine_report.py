"""The record of the machine: complete, ready for JSON, and awake to what slows this machine down."""

import json
import os
import subprocess
import sys

import pytest

from polydnn.arrays import machine_report
from polydnn.arrays.blas import blas_libraries
from polydnn.arrays.caches import Cache
from polydnn.arrays.machine import cpu_flags, vector_level

module = sys.modules["polydnn.arrays.machine_report"]  # as an attribute, the function of that name hides it
SLOWER = {"avx512": "Haswell", "avx2": "Nehalem"}


def test_every_part_is_there_and_is_json() -> None:
    report = machine_report()
    assert json.loads(json.dumps(report)) == report
    assert list(report) == [
        "schema",
        "cpu",
        "caches",
        "blas",
        "memory",
        "load_average",
        "software",
        "environment",
        "gpu",
        "warnings",
    ]
    assert report["software"]["packages"]["numpy"]
    assert all(set(warning) == {"topic", "text", "remedy"} for warning in report["warnings"])


def test_the_gpu_can_be_left_out() -> None:
    assert machine_report(gpu=False)["gpu"] is None


def test_a_forced_kernel_is_noticed_in_a_fresh_process() -> None:
    level = vector_level(cpu_flags())
    if level not in SLOWER or blas_libraries()[0].name != "openblas":
        pytest.skip(f"needs OpenBLAS on a processor with AVX2 or AVX-512, found {blas_libraries()[0].name} and {level}")
    slower = SLOWER[level]
    code = "import json; from polydnn.arrays import machine_report; print(json.dumps(machine_report(gpu=False)))"
    environment = {**os.environ, "OPENBLAS_CORETYPE": slower, "OPENBLAS_L2_SIZE": "512"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert report["blas"][0]["architecture"] == slower
    assert report["environment"]["OPENBLAS_CORETYPE"] == slower
    remedies = {warning["text"].partition("=")[0]: warning["remedy"] for warning in report["warnings"]}
    assert remedies["OPENBLAS_CORETYPE"] == "unset OPENBLAS_CORETYPE before starting Python"
    assert remedies["OPENBLAS_L2_SIZE"].startswith("unset OPENBLAS_L2_SIZE before starting Python")


def test_unknown_caches_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "read_caches", list)
    texts = [warning["text"] for warning in machine_report(gpu=False)["warnings"]]
    assert "the system does not tell the sizes of this processor's caches." in texts


@pytest.mark.parametrize(("virtual", "expected"), [(True, 1), (False, 0)])
def test_a_virtual_machine_told_of_the_hosts_cache(
    monkeypatch: pytest.MonkeyPatch, virtual: bool, expected: int
) -> None:
    monkeypatch.setattr(module, "read_caches", lambda: [Cache(3, "Unified", 480 * 2**20, 64, "0-1")])
    monkeypatch.setattr(module, "cpu_flags", lambda: frozenset({"hypervisor"} if virtual else ()))
    texts = [warning["text"] for warning in machine_report(gpu=False)["warnings"] if warning["topic"] == "caches"]
    assert len(texts) == expected
    assert all(text.startswith("this virtual machine is told of an L3 of 480 MiB for 2 processors") for text in texts)
