"""The time of a step at each batch size, measured in a copy of the training, by the executor that a fit would use."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from polydnn.arrays import stream
from polydnn.arrays.byte_sizes import bytes_text
from polydnn.arrays.memory import memory_ran_out
from polydnn.batch_size.repeats import is_steady, visits_interval
from polydnn.batch_size.report.wording import seconds_text
from polydnn.batch_size.sizes import check_sizes
from polydnn.batch_size.split import split_step
from polydnn.batch_size.stepping import TICK, Stepping
from polydnn.batch_size.twin import Twin, twin_of
from polydnn.batch_size.working_set import StepCounts, cache_level, count_step
from polydnn.errors import InvalidArgumentError
from polydnn.execution import Executor
from polydnn.training import Trainer
from polydnn.training.weights import ClassWeight

__all__ = ["Report", "Sweep", "silent", "sweep", "sweep_twin"]

Report = Callable[[str, float], None]
"""Is told what is being done, and the part of the time that is spent, from 0 to 1."""

VISIT = 3
"""Timings of one size before it is another's turn; an untimed one fills the caches first."""

ROUNDS = 10
"""Rounds for which there should be time, so that timings are shorter where the budget is small."""

PREPARING = 0.85
"""The part of the budget after which no further size is prepared."""

ONCE_MORE = 0.5
"""The part of what the first size took that the second will take too; the rest a library does only once."""

STEPS_TO_PREPARE = 30
"""Steps that preparing a size takes about, beside what does not depend on the size."""

TELLING = 2
"""The number of sizes after which it is seen whether there is time for all."""

SPLITTING = 12
"""Steps that it takes to tell the parts of one apart, at most."""

ROOM = 3.0
"""Working sets that must be free: the step's own, and what the comparison with the reference holds besides."""


def silent(text: str, share: float) -> None:
    """Reports nothing."""


@dataclass(frozen=True)
class Sweep:
    """A row for each size that was measured, as the record holds them, and why the others were not."""

    rows: list[dict[str, Any]]
    skipped: list[dict[str, Any]]


@dataclass
class _Subject:
    """A size under measurement."""

    size: int
    execution: str
    executor: Executor
    stepping: Stepping
    once: float
    warm_up: float
    seconds: list[float] = field(default_factory=list)

    @property
    def visit_seconds(self) -> float:
        """What a visit will take."""
        return (VISIT + 1) * max(self.once, self.stepping.tick)


def sweep(
    trainer: Trainer,
    x: object,
    y: object,
    *,
    sizes: Sequence[int] | str | None = None,
    budget: float = 60.0,
    caches: Mapping[str, int] | None = None,
    execution: str | None = None,
    sample_weight: object | None = None,
    class_weight: ClassWeight | None = None,
    validation_fraction: float | None = None,
    progress: Report = silent,
) -> Sweep:
    """Measure the time of a step for each of ``sizes`` on the rows x (n, in_features) and y that ``fit`` would take.

    ``sizes`` are powers of two from 1 to 4096 unless given, as numbers or as text ("1:4096", "16,64,256"). ``budget``
    is in seconds; ``caches`` are bytes by level, for the column that says what holds the working set. Nothing of the
    trainer changes. Raises InvalidArgumentError where no size at all can be measured, and as ``fit`` for the rows.

    >>> import polydnn
    >>> trainer = polydnn.Trainer(polydnn.Network(2, [polydnn.Dense(1)]), loss="mean_squared_error")
    >>> found = sweep(trainer, [[0.0, 1.0]] * 8, [[1.0]] * 8, sizes=[1, 4, 16], budget=0.5)
    >>> [row["batch_size"] for row in found.rows], found.skipped[0]["why"]
    ([1, 4], 'there are 8 rows to train on')
    """
    twin = twin_of(
        trainer,
        x,
        y,
        sample_weight=sample_weight,
        class_weight=class_weight,
        validation_fraction=validation_fraction,
    )
    return sweep_twin(
        twin,
        check_sizes(sizes, len(twin.rows)),
        budget=check_budget(budget),
        caches=caches,
        execution=execution,
        progress=progress,
    )


def sweep_twin(
    twin: Twin,
    sizes: Sequence[int],
    *,
    budget: float,
    caches: Mapping[str, int] | None = None,
    execution: str | None = None,
    progress: Report = silent,
    clock: Callable[[], float] = time.perf_counter,
) -> Sweep:
    """``sweep`` of a copy that is there already; ``sizes`` rise."""
    work = _Work(twin, budget, caches or {}, execution, progress, clock)
    work.prepare(sizes)
    work.measure()
    if not work.subjects:
        msg = f"no batch size could be measured: {work.skipped[0]['batch_size']}: {work.skipped[0]['why']}."
        raise InvalidArgumentError(msg)
    return Sweep(work.rows(), sorted(work.skipped, key=lambda each: int(each["batch_size"])))


