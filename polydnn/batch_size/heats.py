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
        first = [min((each for each in tried if each.batch_size == size), key=_seconds) for size in self.runs]
        kept, done = list(first), [seeds[0]]
        going = {each.batch_size: each.learning_rate for each in first if each.crossing is not None}
        for seed in seeds[1:]:
            expected = sum(each.wall for each in kept if each.seed == done[-1] and each.batch_size in going)
            if not going or self.time_left() < expected:
                break
            kept += self._race(seed, going, ())
            done.append(seed)
        missed = [each for each in first if each.crossing is None]
        rows = [_row(each) for each in kept] + [_not_again(each, seed) for seed in done[1:] for each in missed]
        return {
            "seeds": done,
            "rows": sorted(rows, key=lambda row: (row["batch_size"], row["seed"])),
            "other_rates": [_row(each) for each in tried if all(each is not other for other in first)],
            **_summary(kept),
        }

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


def _summary(kept: Sequence[Runner]) -> dict[str, Any]:
    """Means over the seeds that got there, and the best of them."""
    there = [(each, each.crossing) for each in kept if each.crossing is not None]
    seconds: dict[int, list[float]] = {}
    steps: dict[int, list[float]] = {}
    for runner, crossing in there:
        seconds.setdefault(runner.batch_size, []).append(crossing.seconds)
        steps.setdefault(runner.batch_size, []).append(math.log(crossing.steps))
    measured = means_over_seeds(seconds, {runner.batch_size: (c.low, c.high) for runner, c in there})
    best = best_of(measured)
    return {
        "measured": [
            {
                "batch_size": each.batch_size,
                "seconds_to_target": each.seconds,
                "seconds_to_target_interval": list(each.interval),
                "steps_to_target": math.exp(math.fsum(steps[each.batch_size]) / each.count),
                "seeds": each.count,
            }
            for each in measured
        ],
        "measured_best": None if best is None else {"batch_size": best[0], "interval": list(best[1])},
    }
