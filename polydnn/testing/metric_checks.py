"""What is asked of a metric: one number for the whole set, whatever the order of the rows, and which way is better."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from polydnn.arrays import Backend
from polydnn.metrics.metric import Metric
from polydnn.testing import shared_checks as shared
from polydnn.testing.bench import Bench, Call, Host, draw
from polydnn.testing.check import Check
from polydnn.testing.differences import require_equal
from polydnn.testing.finding import Finding
from polydnn.testing.identity_checks import DOCSTRING, NAME, OPTIONS
from polydnn.types import Array, Namespace

__all__ = ["METRIC_CHECKS", "MetricBench"]


class MetricBench(Bench):
    """A metric, with those of the usual tasks whose predictions and targets it accepts."""

    kind = "metric"
    item: Metric

    def __init__(self, item: Metric, backend: Backend, factory: Callable[[], Metric] | None = None) -> None:
        super().__init__(item, backend, factory)
        self._tasks: list[str] | None = None

    @property
    def tasks(self) -> list[str]:
        """The tasks whose predictions and targets the metric takes; it may refuse the others by raising."""
        if self._tasks is None:
            self._tasks = self._accepted()
        return self._tasks

    def calls(self, rows: int = 6, width: int = 3) -> list[Call]:
        return [self.call(task, *inputs(task, rows)) for task in self.tasks]

    def call(self, task: str, prediction: Host, target: Host) -> Call:
        """value at these predictions and targets."""
        label = f"value(prediction, target) for {task}"
        given = {"prediction": prediction, "target": target}
        return Call(label, partial(self._value, label), given, {label: ()})

    def number(self, task: str, prediction: Host, target: Host) -> float:
        """The metric in double precision."""
        each = self.call(task, prediction, target)
        return float(each.host(self.numpy)[each.label])

    def _value(self, label: str, arrays: Mapping[str, Array], xp: Namespace) -> dict[str, Array]:
        return {label: self.item.value(arrays["prediction"], arrays["target"], xp=xp)}

    def _accepted(self) -> list[str]:
        refusals: dict[str, Finding] = {}
        for task in TASKS:
            try:
                each = self.call(task, *inputs(task, 6))
                each.run(each.arrays(self.numpy, "float64"), self.numpy.xp)
            except Finding as finding:
                refusals[task] = finding
        if len(refusals) == len(TASKS):
            said = "; ".join(f"{task}: {finding.found}" for task, finding in refusals.items())
            raise Finding(expected=f"a number for one of {', '.join(TASKS)}", found=said)
        return [task for task in TASKS if task not in refusals]


TASKS = ("regression", "one output", "binary", "one-hot rows", "labels")
ROWS = 24
WIDTH = 8  # enough for a top-5 accuracy to be wrong


def inputs(task: str, rows: int) -> tuple[Host, Host]:
    """Predictions and targets of a task; targets of every class, predictions neither all right nor all wrong."""
    scores, real = draw("prediction", rows, WIDTH), draw("target", rows, WIDTH)
    if task == "regression":
        return scores, real
    if task == "one output":
        return scores[:, :1], real[:, :1]
    if task == "binary":
        return 1.0 / (1.0 + np.exp(-scores[:, :1])), (np.arange(rows)[:, None] % 2).astype(np.float64)
    powers, labels = np.exp(scores), np.arange(rows) % WIDTH
    probabilities = powers / np.sum(powers, axis=1, keepdims=True)
    return probabilities, labels if task == "labels" else np.eye(WIDTH)[labels]


def perfect(target: Host) -> Host:
    """The predictions that hit the targets."""
    return np.eye(WIDTH)[target] if target.ndim == 1 else target


def row_order(bench: MetricBench) -> None:
    for task in bench.tasks:
        prediction, target = inputs(task, ROWS)
        order = np.random.Generator(np.random.PCG64(0)).permutation(ROWS)
        require_equal(
            np.asarray(bench.number(task, prediction[order], target[order])),
            np.asarray(bench.number(task, prediction, target)),
            1e-9,
            what=f"value for {task} with shuffled rows",
            same_as="with the rows in order",
        )


def direction(bench: MetricBench) -> None:
    word = "higher" if bench.item.higher_is_better else "lower"
    seen = []
    for task in bench.tasks:
        prediction, target = inputs(task, ROWS)
        best, poor = bench.number(task, perfect(target), target), bench.number(task, prediction, target)
        gain = best - poor if bench.item.higher_is_better else poor - best
        if gain < 0:
            raise Finding(
                expected=f"a {word} number for perfect predictions, as higher_is_better={bench.item.higher_is_better}",
                found=f"{best:.6g} for perfect ones, {poor:.6g} for random ones",
                where=f"the task {task}",
            )
        seen.append(f"{best:.6g} and {poor:.6g} ({task})")
        if gain > 0:
            return
    raise Finding(expected=f"a {word} number for perfect predictions than for random ones", found=", ".join(seen))


def nan_kept(bench: MetricBench) -> None:
    """NaN in a prediction of real numbers shows; ranks and classes of NaN are nothing a metric is asked for."""
    for task in bench.tasks:
        if task not in ("regression", "one output"):
            continue
        prediction, target = inputs(task, ROWS)
        found = bench.number(task, np.full_like(prediction, np.nan), target)  # one alone, a median may outvote
        if np.isfinite(found):
            raise Finding(expected="nan", found=f"{found:.8g}", where=f"every prediction nan, for {task}")


def broadcasting(bench: MetricBench) -> None:
    """(n, 1) against (n,) raises or is right; broadcast to (n, n) it gives a plausible wrong number."""
    for task in bench.tasks:
        if task not in ("one output", "binary"):
            continue
        prediction, target = inputs(task, ROWS)
        try:
            found = bench.number(task, prediction, target[:, 0])
        except Finding:
            continue
        wanted = bench.number(task, prediction, target)
        if not np.isclose(found, wanted):
            where = f"prediction {prediction.shape}, target {target[:, 0].shape} for {task}"
            raise Finding(expected=f"an error, or {wanted:.8g}", found=f"{found:.8g}", where=where)


SOUND = ("runs", "portable", "shape", "device", "deterministic", "inputs_unchanged")

METRIC_CHECKS: tuple[Check, ...] = (
    NAME,
    DOCSTRING,
    OPTIONS,
    shared.RUNS,
    shared.PORTABLE,
    replace(shared.SHAPE, promise="it gives one number for all rows", advice="reduce over all axes: xp.mean(error)."),
    shared.DEVICE,
    shared.DTYPE,
    shared.DETERMINISTIC,
    shared.INPUTS_UNCHANGED,
    shared.READ_ONLY,
    shared.STRIDED,
    Check(
        "row_order",
        "shuffling the rows of predictions and targets together changes nothing",
        "use no row's position and no neighbour; reduce over all rows with a mean or a sum.",
        row_order,
        SOUND,
    ),
    Check(
        "direction",
        "perfect predictions are better than random ones, the way higher_is_better says",
        "set higher_is_better=False for errors, where lower is better: early stopping goes by it.",
        direction,
        SOUND,
    ),
    Check(
        "broadcasting",
        "shapes that merely broadcast are refused",
        "check prediction.shape == target.shape first, and raise where they differ.",
        broadcasting,
        SOUND,
    ),
    Check("nan_kept", "NaN stays NaN, so that a broken run is seen", "do not replace NaN.", nan_kept, SOUND),
    shared.SAME_AS_NUMPY,
    shared.ACCURACY,
)
