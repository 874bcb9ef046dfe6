"""Microseconds per step of the reference step on NumPy beside a hand-written NumPy loop of the same mathematics.

    python benchmarks/overhead.py [--rounds 15] [--json] [--output benchmarks/results/overhead.json]

Both sides train the same network from the same weights on the same batches with plain gradient descent, and their
weights after an epoch must agree before anything is timed. Rounds are interleaved; the figure is the ratio of the
medians of one run.
"""

import os

from machine_facts import FORCING, machine_facts

MACHINE = machine_facts()
for variable in FORCING:
    os.environ.pop(variable, None)

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import polydnn

CASES = [([8, 10, 5, 1], 1), ([8, 10, 5, 1], 32), ([8, 10, 5, 1], 1024)]
CASES += [([784, 512, 512, 10], 1), ([784, 512, 512, 10], 32), ([784, 512, 512, 10], 1024)]
LEARNING_RATE = 0.01


def make_network(widths: list[int]) -> polydnn.Network:
    """Hidden relu layers; softmax for ten outputs, identity for one."""
    last = polydnn.Dense(widths[-1], "softmax" if widths[-1] > 1 else "identity")
    return polydnn.Network(widths[0], [*(polydnn.Dense(width, "relu") for width in widths[1:-1]), last])


def make_rows(widths: list[int], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs with labels, or with one real target."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, widths[0])).astype(np.float32)
    if widths[-1] > 1:
        return x, rng.integers(0, widths[-1], n)
    return x, rng.normal(size=(n, 1)).astype(np.float32)


class HandWritten:
    """What one would write for this network and nothing else."""

    def __init__(self, network: polydnn.Network, x: np.ndarray, y: np.ndarray, batch_size: int) -> None:
        values = [np.array(value) for value in network.parameters.values()]
        self.weights, self.biases = values[0::2], values[1::2]
        self.x, self.y, self.batch_size = x, y, batch_size

    def epoch(self, order: np.ndarray) -> float:
        """One pass in the given order; the mean loss."""
        total = 0.0
        for start in range(0, len(order), self.batch_size):
            index = order[start : start + self.batch_size]
            total += self.step(self.x[index], self.y[index]) * len(index)
        return total / len(order)

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        """One update of all weights and biases in place."""
        activations = [x]
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = activations[-1] @ weight + bias
            activations.append(np.maximum(z, 0.0) if layer < len(self.weights) - 1 else z)
        loss, d = (cross_entropy if y.ndim == 1 else squared_error)(activations[-1], y)
        for layer in reversed(range(len(self.weights))):
            dweight, dbias = activations[layer].T @ d, d.sum(axis=0)
            if layer:
                d = (d @ self.weights[layer].T) * (activations[layer] > 0.0)
            self.weights[layer] -= LEARNING_RATE * dweight
            self.biases[layer] -= LEARNING_RATE * dbias
        return loss


def squared_error(z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean squared error of one output, and its gradient."""
    error = z - y
    return float((error * error).mean()), error * (2.0 / len(y))


def cross_entropy(z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Cross entropy after softmax, and its gradient at z."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = -np.log(p[rows, y]).mean()
    p[rows, y] -= 1.0
    return float(loss), p / len(y)


def compare(widths: list[int], batch_size: int, rounds: int) -> dict[str, object]:
    """Both sides' time per step in interleaved rounds, after a check that they compute the same."""
    steps = 2000 if widths[0] < 100 else {1: 60, 32: 40, 1024: 6}[batch_size]
    x, y = make_rows(widths, steps * batch_size)
    network = make_network(widths)
    trainer = polydnn.Trainer(
        network,
        loss="categorical_cross_entropy" if y.ndim == 1 else "mean_squared_error",
        learning_rate=LEARNING_RATE,
        batch_size=batch_size,
        execution="reference",
    )
    by_hand = HandWritten(network, x, y, batch_size)
    order = np.random.default_rng(1)
    check(network, HandWritten(network, x[:batch_size], y[:batch_size], batch_size), trainer)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        times[0].append(seconds(lambda: by_hand.epoch(order.permutation(len(x)))))
        times[1].append(seconds(lambda: trainer.fit(x, y, epochs=1)))
    loop, reference = (statistics.median(each) / steps * 1e6 for each in times)
    return {
        "widths": widths,
        "batch_size": batch_size,
        "hand_written_us": round(loop, 2),
        "reference_us": round(reference, 2),
        "ratio": round(reference / loop, 3),
    }


def check(network: polydnn.Network, by_hand: HandWritten, trainer: polydnn.Trainer) -> None:
    """Both sides' loss on one batch, before and after it, are the same."""
    loss, gradients = trainer.loss_and_gradients(by_hand.x, by_hand.y)
    before = by_hand.weights[0].copy()
    found = by_hand.step(by_hand.x, by_hand.y)
    np.testing.assert_allclose(found, loss, rtol=1e-4)
    moved = (before - by_hand.weights[0]) / LEARNING_RATE
    scale = float(np.abs(gradients["layers.0.weight"]).max())
    np.testing.assert_allclose(moved, gradients["layers.0.weight"], atol=1e-2 * scale)


def seconds(run: Callable[[], object]) -> float:
    """The time one call takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--output", type=Path, help="store the figures there")
    arguments = parser.parse_args()
    rows = [compare(widths, batch_size, arguments.rounds) for widths, batch_size in CASES]
    stored = json.dumps({"schema": 1, "machine": MACHINE, "rows": rows}, indent=2) + "\n"
    if arguments.output:
        arguments.output.write_text(stored)
    if arguments.json:
        print(stored, end="")
        return
    print(f"{'network':>20} {'batch':>6} {'by hand':>10} {'reference':>10} {'ratio':>6}   (microseconds per step)")
    for row in rows:
        name = "-".join(map(str, row["widths"]))
        figures = f"{row['hand_written_us']:>10} {row['reference_us']:>10} {row['ratio']:>6}"
        print(f"{name:>20} {row['batch_size']:>6} {figures}")


if __name__ == "__main__":
    main()
