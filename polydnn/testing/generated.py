"""Tests that write themselves: one for every item of an installed package and every backend."""

from collections.abc import Callable, Sequence

from polydnn.errors import BackendUnavailableError, InvalidArgumentError
from polydnn.testing.backends import BACKENDS
from polydnn.testing.plugin import Case, cases
from polydnn.testing.report import ConformanceError

__all__ = ["conformance_tests", "run_case"]


def conformance_tests(package: str, *, backends: Sequence[str] = BACKENDS) -> Callable[[Case], None]:
    """A parametrized test for pytest: every item of the installed package ``package``, on every backend.

    One line in a plugin's test file is the whole suite::

        from polydnn.testing import conformance_tests

        test_conformance = conformance_tests("polydnn-huber")

    It gives tests such as ``test_conformance[loss-huber-numpy]``. A backend whose library is not installed is skipped
    with the reason. Raises UnknownNameError where the package is not installed, InvalidArgumentError where it
    offers nothing.
    """
    import pytest

    found = cases(package, backends)
    if not found:
        msg = f"{package} is installed and offers nothing to check; see 'polydnn plugins list' for its state."
        raise InvalidArgumentError(msg)

    @pytest.mark.parametrize("case", found, ids=str)
    def test_conformance(case: Case) -> None:
        try:
            run_case(case)
        except ConformanceError as error:
            pytest.fail(str(error), pytrace=False)  # the report is the message; the kit's own frames are not

    return test_conformance


def run_case(case: Case) -> None:
    """Check one item on one backend; skips where the backend cannot be used, raises ConformanceError for a failure."""
    import pytest

    try:
        report = case.report()
    except BackendUnavailableError as error:
        pytest.skip(str(error))
    if not report.passed:
        raise ConformanceError([report])
    if all(verdict.passed is None for verdict in report.verdicts):
        pytest.skip(report.verdicts[0].detail)
