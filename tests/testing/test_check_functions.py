"""The functions an author calls: what they take, what they return, and what the one error says."""

import random
import warnings
from typing import Any

import numpy as np
import pytest

import polydnn.testing
from polydnn.activations.activation import Activation
from polydnn.arrays import numpy_backend
from polydnn.errors import BackendUnavailableError, InvalidArgumentError, PolydnnError, UnknownNameError
from polydnn.execution import reference_step
from polydnn.registry import ExecutorSpec
from polydnn.testing import (
    ConformanceError,
    check_activation,
    check_executor,
    check_initializer,
    check_loss,
    check_metric,
    check_optimizer,
    run_checks,
)
from tests.testing.defects import DEFECTS
from tests.testing.sound_items import SOUND_ITEMS


def planted(mistake: str) -> Any:
    return next(defect.item for defect in DEFECTS if defect.mistake == mistake)


def sound(name: str) -> Any:
    return next(item for _, named, item, _ in SOUND_ITEMS if named == name)


def test_a_sound_activation_gives_a_report_for_numpy_and_for_array_api_strict() -> None:
    reports = check_activation(sound("softsign"))
    assert [(report.kind, report.item, report.passed) for report in reports] == [("activation", "softsign", True)] * 2
    assert [report.backend.partition(":")[0] for report in reports] == ["numpy", "array-api-strict"]


def test_a_backend_may_be_given_by_name_or_as_an_object() -> None:
    for backend in ("numpy", numpy_backend()):
        assert [report.backend for report in check_optimizer(sound("lion"), backend=backend)] == ["numpy"]


def test_the_error_lists_every_failed_check_of_every_backend() -> None:
    item = Activation(
        "Two Faults", planted("the derivative has another slope").forward, derivative=lambda z, y, *, xp: z
    )
    with pytest.raises(ConformanceError, match="activation 'Two Faults' on numpy: 2 of 17 checks failed") as caught:
        check_activation(item, backend="numpy")
    text = str(caught.value)
    assert "name: the name can be typed anywhere" in text
    assert "derivative: derivative is the derivative of forward" in text
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, PolydnnError)
    assert [verdict.name for verdict in caught.value.reports[0].failures] == ["name", "derivative"]


def test_the_error_of_a_portability_mistake_leaves_out_the_backend_that_passed() -> None:
    with pytest.raises(ConformanceError, match="on array-api-strict") as caught:
        check_activation(planted("NumPy stands where xp should"))
    assert "on numpy" not in str(caught.value)
    assert [report.passed for report in caught.value.reports] == [True, False]


@pytest.mark.parametrize(
    ("check", "mistake", "says"),
    [
        (check_loss, "log(cosh) overflows", "found     inf from value"),
        (check_optimizer, "the step is added", "do        the step is subtracted"),
        (check_initializer, "NumPy's global state is used", "never np.random.normal"),
        (check_metric, "the first row is left out", "shuffling the rows"),
    ],
)
def test_every_check_function_raises(check: Any, mistake: str, says: str) -> None:
    with pytest.raises(ConformanceError, match=says):
        check(planted(mistake), backend="numpy")


def test_a_factory_is_called_and_its_docstring_looked_at() -> None:
    def undocumented() -> Any:
        return sound("softsign")

    with pytest.raises(ConformanceError, match="a docstring on undocumented"):
        check_activation(undocumented, backend="numpy")
    (report,) = check_activation(lambda: sound("softsign"), backend="numpy")
    assert (
        report.verdict("docstring").detail
        == "a lambda was given; give the factory itself and its docstring is looked at"
    )


def test_something_else_than_an_item_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"takes a polydnn\.Activation, or a factory .*; found a int\."):
        check_activation(3)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match=r"takes a polydnn\.Loss, .*; the factory returned a Activation\."):
        check_loss(lambda: sound("softsign"))
    with pytest.raises(InvalidArgumentError, match=r"no checks for kind 'los'; possible: .*Did you mean 'loss'\?"):
        run_checks(sound("softsign"), "los")


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown backend 'nunpy'; registered: .*Did you mean 'numpy'\?"):
        check_activation(sound("softsign"), backend="nunpy")


