"""A check is a name, a promise and a function; a table of them is run in order and gives verdicts."""

import random
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from polydnn.testing.backends import strictest
from polydnn.testing.bench import Bench
from polydnn.testing.finding import Finding, NotApplicable, raised
from polydnn.testing.report import Verdict

__all__ = ["Check", "run_table"]


@dataclass(frozen=True)
class Check:
    """One promise of a contract.

    ``run(bench)`` returns where the item keeps the promise, raises Finding where it does not, and NotApplicable where
    the item or the backend has nothing to look at. ``needs`` names the checks that must not have failed before: a
    mistake is reported once, under the name that explains it, and not again by everything that follows from it.
    ``advice`` is what an author should do; a finding may bring something more exact.
    """

    name: str
    promise: str
    advice: str
    run: Callable[[Any], None]
    needs: tuple[str, ...] = ()


def run_table(table: Iterable[Check], bench: Bench) -> tuple[Verdict, ...]:
    """Run every check of the table on the bench's item and backend."""
    verdicts: dict[str, Verdict] = {}
    settled: set[str] = set()  # failed, or not run because of a failure
    with strictest(bench.backend), _random_state_kept():
        for check in table:
            blocker = next((name for name in check.needs if name in settled), None)
            if blocker is not None:
                verdict = Verdict(check.name, None, f"not looked at, because of {blocker!r}", 0.0, check.promise)
            else:
                verdict = _verdict(check, bench)
            if verdict.passed is False or blocker is not None:
                settled.add(check.name)
            verdicts[check.name] = verdict
    return tuple(verdicts.values())


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Put back what a careless item takes from the global random states: the suite it is tested in may use them."""
    numpy_state, python_state = np.random.get_state(legacy=False), random.getstate()
    try:
        yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _verdict(check: Check, bench: Bench) -> Verdict:
    start = time.perf_counter()
    passed: bool | None = True
    detail = ""
    try:
        # A check that looks for warnings records them itself; the author's own settings must not decide a verdict.
        with warnings.catch_warnings(), np.errstate(all="warn", under="ignore"):
            warnings.simplefilter("ignore")
            check.run(bench)
    except Finding as finding:
        passed, detail = False, finding.text(check.advice)
    except NotApplicable as reason:
        passed, detail = None, str(reason)
    except Exception as error:  # whatever an item raises is a finding about the item
        passed, detail = False, raised(error, "the item").text(check.advice)
    return Verdict(check.name, passed, detail, time.perf_counter() - start, check.promise)
