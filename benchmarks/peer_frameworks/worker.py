"""The process of one framework: commands as lines of JSON on standard input, an answer in one line each.

    python worker.py NAME DEVICE PROCESSORS

It waits for commands without using the processor. Whatever a library prints goes to standard error.
"""

import os
import sys

if __name__ == "__main__" and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, [int(each) for each in sys.argv[3].split(",")])  # before any library counts processors

import gc
import json
import time
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from peer_frameworks import make_framework
from peer_frameworks.framework import Arrays, Framework
from peer_frameworks.problems import CASES, Problem, initial_weights

__all__ = ["RESET_AFTER", "Worker", "departures", "main", "resident_mib"]

RESET_AFTER = 256
"""So many steps on one batch at most between two resets, lest it is learnt by heart and numbers become subnormal."""


def resident_mib(field: str = "VmRSS") -> float | None:
    """Memory of this process in MiB as Linux tells it: VmRSS now, VmHWM at its highest."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((round(int(line.split()[1]) / 1024, 1) for line in lines if line.startswith(field + ":")), None)


def forget_peak() -> None:
    """Let VmHWM count from now on, where the system allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def departures(framework: Framework, losses: list[float], expected: Arrays, start: Arrays) -> dict[str, float]:
    """How far losses and moves of the weights are from the float64 loop's, as fractions of them."""
    found = framework.losses(len(losses))
    loss_error = max(abs(a - b) / max(abs(b), 1e-3) for a, b in zip(found, losses, strict=True))
    pairs = zip(framework.parameters(), expected, strict=True)
    gap = sum(float(np.sum((np.asarray(mine, np.float64) - true) ** 2)) for mine, true in pairs)
    moved = sum(float(np.sum((b - a) ** 2)) for a, b in zip(start, expected, strict=True))
    return {"loss_error": loss_error, "move_error": (gap / moved) ** 0.5}


class Worker:
    """Answers commands with the framework it was started for."""

    def __init__(self, framework: Framework) -> None:
        self.framework = framework
        self.problem: Problem | None = None

    def facts(self) -> dict[str, Any]:
        """Versions, libraries of linear algebra with their threads, measures, memory after the imports."""
        from threadpoolctl import threadpool_info

        pools = [
            {key: pool.get(key) for key in ("internal_api", "version", "architecture", "num_threads")}
            for pool in threadpool_info()
        ]
        return {
            "versions": self.framework.versions(),
            "measures": list(self.framework.measures),
            "thread_pools": pools,
            "imported_mib": resident_mib(),
        }

    def prepare(self, case: str, optimizer: str, batch_size: int, expected: str) -> dict[str, Any]:
        """Load a problem, take the first step (compilation), and compare ten steps with those computed in float64."""
        problem = Problem(CASES[case], optimizer, batch_size)
        reason = self.framework.refusal(problem)
        if reason is not None:
            return {"refused": reason}
        forget_peak()
        weights = initial_weights(problem.case)
        problem.data  # noqa: B018  made before the clock starts
        started = time.perf_counter()
        self.framework.load(problem, weights)
        built = time.perf_counter()
        self.framework.steps(self.framework.block)
        ready = time.perf_counter()
        self.problem = problem
        answer: dict[str, Any] = {"setup_seconds": built - started, "first_call_seconds": ready - built}
        if self.framework.checked:
            with np.load(expected) as stored:
                true = [stored[f"arr_{place}"] for place in range(len(weights))]
                losses = stored["losses"].tolist()
            self.framework.reset()
            answer |= departures(self.framework, losses, true, weights)
        return {**answer, "block": self.framework.block, "notes": self.framework.notes}

    def sample(self, measure: str, count: int, wake: float) -> dict[str, Any]:
        """Seconds for ``count`` steps or epochs; ``wake`` seconds of steps before, and resets, do not count."""
        gc.collect()
        gc.disable()
        try:
            self._wake(wake)
            seconds = self._epochs(count) if measure == "epoch" else self._steps(count)
        finally:
            gc.enable()
        return {"seconds": seconds, "count": count}

    def _wake(self, seconds: float) -> None:
        """Steps until caches are filled and threads awake again after the others' turns, as they are in a training."""
        stop = time.perf_counter() + seconds
        self._steps(self.framework.block)
        while time.perf_counter() < stop:
            self._steps(self.framework.block)

    def _epochs(self, count: int) -> float:
        self.framework.reset()
        started = time.perf_counter()
        self.framework.epochs(count)
        return time.perf_counter() - started

    def _steps(self, count: int) -> float:
        seconds, left = 0.0, count
        at_once = max(self.framework.block, RESET_AFTER // self.framework.block * self.framework.block)
        while left:
            part = min(left, at_once)
            self.framework.reset()
            started = time.perf_counter()
            self.framework.steps(part)
            seconds += time.perf_counter() - started
            left -= part
        return seconds

    def release(self) -> dict[str, Any]:
        """The most memory this process has held since ``prepare``."""
        answer = {"peak_mib": resident_mib("VmHWM"), "device_bytes": self.framework.device_bytes()}
        gc.collect()
        return answer

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """What a command brings; what goes wrong comes back as text, and the process goes on."""
        name = command.pop("do")
        try:
            found: dict[str, Any] = getattr(self, name)(**command)
        except Exception as error:  # a framework may fail in any way; the others are measured all the same
            traceback.print_exc()
            text = (str(error).strip() or "no message").splitlines()[0][:300]
            return {"error": f"{type(error).__name__}: {text}"}
        return found


def main() -> None:
    """Import the framework, say so, then answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever libraries print

    def say(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")

    started = time.perf_counter()
    try:
        worker = Worker(make_framework(sys.argv[1], sys.argv[2]))
    except ImportError as error:
        say({"unavailable": str(error).strip().splitlines()[0]})
        return
    say({"import_seconds": time.perf_counter() - started})
    for line in sys.stdin:
        say(worker.answer(json.loads(line)))


if __name__ == "__main__":
    main()
