"""``polydnn doctor``: the report on standard output, in tables or as one JSON object and nothing else."""

import json
import sys
from typing import Any

import pytest
from click.testing import CliRunner

from polydnn.api import backends as backends_module
from polydnn.cli.doctor import doctor
from tests.fake_cupy import install_fake_cupy

module: Any = sys.modules[doctor.callback.__module__]  # the room may export the command under the module's name


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLYDNN_BACKEND", raising=False)
    monkeypatch.setattr(backends_module, "_made", {})
    for library in ("torch", "jax"):
        monkeypatch.setitem(sys.modules, library, None)


def flat(text: str) -> str:
    """The text of tables without line breaks, as far as words go."""
    return " ".join(text.split())


def test_json_is_one_object_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    original = module.diagnose

    def talkative() -> dict[str, Any]:
        print("a library says hello")
        return dict(original())

    monkeypatch.setattr(module, "diagnose", talkative)
    result = CliRunner().invoke(doctor, ["--json"])
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert "a library says hello" in result.stderr
    assert {"cpu", "caches", "blas", "memory", "backends", "gpu", "warnings", "default_backend"} <= set(report)


def test_tables_have_every_section(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "512")
    result = CliRunner().invoke(doctor)
    assert result.exit_code == 0
    assert result.stderr == ""
    for title in ("CPU", "Caches", "BLAS", "Memory", "Backends", "Executors", "GPU", "Software", "Warnings"):
        assert f"\n{title} " in "\n" + result.stdout
    text = flat(result.stdout)
    assert "works, default" in text
    assert "'polydnn[cuda13x]'" in text, "square brackets are no markup"
    assert "OPENBLAS_L2_SIZE=512 replaces the L2" in text
    assert "unset OPENBLAS_L2_SIZE before starting Python" in text


def test_a_gpu_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fake_cupy(monkeypatch)
    text = flat(CliRunner().invoke(doctor).stdout)
    assert "Pretended GPU 1, compute capability 9.0, 132 multiprocessors, L2 60 MiB, 100 GiB of 139 GiB free" in text
    assert "cupy works Pretended GPU 0" in text


def test_a_device_that_fails_beside_one_that_works() -> None:
    gpu = {
        "works": True,
        "driver": None,
        "driver_cuda": "13.0",
        "cupy": "14.2.0",
        "runtime_cuda": "13.0",
        "devices": [{"number": 1, "reason": "backend 'cupy:1': no"}],
    }
    assert module._gpu(gpu)[-1] == ("device 1", "backend 'cupy:1': no")


def test_nothing_to_warn_about_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    report = module.diagnose()
    monkeypatch.setattr(module, "diagnose", lambda: {**report, "warnings": []})
    assert flat(CliRunner().invoke(doctor).stdout).endswith("none")


def test_an_unknown_option_is_wrong_usage() -> None:
    assert CliRunner().invoke(doctor, ["--xml"]).exit_code == 2


def test_executors_are_listed_with_what_they_are_for() -> None:
    report = json.loads(CliRunner().invoke(doctor, ["--json"]).stdout)
    found = {each["name"]: each["backends"] for each in report["executors"]}
    assert found["reference"] == []
    assert found["numpy"] == ["numpy"]
    assert found["jax_jit"] == ["jax"]
    assert all(each["summary"].endswith(".") for each in report["executors"])
