"""A run resumed in a new process from the checkpoint of any of its steps ends with the bits of the undisturbed run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "resume_everywhere.py"


@pytest.mark.parametrize(
    ("backend", "wanted", "cases"),
    [
        ("numpy", ["momentum:everything"], 1),
        pytest.param("numpy", [], 30, marks=pytest.mark.slow),
        pytest.param("torch", ["adam"], 6, marks=pytest.mark.slow),
        pytest.param("jax", ["adam:everything"], 1, marks=pytest.mark.slow),
    ],
    ids=["numpy-one", "numpy-every-optimizer-and-feature", "torch", "jax"],
)
def test_every_step_resumed_in_a_new_process_ends_with_the_same_bits(
    backend: str, wanted: list[str], cases: int
) -> None:
    """Digests of parameters, statistics, optimizer state, history and counters."""
    if backend != "numpy":
        pytest.importorskip(backend)
    done = subprocess.run([sys.executable, PROGRAM, backend, *wanted], capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == cases
    for result in results:
        assert len(result["whole"]) == 16, result  # a digest, and no exit status
        assert result["saved"] == result["whole"], f"{result['case']}: saving changed the run"
        assert len(result["steps"]) >= 9, result["case"]  # an early stop comes after the third epoch
        unequal = [step for step, digest in result["steps"].items() if digest != result["whole"]]
        assert not unequal, f"{result['case']}: {unequal}"
