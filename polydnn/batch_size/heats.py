"""The races of a validation, one for each seed, and what they come to."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from polydnn.batch_size.measured_best import best_of, means_over_seeds
from polydnn.batch_size.race import Runner, race
from polydnn.batch_size.timed_run import TimedRun

__all__ = ["Heats"]

CLOSE = 1.5
"""A rate that took at most so many times the steps of the best with the first seed may be the best over all seeds."""

Found: TypeAlias = dict[int, list[Runner]]
"""The runs of each batch size at one learning rate, one a seed."""


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
        """The record's ``seeds``, ``rows`` and ``measured``.

        The first seed tries every factor of the rates, the others those that were not clearly slower with it; the rate
        of a size is the one with the least mean of the steps over the seeds. One seed would choose by chance, and what
        a rate saves is often as much as what a size does.
        """
        tried = self._first_heats(seeds[0], factors)
        fields = _contenders(tried, self.runs)
        done = self._further_heats(fields, seeds)
        kept = {size: min(those, key=_standing) for size, those in fields.items()}
        passed = [each for those in fields.values() for found in those for each in found]
        passed += self._mended(kept, done, factors)
        used = [each for found in kept.values() for each in found]
        rows = [_row(each) for each in used]
        rows += [_not_again(found[0], seed) for found in kept.values() if len(found) == 1 for seed in done[1:]]
        return {
            "seeds": done,
            "rows": sorted(rows, key=lambda row: (row["batch_size"], row["seed"])),
            "other_rates": [_row(each) for each in _without(tried + passed, used)],
            **_summary(kept),
        }

    def _first_heats(self, seed: int, factors: Sequence[float]) -> list[Runner]:
        """Every factor with one seed; a run ends where it is clearly slower than the same size at another rate."""
        tried: list[Runner] = []
        for factor in factors:
            limits = {size: CLOSE * _least_steps(tried, size) for size in self.rates}
            best = min((each.paced_seconds for each in tried), default=math.inf)
            tried += self._race(seed, {size: factor * rate for size, rate in self.rates.items()}, limits, best)
        return tried

    def _further_heats(self, fields: Mapping[int, list[list[Runner]]], seeds: Sequence[int]) -> list[int]:
        """Run the contenders with the other seeds, as far as there is time for whole rounds; the seeds that ran."""
        done = [seeds[0]]
        for seed in seeds[1:]:
            going = {size: those for size, those in fields.items() if those[0][0].crossing is not None}
            wall = sum(found[-1].wall for those in going.values() for found in those)
            if not going or self.time_left() < wall:
                break
            for turn in range(max(map(len, going.values()))):
                heat = {size: those[turn] for size, those in going.items() if turn < len(those)}
                self._add(heat, seed, {size: found[0].learning_rate for size, found in heat.items()})
            done.append(seed)
        return done

    def _mended(self, kept: Found, done: Sequence[int], factors: Sequence[float]) -> list[Runner]:
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

    def _add(self, kept: Found, seed: int, rates: Mapping[int, float]) -> None:
        for runner in self._race(seed, rates):
            kept.setdefault(runner.batch_size, []).append(runner)

    def _race(
        self, seed: int, rates: Mapping[int, float], limits: Mapping[int, float] | None = None, best: float = math.inf
    ) -> list[Runner]:
        limits = limits or {}
        runners = [
            Runner(self.runs[size], rate, seed, self.target, limits.get(size, math.inf)) for size, rate in rates.items()
        ]
        race(
            runners,
            give_up=self.give_up,
            patience=self.patience,
            best=best,
            time_left=self.time_left,
            report=self.report,
        )
        return runners


def _least_steps(runners: Sequence[Runner], size: int) -> float:
    return min((_steps(each) for each in runners if each.batch_size == size), default=math.inf)


def _steps(runner: Runner) -> float:
    return runner.crossing.steps if runner.crossing is not None else math.inf


def _contenders(tried: Sequence[Runner], sizes: Mapping[int, TimedRun]) -> dict[int, list[list[Runner]]]:
    """For each size the runs that are close to its best, the best first; where none got there, the first alone."""
    fields = {}
    for size in sizes:
        ordered = sorted((each for each in tried if each.batch_size == size), key=_steps)
        close = [each for each in ordered if _steps(each) <= CLOSE * _steps(ordered[0]) < math.inf]
        fields[size] = [[each] for each in close or ordered[:1]]
    return fields


def _standing(found: Sequence[Runner]) -> tuple[int, float]:
    """Rates by how many seeds got there, then by the geometric mean of their steps."""
    logs = [math.log(each.crossing.steps) for each in found if each.crossing is not None]
    return -len(logs), math.fsum(logs) / len(logs) if logs else math.inf


def _without(runners: Sequence[Runner], used: Sequence[Runner]) -> list[Runner]:
    """Each of ``runners`` once, except those in use."""
    left = {id(each): each for each in runners}
    for each in used:
        left.pop(id(each), None)
    return list(left.values())


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
    there = {
        size: {each.seed: each.crossing for each in found if each.crossing is not None} for size, found in kept.items()
    }
    seconds = {size: {seed: at.seconds for seed, at in found.items()} for size, found in there.items()}
    brackets = {size: (at.low, at.high) for size, found in there.items() for at in list(found.values())[:1]}
    measured = means_over_seeds({size: list(found.values()) for size, found in seconds.items()}, brackets)
    best = best_of(seconds, brackets)
    return {
        "measured": [
            {
                "batch_size": each.batch_size,
                "seconds_to_target": each.seconds,
                "seconds_to_target_interval": list(each.interval),
                "steps_to_target": math.exp(
                    math.fsum(math.log(at.steps) for at in there[each.batch_size].values()) / each.count
                ),
                "learning_rate": kept[each.batch_size][0].learning_rate,
                "seeds": each.count,
            }
            for each in measured
        ],
        "measured_best": None if best is None else {"batch_size": best[0], "interval": list(best[1])},
    }
