"""What is asked of a loss: the table of its checks."""

from dataclasses import replace
from typing import get_args

from polydnn.losses.loss import TargetKind
from polydnn.testing import call_checks as call
from polydnn.testing import shared_checks as shared
from polydnn.testing.check import Check
from polydnn.testing.finding import Finding
from polydnn.testing.identity_checks import DOCSTRING, NAME, OPTIONS
from polydnn.testing.loss_bench import VALUE, LossBench
from polydnn.testing.loss_extremes import broadcasting, certain_predictions, large_input, nan_kept
from polydnn.testing.loss_gradients import gradient, logits_forms

__all__ = ["LOSS_CHECKS"]


def target_kind(bench: LossBench) -> None:
    possible = get_args(TargetKind)
    if bench.item.target_kind not in possible:
        raise Finding(expected=f"one of {', '.join(possible)}", found=repr(bench.item.target_kind))


def one_row(bench: LossBench) -> None:
    """The values alone: a gradient that depends on the other rows is explained better by the check of the gradient."""
    for each in bench.calls():
        if VALUE in each.label:
            call.require_same_alone(each, bench.backend)


SOUND = ("target_kind", "runs", "portable", "shape", "device", "deterministic", "inputs_unchanged")

LOSS_CHECKS: tuple[Check, ...] = (
    NAME,
    DOCSTRING,
    OPTIONS,
    Check(
        "target_kind",
        "target_kind says what y may hold",
        "set target_kind to what the formula takes as a target.",
        target_kind,
    ),
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
    replace(shared.ONE_ROW, run=one_row),
    Check(
        "broadcasting",
        "shapes that merely broadcast are refused",
        "check prediction.shape == target.shape first, in value and in gradient, and raise where they differ.",
        broadcasting,
        SOUND,
    ),
    Check(
        "gradient",
        "gradient is the derivative of value, example by example",
        "derive value by the prediction again; gradient belongs to exactly the numbers that value returns.",
        gradient,
        (*SOUND, "one_row"),
    ),
    Check(
        "logits_forms",
        "each form equals the loss after its activation, with the gradient of the two together",
        "compare the form with value(activation(z), target), and derive by z through the activation.",
        logits_forms,
        (*SOUND, "one_row", "gradient"),
    ),
    Check(
        "nan_kept",
        "NaN in a row makes its value NaN, so that a broken run is seen",
        "xp.maximum and xp.clip keep NaN; xp.where(error > 0, ...) takes the other branch for it.",
        nan_kept,
        (*SOUND, "one_row"),
    ),
    Check(
        "large_input",
        "no overflow and no warning for any finite input, unless the true value is beyond the dtype",
        "rearrange: xp.logaddexp, abs(error) minus a bounded term, or clip what xp.where will not use anyway.",
        large_input,
        SOUND,
    ),
    Check(
        "certain_predictions",
        "probabilities of exactly 0 and 1 give finite numbers: a float32 softmax produces them",
        "keep the logarithm and the division away from 0, by clipping the prediction to the dtype's tiny or eps.",
        certain_predictions,
        SOUND,
    ),
    shared.SAME_AS_NUMPY,
    shared.ACCURACY,
)