def check_budget(budget: object) -> float:
    """``budget`` as seconds; raises InvalidArgumentError unless it is a number above 0."""
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not 0.0 < budget < math.inf:
        msg = f"budget must be a number of seconds above 0, found {budget!r}."
        raise InvalidArgumentError(msg)
    return float(budget)


class _Work:
    """A sweep under way: all sizes are prepared in rising order, then measured in rounds of random order."""

    def __init__(
        self,
        twin: Twin,
        budget: float,
        caches: Mapping[str, int],
        execution: str | None,
        progress: Report,
        clock: Callable[[], float],
    ) -> None:
        self._twin, self._budget, self._caches, self._execution = twin, budget, caches, execution
        self._progress, self._clock = progress, clock
        self._started = clock()
        self._executors: dict[str, Executor] = {}
        self._counts: dict[str, StepCounts] = {}
        self.subjects: list[_Subject] = []
        self.skipped: list[dict[str, Any]] = []

    # ---- preparing -------------------------------------------------------------------------------------------------

    def prepare(self, sizes: Sequence[int]) -> None:
        """Choose, build, compile and tune for every size that time and memory allow."""
        self._most = len(sizes)
        self._tick = min(TICK, self._budget / (ROUNDS * (VISIT + 1) * len(sizes)))
        full = ""
        left = list(sizes)
        while left:
            size = left.pop(0)
            self._say(f"preparing: {size}")
            why = self._too_many(size) or full or self._too_late(size) or self._too_large(size)
            try:
                if not why:
                    self.subjects.append(self._prepared(size))
                    left = self._thinned(left)
            except Exception as error:
                if not memory_ran_out(error):
                    raise
                why = full = f"the memory does not suffice for {size} rows ({type(error).__name__})"
            if why:
                self._skip(size, why)

    def _thinned(self, left: list[int]) -> list[int]:
        """The sizes still to come, evenly spread up to the largest where there is no time for all.

        The second size tells what one costs at least: what the library does only once, the first has paid.
        """
        if len(self.subjects) != TELLING:
            return left
        possible = [size for size in left if not self._too_many(size)]
        time_left = PREPARING * self._budget - self._spent()
        count = max(int(time_left / max(self.subjects[-1].warm_up, 1e-9)), 1)
        if count >= len(possible):
            return left
        kept = {possible[len(possible) * (place + 1) // count - 1] for place in range(count)}
        for size in possible:
            if size not in kept:
                self._skip(size, self._no_time())
        return [size for size in left if size in kept or size not in possible]

    def _prepared(self, size: int) -> _Subject:
        started = self._clock()
        choice = self._twin.choice(size, self._execution)
        name, executor = choice.name, choice.executor
        if self._shared:
            executor = self._executors.setdefault(name, executor)
        stepping = Stepping(self._twin, executor, size, tick=self._tick)
        stepping.restart()
        stepping.run()
        once = stepping.settle()
        return _Subject(size, name, executor, stepping, once, self._clock() - started)

    @cached_property
    def _shared(self) -> bool:
        """Whether one executor has to serve all sizes, since as many as there are sizes would fill the memory."""
        free = self._twin.backend.memory_bytes()
        return free is None or self._most * self._count("").working_set(0).total > free / 8

    def _count(self, name: str) -> StepCounts:
        if name not in self._counts:
            self._counts[name] = count_step(self._twin.plan, name)
        return self._counts[name]

    def _too_many(self, size: int) -> str:
        rows = len(self._twin.rows)
        return f"there are {rows:,} rows to train on" if size > rows else ""

    def _too_large(self, size: int) -> str:
        free, needed = self._twin.backend.memory_bytes(), self._count("").working_set(size).total
        if free is None or ROOM * needed <= free:
            return ""
        return f"a step works on {bytes_text(needed)}, and {bytes_text(free)} of memory are free"

    def _too_late(self, size: int) -> str:
        """Why there is no time for this size, judged by those before; the first is always measured."""
        if not self.subjects:
            return ""
        expected = self._expected(size, lambda each: each.warm_up)
        visit = self._expected(size, lambda each: each.visit_seconds)
        measuring = sum(each.visit_seconds for each in self.subjects) + visit + self._still_to_come()
        left = self._budget - self._spent()
        if self._spent() + expected <= PREPARING * self._budget and expected + measuring <= left:
            return ""
        return self._no_time()

    def _no_time(self) -> str:
        return f"the {seconds_text(self._budget)} for the sweep leave no time for it"

    def _expected(self, size: int, seconds: Callable[[_Subject], float]) -> float:
        """What a size will take, along the line through the two before it; never less than the last took."""
        last = self.subjects[-1]
        if len(self.subjects) == 1:
            return ONCE_MORE * seconds(last) + STEPS_TO_PREPARE * last.once * (size - last.size) / last.size
        before = self.subjects[-2]
        slope = max(seconds(last) - seconds(before), 0.0) / (last.size - before.size)
        return seconds(last) + slope * (size - last.size)

    # ---- measuring -------------------------------------------------------------------------------------------------

    def measure(self) -> None:
        """Visit the sizes in rounds until all are steady or the budget is spent; each is visited once at least."""
        for subject in self._visits():
            try:
                self._visit(subject)
            except Exception as error:
                if not memory_ran_out(error):
                    raise
                self._drop(subject, f"the memory does not suffice ({type(error).__name__})")
        for subject in [each for each in self.subjects if not each.seconds]:
            self._drop(subject, f"the {seconds_text(self._budget)} for the sweep were spent")

    def _visits(self) -> Iterator[_Subject]:
        turn = 0
        while open_ones := [each for each in self.subjects if not is_steady(each.seconds)]:
            order = stream(self._twin.trainer.seed, "batch-size sweep", turn).permutation(len(open_ones))
            visited = False
            for place in order.tolist():
                subject = open_ones[place]
                if self._spent() + subject.visit_seconds + self._still_to_come() <= self._budget or not turn:
                    visited = True
                    yield subject
            if not visited:
                return
            turn += 1

    def _still_to_come(self) -> float:
        """What telling the parts apart will take."""
        return SPLITTING * sum(each.once for each in self.subjects)

    def _visit(self, subject: _Subject) -> None:
        self._say(f"measuring: {subject.size}")
        subject.stepping.restart()
        subject.stepping.run()
        found = [subject.stepping.seconds() for _ in range(VISIT)]
        if not subject.stepping.is_finite():
            self._drop(subject, "the loss is not a finite number after a few steps; try a lower learning rate")
            return
        subject.seconds += found

    def _drop(self, subject: _Subject, why: str) -> None:
        self.subjects.remove(subject)
        self._skip(subject.size, why)

    def _skip(self, size: int, why: str) -> None:
        self.skipped.append({"batch_size": size, "why": why})

    def _spent(self) -> float:
        return self._clock() - self._started

    def _say(self, text: str) -> None:
        self._progress(text, min(self._spent() / self._budget, 1.0))

    # ---- rows ------------------------------------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the record, smallest size first."""
        return [self._row(each) for each in self.subjects]

    def _row(self, subject: _Subject) -> dict[str, Any]:
        size, counts, rows = subject.size, self._count(subject.execution), len(self._twin.rows)
        middle, (low, high) = visits_interval(subject.seconds, VISIT)
        stepping = subject.stepping
        stepping.restart()
        split, told = split_step(self._twin, subject.executor, stepping.index, stepping.rate, middle)
        held = counts.working_set(size).total
        self._say(f"telling the parts of a step apart: {size}")
        return {
            "batch_size": size,
            "seconds_per_step": middle,
            "seconds_per_step_interval": [low, high],
            "repeats": len(subject.seconds),
            "warm_up_seconds": subject.warm_up,
            "split": split,
            "split_source": told,
            "seconds_per_epoch": math.ceil(rows / size) * middle,
            "samples_per_second": size / middle,
            "flops": counts.flops(size),
            "gigaflops_per_second": counts.flops(size) / middle / 1e9,
            "bytes_moved": counts.bytes_moved(size),
            "gigabytes_per_second": counts.bytes_moved(size) / middle / 1e9,
            "working_set_bytes": held,
            "cache_level": cache_level(held, self._caches),
            "peak_memory_bytes": self._peak_bytes(subject),
            "execution": subject.execution,
        }

    def _peak_bytes(self, subject: _Subject) -> int | None:
        """The most that a new executor and its first step hold, and what the trainer holds; None without the time."""
        if self._spent() + subject.warm_up > self._budget:
            return None

        def run() -> None:
            Stepping(self._twin, self._twin.executor(subject.execution), subject.size).run()

        counts = self._count(subject.execution)
        try:
            found = self._twin.backend.peak_bytes(run)
        except Exception as error:
            if not memory_ran_out(error):
                raise
            return None
        return None if found is None else found + counts.parameters + counts.state
