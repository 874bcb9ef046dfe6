"""The conformance kit: checks that an activation, loss, optimizer, initializer or metric keeps its contract."""

from polydnn.testing.checking import (
    check_activation,
    check_initializer,
    check_loss,
    check_metric,
    check_optimizer,
)
from polydnn.testing.report import ConformanceError, Report, Verdict
from polydnn.testing.subject import run_checks

__all__ = [
    "ConformanceError",
    "Report",
    "Verdict",
    "check_activation",
    "check_initializer",
    "check_loss",
    "check_metric",
    "check_optimizer",
    "run_checks",
]
