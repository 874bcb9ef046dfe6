"""Races between invented runs whose pace and loss are known."""

import math
from types import SimpleNamespace
from typing import Any

import pytest

from polydnn.batch_size.race import Runner, race


class Invented:
    """A run of known seconds a step, whose loss is 1 / (1 + steps / scale); every turn is noted."""

    def __init__(self, size: int, pace: float, scale: float, turns: list[int], diverges_at: float = math.inf) -> None:
        self.batch_size, self.pace, self.scale, self.turns, self.end = size, pace, scale, turns, diverges_at
        self.problem = SimpleNamespace(first_arrays=lambda seed: {})
        self.steps, self.seconds, self.diverged = 0, 0.0, False

    def start(self, arrays: Any, learning_rate: float, seed: int) -> None:
        self.again()

    def again(self) -> None:
        self.steps, self.seconds, self.diverged = 0, 0.0, False

    def advance(self, to: int) -> None:
        self.turns.append(self.batch_size)
        self.seconds += (to - self.steps) * self.pace
        self.steps = to

    def loss(self) -> float:
        self.diverged = self.steps >= self.end
        return math.inf if self.diverged else 1.0 / (1.0 + self.steps / self.scale)


def runners_of(*runs: Invented, target: float = 0.1) -> list[Runner]:
    return [Runner(run, 0.1, 0, target) for run in runs]  # type: ignore[arg-type]


def plenty() -> float:
    return 1e9


def test_steps_and_seconds_are_those_of_the_crossing() -> None:
    turns: list[int] = []
    (runner,) = runners = runners_of(Invented(8, 0.01, 100.0, turns))
    race(runners, give_up=4.0, time_left=plenty)
    assert runner.crossing is not None
    assert runner.crossing.steps == pytest.approx(900.0, rel=0.005)  # 1 / (1 + 900 / 100) = 0.1
    assert runner.crossing.seconds == pytest.approx(9.0, rel=0.005)
    assert runner.crossing.low < 1.0 < runner.crossing.high < 1.12


def test_a_dip_below_the_target_is_no_crossing() -> None:
    run = Invented(8, 0.01, 100.0, [])
    smooth = run.loss
    run.loss = lambda: 0.01 if run.steps == 50 else smooth()  # type: ignore[method-assign]
    (runner,) = runners = runners_of(run)
    race(runners, give_up=4.0, time_left=plenty)
    assert any(steps == 50 for steps, *_ in runner.looks)
    assert runner.crossing is not None
    assert runner.crossing.steps > 800.0


def test_the_one_that_spent_least_goes_next() -> None:
    turns: list[int] = []
    slow, quick = Invented(1, 0.1, 1e9, turns), Invented(2, 0.001, 1e9, turns)
    runners = runners_of(slow, quick)
    left = iter([1.0] * 100)
    race(runners, give_up=4.0, time_left=lambda: next(left, 0.0))
    assert turns.count(2) > 2 * turns.count(1)
    assert quick.seconds == pytest.approx(slow.seconds, rel=0.25)
    assert {runner.why for runner in runners} == {"the budget was spent"}


def test_who_is_clearly_beaten_is_given_up() -> None:
    best, near, far = (Invented(size, 0.01, scale, []) for size, scale in ((1, 100.0), (2, 300.0), (3, 1000.0)))
    runners = runners_of(best, near, far)
    race(runners, give_up=4.0, time_left=plenty)
    assert [runner.crossing is not None for runner in runners] == [True, True, False]
    assert runners[2].why.startswith("given up after 4")
    assert far.seconds == pytest.approx(4 * 9.0, rel=0.12)


def test_there_is_patience_where_there_is_time() -> None:
    runners = runners_of(Invented(1, 1e-5, 100.0, []), Invented(2, 1e-5, 1000.0, []))
    race(runners, give_up=4.0, patience=1.0, time_left=plenty)
    assert all(runner.crossing is not None for runner in runners)


def test_another_rate_of_the_same_size_bounds_a_run() -> None:
    run = Invented(1, 0.01, 100.0, [])
    runner = Runner(run, 0.1, 0, 0.1, limit=500.0)  # type: ignore[arg-type]
    race([runner], give_up=4.0, time_left=plenty)
    assert runner.crossing is None
    assert runner.why == "another learning rate was faster"
    assert 500 < run.steps <= 550


def test_what_a_look_costs_does_not_count_against_another_rate() -> None:
    """The rate before was timed without looks; this one needs fewer steps, and each of them takes twice as long."""
    run = Invented(1, 0.02, 100.0, [])
    runner = Runner(run, 0.1, 0, 0.1, limit=1000.0)  # type: ignore[arg-type]
    race([runner], give_up=4.0, time_left=plenty, best=10.0)
    assert runner.crossing is not None


def test_a_run_that_diverges_is_out() -> None:
    runners = runners_of(Invented(1, 0.01, 100.0, [], diverges_at=20), Invented(2, 0.01, 100.0, []))
    race(runners, give_up=4.0, time_left=plenty)
    assert runners[0].why == "the loss was no longer finite after 20 steps"
    assert runners[1].crossing is not None


def test_a_start_below_the_target_is_no_run() -> None:
    runners = runners_of(Invented(1, 0.01, 100.0, []), target=2.0)
    race(runners, give_up=4.0, time_left=plenty)
    assert runners[0].why == "the loss was at the target before the first step"


def test_one_interruption_decides_nothing() -> None:
    stalled, other = Invented(1, 0.001, 100.0, []), Invented(2, 0.01, 100.0, [])
    plain = stalled.advance

    def advance(to: int) -> None:
        stall = 100.0 if stalled.steps == 0 and not stalled.turns else 0.0
        plain(to)
        stalled.seconds += stall

    stalled.advance = advance  # type: ignore[method-assign]
    runners = runners_of(stalled, other)
    race(runners, give_up=4.0, time_left=plenty)
    assert runners[0].crossing is not None


def test_short_runs_are_timed_again_without_looks() -> None:
    run = Invented(1, 1e-4, 100.0, [])
    plain = run.advance

    def advance(to: int) -> None:
        before = run.steps
        plain(to)
        run.seconds += 0.0 if before == 0 and to > 1 else 1e-3  # what a look costs the next step

    run.advance = advance  # type: ignore[method-assign]
    (runner,) = runners = runners_of(run)
    race(runners, give_up=4.0, time_left=plenty)
    assert runner.crossing is not None
    assert runner.crossing.seconds == pytest.approx(0.09, rel=0.01)
