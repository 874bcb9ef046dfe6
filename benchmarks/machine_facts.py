"""The machine a benchmark ran on, as `polydnn doctor` reports it, to stand beside every stored figure."""

import json
import os
import subprocess
import sys
from typing import Any

__all__ = ["FORCING", "machine_facts"]

FORCING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Environment variables that force slow kernels; they count only before NumPy is loaded."""

KEPT = ("cpu", "caches", "blas", "load_average", "software", "environment")


def machine_facts() -> dict[str, Any]:
    """Processor, caches, BLAS with its kernels and threads, load, versions, and the variables that were unset."""
    found = {name: os.environ[name] for name in FORCING if name in os.environ}
    environment = {name: value for name, value in os.environ.items() if name not in FORCING}
    done = subprocess.run(
        [sys.executable, "-m", "polydnn", "doctor", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    report = json.loads(done.stdout)
    return {**{name: report[name] for name in KEPT}, "unset": found}
