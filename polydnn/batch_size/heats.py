"""The races of a validation, one for each seed, and what they come to."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polydnn.batch_size.measured_best import best_of, means_over_seeds
from polydnn.batch_size.race import Runner, race
from polydnn.batch_size.timed_run import TimedRun

__all__ = ["Heats"]


@dataclass(frozen=True)
class Heats:
    """Races of the same ``runs``, by batch size, to one ``target``; ``rates`` are their learning rates."""

    runs: Mapping[int, TimedRun]
    rates: Mapping[int, float]
    target: float
    give_up: float
    patience: float
    time_left: Callable[[], float]
    report: Callable[[str], None]

    def run(self, seeds: Sequence[int], factors: Sequence[float]) -> dict[str, Any]:
        """The record's ``seeds``, ``rows`` and ``measured``: the first seed tries every factor of the rates."""
        tried: list[Runner] = []
        for factor in factors:
            tried += self._race(seeds[0], {size: factor * rate for size, rate in self.rates.items()}, tried)
        kept = {size: [min((each for each in tried if each.batch_size == size), key=_seconds)] for size in self.runs}
        done = [seeds[0]]
        for seed in seeds[1:]:
            going = {size: found[0] for size, found in kept.items() if found[0].crossing is not None}
            if not going or self.time_left() < sum(found[-1].wall for found in kept.values()):
                break
            self._add(kept, seed, {size: each.learning_rate for size, each in going.items()})
            done.append(seed)
        dropped = self._mended(kept, done, factors)
        used = [each for found in kept.values() for each in found]
        rows = [_row(each) for each in used]
        rows += [_not_again(found[0], seed) for found in kept.values() if len(found) == 1 for seed in done[1:]]
        return {
            "seeds": done,
            "rows": sorted(rows, key=lambda row: (row["batch_size"], row["seed"])),
            "other_rates": [_row(each) for each in tried + dropped if all(each is not other for other in used)],
            **_summary(kept),
        }

    def _mended(self, kept: dict[int, list[Runner]], done: Sequence[int], factors: Sequence[float]) -> list[Runner]:
        """Where a rate that did well with the first seed diverged with another, the next lower one takes its place.

        What was dropped comes back.
        """
        dropped: list[Runner] = []
        while self.time_left() > 0.0:
            lower: dict[int, float] = {}
            for size, found in kept.items():
                less = [
                    factor * self.rates[size]
                    for factor in factors
                    if factor * self.rates[size] < found[0].learning_rate
                ]
                if less and any(each.diverged for each in found[1:]):
                    lower[size] = max(less)
            if not lower:
                break
            for size in lower:
                dropped += kept.pop(size)
            for seed in done:
                self._add(kept, seed, lower)
        return dropped

    def _add(self, kept: dict[int, list[Runner]], seed: int, rates: Mapping[int, float]) -> None:
        for runner in self._race(seed, rates, ()):
            kept.setdefault(runner.batch_size, []).append(runner)

    def _race(self, seed: int, rates: Mapping[int, float], before: Sequence[Runner]) -> list[Runner]:
        runners = []
        for size, rate in rates.items():
            limit = min((_seconds(each) for each in before if each.batch_size == size), default=math.inf)
            runners.append(Runner(self.runs[size], rate, seed, self.target, limit))
        best = min(map(_seconds, before), default=math.inf)
        race(
            runners,
            give_up=self.give_up,
            patience=self.patience,
            best=best,
            time_left=self.time_left,
            report=self.report,
        )
        return runners


def _seconds(runner: Runner) -> float:
    return runner.crossing.seconds if runner.crossing is not None else math.inf


def _not_again(runner: Runner, seed: int) -> dict[str, Any]:
    return {**_row(runner), "seed": seed, "why": f"not tried again after seed {runner.seed}: {runner.why}"}


def _row(runner: Runner) -> dict[str, Any]:
    """The row of a run in the record."""
    there = runner.crossing
    return {
        "batch_size": runner.batch_size,
        "learning_rate": runner.learning_rate,
        "seed": runner.seed,
        "steps": None if there is None else math.ceil(there.steps),
        "seconds": None if there is None else there.seconds,
        "reached": there is not None,
        "execution": runner.run.execution,
        "why": runner.why,
    }


def _summary(kept: Mapping[int, Sequence[Runner]]) -> dict[str, Any]:
    """Means over the seeds that got there; the best is one that all seeds got to, where there is such a one."""
    there = {size: [each.crossing for each in found if each.crossing is not None] for size, found in kept.items()}
    measured = means_over_seeds(
        {size: [each.seconds for each in found] for size, found in there.items()},
        {size: (found[0].low, found[0].high) for size, found in there.items() if found},
    )
    most = max((each.count for each in measured), default=0)
    best = best_of([each for each in measured if each.count == most])
    return {
        "measured": [
            {
                "batch_size": each.batch_size,
                "seconds_to_target": each.seconds,
                "seconds_to_target_interval": list(each.interval),
                "steps_to_target": math.exp(
                    math.fsum(math.log(at.steps) for at in there[each.batch_size]) / each.count
                ),
                "learning_rate": kept[each.batch_size][0].learning_rate,
                "seeds": each.count,
            }
            for each in measured
        ],
        "measured_best": None if best is None else {"batch_size": best[0], "interval": list(best[1])},
    }
