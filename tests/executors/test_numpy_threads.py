"""All threads or one: what was faster lately, on a pretended machine whose other processes come and go."""

from bisect import bisect
from collections.abc import Callable

import numpy as np
import pytest

from polydnn.executors.on_numpy.threads import LONGEST, ThreadPace


class Library:
    """Something with a number of threads."""

    def __init__(self, threads: int) -> None:
        self.threads = threads


class Machine:
    """A clock, and steps that take as long as ``seconds(threads, now)`` says."""

    def __init__(self, seconds: Callable[[int, float], float], threads: int = 2, single: bool = False) -> None:
        self.now, self.seconds = 0.0, seconds
        self.library = Library(threads)
        self.pace = ThreadPace([self.library], lambda: self.now, single=single)  # type: ignore[list-item]

    def step(self, rows: int = 64) -> int:
        """One step; the threads it had."""
        begun = self.pace.begin(rows)
        used = self.library.threads
        self.now += self.seconds(used, self.now)
        if begun is not None:
            self.pace.end(begun)
        return used

    def used(self, seconds: float) -> list[int]:
        until, found = self.now + seconds, []
        while self.now < until:
            found.append(self.step())
        return found


def test_all_threads_where_they_help() -> None:
    machine = Machine(lambda threads, now: 0.010 / threads)
    assert machine.used(1.0).count(1) <= 0.15 * len(machine.used(1.0))
    assert machine.step() == 2


def test_one_where_another_process_is_in_the_way() -> None:
    machine = Machine(lambda threads, now: 0.001 if threads == 1 else 0.1)
    machine.used(2.0)
    used = machine.used(20.0)
    assert used.count(2) <= 20  # a trial of a hundred times the time is not made often
    assert machine.step() == 1


def test_some_slow_steps_among_many_fast_ones_count() -> None:
    """Two threads are faster in the median of single steps and three times slower in their mean."""
    taken = []
    for seed in range(6):
        chance = np.random.default_rng(seed).random

        def seconds(threads: int, now: float, chance: Callable[[], float] = chance) -> float:
            return 0.0005 if threads == 1 else (0.012 if chance() < 0.1 else 0.0004)

        machine = Machine(seconds)
        taken.append(10.0 / len(machine.used(10.0)))
    assert np.mean(taken) < 1.06 * 0.0005


@pytest.mark.parametrize("first", [1, 2])
def test_it_follows_the_machine(first: int) -> None:
    def seconds(threads: int, now: float) -> float:
        better = first if now < 5.0 else 3 - first
        return 0.002 if threads == better else 0.02

    machine = Machine(seconds)
    machine.used(4.9)
    assert machine.step() == first
    machine.used(0.1 + 2 * LONGEST)
    later = machine.used(2.0)
    assert later.count(3 - first) > 0.9 * len(later)


@pytest.mark.parametrize("period", [0.2, 0.5, 2.0])
@pytest.mark.parametrize("pause", [0.0, 3.0])
def test_a_machine_that_changes_its_speed_is_not_mistaken_for_a_number_of_threads(period: float, pause: float) -> None:
    """For some time all takes twice as long, with one thread or two: trials in between find either faster."""
    random, changes = np.random.default_rng(0), [0.0]
    while changes[-1] < 2000.0:
        changes.append(changes[-1] + random.exponential(period))
    machine, worked, spent = Machine(lambda threads, now: 0.0), 0.0, {1: 0.0, 2: 0.0}
    while worked < 150.0:
        for left in (6, 4, 2):  # bundles of six steps, of which a trial takes fewer
            count = machine.pace.at_once(left)
            begun, threads = machine.pace.begin(64), machine.library.threads
            seconds = count * 0.01 * (3 - threads) * (1 + bisect(changes, machine.now) % 2)
            machine.now, worked, spent[threads] = machine.now + seconds, worked + seconds, spent[threads] + seconds
            if begun is not None:
                machine.pace.end(begun, count)
        if worked % 0.45 < 0.1:
            machine.now += pause
    assert spent[1] < 0.015 * spent[2]


def test_a_trial_takes_few_steps_of_a_bundle() -> None:
    machine = Machine(lambda threads, now: 0.0)
    taken: dict[int, list[int]] = {1: [], 2: []}
    while machine.now < 20.0:
        count = machine.pace.at_once(100)
        begun = machine.pace.begin(64)
        taken[machine.library.threads].append(count)
        machine.now += count * 0.003 / machine.library.threads
        if begun is not None:
            machine.pace.end(begun, count)
    assert set(taken[1]) == {3}  # 5 milliseconds of steps that take 1.5 with all threads
    assert max(taken[2]) == 100
    assert sum(taken[1]) < 0.01 * sum(taken[2])


