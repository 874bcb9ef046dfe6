"""What a loss does with shapes that broadcast, with NaN, with huge numbers and with certain predictions."""

import warnings

import numpy as np

from polydnn.testing.bench import Call, Host
from polydnn.testing.call_checks import warned
from polydnn.testing.finding import Finding, NotApplicable
from polydnn.testing.loss_bench import LossBench
from polydnn.testing.loss_gradients import numeric_gradient
from polydnn.testing.loss_inputs import LossInputs, certain_inputs, large_inputs, large_logits

__all__ = ["broadcasting", "certain_predictions", "large_input", "nan_kept"]


def broadcasting(bench: LossBench) -> None:
    """Shapes that broadcast raise; a target (n,) for (n, 1), and labels (n, 1) for (n,), may also be read rightly."""
    wide = bench.inputs(4, 3)[0]
    if bench.item.target_kind != "classes":
        narrow = bench.inputs(4, 1)[0]
        _require_right_or_refusal(bench, narrow, narrow.target[:, 0])
        _require_refusal(bench, wide.prediction, wide.target[:, :1])
    else:
        labels = bench.inputs(4, 3)[-1]
        _require_right_or_refusal(bench, labels, labels.target[:, None])
    _require_refusal(bench, wide.prediction, wide.target[:1, :])


def _require_right_or_refusal(bench: LossBench, given: LossInputs, target: Host) -> None:
    other = LossInputs(given.prediction, target, given.z, given.words)
    for right, each in zip(_every_call(bench, given), _every_call(bench, other), strict=True):
        wanted = right.host(bench.numpy)[right.label]
        try:
            found = each.host(bench.numpy)[each.label]
        except Finding:
            continue
        if found.shape != wanted.shape or not np.allclose(found, wanted):
            shapes = f"prediction {given.prediction.shape}, target {target.shape}"
            broadcast = f"other numbers: the target was broadcast to {given.prediction.shape[:1] * 2}"
            what = f"{each.label} of shape {found.shape}" if found.shape != wanted.shape else broadcast
            raise Finding(expected=f"an error, or {each.label} of shape {wanted.shape}", found=what, where=shapes)


def _require_refusal(bench: LossBench, prediction: Host, target: Host) -> None:
    given = LossInputs(prediction, target, prediction)
    for each in _every_call(bench, given):
        try:
            found = each.host(bench.numpy)[each.label]
        except Finding:
            continue
        shapes = f"prediction {prediction.shape}, target {target.shape}"
        raise Finding(expected="an error", found=f"{each.label} of shape {found.shape}", where=shapes)


def _every_call(bench: LossBench, given: LossInputs) -> list[Call]:
    return [*bench.plain_calls(given), *bench.logits_calls(given)]


def nan_kept(bench: LossBench) -> None:
    """NaN in a prediction or in a real target makes the value of its row NaN, and of no other."""
    for given in bench.inputs():
        spoilt = given.prediction.copy()
        spoilt[1] = np.nan
        _require_nan(bench, LossInputs(spoilt, given.target, given.z, given.words), "prediction")
        if bench.item.target_kind == "real":
            spoilt = given.target.copy()
            spoilt[1] = np.nan
            _require_nan(bench, LossInputs(given.prediction, spoilt, given.z, given.words), "target")
        spoilt = given.z.copy()
        spoilt[1] = np.nan
        for value in bench.logits_calls(LossInputs(given.prediction, given.target, spoilt, given.words))[::2]:
            _require_row_nan(bench, value, "z")
        _require_single_nan(bench, given)


def _require_nan(bench: LossBench, given: LossInputs, of: str) -> None:
    _require_row_nan(bench, bench.plain_calls(given)[0], of)


def _require_row_nan(bench: LossBench, value: Call, of: str) -> None:
    found = value.host(bench.backend, "float32")[value.label]
    if not np.isnan(found[1]):
        raise Finding(expected="nan", found=f"{found[1]:.8g} from {value.label}", where=f"{of} = nan in row 1")
    if np.isnan(found[[0, 2, 3]]).any():
        raise Finding(expected="finite numbers in the other rows", found="nan", where=f"{of} = nan in row 1 only")


def _require_single_nan(bench: LossBench, given: LossInputs) -> None:
    """One NaN among the outputs of a row must show too, wherever the value depends on that output."""
    value = bench.plain_calls(given)[0]
    numeric = numeric_gradient(bench, value, "prediction")
    for output in range(given.prediction.shape[1]):
        spoilt = given.prediction.copy()
        spoilt[:, output] = np.nan
        there = bench.plain_calls(LossInputs(spoilt, given.target, given.z, given.words))[0]
        found = there.host(bench.backend, "float32")[there.label]
        hidden = ~np.isnan(found) & ((numeric.left[:, output] != 0.0) | (numeric.right[:, output] != 0.0))
        if hidden.any():
            row = int(np.argmax(hidden))
            where = f"prediction[{row}, {output}] = nan"
            raise Finding(expected="nan", found=f"{found[row]:.8g} from {there.label}", where=where)


def large_input(bench: LossBench) -> None:
    """Finite and without a warning up to 1e30 in float32 and 1e300 in float64, unless the true number is larger."""
    kind = bench.item.target_kind
    for dtype in ("float32", "float64") if bench.backend == bench.numpy else ("float32",):
        if bench.prediction_range is None:
            for given in large_inputs(kind, dtype):
                _require_finite(bench, bench.plain_calls(given), given.prediction, given.target, dtype)
        for given in large_logits(kind, dtype) if bench.item.logits_forms else []:
            calls = bench.logits_calls(given)
            for pair in zip(calls[::2], calls[1::2], strict=True):
                _require_finite(bench, list(pair), given.z, given.target, dtype)


def certain_predictions(bench: LossBench) -> None:
    """Finite and without a warning where a probability is exactly 0 or 1."""
    inputs = certain_inputs(bench.item.target_kind)
    if not inputs:
        raise NotApplicable(because="predictions are no probabilities")
    for given in inputs:
        _require_finite(bench, bench.plain_calls(given), given.prediction, given.target, "float32")


def _require_finite(bench: LossBench, calls: list[Call], at: Host, target: Host, dtype: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value, slope = (each.host(bench.backend, dtype)[each.label] for each in calls)
    reach = np.max(np.abs(at if target.ndim == 1 else np.concatenate([at, target], axis=1)), axis=1)
    with np.errstate(all="ignore"):
        # Infinity is right where the slope is so steep that the dtype has no such number: (1e30)^2 in float32.
        beyond = np.max(np.abs(slope), axis=1) * reach * at.shape[1] >= float(np.finfo(dtype).max)
    beyond &= np.isinf(value)
    for each, found in zip(calls, (value, slope), strict=True):
        wrong = np.isnan(found) | (np.isinf(found) & ~(beyond if found.ndim == 1 else beyond[:, None]))
        if wrong.any():
            row = int(np.argwhere(wrong)[0][0])
            where = f"{next(iter(each.inputs))} = {at[row]}, target = {target[row]}"
            raise Finding(expected=f"finite numbers in {dtype}", found=f"{found[row]} from {each.label}", where=where)
    if caught and not beyond.any():
        where = f"{calls[0].label} and {calls[1].label} in {dtype}, inputs up to {np.max(reach):.0e}"
        raise Finding(expected="no warning", found=warned(caught), where=where)
