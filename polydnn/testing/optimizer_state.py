"""Whether an optimizer's state is all it remembers: plain arrays that survive a checkpoint, and nothing hidden."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from polydnn.optimizers.optimizer import State
from polydnn.testing import call_checks
from polydnn.testing.bench import draw, shape_of
from polydnn.testing.differences import require_equal
from polydnn.testing.finding import Finding, NotApplicable
from polydnn.testing.optimizer_bench import OptimizerBench, as_state

__all__ = ["defaults", "flat_buffer", "inputs_unchanged", "pure", "round_trip", "runs", "state"]

SHAPES: tuple[tuple[int, ...], ...] = ((4, 3), (3,))


def defaults(bench: OptimizerBench) -> None:
    """The numbers a trainer takes where the user gives none are usable."""
    rate, decay = bench.item.learning_rate, bench.item.weight_decay
    if not _number(rate) or not 0.0 < rate < np.inf:
        raise Finding(expected="learning_rate above 0 and finite", found=repr(rate))
    if not _number(decay) or not 0.0 <= decay < np.inf:
        raise Finding(expected="weight_decay of at least 0 and finite", found=repr(decay))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def runs(bench: OptimizerBench) -> None:
    """init and three updates work on NumPy."""
    for shape in SHAPES:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            bench.run(bench.numpy, "float64", shape, steps=3)
        if caught:
            raise Finding(expected="no warning", found=call_checks.warned(caught), where=f"a parameter {shape}")


def state(bench: OptimizerBench) -> None:
    """The state is a mapping of names to arrays shaped like the parameter, with the same names after every update."""
    for shape in SHAPES:
        first = bench.start(draw("parameter", *shape), bench.numpy.xp)
        _require_state("init", first, shape)
        _, later = bench.run(bench.numpy, "float64", shape, steps=2)
        _require_state("update", later, shape)
        if set(first) != set(later):
            raise Finding(expected=f"{sorted(first)} as after init", found=f"{sorted(later)} after update")


def _require_state(source: str, found: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(found, Mapping):
        raise Finding(expected=f"a mapping from {source}", found=f"a {type(found).__name__}")
    for key, value in found.items():
        if not isinstance(key, str):
            raise Finding(expected=f"strings as names in the state from {source}", found=repr(key))
        if shape_of(value) != shape:
            described = f"shape {shape_of(value)}" if shape_of(value) is not None else f"a {type(value).__name__}"
            raise Finding(expected=f"state[{key!r}] from {source} shaped like the parameter, {shape}", found=described)


def pure(bench: OptimizerBench) -> None:
    """A run gives the same numbers when it is repeated, and when other parameters are updated in between."""
    shape = SHAPES[0]
    first, _ = bench.run(bench.numpy, "float64", shape, steps=4)
    again, _ = bench.run(bench.numpy, "float64", shape, steps=4)
    _same(again, first, "the same 4 updates a second time", "the first time")

    def distract() -> None:
        bench.run(bench.numpy, "float64", (2, 5), steps=3)

    amid, _ = bench.run(bench.numpy, "float64", shape, steps=4, distract=distract)
    _same(amid, first, "4 updates among updates of another parameter", "the same 4 updates on their own")


def _same(found: Any, expected: Any, what: str, same_as: str) -> None:
    require_equal(np.asarray(found), np.asarray(expected), 0.0, what=f"the parameter after {what}", same_as=same_as)


def round_trip(bench: OptimizerBench) -> None:
    """A state that was written out as arrays and read back goes on as if nothing had happened."""

    def restored(held: State) -> State:
        return {str(key): np.array(value) for key, value in held.items()}

    for shape in SHAPES:
        whole, _ = bench.run(bench.numpy, "float64", shape, steps=4)
        try:
            resumed, _ = bench.run(bench.numpy, "float64", shape, steps=4, between=restored)
        except Finding as finding:
            finding.expected = "update to go on from a plain dictionary with the state's arrays"
            raise
        _same(resumed, whole, "4 updates with the state restored before each", "without")


def inputs_unchanged(bench: OptimizerBench) -> None:
    """Neither the arrays nor the mapping that holds the state are written to."""
    call_checks.inputs_unchanged(bench)
    arrays = bench.update_call(SHAPES[0]).arrays(bench.backend)
    held = as_state(arrays)
    before = dict(held)
    bench.step(arrays["gradient"], held, arrays["parameter"], 0.01, 3, bench.backend.xp)
    changed = [key for key in {**before, **held} if held.get(key) is not before.get(key)]
    if changed:
        raise Finding(
            expected="the mapping given as state to be left as it was",
            found=f"update put something else under {', '.join(map(repr, changed))}",
            do='return a new mapping: {"velocity": velocity}.',
        )


def flat_buffer(bench: OptimizerBench) -> None:
    """One update over all parameters laid end to end is the same as one for each."""
    if not bench.item.elementwise:
        raise NotApplicable(because="it does not say elementwise=True")
    calls = [bench.update_call(shape) for shape in SHAPES]
    apart = [call.host(bench.numpy) for call in calls]
    flat = bench.update_call((sum(int(np.prod(shape)) for shape in SHAPES),))
    joined = {name: np.concatenate([call.inputs[name].reshape(-1) for call in calls]) for name in flat.inputs}
    together = type(flat)(flat.label, flat.function, joined, flat.shapes).host(bench.numpy)
    for label, found in together.items():
        expected = np.concatenate([outputs[label].reshape(-1) for outputs in apart])
        require_equal(
            found,
            expected,
            1e-12,
            what=f"{label} of a weight and a bias laid end to end",
            same_as="one at a time",
            at={"gradient": joined["gradient"]},
        )
