"""Everything a package offers is checked, and what cannot be checked is said."""

import json
from collections.abc import Callable

import pytest

from polydnn.errors import BackendUnavailableError, InvalidArgumentError, UnknownNameError
from polydnn.registry import PolydnnPluginWarning, Registry
from polydnn.testing import check_plugin, conformance_tests
from polydnn.testing.plugin import cases
from tests.testing.plugin_sources import BROKEN, EMPTY, EXECUTORS, FAULTY, NEEDY, SOUND

Installed = Callable[[str, str], Registry]


@pytest.mark.parametrize("name", ["polydnn-sound", "Polydnn_Sound", "sound_plugin", "sound-plugin"])
def test_a_sound_package_passes_under_every_spelling_of_its_name(installed_registry: Installed, name: str) -> None:
    report = check_plugin(name, registry=installed_registry("sound", SOUND))
    assert report.passed
    found = [(each.kind, each.item, each.backend.partition(":")[0]) for each in report.reports]
    assert found == [
        ("activation", "softsign", "numpy"),
        ("activation", "softsign", "array-api-strict"),
        ("initializer", "tiny", "numpy"),
    ]
    assert report.notes == ("there are no checks for a schedule: halving",)
    assert str(report).endswith(f"{name}: 2 items checked, all pass")


def test_one_backend_can_be_asked_for(installed_registry: Installed) -> None:
    report = check_plugin("polydnn-sound", backend="numpy", registry=installed_registry("sound", SOUND))
    assert {each.backend for each in report.reports} == {"numpy"}


def test_a_faulty_package_is_told_everything_at_once(installed_registry: Installed) -> None:
    report = check_plugin("polydnn-faulty", backend="numpy", registry=installed_registry("faulty", FAULTY))
    assert not report.passed
    text = str(report)
    assert "activation 'ramp' on numpy: 2 of 18 checks failed" in text
    assert "a docstring on ramp" in text
    assert "derivative: derivative is the derivative of forward" in text
    assert "found     RuntimeError: the table of numbers is missing" in text
    assert text.endswith("polydnn-faulty: 2 items checked, 1 not checked, 2 with failed checks, 0 other problems")
    assert "activation 'scaled' on numpy: not checked: it needs factor; check it in a test of your own" in text
    scaled = next(each for each in report.reports if each.item == "scaled")
    assert scaled.passed
    assert scaled.verdict("made").detail == "it needs factor; check it in a test of your own, with options"


def test_what_was_not_checked_has_not_passed(installed_registry: Installed) -> None:
    report = check_plugin("polydnn-needy", backend="numpy", registry=installed_registry("needy", NEEDY))
    assert report.passed
    assert str(report).splitlines() == [
        "activation 'line' on numpy: 18 checks passed",
        "activation 'scaled' on numpy: not checked: it needs factor; check it in a test of your own, with options",
        "polydnn-needy: 1 item checked, 1 not checked, all checked pass",
    ]


def test_a_package_of_which_nothing_was_checked_does_not_pass_in_words(installed_registry: Installed) -> None:
    source = NEEDY.replace('ActivationSpec("line", line), ', "")
    report = check_plugin("polydnn-needy", backend="numpy", registry=installed_registry("needy", source))
    assert str(report).endswith("\npolydnn-needy: 0 items checked, 1 not checked")


def test_the_report_is_plain_data(installed_registry: Installed) -> None:
    report = check_plugin("polydnn-faulty", backend="numpy", registry=installed_registry("faulty", FAULTY))
    data = json.loads(json.dumps(report.to_json()))
    assert (data["package"], data["passed"], data["problems"]) == ("polydnn-faulty", False, [])
    assert [each["passed"] for each in data["reports"]] == [False, True, False]


def test_a_package_that_cannot_be_imported_is_a_problem_with_its_cause(installed_registry: Installed) -> None:
    registry = installed_registry("broken", BROKEN)
    with pytest.warns(PolydnnPluginWarning, match="a_module_that_does_not_exist"):
        report = check_plugin("polydnn-broken", registry=registry)
    assert not report.passed
    assert "is failed: ModuleNotFoundError: No module named 'a_module_that_does_not_exist'" in report.problems[0]
    assert str(report).endswith("polydnn-broken: 0 items checked, 0 with failed checks, 1 other problems")


