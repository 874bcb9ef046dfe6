"""The tests that write themselves, in a run of pytest of their own, beside a plugin package on the path."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.testing.plugin_sources import FAULTY, SOUND

ROOT = Path(__file__).parents[2]
STRICT = "[pytest]\naddopts = --strict-markers --strict-config\nfilterwarnings = error\n"


@pytest.fixture
def run_pytest(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run pytest in the package's folder, and return its exit status and what it printed."""

    def run(*arguments: str) -> tuple[int, str]:
        (tmp_path / "pytest.ini").write_text(STRICT)
        path = os.pathsep.join([str(tmp_path), str(ROOT)])
        environment = {**os.environ, "PYTHONPATH": path, "POLYDNN_DISABLE_PLUGINS": ""}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", "-v", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900)
        return done.returncode, done.stdout + done.stderr

    return run


def test_one_line_tests_every_item_on_every_backend(write_plugin: Callable, run_pytest: Callable) -> None:
    folder = write_plugin("sound", SOUND)
    (folder / "torch.py").write_text("raise ImportError('no torch here')\n")
    (folder / "test_it.py").write_text(
        'from polydnn.testing import conformance_tests\n\ntest_conformance = conformance_tests("polydnn-sound")\n'
    )
    status, text = run_pytest("-k", "not jax")
    assert status == 0, text
    for name in ("activation-softsign-numpy", "activation-softsign-array-api-strict", "initializer-tiny-numpy"):
        assert f"test_it.py::test_conformance[{name}] PASSED" in text
    assert "test_it.py::test_conformance[activation-softsign-torch] SKIPPED" in text
    assert "backend 'torch': PyTorch is installed but cannot be imported (ImportError: no torch here)" in text


def test_a_failure_shows_the_report_and_no_frames_of_the_kit(write_plugin: Callable, run_pytest: Callable) -> None:
    folder = write_plugin("faulty", FAULTY)
    (folder / "test_it.py").write_text(
        "from polydnn.testing import conformance_tests\n\n"
        'test_conformance = conformance_tests("polydnn-faulty", backends=["numpy"])\n'
    )
    status, text = run_pytest()
    assert status == 1
    assert "activation 'ramp' on numpy: 2 of 18 checks failed" in text
    assert "expected  0 (central difference of forward in float64)" in text
    assert "it needs factor; check it in a test of your own" in text
    assert "generated.py:" not in text.partition("FAILURES")[2].partition("short test summary")[0]


def test_the_option_tests_a_package_without_a_file(write_plugin: Callable, run_pytest: Callable) -> None:
    write_plugin("sound", SOUND)
    status, text = run_pytest(
        "-p", "polydnn.testing.pytest_plugin", "--polydnn-package", "polydnn-sound", "-k", "numpy or strict"
    )
    assert status == 0, text
    assert "polydnn-sound::activation-softsign-numpy PASSED" in text
    assert "polydnn-sound::initializer-tiny-numpy PASSED" in text
    assert "3 passed" in text


def test_the_option_marks_what_needs_a_gpu(write_plugin: Callable, run_pytest: Callable) -> None:
    write_plugin("sound", SOUND)
    status, text = run_pytest(
        "-p",
        "polydnn.testing.pytest_plugin",
        "--polydnn-package",
        "polydnn-sound",
        "-m",
        "gpu",
        "--collect-only",
        "-q",
        "-q",
    )
    assert status == 0, text
    assert [line for line in text.splitlines() if "::" in line] == ["polydnn-sound::activation-softsign-cupy"]


def test_a_failure_of_the_option_is_the_report(write_plugin: Callable, run_pytest: Callable) -> None:
    write_plugin("faulty", FAULTY)
    status, text = run_pytest(
        "-p", "polydnn.testing.pytest_plugin", "--polydnn-package", "polydnn-faulty", "-k", "ramp-numpy"
    )
    assert status == 1
    assert "activation 'ramp' on numpy: 2 of 18 checks failed" in text
    assert "run_case" not in text


def test_an_unknown_package_is_wrong_usage(write_plugin: Callable, run_pytest: Callable) -> None:
    write_plugin("sound", SOUND)
    status, text = run_pytest("-p", "polydnn.testing.pytest_plugin", "--polydnn-package", "polydnn-sond")
    assert status == 4
    assert "--polydnn-package polydnn-sond: unknown plugin 'polydnn-sond'; registered: polydnn, " in text
    assert "Did you mean 'polydnn-sound'?" in text


def test_importing_the_kit_does_not_import_pytest() -> None:
    code = "import sys, polydnn.testing; sys.exit('pytest' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
