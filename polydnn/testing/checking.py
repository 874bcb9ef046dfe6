"""The functions an author calls in a test: check one item on some backends, and raise with everything that is wrong."""

import warnings
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from polydnn.activations.activation import Activation
from polydnn.arrays import Backend
from polydnn.execution.executor import ExecutorFactory
from polydnn.initializers.initializer import Initializer
from polydnn.losses.loss import Loss
from polydnn.metrics.metric import Metric
from polydnn.optimizers.optimizer import Optimizer
from polydnn.registry import ExecutorSpec
from polydnn.testing.backends import default_backends, resolve
from polydnn.testing.loss_inputs import Range
from polydnn.testing.report import ConformanceError, Report
from polydnn.testing.subject import kind_of, run_checks

__all__ = [
    "check_activation",
    "check_executor",
    "check_initializer",
    "check_loss",
    "check_metric",
    "check_optimizer",
]

Item = TypeVar("Item")
ItemOrFactory: TypeAlias = Item | Callable[[], Item]


def check_activation(item: ItemOrFactory[Activation], *, backend: Backend | str | None = None) -> tuple[Report, ...]:
    """Raise ConformanceError unless the activation keeps its contract; the error lists everything that is wrong.

    ``item`` is an activation or its factory, whose docstring is then looked at too. ``backend`` is a backend or its
    name; without it, NumPy and array-api-strict on a device that NumPy cannot see. Returns a report for each backend.
    A default backend that is not installed gives a UserWarning that names it.

    >>> from polydnn.activations.relu import relu
    >>> for report in check_activation(relu, backend="numpy"):
    ...     print(report.passed)
    True
    """
    return _check("activation", item, backend)


def check_loss(
    item: ItemOrFactory[Loss], *, backend: Backend | str | None = None, prediction_range: Range | None = None
) -> tuple[Report, ...]:
    """Raise ConformanceError unless the loss keeps its contract; arguments and result as in ``check_activation``.

    A loss of target_kind "real" is given any numbers. One that needs others, for its logarithm say, is given those in
    ``prediction_range`` = (low, high), targets included, and is spared huge ones.

    >>> from polydnn.losses.mean_squared_error import mean_squared_error
    >>> [report.passed for report in check_loss(mean_squared_error, backend="numpy")]
    [True]
    """
    return _check("loss", item, backend, prediction_range=prediction_range)


def check_optimizer(item: ItemOrFactory[Optimizer], *, backend: Backend | str | None = None) -> tuple[Report, ...]:
    """Raise ConformanceError unless the optimizer keeps its contract; arguments and result as in ``check_activation``.

    >>> from polydnn.optimizers.sgd import sgd
    >>> [report.passed for report in check_optimizer(lambda: sgd(momentum=0.9), backend="numpy")]
    [True]
    """
    return _check("optimizer", item, backend)


def check_executor(item: ExecutorSpec | ExecutorFactory, *, backend: Backend | str | None = None) -> tuple[Report, ...]:
    """Raise ConformanceError unless the executor keeps its contract; arguments and result as in ``check_activation``.

    ``item`` is its record, or the factory alone, which is called with plans of small networks: classification in two
    and more classes and regression, with sgd and adam, with and without weights, dropout and penalties. It may decline
    them with NotImplementedError. Without ``backend`` it is checked on the libraries that its record names; a
    report of an executor that is not for a backend, or declined every plan, has one verdict that was not reached.

    >>> from polydnn.execution import reference_step
    >>> def plain(plan):
    ...     '''The reference step itself.'''
    ...     return reference_step(plan)
    >>> [report.passed for report in check_executor(plain, backend="numpy")]
    [True]
    """
    if backend is None and isinstance(item, ExecutorSpec) and item.backends:
        reports = tuple(run_checks(item, "executor", name) for name in item.backends)
        return _require_passed(reports)
    return _check("executor", item, backend)


def check_initializer(item: ItemOrFactory[Initializer], *, backend: Backend | str | None = None) -> tuple[Report, ...]:
    """Raise ConformanceError unless the initializer keeps its contract; arguments as in ``check_activation``.

    An initializer works on the host, so one report is enough whatever ``backend`` is.

    >>> from polydnn.initializers.initializer import Initializer
    >>> small = Initializer("small", lambda shape, stream: 0.01 * stream.standard_normal(shape))
    >>> [report.passed for report in check_initializer(small)]
    [True]
    """
    return _check("initializer", item, backend)


def check_metric(item: ItemOrFactory[Metric], *, backend: Backend | str | None = None) -> tuple[Report, ...]:
    """Raise ConformanceError unless the metric keeps its contract; arguments and result as in ``check_activation``.

    The metric is tried on regression, binary, one-hot and labelled targets, and checked on those it accepts.

    >>> from polydnn.metrics.metric import Metric
    >>> def largest_error(prediction, target, *, xp):
    ...     if prediction.shape != target.shape:
    ...         raise ValueError("the shapes differ")
    ...     return xp.max(xp.abs(prediction - target))
    >>> metric = Metric("largest_error", largest_error, higher_is_better=False)
    >>> [report.passed for report in check_metric(metric, backend="numpy")]
    [True]
    """
    return _check("metric", item, backend)


def _check(
    kind: str, item: object, backend: Backend | str | None, *, prediction_range: Range | None = None
) -> tuple[Report, ...]:
    places = _places(kind, backend)
    return _require_passed(tuple(run_checks(item, kind, each, prediction_range=prediction_range) for each in places))


def _require_passed(reports: tuple[Report, ...]) -> tuple[Report, ...]:
    if not all(report.passed for report in reports):
        raise ConformanceError(reports)
    return reports


def _places(kind: str, backend: Backend | str | None) -> list[Backend]:
    if backend is not None:
        return [resolve(backend)]
    found, note = default_backends()
    if not kind_of(kind).on_backends:
        return found[:1]
    if note:
        warnings.warn(f"{kind} {note}", stacklevel=4)
    return found
