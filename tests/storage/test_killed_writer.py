"""SIGKILL at random moments of a process that writes checkpoints: none is lost, and nothing is left lying about."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# The program forks the writers itself: a process of the test-suite has threads and must not fork. Each writer reports
# every finished step on a pipe; after its death the folder is opened as the next run would open it.
KILLS = """
import json, os, random, signal, sys, time, warnings
from pathlib import Path
import numpy as np
from polydnn.storage import CheckpointFolder

folder, kills, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
random.seed(size)

def write_on(report):
    opened = CheckpointFolder(folder, keep=2)
    latest = opened.latest()
    step = 0 if latest is None else latest[1]["step"]
    while True:
        step += 1
        arrays = {"w": np.full(size, step, np.float32), "b": np.full(7, step)}
        opened.write(step, {"step": step}, arrays, best=step % 3 == 0)
        os.write(report, step.to_bytes(8, "little"))

with CheckpointFolder(folder.with_name("pace")) as other:
    start = time.perf_counter()
    other.write(1, {}, {"w": np.zeros(size, np.float32)})
    pace = time.perf_counter() - start  # what one write takes on this machine

leftovers, reported, results = 0, 0, []
for kill in range(kills):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            write_on(writer)
        finally:
            os._exit(1)
    os.close(writer)
    first = b""
    if kill >= kills // 3:  # the kills before that come while the very first file is written
        first = os.read(reader, 8)
    time.sleep(random.uniform(0.0, 3 * pace))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    with os.fdopen(reader, "rb") as pipe:
        reported = max([reported, *np.frombuffer(first + pipe.read(), "<u8").tolist()])
    leftovers += len(list(folder.glob("*.polydnn-tmp"))) if folder.exists() else 0
    with CheckpointFolder(folder, keep=2) as opened:
        latest, best = opened.latest(), opened.best()
        found = 0 if latest is None else latest[1]["step"]
        arrays = {} if latest is None else latest[2]
        results.append({
            "reported": reported,
            "found": found,
            "whole": all((array == found).all() for array in arrays.values()),
            "best": 0 if best is None else best[1]["step"],
            "steps": opened.steps(),
            "orphans": len(list(folder.glob(".*polydnn-tmp"))),
        })
    reported = found
print(json.dumps({"leftovers": leftovers, "results": results}))
"""


@pytest.mark.parametrize("size", [1_000, 500_000])
def test_no_kill_loses_a_checkpoint(tmp_path: Path, run_python: Callable[..., Any], size: int) -> None:
    result = run_python(KILLS, tmp_path / "run", 20, size)
    assert result.returncode == 0, result.stderr  # warnings are errors there: nothing damaged was met
    found = json.loads(result.stdout)
    rounds = found["results"]
    assert len(rounds) == 20
    assert rounds[-1]["found"] > 10  # the writers did get somewhere
    assert found["leftovers"] > 0 or size < 500_000  # and some kills did fall into a write
    for round_ in rounds:
        assert round_["whole"]
        assert round_["reported"] <= round_["found"] <= round_["reported"] + 1
        assert round_["best"] <= round_["found"] + 1
        assert round_["best"] >= round_["found"] - 2 or round_["found"] < 3
        assert len(round_["steps"]) <= 3
        assert round_["orphans"] == 0
