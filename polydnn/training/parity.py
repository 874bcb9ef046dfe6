"""The same training on two backends, array by array and step by step: where they part, and how that grows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from polydnn.errors import InvalidArgumentError
from polydnn.execution.choice import TOLERANCE
from polydnn.execution.plan import Key
from polydnn.execution.trace import StepInputs, trace_step
from polydnn.training.batches import Rows, epoch_batches
from polydnn.training.placement import place_fit
from polydnn.training.trainer import Trainer

__all__ = ["Difference", "Parity", "compare_training"]


@dataclass(frozen=True)
class Difference:
    """One array on both backends after the same steps.

    ``relative`` is the largest difference of two elements over the largest element of the reference, ``ulp`` the same
    difference in spacings of floating-point numbers at that largest element. Two NaN at one place are no difference.
    """

    step: int
    tensor: str
    relative: float
    ulp: float


@dataclass(frozen=True)
class Parity:
    """What was found: every difference that is not zero, in the order in which the arrays were computed.

    ``bound`` is the largest relative difference that rounding explains in this dtype; ``compared`` counts the arrays.
    """

    reference: str
    other: str
    steps: int
    bound: float
    compared: int
    differences: tuple[Difference, ...]

    @property
    def first_difference(self) -> Difference | None:
        """The first array that has not the same bits."""
        return next(iter(self.differences), None)

    @property
    def first_beyond(self) -> Difference | None:
        """The first array that departs beyond the bound."""
        return next((each for each in self.differences if not each.relative <= self.bound), None)

    def growth(self, tensor: str) -> list[float]:
        """The relative difference of one array in every step, from 1 on."""
        found = {each.step: each.relative for each in self.differences if each.tensor == tensor}
        return [found.get(step, 0.0) for step in range(1, self.steps + 1)]

    def worst(self) -> list[Difference]:
        """The largest relative difference of every step that has one."""
        by_step: dict[int, Difference] = {}
        for each in self.differences:
            if each.step not in by_step or not each.relative <= by_step[each.step].relative:
                by_step[each.step] = each
        return list(by_step.values())


def compare_training(reference: Trainer, other: Trainer, x: object, y: object, *, steps: int) -> Parity:
    """Train both for ``steps`` steps on the same batches of x (n, in_features) and y, and compare every array.

    The trainers must be new and of the same make but for the backend (or whatever is to be compared). Both run the
    reference step, each from its own arrays, so that differences may grow as they do in training. Compared are the
    initial arrays and, in every step, the outputs of all layers, the loss, the gradients from the last layer to the
    first, and parameters and optimizer state after the update. The trainers stay where they were, but for constants of
    a Normalization. Raises InvalidArgumentError for trainers that differ in seed, batch size or shapes.
    """
    _check_alike(reference, other)
    runs = [_run(trainer, x, y, steps) for trainer in (reference, other)]
    differences: list[Difference] = []
    compared = 0
    for step, (expected, found) in enumerate(zip(*runs, strict=True)):
        if list(expected) != list(found):
            msg = f"the trainers compute different arrays: {sorted(set(expected) ^ set(found))}."
            raise InvalidArgumentError(msg)
        compared += len(expected)
        pairs = ((name, expected[name], found[name]) for name in expected)
        differences += [each for name, a, b in pairs if (each := _difference(step, name, a, b)) is not None]
    bound = TOLERANCE[reference.network.dtype]
    names = reference.network.backend.name, other.network.backend.name
    return Parity(*names, steps, bound, compared, tuple(differences))


def _check_alike(reference: Trainer, other: Trainer) -> None:
    for what in ("seed", "batch_size", "learning_rate"):
        one, two = getattr(reference, what), getattr(other, what)
        if one != two:
            msg = f"compare_training: the trainers must have the same {what}, found {one!r} and {two!r}."
            raise InvalidArgumentError(msg)
    same_widths = reference.network.widths == other.network.widths
    if not same_widths or reference.network.dtype != other.network.dtype:
        msg = f"compare_training: the networks must be alike, found {reference.network!r} and {other.network!r}."
        raise InvalidArgumentError(msg)


def _run(trainer: Trainer, x: object, y: object, steps: int) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
    """All arrays before the first step and of every step, on the host."""
    rows, _ = place_fit(
        trainer.network, trainer.loss, x, y, seed=trainer.seed, sample_weight=None, class_weight=None,
        validation_data=None, validation_fraction=None,
    )  # fmt: skip
    plan, to_numpy = trainer.plan, trainer.network.backend.to_numpy
    parameters, state = trainer.network.arrays, trainer.optimizer_state
    yield {name: np.asarray(to_numpy(array)) for name, array in parameters.items()}
    for inputs in _inputs(trainer, rows, steps):
        traced = trace_step(plan, parameters, state, inputs)
        parameters, state = traced.parameters, traced.state
        yield {name: np.asarray(to_numpy(array)) for name, array in traced.arrays.items()}


def _inputs(trainer: Trainer, rows: Rows, steps: int) -> Iterator[StepInputs]:
    size = trainer.rows_per_batch(len(rows))
    epoch = step = 0
    while step < steps:
        for batch in epoch_batches(rows, size, trainer.seed, epoch, trainer.network.backend):
            step += 1
            if step > steps:
                return
            rate = trainer.learning_rate
            if trainer.schedule is not None:
                rate *= trainer.schedule.factor(step, steps)
            yield StepInputs(batch.x, batch.y, batch.weights, rate, Key(trainer.seed, step))
        epoch += 1


def _difference(step: int, name: str, expected: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> Difference | None:
    """The difference of one array, None where there is not one bit of it."""
    if expected.shape != found.shape:
        return Difference(step, name, float("inf"), float("inf"))
    if np.array_equal(expected, found, equal_nan=expected.dtype.kind == "f"):
        return None
    with np.errstate(all="ignore"):
        gaps = np.abs(expected.astype(np.float64) - found.astype(np.float64))
        gaps = np.where((expected == found) | (np.isnan(expected) & np.isnan(found)), 0.0, gaps)
        gap, largest = float(np.max(gaps)), np.max(np.abs(expected))
        relative = gap / float(largest) if largest else float("inf")
        spacing = np.spacing(largest) if largest.dtype.kind == "f" else 1.0
        return Difference(step, name, relative, gap / float(spacing))