def test_a_package_that_offers_nothing_is_a_problem(installed_registry: Installed) -> None:
    report = check_plugin("polydnn-empty", registry=installed_registry("empty", EMPTY))
    assert report.problems == ("polydnn-empty offers nothing: no hook implementation returned a record",)


def test_an_unknown_package_lists_the_installed_ones(installed_registry: Installed) -> None:
    registry = installed_registry("sound", SOUND)
    with pytest.raises(
        UnknownNameError, match=r"unknown plugin 'polydnn-sond'; registered: polydnn, polydnn-sound\. Did"
    ):
        check_plugin("polydnn-sond", registry=registry)


def test_a_backend_that_was_asked_for_and_is_missing_is_an_error(installed_registry: Installed) -> None:
    registry = installed_registry("sound", SOUND)
    with pytest.raises(BackendUnavailableError, match="torch:no-such-device"):
        check_plugin("polydnn-sound", backend="torch:no-such-device", registry=registry)


def test_executors_are_cases_where_they_are_for(installed_registry: Installed) -> None:
    registry = installed_registry("executors", EXECUTORS)
    found = cases("polydnn-executors", ["numpy", "array-api-strict", "torch"], registry=registry)
    assert sorted(map(str, found)) == [
        "executor-elsewhere-torch",
        "executor-hasty-numpy",
        "executor-plain-array-api-strict",
        "executor-plain-numpy",
        "executor-plain-torch",
    ]


def test_executors_are_checked_and_what_is_missing_is_said(installed_registry: Installed) -> None:
    pytest.importorskip("torch", reason="one of the executors is for torch")
    report = check_plugin("polydnn-executors", registry=installed_registry("executors", EXECUTORS))
    found = [(each.item, each.backend.partition(":")[0], each.passed) for each in report.reports]
    assert sorted(found) == [
        ("elsewhere", "torch", True),
        ("hasty", "numpy", False),
        ("plain", "array-api-strict", True),
        ("plain", "numpy", True),
    ]
    text = str(report)
    assert "first_step: its first step agrees with the reference step" in text
    assert "where     binary classification with sgd, 5 rows" in text
    assert "note: executor elsewhere was not checked: unknown backend 'absent'; registered: " in text
    assert text.endswith("polydnn-executors: 3 items checked, 1 with failed checks, 0 other problems")


def test_an_executor_for_another_backend_than_was_asked_for_is_a_note(installed_registry: Installed) -> None:
    registry = installed_registry("executors", EXECUTORS.replace("2.0 * rate", "rate"))
    report = check_plugin("polydnn-executors", backend="numpy", registry=registry)
    assert report.passed
    assert report.notes == ("executor elsewhere is for torch, absent",)
    assert str(report).endswith("polydnn-executors: 2 items checked, all pass")


def test_the_built_ins_are_a_package_too() -> None:
    found = cases("polydnn", ["numpy"])
    assert {"activation-relu-numpy", "loss-mean_squared_error-numpy", "metric-accuracy-numpy"} <= set(map(str, found))


def test_a_line_in_a_test_file_is_a_test_for_every_item_and_backend() -> None:
    import polydnn.testing.plugin as module

    test = conformance_tests("polydnn", backends=["numpy", "torch"])
    (mark,) = test.pytestmark  # type: ignore[attr-defined]
    assert [str(case) for case in mark.args[1]] == [str(case) for case in module.cases("polydnn", ["numpy", "torch"])]


def test_nothing_to_check_is_an_error(installed_registry: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = installed_registry("empty", EMPTY)
    monkeypatch.setattr("polydnn.testing.plugin.default_registry", lambda: registry)
    with pytest.raises(InvalidArgumentError, match="polydnn-empty is installed and offers nothing to check"):
        conformance_tests("polydnn-empty")