def test_threads_that_have_slept_are_given_time_to_wake() -> None:
    """Whenever one thread has worked for a while, the first steps of two take twice as long as those to come."""
    since: float | None = None

    def seconds(threads: int, now: float) -> float:
        nonlocal since
        since = None if threads == 1 else now if since is None else since
        if since is None:
            return 0.0017
        return 0.0011 if now > since + 0.06 else 0.0034

    machine = Machine(seconds)
    machine.used(3.0)
    assert machine.used(3.0).count(1) < 30
    assert machine.step() == 2


def test_steps_that_take_longer_than_threads_to_wake() -> None:
    machine = Machine(lambda threads, now: 3.0 / threads)
    assert machine.used(60.0).count(1) <= 10
    assert machine.step() == 2


def test_what_the_first_step_had_to_prepare_teaches_nothing() -> None:
    machine = Machine(lambda threads, now: 5.0 if now == 0.0 else 0.010 / threads)
    machine.step()
    machine.now += 1.0  # nothing is known yet when a trial would be due
    assert machine.used(5.0).count(1) < 50
    assert machine.step() == 2


def test_after_a_pause_cold_steps_are_not_compared_with_warm_ones() -> None:
    """A trial of one thread that comes right after a pause would find it ahead of two that are not awake yet."""
    since = -1.0

    def seconds(threads: int, now: float) -> float:
        return 0.02 if threads == 1 else 0.01 if now > since + 0.06 else 0.03

    machine = Machine(seconds)
    for _ in range(20):
        since = machine.now
        assert machine.used(0.3).count(1) <= 3
        machine.now += 2.0


def test_long_steps_are_not_tried_with_one_thread_at_once() -> None:
    machine = Machine(lambda threads, now: 0.8 / threads)
    assert [machine.step() for _ in range(9)] == [2] * 9
    assert 1 in machine.used(20.0)


def test_beginning_with_one_thread() -> None:
    machine = Machine(lambda threads, now: 0.010 / threads, single=True)
    assert set(machine.used(0.1)) == {1}
    machine.used(2.0)
    assert machine.step() == 2
    machine = Machine(lambda threads, now: 0.001 if threads == 1 else 0.1, single=True)
    assert machine.used(0.1).count(2) == 0
    assert machine.used(10.0).count(2) <= 20


def test_pauses_bring_no_trial_nearer() -> None:
    machine = Machine(lambda threads, now: 0.010 / threads)
    machine.used(1.0)
    single = 0
    for _ in range(100):
        machine.now += 2.0
        single += machine.used(0.3).count(1)
    assert single <= 2 * (100 * 0.3 + 1.0)  # two steps a second of work, at most


def test_a_trial_that_a_pause_broke_off_is_not_made_again_at_once() -> None:
    """Five steps between two pauses are too few to end one: the last of each five would have one thread."""
    machine = Machine(lambda threads, now: 0.090 / threads)
    machine.used(2.0)
    used = []
    for _ in range(100):
        machine.now += 2.0
        used += [machine.step() for _ in range(5)]
    assert used.count(1) <= 0.07 * len(used)


def test_bundles_of_any_number_of_steps_teach_how_long_one_takes() -> None:
    machine = Machine(lambda threads, now: 0.0)
    for turn in range(2000):
        begun = machine.pace.begin(64)
        count = 1 if turn % 3 else 50
        machine.now += count * 0.001 * machine.library.threads
        if begun is not None:
            machine.pace.end(begun, count)
    assert machine.pace.single


def test_batches_of_another_size_teach_nothing() -> None:
    machine = Machine(lambda threads, now: 0.010 / threads)
    machine.used(1.0)
    for _ in range(50):
        machine.step()
        assert machine.pace.begin(7) is None


def test_batches_of_another_size_get_the_threads_of_the_others() -> None:
    machine = Machine(lambda threads, now: 0.001 if threads == 1 else 0.1)
    machine.used(2.0)
    machine.library.threads = 2  # given back between two bundles
    assert machine.pace.begin(7) is None
    assert machine.library.threads == 1


def test_the_threads_are_given_back() -> None:
    machine = Machine(lambda threads, now: 0.001 * threads)
    with machine.pace.restored():
        machine.used(1.0)
        assert machine.library.threads == 1
    assert machine.library.threads == 2


def test_one_thread_leaves_no_choice() -> None:
    machine = Machine(lambda threads, now: 0.01, threads=1)
    assert machine.pace.begin(64) is None
