"""What is asked of an activation: that its way back is the derivative of its way forward, everywhere."""

import warnings
from collections.abc import Mapping

import numpy as np

from polydnn.activations.activation import Activation
from polydnn.testing import call_checks as call
from polydnn.testing import shared_checks as shared
from polydnn.testing.bench import Bench, Call, Host, draw
from polydnn.testing.check import Check
from polydnn.testing.differences import STEP, Slopes, require_equal, require_slope, side_by_side, slopes
from polydnn.testing.finding import Finding, NotApplicable
from polydnn.testing.identity_checks import DOCSTRING, NAME, OPTIONS
from polydnn.types import Array, Namespace

__all__ = ["ACTIVATION_CHECKS", "ActivationBench"]

FORWARD, DERIVATIVE, BACKWARD = "forward(z)", "derivative(z, y)", "backward(dy, z, y)"
FAR = np.array([[50.0, -50.0, 100.0, -100.0], [300.0, -300.0, 1000.0, -1000.0]])
LARGE = {"float32": (20.0, 100.0, 1e3, 1e10, 1e30), "float64": (20.0, 800.0, 1e4, 1e100, 1e300)}


class ActivationBench(Bench):
    """An activation with pre-activations z, outputs y and gradients dy, all (rows, width)."""

    kind = "activation"
    item: Activation

    def calls(self, rows: int = 4, width: int = 3) -> list[Call]:
        return self.calls_at(2.0 * draw("z", rows, width))

    def calls_at(self, z: Host) -> list[Call]:
        """The functions at the pre-activation z (rows, width)."""
        there = Call(FORWARD, self._forward, {"z": z}, {FORWARD: z.shape})
        calls, y = [there], there.host(self.numpy)[FORWARD]
        if self.item.derivative is not None:
            calls.append(Call(DERIVATIVE, self._derivative, {"z": z, "y": y}, {DERIVATIVE: z.shape}))
        if self.item.backward is not None:
            dy = draw("dy", *z.shape)
            calls.append(Call(BACKWARD, self._backward, {"dy": dy, "z": z, "y": y}, {BACKWARD: z.shape}))
        return calls

    def at(self, label: str, z: Host) -> Host:
        """One function at z in double precision."""
        return next(each.host(self.numpy)[label] for each in self.calls_at(z) if each.label == label)

    def forward(self, z: Host) -> Host:
        """y at z in double precision."""
        return Call(FORWARD, self._forward, {"z": z}, {}).host(self.numpy)[FORWARD]

    def _forward(self, arrays: Mapping[str, Array], xp: Namespace) -> dict[str, Array]:
        return {FORWARD: self.item.forward(arrays["z"], xp=xp)}

    def _derivative(self, arrays: Mapping[str, Array], xp: Namespace) -> dict[str, Array]:
        assert self.item.derivative is not None
        return {DERIVATIVE: self.item.derivative(arrays["z"], arrays["y"], xp=xp)}

    def _backward(self, arrays: Mapping[str, Array], xp: Namespace) -> dict[str, Array]:
        assert self.item.backward is not None
        return {BACKWARD: self.item.backward(arrays["dy"], arrays["z"], arrays["y"], xp=xp)}


def points() -> Host:
    """Pre-activations (15, 4): 0 and its neighbourhood, where kinks sit, and numbers of ordinary size."""
    special = np.array([0.0, 1e-3, -1e-3, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0, -6.0, 12.0, -12.0, 25.0, -25.0])
    return np.concatenate([special, 2.5 * draw("points", 45)]).reshape(15, 4)


def far_points(bench: ActivationBench) -> Host:
    """Pre-activations (2, 4) up to a thousand, where branches for saturation sit; 0 where forward overflows there.

    The step of their differences stays short: 1000 +- STEP is exact to 2e-8 of the step, and over a step that grew with
    the point a function that oscillates would be another one.
    """
    with np.errstate(all="ignore"):
        there = slopes(bench.forward, FAR, step=STEP)
    return np.where(np.isfinite(there.central) & np.isfinite(there.doubt), FAR, 0.0)


def elementwise(bench: ActivationBench) -> None:
    if not bench.item.elementwise:
        raise NotApplicable(because="it gives no derivative, so it is row-wise")
    z = points()
    y = bench.forward(z)
    for unit in range(z.shape[1]):
        moved = z.copy()
        moved[:, unit] += 0.25
        others = np.arange(z.shape[1]) != unit
        require_equal(
            bench.forward(moved)[:, others],
            y[:, others],
            1e-12,
            what=f"another unit after unit {unit} alone was moved",
            same_as="before the move",
            at={"z": z[:, others]},
        )


def derivative(bench: ActivationBench) -> None:
    if not bench.item.elementwise:
        raise NotApplicable(because="it gives no derivative, only backward")
    z = points()
    require_slope("derivative", "forward", bench.at(DERIVATIVE, z), slopes(bench.forward, z), {"z": z})
    far = far_points(bench)
    numeric = slopes(bench.forward, far, step=STEP)
    require_slope("derivative", "forward", bench.at(DERIVATIVE, far), numeric, {"z": far})


def agreement(bench: ActivationBench) -> None:
    if bench.item.derivative is None or bench.item.backward is None:
        raise NotApplicable(because="it gives only one of them")
    z = points()
    product = draw("dy", *z.shape) * bench.at(DERIVATIVE, z)
    require_equal(bench.at(BACKWARD, z), product, 1e-9, what="backward", same_as="dy times the derivative", at={"z": z})


