"""Runs of several batch sizes towards one loss, side by side: whoever has spent the least time goes next."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from polydnn.arrays import stream
from polydnn.batch_size.timed_run import TimedRun

__all__ = ["Crossing", "Runner", "race"]

NEXT_LOOK = 1.1
"""The loss is looked at after 1, 2, ... steps, later after every tenth part more."""

UNDISTURBED = 2.0
"""Seconds; looking at the loss turns caches out, so a run that was shorter is timed once more without it."""

LAST_LOOKS, FEWEST_LOOKS = 10, 5
"""Looks from which the pace of a run is told; with fewer it is not judged."""

ROUNDS = 5
ENOUGH = 0.3
"""Rounds of timing again at most, and seconds of a run after which its rounds are enough."""


@dataclass(frozen=True)
class Crossing:
    """Where a run crossed the target: between two looks, steps and seconds by linear interpolation of the loss.

    ``low`` and ``high`` are those two looks as parts of ``steps``: the crossing lies between them for certain.
    """

    steps: float
    seconds: float
    low: float
    high: float


@dataclass
class Runner:
    """One run towards ``target``: it is there once two looks in a row find the loss at the target or below.

    ``why`` says why a run ended without getting there. Past ``limit`` steps it is of no interest: the same size was
    clearly faster with another learning rate, which no clock is needed to tell. ``wall`` is all the time that went in.
    """

    run: TimedRun
    learning_rate: float
    seed: int
    target: float
    limit: float = math.inf
    looks: list[tuple[int, float, float]] = field(default_factory=list)
    crossing: Crossing | None = None
    diverged: bool = False
    why: str = ""
    wall: float = 0.0

    @property
    def batch_size(self) -> int:
        """The batch size of the run."""
        return self.run.batch_size

    @property
    def live(self) -> bool:
        """Whether the run still goes on."""
        return self.crossing is None and not self.why

    @property
    def pace(self) -> float:
        """The typical seconds of a step, from the last few looks."""
        parts = [(late - early) / (b - a) for (a, early, _), (b, late, _) in pairwise(self.looks[-LAST_LOOKS:])]
        return float(np.median(parts)) if parts else 0.0

    @property
    def paced_seconds(self) -> float:
        """The seconds to the target at the typical pace of a run that is looked at; infinite for one not there."""
        return math.inf if self.crossing is None else self.pace * self.crossing.steps

    @property
    def spent(self) -> float:
        """The seconds that the steps so far would take at their typical pace."""
        return self.pace * self.run.steps

    def begin(self) -> None:
        """Stand before the first step, with the first look taken."""
        started = time.perf_counter()
        problem = self.run.problem
        self.run.start(problem.first_arrays(self.seed), self.learning_rate, self.seed)
        self._look()
        self.wall += time.perf_counter() - started

    def go_on(self) -> None:
        """Steps up to the next look, and the look."""
        started = time.perf_counter()
        steps = self.looks[-1][0]
        self.run.advance(max(steps + 1, math.floor(NEXT_LOOK * steps)))
        self._look()
        self.wall += time.perf_counter() - started

    def _look(self) -> None:
        self.looks.append((self.run.steps, self.run.seconds, self.run.loss()))
        if self.run.diverged:
            self.diverged = True
            self.why = f"the loss was no longer finite after {self.run.steps} steps"
        elif len(self.looks) == 1 and self.looks[0][2] <= self.target:
            self.why = "the loss was at the target before the first step"
        elif len(self.looks) > 2 and max(loss for *_, loss in self.looks[-2:]) <= self.target:
            self.crossing = self._crossed()

    def _crossed(self) -> Crossing:
        (above, early, more), (below, late, less) = self.looks[-3:-1]
        part = min(max((more - self.target) / (more - less), 0.0), 1.0) if more > less else 1.0
        steps = above + part * (below - above)
        return Crossing(steps, early + part * (late - early), above / steps, below / steps)

    def time_again(self) -> float:
        """Seconds of the same steps from the same start, without a look in between."""
        assert self.crossing is not None
        started = time.perf_counter()
        whole = math.ceil(self.crossing.steps)
        self.run.again()
        self.run.advance(whole)
        self.wall += time.perf_counter() - started
        return self.run.seconds * self.crossing.steps / whole


def race(
    runners: Sequence[Runner],
    *,
    give_up: float,
    patience: float = 0.0,
    best: float = math.inf,
    time_left: Callable[[], float],
    report: Callable[[str], None] = lambda text: None,
) -> None:
    """Let all run until each is there, is beaten, has diverged, or no time is left; each says which.

    A run is beaten once its steps have taken ``give_up`` times as long as the best one that is there, or as ``best``,
    the seconds of one before at such a pace, and longer than ``patience`` seconds, which there is time for. Since
    always the one that has spent the least goes on, what the machine does besides meets all of them alike; what counts
    as spent is the typical time of a step, so that one long interruption decides nothing.
    """
    for runner in runners:
        if time_left() <= 0.0:
            break
        runner.begin()
    while live := [runner for runner in runners if runner.live]:
        if time_left() <= 0.0:
            for runner in live:
                runner.why = "the budget was spent"
            break
        runner = min(live, key=lambda each: each.spent)
        runner.go_on()
        if runner.crossing is not None:
            best = min(best, runner.paced_seconds)
            report(_told(runner))
        for each in live:
            if not each.live or len(each.looks) < FEWEST_LOOKS:
                continue
            if each.spent > max(give_up * best, patience):
                each.why = f"given up after {each.spent / best:.3g} times the best's time"
            elif each.run.steps > each.limit:
                each.why = "another learning rate was faster"
    _time_again([each for each in runners if each.crossing is not None], time_left)


def _told(runner: Runner) -> str:
    assert runner.crossing is not None
    return (
        f"batch size {runner.batch_size}, learning rate {runner.learning_rate:.3g}, seed {runner.seed}: the target "
        f"after {runner.crossing.steps:.0f} steps, {runner.crossing.seconds:.3g} s"
    )


def _time_again(runners: Sequence[Runner], time_left: Callable[[], float]) -> None:
    """The median of undisturbed times for short runs, in rounds of random order."""
    times: dict[int, list[float]] = {
        place: []
        for place, each in enumerate(runners)
        if each.crossing is not None and each.crossing.seconds < UNDISTURBED
    }
    for turn in range(ROUNDS):
        for place in stream(0, "batch-size rounds", turn).permutation(len(runners)).tolist():
            if place in times and sum(times[place]) < ENOUGH and time_left() > 0.0:
                times[place].append(runners[place].time_again())
    for place, found in times.items():
        old = runners[place].crossing
        if found and old is not None:
            runners[place].crossing = Crossing(old.steps, float(np.median(found)), old.low, old.high)
