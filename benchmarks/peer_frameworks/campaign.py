"""A whole comparison: start the workers, check each problem, measure it, and write down what was found."""

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from peer_frameworks import FRAMEWORKS
from peer_frameworks.numpy_loop import true_training
from peer_frameworks.problems import CASES, STEPS_CHECKED, Problem, initial_weights
from peer_frameworks.processes import WorkerError, WorkerProcess
from peer_frameworks.rounds import Limits, measure

__all__ = ["LOSS_TOLERANCE", "MOVE_TOLERANCE", "Campaign", "Plan"]

LOSS_TOLERANCE = 1e-3
"""Largest difference of a loss in ten steps from the float64 loop's, as a part of it."""

MOVE_TOLERANCE = 0.02
"""Largest distance of the weights after ten steps from the float64 loop's, as a part of their way from the start."""


@dataclass(frozen=True)
class Plan:
    """What to measure: names as in FRAMEWORKS, CASES and so on; ``deadline`` is a time of time.monotonic or None."""

    frameworks: tuple[str, ...]
    cases: tuple[str, ...]
    optimizers: tuple[str, ...]
    batch_sizes: tuple[int, ...]
    measures: tuple[str, ...]
    limits: Limits
    device: str
    seed: int
    deadline: float | None = None

    def problems(self) -> list[Problem]:
        """Every combination, in random order."""
        found = [
            Problem(CASES[case], optimizer, batch_size)
            for case in self.cases
            for optimizer in self.optimizers
            for batch_size in self.batch_sizes
        ]
        random.Random(self.seed).shuffle(found)
        return found


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


