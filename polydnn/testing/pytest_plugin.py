"""For pytest, when asked for: ``pytest -p polydnn.testing.pytest_plugin --polydnn-package polydnn-huber``.

It adds one test for every item of the package and every backend to whatever else is collected, and marks those that
need a GPU ``gpu``. It is no entry point, so that no test run imports polydnn that did not ask for it.
"""

from typing import Any

import pytest

from polydnn.errors import PolydnnError
from polydnn.testing.backends import BACKENDS
from polydnn.testing.generated import run_case
from polydnn.testing.plugin import Case, cases
from polydnn.testing.report import ConformanceError

__all__ = ["ConformanceItem", "PackageOfItems"]

ON_GPU = ("cupy",)


class PackageOfItems(pytest.Collector):
    """The tests of one package."""

    def collect(self) -> list[pytest.Item]:
        found = [ConformanceItem.from_parent(self, name=str(case), case=case) for case in cases(self.name, BACKENDS)]
        for item in found:
            _mark(item, item.case)
        return list(found)


class ConformanceItem(pytest.Item):
    """One item of the package on one backend."""

    def __init__(self, *, case: Case, **options: Any) -> None:
        super().__init__(**options)
        self.case = case

    def runtest(self) -> None:
        run_case(self.case)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, ConformanceError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.path, None, f"{self.case.kind} {self.case.name} on {self.case.backend}"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("polydnn")
    group.addoption(
        "--polydnn-package",
        action="append",
        default=[],
        metavar="NAME",
        help="test every item of this installed plugin package (or of 'polydnn' itself) on every backend",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gpu: needs a CUDA device and CuPy")


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        for value in parameters.values():
            if isinstance(value, Case):
                _mark(item, value)
    for package in config.getoption("--polydnn-package"):
        collector = PackageOfItems.from_parent(session, name=package, nodeid=package)
        try:
            items.extend(collector.collect())
        except PolydnnError as error:
            msg = f"--polydnn-package {package}: {error}"
            raise pytest.UsageError(msg) from error


def _mark(item: pytest.Item, case: Case) -> None:
    if case.backend in ON_GPU:
        item.add_marker("gpu")
