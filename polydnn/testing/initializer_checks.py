"""What is asked of an initializer: finite host numbers of the right shape, from the given stream and nothing else."""

import random

import numpy as np

from polydnn.arrays import stream
from polydnn.initializers.initializer import Initializer
from polydnn.testing.bench import Bench, Call, Host
from polydnn.testing.check import Check
from polydnn.testing.finding import Finding
from polydnn.testing.identity_checks import DOCSTRING, NAME, OPTIONS

__all__ = ["INITIALIZER_CHECKS", "InitializerBench"]

SHAPES = ((3, 5), (5, 3), (4, 4), (7, 1), (1, 6), (1, 1), (120, 40))


class InitializerBench(Bench):
    """An initializer; it works on the host, so the backend does not matter."""

    kind = "initializer"
    item: Initializer

    def calls(self, rows: int = 4, width: int = 3) -> list[Call]:
        return []

    def draw(self, shape: tuple[int, int], position: int = 0) -> Host:
        """The weights from a stream of their own; the same position gives the same stream."""
        return self.item.draw(shape, stream(0, "conformance initializer", position))


def runs(bench: InitializerBench) -> None:
    for shape in SHAPES:
        bench.draw(shape)


def shape_and_type(bench: InitializerBench) -> None:
    for wanted in SHAPES:
        found = bench.draw(wanted)
        if not isinstance(found, np.ndarray):
            raise Finding(expected="a NumPy array", found=f"a {type(found).__name__}", where=f"draw({wanted}, stream)")
        if found.shape != wanted:
            raise Finding(expected=f"shape {wanted}", found=f"shape {found.shape}", where=f"draw({wanted}, stream)")


def dtype(bench: InitializerBench) -> None:
    found = bench.draw((3, 5)).dtype
    if found != np.float64:
        raise Finding(expected="float64", found=str(found))


def finite(bench: InitializerBench) -> None:
    for wanted in SHAPES:
        found = bench.draw(wanted)
        wrong = ~np.isfinite(found)
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            place = f"draw({wanted}, stream)[{index[0]}, {index[1]}]"
            raise Finding(expected="finite numbers", found=f"{found[index]}", where=f"{place}; {wrong.sum()} in all")


def global_state(bench: InitializerBench) -> None:
    numpy_state, python_state = _global_numbers(), random.getstate()
    bench.draw((3, 5))
    after, position = _global_numbers()
    if position != numpy_state[1] or not np.array_equal(after, numpy_state[0]):
        raise Finding(expected="NumPy's global random state as it was", found="it was advanced or seeded")
    if random.getstate() != python_state:
        raise Finding(expected="the state of Python's random as it was", found="it was advanced or seeded")


def _global_numbers() -> tuple[Host, int]:
    state = np.random.get_state(legacy=False)["state"]
    return state["key"].copy(), state["pos"]


def reproducible(bench: InitializerBench) -> None:
    for wanted in SHAPES:
        first, second = bench.draw(wanted), bench.draw(wanted)
        if not np.array_equal(first, second):
            index = tuple(int(i) for i in np.argwhere(first != second)[0])
            raise Finding(
                expected=f"{first[index]:.8g} again from a stream in the same place",
                found=f"{second[index]:.8g}",
                where=f"draw({wanted}, stream)[{index[0]}, {index[1]}]",
            )


def own_stream(bench: InitializerBench) -> None:
    """Numbers that look random must change with the stream; constants and simple patterns need not."""
    shape = SHAPES[-1]
    first, other = bench.draw(shape, position=0), bench.draw(shape, position=1)
    if np.array_equal(first, other) and np.unique(first).size > 16:
        raise Finding(
            expected="other numbers from another stream",
            found=f"the same {first.size} numbers whatever the stream: every layer of this shape would start alike",
        )


def fresh(bench: InitializerBench) -> None:
    first = bench.draw((3, 5))
    kept = first.copy()
    if first.flags.writeable:
        first += 1.0
    if not np.array_equal(bench.draw((3, 5)), kept):
        raise Finding(
            expected="a new array at every call", found="writing into one changed what the next call returned"
        )


INITIALIZER_CHECKS: tuple[Check, ...] = (
    NAME,
    DOCSTRING,
    OPTIONS,
    Check("runs", "it works for every shape of a weight", "call draw((7, 1), stream) by hand.", runs),
    Check(
        "shape",
        "it returns a NumPy array of the shape asked for, (in_features, out_features)",
        "pass the shape on: stream.standard_normal(shape).",
        shape_and_type,
        ("runs",),
    ),
    Check(
        "dtype",
        "it returns float64, which the network rounds to its own dtype",
        "do not round: leave dtype= away, or use np.float64.",
        dtype,
        ("runs", "shape"),
    ),
    Check("finite", "all numbers are finite", "look for a division by shape - 1.", finite, ("runs", "shape")),
    Check(
        "global_state",
        "no global random state is touched",
        "use the numbers of the stream that draw is given: stream.normal(...), never np.random.normal(...).",
        global_state,
        ("runs",),
    ),
    Check(
        "reproducible",
        "the same stream gives the same numbers",
        "use no random numbers but those of the stream that draw is given.",
        reproducible,
        ("runs", "shape", "global_state"),
    ),
    Check(
        "stream",
        "the numbers come from the stream",
        "draw from the stream that draw is given; a generator or a cache of one's own repeats itself.",
        own_stream,
        ("runs", "shape", "reproducible", "finite"),
    ),
    Check(
        "fresh",
        "every call returns an array of its own",
        "do not keep the array; make a new one at every call.",
        fresh,
        ("runs", "shape", "dtype", "reproducible", "stream", "finite"),
    ),
)