class Campaign:
    """Runs a plan; ``points`` and ``frameworks`` are its results."""

    def __init__(self, plan: Plan, environment: dict[str, str], cpus: set[int]) -> None:
        self.plan, self.environment, self.cpus = plan, environment, cpus
        self.points: list[dict[str, Any]] = []
        self.frameworks: dict[str, dict[str, Any]] = {}
        self.workers: dict[str, WorkerProcess] = {}
        self.rng = random.Random(plan.seed + 1)

    def run(self, after_each: Callable[[], object]) -> None:
        """Everything, calling ``after_each`` problem; the workers are ended whatever happens."""
        with tempfile.TemporaryDirectory() as folder:
            self.folder = Path(folder)
            self.environment = {**self.environment, "TORCHINDUCTOR_CACHE_DIR": folder}  # compile time without a cache
            try:
                self._start()
                problems = self.plan.problems()
                for number, problem in enumerate(problems):
                    self._problem(problem, f"[{number + 1}/{len(problems)}]", len(problems) - number)
                    after_each()
            finally:
                for worker in self.workers.values():
                    worker.close()

    def _start(self) -> None:
        """Start all at once, then hear which of them are there."""
        for name in self.plan.frameworks:
            log = self.folder / f"{name}.log"
            self.workers[name] = WorkerProcess(name, self.plan.device, self.environment, self.cpus, log)
        for name, worker in list(self.workers.items()):
            try:
                answer = worker.hear(180)
                if "unavailable" not in answer:
                    answer |= worker.ask("facts")
            except WorkerError as error:
                answer = {"unavailable": str(error)}
            self.frameworks[name] = {"role": FRAMEWORKS[name].role, **answer}
            if "unavailable" in answer:
                say(f"{name} is left out: {answer['unavailable']}")
                self.workers.pop(name).close(kill=True)

    def _problem(self, problem: Problem, place: str, left: int) -> None:
        limits = self.plan.limits
        if self.plan.deadline is not None:
            share = (self.plan.deadline - time.monotonic()) / left
            if share <= 0:
                self._leave_out(problem, self.plan.measures, self.workers, "the time of this run was over")
                return
            seconds = 0.5 * share / (len(self.plan.measures) * max(1, len(self.workers)))
            limits = replace(limits, seconds=min(limits.seconds, seconds))
        say(f"{place} {problem.case.name} {problem.optimizer} batch size {problem.batch_size}: checking")
        ready = self._prepare(problem)
        for name in self.plan.measures:
            able = {each: self.workers[each] for each in ready if name in self.frameworks[each]["measures"]}
            blocks = {each: ready[each]["block"] for each in able}
            found, failed = measure(able, blocks, name, limits, self.rng)
            for framework, timing in found.items():
                self._keep(problem, name, framework, {**ready[framework], **timing.figures()})
            for framework, reason in failed.items():
                self._leave_out(problem, (name,), [framework], reason)
            ranking = sorted((timing.figures()["median_us"], each) for each, timing in found.items())
            say(f"    {name}: " + ", ".join(f"{each} {time_us:.4g} us" for time_us, each in ranking))
        self._release(problem, ready)

    def _prepare(self, problem: Problem) -> dict[str, dict[str, Any]]:
        """Let every worker load and check the problem; those that agree, with what they said."""
        weights = initial_weights(problem.case)
        losses, true = true_training(problem, weights, STEPS_CHECKED)
        path = self.folder / "expected.npz"
        np.savez(path, *true, losses=np.asarray(losses))
        ready = {}
        for name, worker in self.workers.items():
            try:
                answer = worker.ask(
                    "prepare",
                    case=problem.case.name,
                    optimizer=problem.optimizer,
                    batch_size=problem.batch_size,
                    expected=str(path),
                )
                reason = answer.get("refused") or disagreement(answer)
            except WorkerError as error:
                reason = str(error)
            if reason is None:
                ready[name] = answer
            else:
                self._leave_out(problem, self.plan.measures, [name], reason)
            if worker.alive:
                worker.wait_until_idle()
        return ready

    def _release(self, problem: Problem, ready: dict[str, dict[str, Any]]) -> None:
        """Ask for the memory that the problem took, and note it beside each of its points."""
        for name in ready:
            try:
                memory = self.workers[name].ask("release")
            except WorkerError:
                continue
            peaks = [each for each in (self.frameworks[name].get("peak_mib"), memory["peak_mib"]) if each is not None]
            self.frameworks[name]["peak_mib"] = max(peaks, default=None)
            for point in self._points_of(problem, name):
                point |= memory

    def _points_of(self, problem: Problem, framework: str) -> Iterable[dict[str, Any]]:
        wanted = (problem.case.name, problem.optimizer, problem.batch_size, framework)
        keys = ("case", "optimizer", "batch_size", "framework")
        return [each for each in self.points if tuple(each[key] for key in keys) == wanted]

    def _keep(self, problem: Problem, measure_name: str, framework: str, figures: dict[str, Any]) -> None:
        self.points.append(
            {
                "case": problem.case.name,
                "optimizer": problem.optimizer,
                "batch_size": problem.batch_size,
                "measure": measure_name,
                "rows": problem.rows if measure_name == "epoch" else problem.batch_size,
                "framework": framework,
                **figures,
            }
        )

    def _leave_out(self, problem: Problem, measures: Iterable[str], frameworks: Iterable[str], reason: str) -> None:
        for framework in list(frameworks):
            say(f"    {framework} is left out: {reason}")
            for name in measures:
                self._keep(problem, name, framework, {"left_out": reason})


def disagreement(answer: dict[str, Any]) -> str | None:
    """Why a framework's ten steps are not those of the float64 loop; None where they are, or where it has none."""
    if "loss_error" not in answer:
        return None
    for key, what, tolerance in (
        ("loss_error", "a loss", LOSS_TOLERANCE),
        ("move_error", "the move of the weights", MOVE_TOLERANCE),
    ):
        if not answer[key] <= tolerance:
            return f"{what} in {STEPS_CHECKED} steps differs by {answer[key]:.1e} from float64's, more than {tolerance}"
    return None
