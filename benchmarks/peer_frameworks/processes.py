"""Worker processes as the comparison sees them: started with equal threads, asked one at a time, idle in between."""

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["THREAD_VARIABLES", "WorkerError", "WorkerProcess", "worker_environment"]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
WORKER = Path(__file__).parent / "worker.py"


class WorkerError(Exception):
    """A worker that died, did not answer in time, or answered with an error."""


def worker_environment(forcing: tuple[str, ...], threads: int, device: str, keras_backend: str) -> dict[str, str]:
    """The environment of every worker: no variable that cripples one side, the same number of threads for all."""
    environment = {name: value for name, value in os.environ.items() if name not in forcing}
    environment |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    environment |= {"KERAS_BACKEND": keras_backend, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "0"}
    environment["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # no pool of processes beside the one that is measured
    if device == "cpu":
        environment |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    else:
        environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    return environment


class WorkerProcess:
    """One framework's process; ``cpus`` are those it may use, which also bounds the threads of XLA."""

    def __init__(self, name: str, device: str, environment: dict[str, str], cpus: set[int], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(WORKER), name, device, ",".join(map(str, sorted(cpus)))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
            )
        self.pending = b""

    def hear(self, seconds: float = 600.0) -> dict[str, Any]:
        """The next answer; raises WorkerError where none comes."""
        assert self.process.stdout is not None
        stop = time.monotonic() + seconds
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, stop - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not piece:
                what = f"ended with status {self.process.wait()}" if ready else f"gave no answer in {seconds:.0f} s"
                self.close(kill=True)
                msg = f"the process of {self.name} {what}: {self._last_words()}"
                raise WorkerError(msg)
            self.pending += piece
        line, _, self.pending = self.pending.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """The answer to a command; raises WorkerError for an error."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            msg = f"the process of {self.name} has ended: {self._last_words()}"
            raise WorkerError(msg) from error
        answer = self.hear()
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self.process.poll() is None

    def cpu_seconds(self) -> float:
        """Processor time of all its threads so far, to the nanosecond where Linux says it; 0 where unknown."""
        total = 0
        for path in Path(f"/proc/{self.process.pid}/task").glob("*/schedstat"):
            try:
                total += int(path.read_text(encoding="ascii").split()[0])
            except (OSError, ValueError, IndexError):
                continue
        return total / 1e9

    def wait_until_idle(self, seconds: float = 0.3) -> bool:
        """Thread pools spin for a while after their work: wait for that, or the next process would be disturbed."""
        stop = time.monotonic() + seconds
        before = self.cpu_seconds()
        while time.monotonic() < stop:
            time.sleep(0.002)
            now = self.cpu_seconds()
            if now - before < 2e-4:
                return True
            before = now
        return False

    def close(self, kill: bool = False) -> None:
        """End the process."""
        if kill and self.alive:
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not pipe.closed:
                with suppress(BrokenPipeError):  # a question that a process which has died did not read
                    pipe.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
