"""The measured time to a target loss at each batch size, to be set beside the predicted one."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias

from polydnn.arrays import check_seed
from polydnn.batch_size.heats import Heats
from polydnn.batch_size.race import NEXT_LOOK
from polydnn.batch_size.timed_run import Problem, TimedRun, place_problem
from polydnn.errors import InvalidArgumentError
from polydnn.training import Trainer
from polydnn.training.weights import ClassWeight

__all__ = ["SCALINGS", "Scaling", "scaled_rate", "validate"]

Scaling: TypeAlias = Literal["none", "linear", "square root"]

SCALINGS: dict[str, float] = {"none": 0.0, "linear": 1.0, "square root": 0.5}
"""The power of the batch size that the learning rate grows with."""

RUNS_WORTH = 3.0
"""What a run costs in the mean, in times of the trainer's own run to the target: some are slower, all are looked at."""

MOST_EPOCHS = 10
"""Epochs after which the trainer's own run sets the target at the latest: by then the first, steep part is over."""

VISIBLE = 0.02
"""The least part by which the loss must have fallen for a target of its own choice."""


def scaled_rate(learning_rate: float, reference_size: int, batch_size: int, scaling: Scaling) -> float:
    """The learning rate for ``batch_size`` where ``learning_rate`` belongs to ``reference_size``.

    "linear" multiplies it by the ratio of the sizes (Goyal et al., *Accurate, large minibatch SGD*, 2017), "square
    root" by its root (Krizhevsky, *One weird trick for parallelizing convolutional neural networks*, 2014).

    >>> scaled_rate(0.1, 64, 256, "linear"), scaled_rate(0.1, 64, 256, "square root"), scaled_rate(0.1, 64, 256, "none")
    (0.4, 0.2, 0.1)
    """
    return learning_rate * math.pow(batch_size / reference_size, SCALINGS[scaling])


