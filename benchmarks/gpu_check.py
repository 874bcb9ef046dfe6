"""What a first look at a CUDA machine needs: the tests that want a GPU, the peers on it, and the machine's facts.

    python benchmarks/gpu_check.py          # a few minutes; stores benchmarks/results/gpu_check.json
    python benchmarks/gpu_check.py --seconds 300 --output found.json

Each part runs in a process of its own and a failure is stored like a figure: whatever is learnt is kept. Without a
CUDA device that CuPy can compute on it says so in a sentence, stores nothing, and ends without an error. The figures of
the peers stand in ``peers_cuda.json`` beside the output.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from machine_facts import machine_facts

import polydnn
from polydnn.errors import PolydnnError

ROOT = Path(__file__).parent.parent
TAIL = 4000
"""Characters kept of what a failing part printed."""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "gpu_check.json")
    parser.add_argument("--seconds", type=float, default=540.0, help="the longest that one part may take")
    return parser.parse_args(arguments)


def device_facts() -> dict[str, Any] | str:
    """The device and the versions that its figures depend on; a sentence where there is none."""
    try:
        backend = polydnn.get_backend("cupy")
    except PolydnnError as error:
        return str(error)
    driver = run(
        ["nvidia-smi", "--query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit", "--format=csv"], 30.0
    )
    return {
        "name": backend.device_name(),
        "caches": backend.caches(),
        "processors": backend.processors(),
        "free_bytes": backend.memory_bytes(),
        "versions": backend.versions(),
        "nvidia_smi": driver["output"],
    }


def run(command: list[str], seconds: float) -> dict[str, Any]:
    """One part: its exit code (None where it was stopped or is not there), seconds, and the end of what it said."""
    started = time.perf_counter()
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
        code, said = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired as error:
        code, said = None, f"stopped after {seconds:.0f} seconds\n{_text(error.stdout)}{_text(error.stderr)}"
    except OSError as error:
        code, said = None, str(error)
    return {"exit_code": code, "seconds": round(time.perf_counter() - started, 1), "output": said[-TAIL:]}


def _text(printed: bytes | str | None) -> str:
    return printed.decode(errors="replace") if isinstance(printed, bytes) else printed or ""


def parts(output: Path) -> dict[str, list[str]]:
    """The commands by name."""
    python = sys.executable
    peers = output.with_name("peers_cuda.json")
    return {
        "tests": [python, "-m", "pytest", "-n", "0", "-q", "-m", "gpu", "tests"],
        "peers": [
            *(python, "benchmarks/peers.py", "--device", "cuda", "--quick", "--loaded-anyway"),
            *("--output", str(peers)),
        ],
    }


def main(arguments: list[str] | None = None) -> int:
    """Run all parts; 1 where one failed."""
    chosen = parse(arguments)
    facts = device_facts()
    if isinstance(facts, str):
        print(f"Nothing was checked: {facts}")
        return 0
    found: dict[str, Any] = {"schema": 1, "benchmark": "gpu_check", "device": facts, "machine": machine_facts()}
    for name, command in parts(chosen.output.resolve()).items():
        print(f"{name}: {' '.join(command[1:])}", file=sys.stderr)
        found[name] = {"command": command[1:], **run(command, chosen.seconds)}
        chosen.output.parent.mkdir(parents=True, exist_ok=True)
        chosen.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: exit code {found[name]['exit_code']} after {found[name]['seconds']} s")
    return int(any(found[name]["exit_code"] != 0 for name in ("tests", "peers")))


if __name__ == "__main__":
    sys.exit(main())
