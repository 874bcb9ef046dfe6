"""What changes the bits of a result and what does not: threads, processes, batch sizes."""

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend

PROGRAM = """
import hashlib, json, sys
import polydnn
rows = polydnn.dataset("digits").train
network = polydnn.Network(64, [polydnn.Dense(64, "relu"), polydnn.Dense(10, "softmax")], dtype=sys.argv[1])
trainer = polydnn.Trainer(network, loss="categorical_cross_entropy", optimizer="adam", batch_size=128)
history = trainer.fit(rows.x, rows.y, epochs=2)
bits = b"".join(array.tobytes() for array in network.parameters.values())
print(json.dumps({"losses": history["loss"], "bits": hashlib.sha256(bits).hexdigest()}))
"""


def run(threads: int, dtype: str) -> dict[str, Any]:
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    given = os.environ | dict.fromkeys(names, str(threads))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, dtype], capture_output=True, text=True, env=given, timeout=600
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-10)])
def test_another_thread_count_changes_losses_by_rounding_at_most(dtype: str, tolerance: float) -> None:
    np.testing.assert_allclose(run(1, dtype)["losses"], run(2, dtype)["losses"], rtol=tolerance)


def test_another_process_with_the_same_threads_gives_the_same_bits() -> None:
    assert run(1, "float32") == run(1, "float32")


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
def test_a_row_predicted_alone_or_among_others_differs_by_rounding_at_most(
    backend: Backend, dtype: str, tolerance: float
) -> None:
    layers = [polydnn.Dense(64, "tanh"), polydnn.Dense(10, "softmax")]
    network = polydnn.Network(64, layers, backend=backend, dtype=dtype)
    x = polydnn.dataset("digits").test.x[:200]
    together = network.forward(x)
    alone = np.concatenate([network.forward(x[row : row + 1]) for row in range(0, 200, 20)])
    np.testing.assert_allclose(alone, together[::20], rtol=tolerance, atol=tolerance)


def test_another_batch_size_is_another_run() -> None:
    rows, losses = polydnn.dataset("digits").train, []
    for batch_size in (64, 128):
        network = polydnn.Network(64, [polydnn.Dense(10, "softmax")])
        trainer = polydnn.Trainer(network, loss="categorical_cross_entropy", batch_size=batch_size)
        losses.append(trainer.fit(rows.x, rows.y, epochs=1)["loss"][0])
    assert abs(losses[0] - losses[1]) > 1e-3