def backward(bench: ActivationBench) -> None:
    if bench.item.backward is None:
        raise NotApplicable(because="it gives no backward, only derivative")
    z = points()
    dy = draw("dy", *z.shape)
    numeric = side_by_side(_contraction(bench, z, dy, unit) for unit in range(z.shape[1]))
    rows = np.repeat(z[:, None, :], z.shape[1], axis=1)  # the whole row is what a row-wise function depends on
    require_slope("backward", "sum(dy * forward)", bench.at(BACKWARD, z), numeric, {"dz for row z": rows})


def _contraction(bench: ActivationBench, z: Host, dy: Host, unit: int) -> Slopes:
    """The differences of sum_j dy_j y_j when one unit of every row moves, (rows,)."""

    def contracted(column: Host) -> Host:
        moved = z.copy()
        moved[:, unit] = column
        return np.asarray(np.sum(dy * bench.forward(moved), axis=1))

    return slopes(contracted, z[:, unit])


def nan_kept(bench: ActivationBench) -> None:
    z = draw("z", 4, 3)
    z[1, 2] = np.nan
    y = Call(FORWARD, bench._forward, {"z": z}, {}).host(bench.backend, "float32")[FORWARD]
    if not np.isnan(y[1, 2]):
        raise Finding(expected="nan", found=f"{y[1, 2]:.8g} from forward", where="z = nan")
    if np.isnan(y[[0, 2, 3]]).any():
        raise Finding(expected="finite numbers in the other rows", found="nan", where="z = nan in row 1 only")


def large_input(bench: ActivationBench) -> None:
    for name in ("float32", "float64") if bench.backend == bench.numpy else ("float32",):
        sizes = np.array([0.0, 1e-30, *LARGE[name]])
        rows = np.stack([sizes, -sizes, sizes * (-1.0) ** np.arange(sizes.size)])  # a row-wise function sees a mixture
        _large(bench, rows, name)


def _large(bench: ActivationBench, z: Host, name: str) -> None:
    limit = float(np.finfo(name).max)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = {
            label: y for each in _large_calls(bench, z, name) for label, y in each.host(bench.backend, name).items()
        }
    y, slope = results[FORWARD], results.get(DERIVATIVE, np.zeros(z.shape))
    with np.errstate(all="ignore"):
        # |y| <= |y(0)| + |z| max|y'|: infinity is right only where this bound is beyond the dtype.
        unbounded = np.isinf(y) & (np.maximum.accumulate(np.abs(slope), axis=1) * np.abs(z) >= limit)
    for label, value in results.items():
        wrong = np.isnan(value) | (np.isinf(value) & ~unbounded)
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            row = f"z = {z[index]:g}" if bench.item.elementwise else f"in the row z = {z[index[0]]}"
            raise Finding(expected=f"a finite number in {name}", found=f"{value[index]} from {label}", where=row)
    if caught and not unbounded.any():
        raise Finding(
            expected="no warning", found=call.warned(caught), where=f"|z| up to {np.max(np.abs(z)):.0e} in {name}"
        )


def _large_calls(bench: ActivationBench, z: Host, name: str) -> list[Call]:
    """The functions at z, y being what forward gives there in the dtype itself."""
    calls = bench.calls_at(np.zeros_like(z))
    y = Call(FORWARD, bench._forward, {"z": z}, {}).host(bench.numpy, name)[FORWARD].astype(np.float64)
    values = {"z": z, "y": y, "dy": np.ones_like(z)}
    return [Call(each.label, each.function, {k: values[k] for k in each.inputs}, each.shapes) for each in calls]


SOUND = ("runs", "portable", "shape", "device", "deterministic", "inputs_unchanged")

ACTIVATION_CHECKS: tuple[Check, ...] = (
    NAME,
    DOCSTRING,
    OPTIONS,
    shared.RUNS,
    shared.PORTABLE,
    shared.SHAPE,
    shared.DEVICE,
    shared.DTYPE,
    shared.DETERMINISTIC,
    shared.INPUTS_UNCHANGED,
    shared.READ_ONLY,
    shared.STRIDED,
    shared.EMPTY,
    shared.ONE_ROW,
    Check(
        "elementwise",
        "an activation with a derivative is elementwise: every unit depends on itself alone",
        "a row-wise function has no derivative (z, y); give backward(dy, z, y, *, xp) instead.",
        elementwise,
        (*SOUND, "one_row"),
    ),
    Check(
        "derivative",
        "derivative is the derivative of forward",
        "correct derivative(z, y): z is the pre-activation and y is what forward gave for it.",
        derivative,
        (*SOUND, "elementwise"),
    ),
    Check(
        "derivative_and_backward",
        "backward(dy, z, y) is dy times derivative(z, y) where both are given",
        "correct backward, or leave it out: the product is taken for you.",
        agreement,
        (*SOUND, "derivative"),
    ),
    Check(
        "backward",
        "backward is the contraction of dy with the Jacobian of forward",
        "dz_k must be the sum over j of dy_j times the derivative of y_j by z_k, row by row.",
        backward,
        (*SOUND, "one_row", "derivative", "derivative_and_backward"),
    ),
    Check(
        "nan_kept",
        "NaN stays NaN, so that a broken run is seen",
        "xp.maximum and xp.clip keep NaN; xp.where(z > 0, ...) takes the other branch for it.",
        nan_kept,
        (*SOUND, "one_row"),
    ),
    Check(
        "large_input",
        "no overflow and no warning for any finite input",
        "bound what grows before it is used: exp(-abs(z)) for exp(z), z minus the row's maximum in a softmax, "
        "(1 / x) ** 2 for 1 / x**2; xp.where computes both its branches, so clip what it will not take.",
        large_input,
        SOUND,
    ),
    shared.SAME_AS_NUMPY,
    shared.ACCURACY,
)
