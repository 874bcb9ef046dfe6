"""The conformance kit: checks that an item of a plugin keeps its contract, from an activation to an executor."""

from polydnn.testing.checking import (
    check_activation,
    check_executor,
    check_initializer,
    check_loss,
    check_metric,
    check_optimizer,
)
from polydnn.testing.generated import conformance_tests
from polydnn.testing.plugin import PluginReport, check_plugin
from polydnn.testing.report import ConformanceError, Report, Verdict
from polydnn.testing.subject import run_checks

__all__ = [
    "ConformanceError",
    "PluginReport",
    "Report",
    "Verdict",
    "check_activation",
    "check_executor",
    "check_initializer",
    "check_loss",
    "check_metric",
    "check_optimizer",
    "check_plugin",
    "conformance_tests",
    "run_checks",
]
