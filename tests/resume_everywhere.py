"""A program: train, then resume from the checkpoint of every step in a process of its own, and print the digests.

    python tests/resume_everywhere.py BACKEND [OPTIMIZER[:FEATURE] ...]

One line of JSON for every optimizer and feature: ``{"case": ..., "whole": digest, "steps": {"1": digest, ...}}``. The
processes are forked before any array is made, when neither PyTorch nor JAX has threads yet. No test of its own.
"""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

import polydnn

OPTIMIZERS: dict[str, Any] = {
    "momentum": ("sgd", {"momentum": 0.9}),
    "adam": "adam",
    "adamw": ("adamw", {"weight_decay": 0.1}),
    "rmsprop": "rmsprop",
    "adagrad": "adagrad",
}
FEATURES = ["dropout", "batch_normalization", "schedule", "early_stopping", "partial_last_batch", "everything"]
MEASURED = ("seconds", "samples_per_second")


def stopping(feature: str) -> list[polydnn.Callback]:
    """Stops after the third of four epochs, with the arrays of the first."""
    wanted = feature in ("early_stopping", "everything")
    return [polydnn.EarlyStopping("val_loss", patience=2, min_delta=10.0)] if wanted else []


def rows(feature: str) -> tuple[Any, Any]:
    n = 15 if feature in ("partial_last_batch", "everything") else 12
    generator = np.random.default_rng(4)
    return generator.normal(size=(n, 3)), generator.integers(0, 2, size=n)


def trainer_of(backend: str, optimizer: str, feature: str) -> polydnn.Trainer:
    everything = feature == "everything"
    layers: list[Any] = [polydnn.Dense(4, "tanh")]
    layers += [polydnn.BatchNormalization()] if everything or feature == "batch_normalization" else []
    layers += [polydnn.Dropout(0.3)] if everything or feature == "dropout" else []
    network = polydnn.Network(3, [*layers, polydnn.Dense(2, "softmax")], backend=backend, seed=1)
    schedule = ("cosine", {"warm_up": 2}) if everything or feature == "schedule" else None
    options: dict[str, Any] = {"loss": "categorical_cross_entropy", "batch_size": 4, "metrics": ["accuracy"]}
    return polydnn.Trainer(
        network, optimizer=OPTIMIZERS[optimizer], schedule=schedule, callbacks=stopping(feature), **options
    )


def digest_of_fit(trainer: polydnn.Trainer, feature: str, **options: Any) -> str:
    """Train on and digest parameters, statistics, optimizer state, history and counters."""
    x, y = rows(feature)
    trainer.fit(x, y, epochs=4, validation_data=(x[:5], y[:5]), **options)
    digest = hashlib.sha256()
    to_numpy = trainer.network.backend.to_numpy
    arrays = dict(trainer.network.arrays)
    for name, state in trainer.optimizer_state.items():
        arrays |= {f"{name} {slot}": array for slot, array in state.items()}
    for name, array in sorted(arrays.items()):
        digest.update(name.encode() + np.asarray(to_numpy(array)).tobytes())
    history = [{name: value for name, value in row.items() if name not in MEASURED} for row in trainer.history.rows]
    assert trainer.progress is not None
    digest.update(repr((history, trainer.progress.numbers())).encode())
    return digest.hexdigest()[:16]


def in_a_new_process(work: Callable[[], str]) -> str:
    """What ``work`` gives, done by a forked process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, work().encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return said if status == 0 else f"exit status {status}"


def keep_programs(folder: Path) -> None:
    """Let JAX take from the folder what another process has compiled, for compiling is nearly all of its time."""
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def case(backend: str, optimizer: str, feature: str, folder: Path) -> dict[str, Any]:
    """Digests of the undisturbed run, of the one that saves, and of those resumed after each step.

    On JAX the undisturbed run compiles for itself, the one that saves too, and the others run what that one compiled.
    """
    programs = folder / "programs"
    folder = folder / "checkpoints"

    def saving() -> str:
        if backend == "jax":
            keep_programs(programs)
        options: dict[str, Any] = {"checkpoints": folder, "checkpoint_every": 1, "keep": 100}
        return digest_of_fit(trainer_of(backend, optimizer, feature), feature, **options)

    def resumed(path: Path) -> str:
        if backend == "jax":
            keep_programs(programs)
        trainer = polydnn.Trainer.resume(path, backend=backend, callbacks=stopping(feature))
        return digest_of_fit(trainer, feature)

    whole = in_a_new_process(lambda: digest_of_fit(trainer_of(backend, optimizer, feature), feature))
    saved = in_a_new_process(saving)
    steps = {path.stem: in_a_new_process(partial(resumed, path)) for path in sorted(folder.glob("step-*"))}
    return {"case": f"{optimizer} {feature}", "whole": whole, "saved": saved, "steps": steps}


def main() -> None:
    backend, *optimizers = sys.argv[1:]
    if backend in ("torch", "jax"):
        __import__(backend)  # once, before the forks
    for wanted in optimizers or OPTIMIZERS:
        optimizer, _, only = wanted.partition(":")
        for feature in [only] if only else FEATURES:
            with tempfile.TemporaryDirectory() as folder:
                print(json.dumps(case(backend, optimizer, feature, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
