"""docs/execution.md: its executors, bounds and figures are the code's."""

import re
from pathlib import Path

from polydnn.execution.executor import TOLERANCE
from polydnn.execution.tuning import VARIABLE
from polydnn.executors.on_cupy import precision
from polydnn.executors.on_numpy.schedule import (
    BLOCK_ROWS,
    BLOCK_UNITS,
    FEWEST_SHARED,
    LEAST_WORK,
    MOST_AT_ONCE,
    NARROW,
    SURELY_SHARED,
)
from polydnn.registry import default_registry
from tests.executor_cases import BOUND

PAGE = (Path(__file__).parent.parent.parent / "docs" / "execution.md").read_text(encoding="utf-8")


def test_every_executor_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert set(rows) == {"reference", "numba", *default_registry().names("executor")}


def test_bounds_and_rows_are_those_of_the_code() -> None:
    for bounds in (TOLERANCE, BOUND):
        for bound in bounds.values():
            assert f"{bound:.0e}".replace("e-0", "e-") in PAGE
    words = " ".join(PAGE.split())
    assert f"add up to {NARROW} at most" in words
    assert f"beyond {MOST_AT_ONCE:,} rows" in words
    assert f"rows times parameters reach 2^{LEAST_WORK.bit_length() - 1}, from {SURELY_SHARED:,} rows on" in words
    assert f"in {2 * FEWEST_SHARED} rows or more it is measured" in words
    assert f"{BLOCK_ROWS} rows otherwise, or {BLOCK_UNITS:,} over the number of units" in words


def test_the_variables_are_read() -> None:
    assert f"`{VARIABLE}=off`" in PAGE
    assert f"`{precision.VARIABLE}=tf32`" in PAGE
