"""Kill ``polydnn train`` with SIGKILL at random moments, over and over, and count what was lost.

    python benchmarks/kill_loop.py [--kills 500] [--every 3] [--seed 0] [--write]

A process forked from this one runs ``polydnn train --output DIR --checkpoint-every N --resume`` and is killed after a
random time; then every checkpoint is read, the newest is compared with the step that the killed process had reached,
the folder is opened as the next run will open it, and the next process is forked. A run that reaches its end is
compared, byte for byte, with the model of a run that nobody disturbed, and another is begun. At the end one run is
completed undisturbed. Exit status 1 where anything was lost. ``--write`` stores the figures under benchmarks/results/.
"""

import argparse
import contextlib
import json
import mmap
import os
import platform
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a forked process has no other threads

import numpy as np

from polydnn import Network
from polydnn.cli import main as polydnn
from polydnn.cli.checkpointing import Saver
from polydnn.errors import CheckpointError
from polydnn.storage import CheckpointFolder, read_checkpoint

RESULT = Path(__file__).parent / "results" / "kill_loop.json"
RUN = ["--hidden", "16", "--dropout", "0.2", "--batch-normalization", "--epochs", "12", "--batch-size", "100"]
RUN += ["--validation-fraction", "0.1", "--patience", "12", "--quiet"]
LEFT = ["checkpoints", "curves.png", "experiment.toml", "history.csv", "model.safetensors"]


class Loop:
    """One folder, trained in and killed in; ``reached`` is memory shared with the process that trains."""

    def __init__(self, place: Path, every: int, seed: int) -> None:
        self.folder, self.every = place / "run", every
        self.random = random.Random(seed)
        self.reached = mmap.mmap(-1, 8)
        self.counts: Counter[str] = Counter(runs_completed=0, kills=0, unreadable=0, too_old=0, orphans_left=0)
        self.counts.update(completed_unequal=0, other_failures=0, orphans_found=0, oldest_newest_in_steps=0)
        started = time.perf_counter()
        assert self.wait(self.start(place / "undisturbed")) == 0, "the undisturbed run failed"
        self.pace = time.perf_counter() - started
        self.model = (place / "undisturbed" / "model.safetensors").read_bytes()

    def start(self, folder: Path) -> int:
        """Fork a process that trains in ``folder``; gives its number."""
        self.reached[:] = bytes(8)
        child = os.fork()
        if child:
            return child
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(f"{folder}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            self._tell_steps()
            arguments = ["train", *RUN, "--output", str(folder), "--resume", "--checkpoint-every", str(self.every)]
            polydnn.main(arguments, prog_name="polydnn")
        except SystemExit as end:
            os._exit(end.code if isinstance(end.code, int) else 1)
        finally:
            os._exit(70)

    def _tell_steps(self) -> None:
        real, reached = Saver.on_step_end, self.reached

        def on_step_end(saver: Saver, trainer: Any, loss: Any) -> None:
            reached[:] = trainer.progress.step.to_bytes(8, "little")
            real(saver, trainer, loss)

        Saver.on_step_end = on_step_end  # type: ignore[method-assign]

    def wait(self, child: int) -> int:
        """The exit status of the process, negative where a signal ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def kill_one(self) -> None:
        """Train, kill after a random time, look."""
        child = self.start(self.folder)
        time.sleep(self.random.uniform(0.0, self.pace))
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        status = self.wait(child)
        if status == -signal.SIGKILL:
            self.counts["kills"] += 1
            self.look(int.from_bytes(self.reached[:], "little"))
        else:
            self.completed(status)

    def look(self, reached: int) -> None:
        """Read every checkpoint, and open the folder as the next run does."""
        folder = self.folder / "checkpoints"
        if not folder.is_dir():
            self.counts["too_old"] += reached > self.every
            return
        for path in folder.glob("*.safetensors"):
            try:
                read_checkpoint(path)
            except CheckpointError as error:
                print(error, file=sys.stderr)
                self.counts["unreadable"] += 1
        self.counts["orphans_found"] += len(list(self.folder.rglob("*.polydnn-tmp")))
        with warnings.catch_warnings(), CheckpointFolder(folder) as opened:
            warnings.simplefilter("ignore")
            newest = max(opened.steps(), default=0)
        self.counts["orphans_left"] += len(list(folder.glob("*.polydnn-tmp")))
        age = reached - newest if reached else 0  # 0: killed before its first step
        self.counts["oldest_newest_in_steps"] = max(self.counts["oldest_newest_in_steps"], age)
        self.counts["too_old"] += age > self.every

    def completed(self, status: int) -> None:
        """Compare a run that came to its end, and make room for another."""
        if status != 0:
            print(Path(f"{self.folder}.log").read_text(), file=sys.stderr)
            self.counts["other_failures"] += 1
        else:
            self.counts["runs_completed"] += 1
            self.counts["completed_unequal"] += (self.folder / "model.safetensors").read_bytes() != self.model
            names = sorted(path.name for path in self.folder.iterdir())
            self.counts["orphans_left"] += len(set(names) - set(LEFT))
            self.counts["orphans_left"] += len(list(self.folder.rglob("*.polydnn-tmp")))
        shutil.rmtree(self.folder, ignore_errors=True)


def measure(place: Path, kills: int, every: int, seed: int) -> dict[str, Any]:
    """The figures of ``kills`` kills."""
    started = time.perf_counter()
    loop = Loop(place, every, seed)
    while loop.counts["kills"] < kills:
        loop.kill_one()
    loop.completed(loop.wait(loop.start(loop.folder)))
    seconds = round(time.perf_counter() - started, 1)
    return {"checkpoint_every": every, "seed": seed, "seconds": seconds, **loop.counts}


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="store the figures under benchmarks/results/")
    arguments = parser.parse_args()
    assert Network.load  # imported here, so that no process that is forked has to
    with tempfile.TemporaryDirectory() as place:
        figures = measure(Path(place), arguments.kills, arguments.every, arguments.seed)
    facts = {"system": platform.platform(), "cores": os.cpu_count(), "python": platform.python_version()}
    text = json.dumps({"machine": facts | {"numpy": np.__version__}, **figures}, indent=2) + "\n"
    print(text, end="")
    if arguments.write:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
    lost = ("unreadable", "too_old", "orphans_left", "completed_unequal", "other_failures")
    sys.exit(any(figures[name] for name in lost))


if __name__ == "__main__":
    main()
