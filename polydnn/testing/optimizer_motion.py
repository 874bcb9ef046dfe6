"""Whether an optimizer moves as it should: downhill, by its learning rate, and with numbers kept on the device."""

import warnings

import numpy as np

from polydnn.testing.bench import Host, draw, on_backend
from polydnn.testing.call_checks import warned
from polydnn.testing.differences import require_equal
from polydnn.testing.finding import Finding
from polydnn.testing.optimizer_bench import RATE, OptimizerBench

__all__ = ["descends", "learning_rate", "nan_kept", "numbers_on_device", "zero_gradient"]

SHAPE = (4, 3)
STEPS = 100


def descends(bench: OptimizerBench) -> None:
    """A hundred small steps on f(w) = |w - c|^2 / 2 end lower than they began."""
    rate = min(bench.item.learning_rate, RATE)
    goal, w = draw("goal", *SHAPE), 2.0 + draw("parameter", *SHAPE)
    start = _height(w, goal)
    state = bench.start(w, bench.numpy.xp)
    for step in range(1, STEPS + 1):
        w, state = bench.step(w - goal, state, w, rate, step, bench.numpy.xp)
    end = _height(np.asarray(w), goal)
    if not end < start:
        raise Finding(
            expected=f"less than {start:.6g} on the quadratic |w - c|^2 / 2",
            found=f"{end:.6g}",
            where=f"after {STEPS} steps with learning_rate = {rate:g}",
        )


def _height(w: Host, goal: Host) -> float:
    return float(0.5 * np.sum((w - goal) ** 2))


def learning_rate(bench: OptimizerBench) -> None:
    """A tenth of the learning rate goes a shorter way in the first step."""
    long, short = (_first_move(bench, rate) for rate in (RATE, RATE / 10))
    if not short < long:
        raise Finding(
            expected=f"a first step shorter than {long:.6g} with a tenth of the learning rate",
            found=f"{short:.6g}",
            where=f"learning_rate = {RATE / 10:g} and {RATE:g}",
        )


def _first_move(bench: OptimizerBench, rate: float) -> float:
    w, slope = draw("parameter", *SHAPE), draw("gradient 1", *SHAPE)
    moved, _ = bench.step(slope, bench.start(w, bench.numpy.xp), w, rate, 1, bench.numpy.xp)
    return float(np.sqrt(np.sum((np.asarray(moved) - w) ** 2)))


def numbers_on_device(bench: OptimizerBench) -> None:
    """learning_rate and step as 0-d arrays give what they give as numbers."""
    expected = bench.update_call(SHAPE).host(bench.backend, "float32")
    rate, step = (on_backend(np.asarray(number), bench.backend, "float32") for number in (RATE, 3.0))
    found = bench.update_call(SHAPE, rate, step).host(bench.backend, "float32")
    for label, value in expected.items():
        require_equal(
            found[label],
            value,
            1e-5,
            what=f"{label} with 0-d arrays of the parameter's dtype",
            same_as="with plain numbers",
        )


def zero_gradient(bench: OptimizerBench) -> None:
    """A gradient of zeros, which a dead unit has, leaves finite numbers and no warning."""
    w = on_backend(draw("parameter", *SHAPE), bench.backend, "float32")
    zeros = on_backend(np.zeros(SHAPE), bench.backend, "float32")
    state = bench.start(w, bench.backend.xp)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step in (1, 2):
            w, state = bench.step(zeros, state, w, RATE, step, bench.backend.xp)
    arrays = {"parameter": w, **{f"state[{key!r}]": value for key, value in state.items()}}
    for name, value in arrays.items():
        host = np.asarray(bench.backend.to_numpy(value))
        if not np.isfinite(host).all():
            wrong = host[~np.isfinite(host)][0]
            raise Finding(expected=f"a finite {name}", found=f"{wrong}", where="gradient = 0 from the first step on")
    if caught:
        raise Finding(expected="no warning", found=warned(caught), where="gradient = 0 from the first step on")


def nan_kept(bench: OptimizerBench) -> None:
    """NaN in the gradient shows in the parameter."""
    call = bench.update_call(SHAPE)
    call.inputs["gradient"][1, 2] = np.nan
    moved = call.host(bench.backend, "float32")["the new parameter"]
    if not np.isnan(moved[1, 2]):
        raise Finding(expected="nan", found=f"{moved[1, 2]:.8g} in the parameter", where="gradient[1, 2] = nan")
    if bench.item.elementwise and int(np.isnan(moved).sum()) > 1:
        others = int(np.isnan(moved).sum()) - 1
        raise Finding(expected="one NaN", found=f"{others} more", where="gradient[1, 2] = nan, elementwise")
