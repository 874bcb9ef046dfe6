"""Rounds of samples: all frameworks in random order, again and again, until their figures have settled."""

import random
import time
from dataclasses import dataclass, field
from typing import Any

from peer_frameworks.processes import WorkerError, WorkerProcess
from peer_frameworks.summaries import median_of, settled

__all__ = ["Limits", "Timing", "measure", "next_count"]


@dataclass(frozen=True)
class Limits:
    """When a point is done: spread below ``spread`` after ``at_least`` rounds, or ``seconds`` a framework are over.

    However short the time, ``in_any_case`` rounds are made. ``sample_seconds`` is how long one sample should take, so
    that reading the clock counts for nothing, and ``wake_seconds`` how long a framework that has slept runs before it.
    """

    seconds: float
    sample_seconds: float = 0.02
    wake_seconds: float = 0.2
    spread: float = 0.02
    at_least: int = 7
    in_any_case: int = 3
    at_most: int = 200


@dataclass
class Timing:
    """What one framework's rounds gave: steps or epochs in a sample, and microseconds for each by round."""

    count: int
    samples: dict[int, float] = field(default_factory=dict)
    busy_after: int = 0

    def figures(self) -> dict[str, Any]:
        """As it is stored."""
        figures = median_of(list(self.samples.values()))
        return {
            **{f"{name}_us": figures[name] for name in ("median", "low", "high")},
            "iqr_over_median": figures["spread"],
            "count": self.count,
            "rounds": list(self.samples),
            "samples_us": [float(f"{each:.6g}") for each in self.samples.values()],
            "did_not_idle": self.busy_after,
        }


def next_count(count: int, seconds: float, wanted: float, block: int) -> int:
    """How many steps to try next for a sample of ``wanted`` seconds, a multiple of ``block``; at most 32 times more."""
    grown = count * wanted / max(seconds, 1e-9)
    return max(block, round(min(grown, 32 * count) / block) * block)


def calibrate(worker: WorkerProcess, measure_name: str, block: int, limits: Limits) -> Timing:
    """Warm up, and find the count of steps or epochs of a sample."""
    count, enough = block, 0.8 * limits.sample_seconds
    worker.ask("sample", measure=measure_name, count=count, wake=limits.wake_seconds)
    for _ in range(6):
        seconds = worker.ask("sample", measure=measure_name, count=count, wake=0.0)["seconds"]
        if seconds >= enough:
            break
        count = next_count(count, seconds, limits.sample_seconds, block)
    return Timing(count)


def measure(
    workers: dict[str, WorkerProcess], blocks: dict[str, int], measure_name: str, limits: Limits, rng: random.Random
) -> tuple[dict[str, Timing], dict[str, str]]:
    """Timings of the frameworks that could be measured, and why the others could not.

    Every round asks each framework once, in a new random order, and waits until its threads have stopped spinning.
    """
    found: dict[str, Timing] = {}
    failed: dict[str, str] = {}
    for name, worker in workers.items():
        try:
            block = 1 if measure_name == "epoch" else blocks[name]
            found[name] = calibrate(worker, measure_name, block, limits)
            worker.wait_until_idle()
        except WorkerError as error:
            failed[name] = str(error)
    stop = time.monotonic() + limits.seconds * len(found)
    for number in range(limits.at_most):
        if number >= limits.in_any_case and time.monotonic() > stop:
            break
        if found and all(
            settled(list(each.samples.values()), limits.spread, limits.at_least) for each in found.values()
        ):
            break
        for name in rng.sample(sorted(found), len(found)):
            timing = found[name]
            try:
                answer = workers[name].ask("sample", measure=measure_name, count=timing.count, wake=limits.wake_seconds)
            except WorkerError as error:
                failed[name] = str(error)
                del found[name]
                continue
            timing.samples[number] = answer["seconds"] / timing.count * 1e6
            timing.busy_after += not workers[name].wait_until_idle()
    return found, failed
