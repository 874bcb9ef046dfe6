"""How the time of a step is shared out among gathering rows, the way forward, the way back, and the optimizer."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from polydnn.batch_size.twin import Twin
from polydnn.execution import Data, Executor, Key, back_propagation
from polydnn.execution.reference import NO_NOISE, cost_function, update_rule
from polydnn.types import Array

__all__ = ["BY_EXECUTOR", "BY_REFERENCE", "PARTS", "split_step"]

PARTS = ("gather", "forward", "backward", "optimizer")
BY_EXECUTOR = "told by the executor, scaled to the step"
BY_REFERENCE = "parts of the reference step, scaled to the step"
"""Where an executor cannot tell its parts apart: a captured graph, a compiled loop, or the reference step itself."""

REPEATS, MOST_REPEATS = 5, 50
LASTING = 0.02
"""Seconds that repeats of a short step go on for."""


def split_step(twin: Twin, executor: Executor, index: Array, rate: float, whole: float) -> tuple[dict[str, float], str]:
    """Seconds by part, which add up to ``whole``, and a text that says how they are known.

    ``index`` names the rows of one batch, where the executor wants them.
    """
    data = Data(twin.rows.x, twin.rows.y, twin.rows.weights)
    key = Key(twin.trainer.seed, 1)
    told = executor.timed_step(data, index, rate, key)
    if told is None:
        return _scaled(_reference_parts(twin, data, index, rate), whole), BY_REFERENCE
    count = max(REPEATS, min(MOST_REPEATS, math.ceil(LASTING / max(whole, 1e-9))))
    found = [executor.timed_step(data, index, rate, key) or told for _ in range(count)]
    least = {part: min(each[part] for each in found) for part in PARTS}  # what else runs here only lengthens a part
    return _scaled(least, whole), BY_EXECUTOR


def _scaled(parts: dict[str, float], whole: float) -> dict[str, float]:
    total = sum(parts.values())
    return {part: parts[part] / total * whole if total > 0.0 else whole / len(PARTS) for part in PARTS}


def _reference_parts(twin: Twin, data: Data, index: Array, rate: float) -> dict[str, float]:
    """The parts of the reference step, each timed alone; the way back is what forward leaves of back propagation."""
    plan, backend = twin.plan, twin.backend
    xp = backend.xp
    if isinstance(index, np.ndarray):
        index = backend.asarray(index, dtype=backend.index_dtype)
    batch = Data(*(None if each is None else xp.take(each, index, axis=0) for each in data))
    key = Key(twin.trainer.seed, 1)
    noise = plan.noise(key, index.shape[0]) if plan.random_layers else NO_NOISE
    parameters, state = twin.trainer.network.arrays, twin.trainer.optimizer_state
    differentiate, update, forward = back_propagation(plan), update_rule(plan), _forward(twin, batch, noise)
    result = differentiate(parameters, batch.x, batch.y, noise, batch.weights)
    gather = _least(twin, lambda: [None if each is None else xp.take(each, index, axis=0) for each in data])
    ahead = _least(twin, forward)
    both = _least(twin, lambda: differentiate(parameters, batch.x, batch.y, noise, batch.weights))
    moved = _least(twin, lambda: update(parameters, state, result, rate, key.step))
    return {"gather": gather, "forward": ahead, "backward": max(both - ahead, 0.0), "optimizer": moved}


def _forward(twin: Twin, batch: Data, noise: Any) -> Callable[[], Any]:
    """The way forward as training takes it, to the cost and its slope."""
    plan, parameters, xp = twin.plan, twin.trainer.network.arrays, twin.backend.xp
    cost, dtype = cost_function(plan), plan.network.real_dtype

    def run() -> Any:
        x = xp.astype(batch.x, dtype, copy=False)
        for number, (layer, names) in enumerate(zip(plan.layers, plan.names, strict=True)):
            own = {short: parameters[full] for short, full in names.items()}
            x = layer.forward(own, x, noise.get(number), xp=xp)[0]
        return cost(x, batch.y, batch.weights)

    return run


def _least(twin: Twin, run: Callable[[], Any]) -> float:
    run()
    return min(twin.backend.seconds(run) for _ in range(REPEATS))
