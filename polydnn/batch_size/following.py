"""Several short trainings of the copy in which the noise scale is followed, as many as the time allows."""

import math
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from polydnn.arrays import stream
from polydnn.batch_size.noise_drift import follow_noise_scale, measure_noise_scale
from polydnn.batch_size.noise_paths import ENOUGH_PATHS, mean_over_paths
from polydnn.batch_size.noise_scale import NoiseScale
from polydnn.batch_size.sweep import Report, Sweep, silent
from polydnn.batch_size.twin import Twin, first_arrays
from polydnn.errors import InvalidArgumentError
from polydnn.execution import Executor
from polydnn.types import Parameters

__all__ = ["EPOCHS", "follow"]

EPOCHS = 5
"""Epochs over which the noise scale is followed at most, unless it is told how long the training will be."""

MOST_PATHS = 8
"""Trainings after which more would narrow the interval by little."""

WORK, FEWEST_EXAMPLES, MOST_EXAMPLES = 2**29, 1024, 4096
"""Parameters times rows of one measurement, and its rows at least and most.

How the noise scale jumps from step to step is far more than what a measurement of so many rows errs by.
"""

SEEDS = 2**63
"""The seeds of further trainings are drawn from the integers below."""

FIRST, RATIO, FEWEST_POINTS = 10, 1.25, 5
"""The first step after the start at which it is measured; later ones lie apart by a factor, the least where time is."""


def follow(
    twin: Twin,
    found: Sweep,
    *,
    seconds: float,
    epochs: int = EPOCHS,
    target_loss: float | None = None,
    paths: int = MOST_PATHS,
    progress: Report = silent,
) -> NoiseScale:
    """The noise scale over up to ``paths`` short trainings of the copy, as far as ``seconds`` carry.

    The first begins where the trainer stands, and has a third of the time where there are to be several. Each other has
    its own order of the rows and, unless the network has been trained, its own first weights. Raises
    InvalidArgumentError where the first finds no finite gradient, and InvalidDataError for fewer than eight rows.
    """
    return _Following(twin, found, seconds, epochs, target_loss, paths, progress).run()


@dataclass
class _Following:
    twin: Twin
    sweep: Sweep
    seconds: float
    epochs: int
    target_loss: float | None
    paths: int
    progress: Report
    started: float = field(default_factory=time.perf_counter)
    asked: int = 0

    def run(self) -> NoiseScale:
        steps, cut = self._plan()
        found, longest = [self._path(0, steps)], 0.0
        while len(found) < self.paths:
            began = time.perf_counter()
            longest = max(longest, began - self.started) if len(found) == 1 else longest
            if self._spent() + longest > self.seconds:
                break
            try:
                path = self._path(len(found), steps)
            except InvalidArgumentError:  # these weights met no finite gradient
                break
            if not self._go_on():  # it may have been cut short
                break
            found.append(path)
            longest = max(longest, time.perf_counter() - began)
        reached = self.target_loss is not None and found[0].drift[-1].loss <= self.target_loss
        return mean_over_paths(found, cut=cut and not reached)

    def _plan(self) -> tuple[list[int], bool]:
        """The steps at which it is measured, and whether it is the time that bounds them."""
        twin, size, rows = self.twin, self._size, len(self.twin.rows)
        once = self._near["seconds_per_step"] * max(size / self._near["batch_size"], 1.0)
        wanted = self.epochs * math.ceil(rows / size)
        share = self.seconds / (ENOUGH_PATHS if self.paths >= ENOUGH_PATHS else self.paths)
        possible = int(0.5 * share / once)
        began = time.perf_counter()
        measure_noise_scale(twin.plan, twin.trainer.network.arrays, twin.rows, seed=0, examples=self._examples)
        most = int(0.5 * share / max(time.perf_counter() - began, 1e-9))
        return _points(min(wanted, possible), most), possible < wanted

    def _path(self, number: int, steps: list[int]) -> NoiseScale:
        twin = self.twin
        return follow_noise_scale(
            twin.plan,
            twin.rows,
            learning_rate=twin.trainer.learning_rate,
            batch_size=self._size,
            seed=self._seed(number),
            at=steps,
            parameters=self._start(number),
            executor=self._executor,
            examples=self._examples,
            target_loss=self.target_loss,
            go_on=self._go_on,
        )

    def _seed(self, number: int) -> int:
        """The trainer's own for the first training; others are drawn, so that two studies share none by chance."""
        own = self.twin.trainer.seed
        return int(stream(own, "batch-size trainings", number).integers(SEEDS)) if number else own

    def _start(self, number: int) -> Parameters | None:
        """The network's own arrays for the first training; those of another seed for the others of a fresh network."""
        return first_arrays(self.twin.trainer.network, self._seed(number)) if number and self._fresh else None

    def _go_on(self) -> bool:
        self.asked += 1
        if self.asked % 100 == 1:
            self.progress("measuring the gradient noise scale", 0.0)
        return self._spent() < self.seconds

    def _spent(self) -> float:
        return time.perf_counter() - self.started

    @cached_property
    def _fresh(self) -> bool:
        return self.twin.untrained

    @cached_property
    def _executor(self) -> Executor:
        return self.twin.executor(self._near["execution"])

    @property
    def _near(self) -> dict[str, Any]:
        """The row of the sweep whose size is nearest to the trainer's own."""
        return min(self.sweep.rows, key=lambda row: abs(math.log(row["batch_size"] / self._size)))

    @property
    def _size(self) -> int:
        own, rows = self.twin.trainer.batch_size, len(self.twin.rows)
        return rows if own == "full" else min(int(own), rows)

    @property
    def _examples(self) -> int:
        parameters = max(self.twin.trainer.network.parameter_count(), 1)
        return min(max(WORK // parameters, FEWEST_EXAMPLES), MOST_EXAMPLES)


def _points(steps: int, most: int) -> list[int]:
    """Where to measure in a training of so many steps: at the start, and at numbers that grow by a factor.

    There are ``most`` at most, yet never fewer than five where there are steps for them.

    >>> _points(100, 6), _points(20, 100), _points(0, 100)
    ([0, 10, 18, 32, 56, 100], [0, 10, 12, 14, 17, 20], [0])
    """
    if steps < 1:
        return [0]
    first = min(FIRST, steps)
    wanted = math.ceil(math.log(steps / first) / math.log(RATIO))
    count = max(min(wanted, most - 2), min(FEWEST_POINTS - 2, wanted), 1)
    return sorted({0, *(round(first * (steps / first) ** (place / count)) for place in range(count + 1))})