def test_a_loss_with_a_logarithm_is_given_predictions_it_can_take() -> None:
    assert all(report.passed for report in check_loss(sound("poisson"), prediction_range=(0.0, np.inf)))
    with pytest.raises(ConformanceError, match="RuntimeWarning: invalid value encountered in log"):
        check_loss(sound("poisson"), backend="numpy")


def declining(part: str) -> Any:
    """The reference step for plans whose loss is not the one that ``part`` names."""

    def factory(plan: Any) -> Any:
        """The reference step for some plans."""
        if part in plan.loss.name:
            msg = f"it knows no {part}"
            raise NotImplementedError(msg)
        return reference_step(plan)

    return factory


def test_an_executor_may_decline_plans() -> None:
    (report,) = check_executor(declining("cross_entropy"), backend="numpy")
    assert [verdict.passed for verdict in report.verdicts] == [True] * 12
    (report,) = check_executor(declining(""), backend="numpy")
    assert str(report).startswith(
        "executor 'factory' on numpy: not checked: it declined every plan; binary classification with sgd: it knows no "
    )


def test_an_executor_is_checked_on_the_libraries_it_is_for() -> None:
    record = ExecutorSpec("plain", declining("nothing"), backends=("numpy",))
    assert [report.backend for report in check_executor(record)] == ["numpy"]
    assert len(check_executor(declining("nothing"))) == 2
    (report,) = check_executor(record, backend="array-api-strict")
    assert str(report) == "executor 'plain' on array-api-strict: not checked: it is for numpy"


def test_a_finding_about_an_executor_names_the_plan_and_the_step() -> None:
    with pytest.raises(ConformanceError) as caught:
        check_executor(planted("a smaller batch counts as a full one"), backend="numpy")
    lines = [line.strip() for line in str(caught.value).splitlines()]
    assert lines[0] == "executor 'planted' on numpy: 1 of 7 checks failed"
    assert lines[2].startswith("several_steps: two epochs agree with the reference step by step")
    assert lines[3].startswith("expected  layers.0.")
    assert lines[5] == "where     binary classification with sgd, step 3, of 3 rows"


def test_what_is_no_executor_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"takes a polydnn\.ExecutorSpec, or a factory .*; found a int\."):
        check_executor(3)  # type: ignore[arg-type]


def test_an_initializer_is_checked_once() -> None:
    assert len(check_initializer(sound("orthogonal"))) == 1


def test_a_missing_array_api_strict_is_a_warning_that_says_what_is_not_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        msg = "backend 'array-api-strict' needs the package array-api-strict: pip install it"
        raise BackendUnavailableError(msg)

    monkeypatch.setattr("polydnn.testing.backends.strict_backend", missing)
    with pytest.warns(UserWarning, match="checked on NumPy only, which proves nothing .*: pip install it"):
        reports = check_activation(sound("softsign"))
    assert [report.backend for report in reports] == ["numpy"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_initializer(sound("orthogonal"))


def test_the_kit_leaves_random_numbers_and_settings_as_they_were() -> None:
    numpy_state, python_state, settings = np.random.get_state(legacy=False), random.getstate(), np.geterr()
    for mistake in ("NumPy's global state is used", "Python's global state is used"):
        run_checks(planted(mistake), "initializer", "numpy")
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], numpy_state["state"]["key"])
    assert np.random.get_state(legacy=False)["state"]["pos"] == numpy_state["state"]["pos"]
    assert random.getstate() == python_state
    assert np.geterr() == settings


def test_the_public_names_are_these() -> None:
    assert polydnn.testing.__all__ == sorted(polydnn.testing.__all__)
    assert all(hasattr(polydnn.testing, name) for name in polydnn.testing.__all__)
