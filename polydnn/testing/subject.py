"""From what an author hands in, an item or its factory, to a bench, a table of checks and a report."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from polydnn.activations.activation import Activation
from polydnn.arrays import Backend
from polydnn.errors import InvalidArgumentError, did_you_mean
from polydnn.initializers.initializer import Initializer
from polydnn.losses.loss import Loss
from polydnn.metrics.metric import Metric
from polydnn.optimizers.optimizer import Optimizer
from polydnn.registry import ExecutorSpec
from polydnn.testing.activation_checks import ACTIVATION_CHECKS, ActivationBench
from polydnn.testing.backends import resolve
from polydnn.testing.bench import Bench
from polydnn.testing.check import Check, run_table
from polydnn.testing.executor_bench import ExecutorBench
from polydnn.testing.executor_checks import EXECUTOR_CHECKS
from polydnn.testing.initializer_checks import INITIALIZER_CHECKS, InitializerBench
from polydnn.testing.loss_bench import LossBench
from polydnn.testing.loss_checks import LOSS_CHECKS
from polydnn.testing.loss_inputs import Range
from polydnn.testing.metric_checks import METRIC_CHECKS, MetricBench
from polydnn.testing.optimizer_bench import OptimizerBench
from polydnn.testing.optimizer_checks import OPTIMIZER_CHECKS
from polydnn.testing.report import Report, Verdict

__all__ = ["KINDS", "MADE", "Kind", "kind_of", "run_checks"]

MADE = "made"
"""The verdict that says why there was nothing to look at."""


@dataclass(frozen=True)
class Kind:
    """What is checked about one kind of item: its class, the bench for it and the table of checks, run in order."""

    contract: type
    bench: Callable[..., Bench]
    checks: tuple[Check, ...]
    on_backends: bool = True
    """Whether the item meets arrays of a backend; an initializer works on the host alone."""


KINDS: dict[str, Kind] = {
    "activation": Kind(Activation, ActivationBench, ACTIVATION_CHECKS),
    "executor": Kind(ExecutorSpec, ExecutorBench, EXECUTOR_CHECKS),
    "initializer": Kind(Initializer, InitializerBench, INITIALIZER_CHECKS, on_backends=False),
    "loss": Kind(Loss, LossBench, LOSS_CHECKS),
    "metric": Kind(Metric, MetricBench, METRIC_CHECKS),
    "optimizer": Kind(Optimizer, OptimizerBench, OPTIMIZER_CHECKS),
}


def kind_of(kind: str) -> Kind:
    """What is checked about items of that kind; raises InvalidArgumentError for a kind without checks.

    >>> [check.name for check in kind_of("activation").checks][:3]
    ['name', 'docstring', 'options']
    """
    if kind not in KINDS:
        msg = f"there are no checks for kind {kind!r}; possible: {', '.join(KINDS)}.{did_you_mean(kind, KINDS)}"
        raise InvalidArgumentError(msg)
    return KINDS[kind]


def run_checks(
    item: object, kind: str, backend: Backend | str = "numpy", *, prediction_range: Range | None = None
) -> Report:
    """Check one item, or a factory called without arguments, on one backend, and report without raising.

    ``kind`` is "activation", "executor", "initializer", "loss", "metric" or "optimizer"; ``prediction_range`` is for
    losses. An executor is its factory, which is called with plans, or its ExecutorSpec; where it serves none of them on
    this backend, the one verdict says why.

    An item that cannot be made raises whatever its factory raised; something that is no item of the kind raises
    InvalidArgumentError; a backend that cannot be used raises BackendUnavailableError.

    >>> from polydnn.activations.relu import relu
    >>> run_checks(relu, "activation", "numpy").passed
    True
    """
    about = kind_of(kind)
    if kind == "executor" and callable(item):
        item = ExecutorSpec(getattr(item, "__name__", type(item).__name__), item)
    made, factory = _item_and_factory(item, kind, about.contract)
    place = resolve(backend)
    bench = about.bench(made, place, factory)
    if isinstance(bench, LossBench):
        bench.prediction_range = prediction_range
    reason = bench.why_not()
    if reason:
        return Report(kind, str(made.name), place.name, (Verdict(MADE, None, reason, 0.0),))
    return Report(kind, str(made.name), place.name, run_table(about.checks, bench))


def _item_and_factory(item: Any, kind: str, contract: type) -> tuple[Any, Callable[[], Any] | None]:
    if isinstance(item, contract):
        return item, None
    made = item() if callable(item) else item
    if not isinstance(made, contract):
        said = f"the factory returned a {type(made).__name__}" if made is not item else f"found a {type(item).__name__}"
        msg = f"check_{kind} takes a polydnn.{contract.__name__}, or a factory that makes one; {said}."
        raise InvalidArgumentError(msg)
    return made, item