def validate(
    trainer: Trainer,
    x: object,
    y: object,
    *,
    sizes: Sequence[int],
    target_loss: float | None = None,
    scaling: Scaling = "none",
    factors: Sequence[float] = (1.0,),
    seeds: Sequence[int] = (0, 1, 2),
    budget: float = 120.0,
    give_up: float = 4.0,
    sample_weight: object | None = None,
    class_weight: ClassWeight | None = None,
    validation_fraction: float | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Train fresh copies of ``trainer`` to ``target_loss`` at each of ``sizes``; the record's ``validation``.

    ``x``, ``y``, weights and ``validation_fraction`` are what its ``fit`` takes. A run starts from the first weights of
    its seed, whatever the trainer has learnt, and its learning rate is constant: the trainer's, scaled from its own
    batch size by ``scaling``. The rule's rate times each of ``factors`` is tried with the first seed; those within 1.5
    times the steps of the best are tried with the others, too, and the one with the least mean of the steps is the
    size's own, or the next smaller one where it diverges with one of the seeds.

    The loss is that of 1024 to 4096 fixed training rows, without dropout and penalties; it is looked at after every
    tenth part more steps, and the target is reached where two looks in a row find it there, the crossing being
    interpolated before the first of them. Looking is off the clock. Without ``target_loss`` it is the loss that the
    trainer's own batch size comes to in the time that the budget has for a run, or in ten epochs.

    Sizes take turns, the one with the least time spent going next. A size whose steps took ``give_up`` times the best's
    seconds, and more than a run's share of the budget, is given up and not tried with further seeds. ``budget`` is
    seconds of wall clock for everything; a further seed is begun only where there is time for it. ``report`` gets a
    line for every run that reaches the target.

    Seconds are the sums of the times of the steps taken, the drawing of an epoch's order among them. Intervals
    are over seeds, at 95 %; that of ``measured_best`` spans the sizes that cannot be told from the best, compared seed
    by seed. Sizes that did not get there stand in ``rows`` with ``reached`` false and the reason as ``why``. The
    trainer and its network stay as they are. Raises InvalidArgumentError for a target that is no target, and what
    ``fit`` raises for the rows.
    """
    started = time.perf_counter()
    asked = _checked(sizes, factors, seeds, budget, give_up, scaling)
    problem = place_problem(
        trainer,
        x,
        y,
        sample_weight=sample_weight,
        class_weight=class_weight,
        validation_fraction=validation_fraction,
    )
    return _Validation(problem, asked, started + asked.budget, report).run(target_loss)


@dataclass(frozen=True)
class _Asked:
    sizes: tuple[int, ...]
    factors: tuple[float, ...]
    seeds: tuple[int, ...]
    budget: float
    give_up: float
    scaling: Scaling

    def share(self, sizes: int) -> float:
        """The seconds of steps that the budget has for a run of one of so many sizes."""
        return self.budget / (RUNS_WORTH * sizes * (len(self.factors) + len(self.seeds) - 1))


@dataclass(frozen=True)
class _Validation:
    """What was asked for, on rows that are in place, until ``deadline``."""

    problem: Problem
    asked: _Asked
    deadline: float
    report: Callable[[str], None]

    def run(self, target_loss: float | None) -> dict[str, Any]:
        """Choose the target, run the heats, and put the record together."""
        sizes = self._sizes()
        target, why = self._target(target_loss, len(sizes))
        self.report(f"the target loss is {target:.6g}: {why}")
        found = self._heats(sizes, target).run(self.asked.seeds, self.asked.factors)
        return {"target_loss": target, "target_why": why, **self._settings(), **found, "notes": self._notes(found)}

    def _sizes(self) -> list[int]:
        """The sizes for which there are rows."""
        rows = len(self.problem.rows)
        kept = [size for size in self.asked.sizes if size <= rows]
        if not kept:
            msg = f"sizes: all of {list(self.asked.sizes)} are larger than the {rows} rows; give smaller ones."
            raise InvalidArgumentError(msg)
        return kept

    def _time_left(self) -> float:
        return self.deadline - time.perf_counter()

    def _heats(self, sizes: Sequence[int], target: float) -> Heats:
        rate, own, asked = self._rate, self.problem.reference_size, self.asked
        return Heats(
            runs={size: TimedRun(self.problem, size) for size in sizes},
            rates={size: scaled_rate(rate, own, size, asked.scaling) for size in sizes},
            target=target,
            give_up=asked.give_up,
            patience=asked.share(len(sizes)),
            time_left=self._time_left,
            report=self.report,
        )

    def _settings(self) -> dict[str, Any]:
        """What the record says of the measurement itself."""
        asked, rows = self.asked, len(self.problem.rows)
        too_large = [size for size in asked.sizes if size > rows]
        return {
            "scaling": asked.scaling,
            "reference": {"batch_size": self.problem.reference_size, "learning_rate": self._rate},
            "factors": list(asked.factors),
            "give_up": asked.give_up,
            "budget_seconds": asked.budget,
            "seconds": asked.budget - self._time_left(),
            "evaluation_rows": len(self.problem.shown),
            "left_out": [{"batch_size": size, "why": f"there are only {rows} rows"} for size in too_large],
        }

    @property
    def _rate(self) -> float:
        return self.problem.twin.trainer.learning_rate

    def _target(self, given: float | None, sizes: int) -> tuple[float, str]:
        """The target and where it comes from; it lies below the loss of the first seed's weights."""
        before = self.problem.loss(self.problem.first_arrays(self.asked.seeds[0]))
        if given is None:
            return self._chosen_target(before, self.asked.share(sizes))
        if isinstance(given, bool) or not isinstance(given, Real) or not -math.inf < float(given) < before:
            msg = f"target_loss must be a number below {before:.6g}, the loss before training, found {given!r}."
            raise InvalidArgumentError(msg)
        return float(given), "it was given"

    def _chosen_target(self, before: float, seconds: float) -> tuple[float, str]:
        """What the trainer's own batch size comes to in so many seconds of steps, or in ten epochs."""
        problem, size, rate = self.problem, self.problem.reference_size, self._rate
        run, last = TimedRun(problem, size), MOST_EPOCHS * -(-len(problem.rows) // size)
        run.start(problem.first_arrays(self.asked.seeds[0]), rate, self.asked.seeds[0])
        while run.seconds < seconds and run.steps < last and not run.diverged and self._time_left() > 0.0:
            run.advance(min(max(run.steps + 1, math.floor(NEXT_LOOK * run.steps)), last))
        after = run.loss()
        if not after <= before - VISIBLE * abs(before):
            msg = (
                f"no target loss could be chosen: with batch size {size} and learning rate {rate:g} the loss went from "
                f"{before:.6g} to {after:.6g} in {run.steps} steps. "
                f"Give target_loss, another learning rate, or a larger budget than {self.asked.budget:g} s."
            )
            raise InvalidArgumentError(msg)
        return after, f"batch size {size} came to it in {run.steps} steps, {run.seconds:.3g} s"

    def _notes(self, found: Mapping[str, Any]) -> list[str]:
        """What a reader should know besides."""
        notes, seeds = [], found["seeds"]
        if self.problem.twin.trainer.schedule is not None:
            notes.append("the schedule was left out: how far it has come depends on the length of a run")
        left = [seed for seed in self.asked.seeds if seed not in seeds]
        if left:
            notes.append(f"no time was left for seed {', '.join(map(str, left))}")
        if len(seeds) == 1:
            notes.append("with one seed the intervals only say between which two looks the target was crossed")
        return notes


def _checked(
    sizes: Sequence[int],
    factors: Sequence[float],
    seeds: Sequence[int],
    budget: float,
    give_up: float,
    scaling: Scaling,
) -> _Asked:
    if scaling not in SCALINGS:
        msg = f"scaling must be one of {', '.join(map(repr, SCALINGS))}, found {scaling!r}."
        raise InvalidArgumentError(msg)
    for name, given in (("sizes", sizes), ("seeds", seeds), ("factors", factors)):
        if not isinstance(given, Iterable) or not list(given):
            msg = f"{name} must be a list of at least one number, found {given!r}."
            raise InvalidArgumentError(msg)
    return _Asked(
        sizes=tuple(sorted({_size(each) for each in sizes})),
        factors=tuple(dict.fromkeys(_number("factors", each, 0.0) for each in factors)),
        seeds=tuple(dict.fromkeys(check_seed(seed) for seed in seeds)),
        budget=_number("budget", budget, 0.0),
        give_up=_number("give_up", give_up, 1.0),
        scaling=scaling,
    )


def _size(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, Integral) or given < 1:
        msg = f"sizes must be whole numbers of rows of at least 1, found {given!r}."
        raise InvalidArgumentError(msg)
    return int(given)


def _number(name: str, given: object, least: float) -> float:
    if isinstance(given, bool) or not isinstance(given, Real) or not least < float(given) < math.inf:
        msg = f"{name} must be a finite number above {least:g}, found {given!r}."
        raise InvalidArgumentError(msg)
    return float(given)
