"""Microseconds per step of tiny networks: polydnn-numba beside the reference, the NumPy executor and a scan of JAX.

    python benchmarks/numba_steps.py [--optimizer sgd] [--rounds 9] [--json] [--output FILE]

All take the same steps: rows gathered in a random order from 20,000, forward, backward, update, float32, in bundles of
100 steps. The losses of ten steps must agree before anything is timed. Rounds are interleaved and in random order;
figures are medians, with the quartiles and the least beside them in the JSON. JAX is left out where it is missing.
"""

import os

from machine_facts import FORCING, machine_facts

MACHINE = machine_facts()
for variable in FORCING:
    os.environ.pop(variable, None)

import argparse
import importlib.util
import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from polydnn_numba import numba_executor

import polydnn
from polydnn.execution import Data, Executor, Key, PureExecutor, first_state, reference_step

WIDTHS = ([8, 10, 1], [8, 10, 5, 1], [8, 64, 1])
BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
ROWS = 20000
STEPS = 100
RATE = 0.01

Bundle = Callable[[np.ndarray, int], np.ndarray]
"""``bundle(order, batch_size)`` takes the steps that the order has rows for; their losses."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--optimizer", default="sgd", choices=["sgd", "adam"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    cases = []
    for widths in WIDTHS:
        for batch_size in BATCHES:
            cases.append(measure(widths, batch_size, arguments.optimizer, arguments.rounds))
            if not arguments.json:
                figures = ", ".join(
                    f"{name} {times['median']:.2f} ({times['least']:.2f})" for name, times in cases[-1]["us"].items()
                )
                print(f"{widths} at {batch_size}: {figures}", flush=True)
    report = {"machine": MACHINE, "optimizer": arguments.optimizer, "steps": STEPS, "cases": cases}
    if arguments.json:
        print(json.dumps(report, indent=1))
    if arguments.output:
        arguments.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def measure(widths: list[int], batch_size: int, optimizer: str, rounds: int) -> dict[str, Any]:
    """The quartiles of every contender's time per step."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, widths[0])).astype(np.float32)
    y = rng.normal(size=(ROWS, widths[-1])).astype(np.float32)
    contenders = make_contenders(widths, x, y, optimizer)
    check(contenders, rng.integers(0, ROWS, 10 * batch_size), batch_size)
    order = rng.integers(0, ROWS, STEPS * batch_size)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):  # the first warms up
        for name in random.sample(list(contenders), len(contenders)):
            started = time.perf_counter()
            contenders[name](order, batch_size)
            times[name].append((time.perf_counter() - started) / STEPS * 1e6)
    us = {name: summary(each[1:]) for name, each in times.items()}
    return {"widths": widths, "batch_size": batch_size, "us": us}


def summary(times: list[float]) -> dict[str, float]:
    figures = (min(times), *statistics.quantiles(times, n=4))
    return dict(zip(("least", "lower", "median", "upper"), (round(each, 3) for each in figures), strict=True))


def make_contenders(widths: list[int], x: np.ndarray, y: np.ndarray, optimizer: str) -> dict[str, Bundle]:
    layers = [*(polydnn.Dense(width, "relu") for width in widths[1:-1]), polydnn.Dense(widths[-1])]
    network = polydnn.Network(widths[0], layers)
    options: dict[str, Any] = {"loss": "mean_squared_error", "optimizer": optimizer, "learning_rate": RATE}
    trainer = polydnn.Trainer(network, **options)
    by_numpy = polydnn.Trainer(network, **options, execution="numpy", batch_size=64).executor_for(x, y)
    executors: dict[str, Executor] = {
        "reference": PureExecutor(trainer.plan, reference_step(trainer.plan)),
        "numpy": by_numpy,
        "numba": numba_executor(trainer.plan),
    }
    for executor in executors.values():
        executor.load(network.arrays, first_state(trainer.plan))
    contenders = {name: bundle_of(executor, Data(x, y)) for name, executor in executors.items()}
    if importlib.util.find_spec("jax") is not None:
        contenders["jax scan"] = jax_scan(network, x, y, optimizer)
    return contenders


def bundle_of(executor: Executor, data: Data) -> Bundle:
    step = 1

    def bundle(order: np.ndarray, batch_size: int) -> np.ndarray:
        nonlocal step
        count = len(order) // batch_size
        losses = executor.steps(data, order, batch_size, [RATE] * count, Key(0, step))
        step += count
        return np.asarray(losses)

    return bundle


def jax_scan(network: polydnn.Network, x: np.ndarray, y: np.ndarray, optimizer: str) -> Bundle:
    """The same steps as one compiled loop of JAX."""
    import jax
    import jax.numpy as jnp

    rows, targets = jnp.asarray(x), jnp.asarray(y)
    values = [jnp.asarray(np.asarray(array)) for array in network.parameters.values()]

    def cost(parameters: list[Any], index: Any) -> Any:
        a = rows[index]
        pairs = list(zip(parameters[0::2], parameters[1::2], strict=True))
        for layer, (weight, bias) in enumerate(pairs):
            a = a @ weight + bias
            if layer < len(pairs) - 1:
                a = jnp.maximum(a, 0.0)
        return jnp.mean((a - targets[index]) ** 2)

    def descent(held: Any, index: Any) -> Any:
        loss, gradients = jax.value_and_grad(cost)(held, index)
        return [p - RATE * g for p, g in zip(held, gradients, strict=True)], loss

    def adam(held: Any, index: Any) -> Any:
        parameters, means, squares, step = held
        loss, gradients = jax.value_and_grad(cost)(parameters, index)
        step = step + 1.0
        means = [0.9 * m + 0.1 * g for m, g in zip(means, gradients, strict=True)]
        squares = [0.999 * v + 0.001 * g * g for v, g in zip(squares, gradients, strict=True)]
        first, second = 1.0 - 0.9**step, 1.0 - 0.999**step
        both = zip(means, squares, strict=True)
        moves = [(m / first) / (jnp.sqrt(v / second) + 1e-8) for m, v in both]
        return ([p - RATE * move for p, move in zip(parameters, moves, strict=True)], means, squares, step), loss

    zeros = [jnp.zeros_like(each) for each in values]
    held: Any = values if optimizer == "sgd" else (values, zeros, zeros, jnp.asarray(0.0))
    one = descent if optimizer == "sgd" else adam
    scan = jax.jit(lambda held, order: jax.lax.scan(one, held, order))

    def bundle(order: np.ndarray, batch_size: int) -> np.ndarray:
        nonlocal held
        held, losses = scan(held, jnp.asarray(order.reshape(-1, batch_size)))
        return np.asarray(losses)

    return bundle


def check(contenders: dict[str, Bundle], order: np.ndarray, batch_size: int) -> None:
    """Stop where two contenders do not compute the same."""
    losses = {name: bundle(order, batch_size) for name, bundle in contenders.items()}
    for name, found in losses.items():
        if not np.allclose(found, losses["reference"], rtol=1e-3):
            msg = f"{name} differs from the reference: {found} where it has {losses['reference']}"
            raise SystemExit(msg)


if __name__ == "__main__":
    main()
