"""Threads that work beside the caller's: results in order, processors apart, nothing left changed."""

import os
import threading
from typing import Any

import numpy as np
import pytest

from polydnn.executors.on_numpy import team
from polydnn.executors.on_numpy.team import parts_of, together

PLACING = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="threads can be placed on Linux, where there are two processors",
)


def test_results_come_in_the_order_of_the_tasks() -> None:
    assert together([lambda: 1]) == [1]
    assert together([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]


def test_all_have_the_callers_context() -> None:
    with np.errstate(over="ignore", invalid="call"):
        assert together([np.geterr, np.geterr]) == 2 * [np.geterr()]


def test_the_first_task_is_the_callers() -> None:
    threads = together([threading.get_ident, threading.get_ident])
    assert threads[0] == threading.get_ident() != threads[1]


@PLACING
def test_each_has_processors_of_its_own_and_the_caller_gets_all_back() -> None:
    allowed = os.sched_getaffinity(0)

    def places() -> Any:
        return os.sched_getaffinity(0)

    together([places, places])  # the thread may be new: it is placed from the second call on
    mine, other = together([places, places])
    assert mine
    assert other
    assert not mine & other
    assert mine | other == allowed
    assert os.sched_getaffinity(0) == allowed


@PLACING
def test_the_caller_gets_its_processors_back_after_an_error() -> None:
    allowed = os.sched_getaffinity(0)

    def fail() -> None:
        msg = "no"
        raise ValueError(msg)

    for tasks in ([fail, int], [int, fail]):
        with pytest.raises(ValueError, match="no"):
            together(tasks)
        assert os.sched_getaffinity(0) == allowed


def test_where_nobody_knows_the_processor_nothing_is_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "_processor", lambda: None)
    monkeypatch.setattr(os, "sched_setaffinity", None, raising=False)  # a call would fail
    assert together([lambda: 1, lambda: 2]) == [1, 2]


@PLACING
def test_where_placing_is_forbidden_the_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(thread: int, processors: set[int]) -> None:
        asked.append(thread)
        raise PermissionError

    asked: list[int] = []
    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    assert together([lambda: 1, lambda: 2]) == [1, 2]
    assert asked[-2:] == [0, 0]


@pytest.mark.parametrize(("count", "allowed"), [(2, {0, 1}), (2, {3, 5, 6}), (3, set(range(16)))])
def test_processors_are_dealt_out(count: int, allowed: set[int]) -> None:
    here = max(allowed)
    shares = team._shares(allowed, here, count)
    assert here in shares[0]
    assert set().union(*shares) == allowed
    assert sum(len(share) for share in shares) == len(allowed)
    assert all(shares)


def test_a_large_array_has_a_part_for_each_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "usable_threads", lambda: 2)
    assert parts_of(100) == [slice(0, 100)]
    assert parts_of(team.SHARED + 1) == [slice(0, team.SHARED // 2), slice(team.SHARED // 2, team.SHARED + 1)]
