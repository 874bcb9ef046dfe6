"""The batch size for "auto": a study in a few seconds, without report, whose answer a trainer takes."""

import time
from dataclasses import dataclass

from polydnn.batch_size.cost_model import fit_cost_model
from polydnn.batch_size.explanation import explain
from polydnn.batch_size.following import follow
from polydnn.batch_size.noise_scale import NoiseScale
from polydnn.batch_size.prediction import predict
from polydnn.batch_size.record import timings_of
from polydnn.batch_size.sweep import Report, Sweep, check_budget, silent, sweep_twin
from polydnn.batch_size.twin import Twin, twin_of
from polydnn.errors import InvalidArgumentError, InvalidDataError
from polydnn.training import Trainer
from polydnn.training.weights import ClassWeight

__all__ = ["Chosen", "choose_batch_size"]

CANDIDATES = (4, 16, 64, 256, 1024, 4096)
"""What is measured; the sizes between them are interpolated."""

COMPILED = {"jax": 3.0}
"""How many times as long it takes where every size is compiled, which takes seconds."""

FALL_BACK = 64
FEWEST = 3
"""With fewer measured sizes nothing could be said about the others."""

SWEEPING, LEAST = 0.7, 0.1
"""Parts of the budget: for the sweep, and what each part of the study has at least."""


@dataclass(frozen=True)
class Chosen:
    """The batch size and a sentence that says why."""

    batch_size: int
    why: str


def choose_batch_size(
    trainer: Trainer,
    x: object,
    y: object,
    *,
    budget: float = 5.0,
    sample_weight: object | None = None,
    class_weight: ClassWeight | None = None,
    validation_fraction: float | None = None,
    progress: Report = silent,
) -> Chosen:
    """The batch size with the least predicted time to a target loss, found within about ``budget`` seconds.

    On JAX, which compiles a program for every size, it may take three times as long. Rows and weights are what ``fit``
    takes. Where too little can be measured in this time it is 64, or the number of rows. Nothing of the trainer
    changes. Raises as ``fit`` does for rows that it would refuse.
    """
    started = time.perf_counter()
    twin = twin_of(
        trainer,
        x,
        y,
        sample_weight=sample_weight,
        class_weight=class_weight,
        validation_fraction=validation_fraction,
    )
    budget, rows = check_budget(budget) * COMPILED.get(twin.backend.library, 1.0), len(twin.rows)
    sizes = [size for size in CANDIDATES if size <= rows] or [rows]
    left = budget - (time.perf_counter() - started)
    try:
        found = sweep_twin(twin, sizes, budget=max(SWEEPING * left, LEAST * budget), progress=progress)
    except InvalidArgumentError as error:
        return _fallen_back(rows, str(error))
    if len(found.rows) < min(FEWEST, len(sizes)):
        return _fallen_back(rows, f"{budget:g} s were too short to measure {FEWEST} sizes")
    progress("measuring the gradient noise scale", SWEEPING)
    noise = _noise(twin, found, budget - (time.perf_counter() - started), budget)
    cost = fit_cost_model(timings_of(found.rows))
    predicted = predict(cost, noise, seed=trainer.seed)
    return Chosen(predicted.best, explain(cost, noise, predicted).why)


def _fallen_back(rows: int, why: str) -> Chosen:
    size = min(FALL_BACK, rows)
    return Chosen(size, f"it is {size} without a measurement: {why.rstrip('.')}.")


def _noise(twin: Twin, found: Sweep, seconds: float, budget: float) -> NoiseScale | None:
    """The noise scale, None where it cannot be measured: then the throughput decides alone."""
    try:
        return follow(twin, found, seconds=max(seconds, LEAST * budget), paths=1)
    except (InvalidArgumentError, InvalidDataError):
        return None
