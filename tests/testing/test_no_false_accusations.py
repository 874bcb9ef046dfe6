"""What keeps its contract passes everything: every built-in, with its options, and items that merely look odd."""

from typing import Any

import pytest

from polydnn.arrays import Backend
from polydnn.errors import BackendUnavailableError
from polydnn.execution import reference_step
from polydnn.registry import default_registry
from polydnn.testing import run_checks
from polydnn.testing.backends import BACKENDS, resolve
from polydnn.testing.subject import KINDS
from tests.testing.sound_items import SOUND_ITEMS
from tests.yardstick import assert_within

OPTIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("optimizer", "sgd", {"momentum": 0.9}),
    ("optimizer", "sgd", {"momentum": 0.9, "nesterov": True}),
    ("optimizer", "adam", {"amsgrad": True}),
    ("optimizer", "adam", {"eps_inside_sqrt": True}),
    ("optimizer", "adam", {"eps_hat": True}),
]


MARKS = {"cupy": [pytest.mark.gpu], "jax": [pytest.mark.slow]}  # JAX compiles every operation for every shape


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, [])) for name in BACKENDS])
def place(request: pytest.FixtureRequest) -> Backend:
    try:
        return resolve(request.param)
    except BackendUnavailableError as error:
        pytest.skip(str(error))


def built_ins() -> list[tuple[str, str]]:
    registry = default_registry()
    found = [entry for kind in KINDS if kind != "executor" for entry in registry.entries(kind)]
    return [(entry.spec.kind, entry.spec.name) for entry in found if entry.owner.built_in]


@pytest.mark.parametrize(("kind", "name"), built_ins())
def test_every_built_in_passes_every_check(kind: str, name: str, place: Backend) -> None:
    factory = default_registry().find(kind, f"polydnn:{name}").spec.factory
    report = run_checks(factory, kind, place)
    assert report.passed, str(report)
    run = [verdict.name for verdict in report.verdicts if verdict.passed]
    assert {"name", "docstring", "options", "runs"} <= set(run)


def built_in_executors() -> list[Any]:
    records = [entry.spec for entry in default_registry().entries("executor") if entry.owner.built_in]
    return [
        pytest.param(record, library, marks=MARKS.get(library, []), id=f"{record.name}-{library}")
        for record in records
        for library in record.backends
    ]


@pytest.mark.parametrize(("record", "library"), built_in_executors())
def test_every_built_in_executor_passes_every_check(record: Any, library: str) -> None:
    try:
        report = run_checks(record, "executor", library)
    except BackendUnavailableError as error:
        pytest.skip(str(error))
    assert report.passed, str(report)
    verdicts = report.verdicts
    if len(verdicts) == 1:
        pytest.skip(verdicts[0].detail)
    assert all(verdict.passed for verdict in verdicts)


def test_the_reference_step_passes_every_check_of_an_executor(place: Backend) -> None:
    report = run_checks(reference_step, "executor", place)
    assert report.passed, str(report)
    assert all(verdict.passed for verdict in report.verdicts)


@pytest.mark.parametrize(("kind", "name", "options"), OPTIONS)
def test_built_ins_with_options_pass_every_check(kind: str, name: str, options: dict[str, Any], place: Backend) -> None:
    report = run_checks(default_registry().make(kind, name, **options), kind, place)
    assert report.passed, str(report)


@pytest.mark.parametrize(("kind", "name", "item", "limits"), SOUND_ITEMS)
def test_odd_items_that_keep_their_contract_pass(kind: str, name: str, item: Any, limits: Any, place: Backend) -> None:
    report = run_checks(item, kind, place, prediction_range=limits)
    assert report.passed, str(report)


@pytest.mark.parametrize(("kind", "name"), [("activation", "tanh"), ("loss", "hinge"), ("optimizer", "adam")])
def test_some_built_ins_pass_every_check_on_jax(kind: str, name: str) -> None:
    """The quick part of what the slow tests do for all of them."""
    pytest.importorskip("jax")
    report = run_checks(default_registry().find(kind, f"polydnn:{name}").spec.factory, kind, "jax")
    assert report.passed, str(report)


@pytest.mark.parametrize("backend", ["numpy", "array-api-strict"])
def test_checking_an_item_is_quick(backend: str) -> None:
    factory = default_registry().find("loss", "polydnn:mean_squared_error").spec.factory
    run_checks(factory, "loss", backend)
    assert_within(50.0, lambda: run_checks(factory, "loss", backend))
