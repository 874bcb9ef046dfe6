"""Whether a loss's gradient is the derivative of its value, and its logits forms are loss and activation together."""

import numpy as np

import polydnn.activations
from polydnn.activations.activation import Activation
from polydnn.testing.bench import Call, Host
from polydnn.testing.differences import Slopes, require_equal, require_slope, side_by_side, slopes
from polydnn.testing.finding import Finding, NotApplicable
from polydnn.testing.loss_bench import LossBench
from polydnn.testing.loss_inputs import LossInputs

__all__ = ["gradient", "logits_forms", "numeric_gradient"]

ROWS, OUTPUTS = 5, 3  # different, so that a factor between value and gradient tells which of the two it is


def gradient(bench: LossBench) -> None:
    """The gradient is the derivative of value, entry by entry."""
    for given in [*bench.inputs(ROWS, OUTPUTS), *bench.inputs(1, OUTPUTS)]:
        value, slope = bench.plain_calls(given)
        _require(bench, value, slope, "prediction", {"prediction": given.prediction, "target": given.target})


def logits_forms(bench: LossBench) -> None:
    """Every form equals the loss after its activation, and its gradient is the derivative of that."""
    if not bench.item.logits_forms:
        raise NotApplicable(because="it offers none")
    for number, name in enumerate(bench.item.logits_forms):
        activation = _activation(name)
        for given in bench.inputs(ROWS, OUTPUTS):
            value, slope = bench.logits_calls(given)[2 * number : 2 * number + 2]
            y = np.asarray(activation.forward(given.z, xp=bench.numpy.xp))
            after = bench.plain_calls(LossInputs(y, given.target, given.z, given.words))[0]
            at = {"z": given.z, "target": given.target}
            together, apart = value.host(bench.numpy)[value.label], after.host(bench.numpy)[after.label]
            require_equal(together, apart, 1e-6, what=value.label, same_as=f"value after {name}", at=at)
            _require(bench, value, slope, "z", at)


def numeric_gradient(bench: LossBench, value: Call, of: str) -> Slopes:
    """Differences of every example's value by every input ``of`` the same example, (n, outputs)."""
    base = value.inputs[of]

    def side(output: int) -> Slopes:
        def moved(column: Host) -> Host:
            there = base.copy()
            there[:, output] = column
            return Call(value.label, value.function, {**value.inputs, of: there}, {}).host(bench.numpy)[value.label]

        return slopes(moved, base[:, output])

    return side_by_side(side(output) for output in range(base.shape[1]))


def _require(bench: LossBench, value: Call, slope: Call, of: str, at: dict[str, Host]) -> None:
    numeric = numeric_gradient(bench, value, of)
    analytic = slope.host(bench.numpy)[slope.label]
    require_slope(slope.label, value.label, analytic, numeric, at, _factor_hint(analytic, numeric.central))


def _factor_hint(analytic: Host, numeric: Host) -> str:
    """What a constant factor between gradient and value most likely comes from; empty where there is none."""
    steep = np.abs(numeric) > 1e-3
    if not steep.any():
        return ""
    ratio = float(np.median(analytic[steep] / numeric[steep]))
    rows, outputs = analytic.shape
    causes = {
        1.0 / rows: f"1/{rows} is 1/rows: do not divide by the batch size, the training step does.",
        float(outputs): f"{outputs} is the number of outputs: value takes their mean; divide the gradient by it.",
        1.0 / outputs: f"1/{outputs} is 1/outputs: value takes their sum; do not divide the gradient.",
        -1.0: "the derivative is by the prediction: with the error prediction - target the sign is plus.",
    }
    return next((text for factor, text in causes.items() if abs(ratio - factor) < 1e-4 * abs(factor)), "")


def _activation(name: str) -> Activation:
    """The output activation of a form: the built-in of that name, else whatever is installed under it."""
    built_in = getattr(polydnn.activations, name, None) if name in polydnn.activations.__all__ else None
    made = built_in() if callable(built_in) else None
    if isinstance(made, Activation):
        return made
    from polydnn.errors import PolydnnError
    from polydnn.registry import activation

    try:
        return activation(name)
    except PolydnnError as error:
        raise Finding(
            expected="logits_forms to be keyed by names of activations",
            found=f"{name!r} ({error})",
            do="name the activation that the form stands for, as users write it.",
        ) from error
