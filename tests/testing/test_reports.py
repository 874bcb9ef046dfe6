"""The words of a report, and what runs them: order, blocking, exceptions and warnings."""

import json
import warnings
from typing import Any

import numpy as np
import pytest

from polydnn.arrays import numpy_backend
from polydnn.testing import Report, Verdict, run_checks
from polydnn.testing.bench import Bench, Call
from polydnn.testing.check import Check, run_table
from polydnn.testing.finding import Finding, NotApplicable
from tests.testing.defects import DEFECTS


class EmptyBench(Bench):
    kind = "activation"

    def calls(self, rows: int = 4, width: int = 3) -> list[Call]:
        return []


def verdicts(*checks: Check) -> dict[str, Verdict]:
    return {verdict.name: verdict for verdict in run_table(checks, EmptyBench(None, numpy_backend()))}


def fails(bench: Any) -> None:
    raise Finding(expected="1", found="2", where="z = 0")


def passes(bench: Any) -> None:
    return None


def test_a_finding_is_four_lines_with_the_check_s_advice() -> None:
    found = verdicts(Check("first", "it is one", "make it one.", fails))["first"]
    assert found.passed is False
    assert found.detail == "expected  1\nfound     2\nwhere     z = 0\ndo        make it one."


def test_a_failed_check_blocks_what_needs_it_and_nothing_else() -> None:
    found = verdicts(
        Check("first", "", "", fails),
        Check("second", "", "", passes, ("first",)),
        Check("third", "", "", passes, ("second",)),
        Check("fourth", "", "", passes),
    )
    assert [found[name].passed for name in ("first", "second", "third", "fourth")] == [False, None, None, True]
    assert found["second"].detail == "not looked at, because of 'first'"
    assert found["third"].detail == "not looked at, because of 'second'"


def test_what_does_not_apply_blocks_nothing() -> None:
    def absent(bench: Any) -> None:
        raise NotApplicable(because="there is none")

    found = verdicts(Check("first", "", "", absent), Check("second", "", "", passes, ("first",)))
    assert (found["first"].passed, found["first"].detail, found["second"].passed) == (None, "there is none", True)


def test_an_exception_is_a_finding_with_its_line() -> None:
    def raises(bench: Any) -> None:
        msg = "the table is empty"
        raise KeyError(msg)

    found = verdicts(Check("first", "", "fill it.", raises))["first"]
    assert "KeyError: 'the table is empty'" in found.detail
    assert "test_reports.py, line" in found.detail
    assert "in raises: raise KeyError(msg)" in found.detail


def test_warnings_and_numpy_settings_of_the_caller_decide_nothing() -> None:
    def divides(bench: Any) -> None:
        np.asarray(1.0) / np.asarray(0.0)

    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        assert verdicts(Check("first", "", "", divides))["first"].passed


REPORT = Report(
    "loss",
    "huber",
    "numpy",
    (
        Verdict("name", True, "", 0.001, "it has a name"),
        Verdict("gradient", False, "expected  1\nfound     2", 0.002, "it is the derivative"),
        Verdict("logits_forms", None, "it offers none", 0.0, "they agree"),
    ),
)


def test_the_report_counts_and_shows_what_failed() -> None:
    assert str(REPORT) == (
        "loss 'huber' on numpy: 1 of 2 checks failed\n\n"
        "  gradient: it is the derivative\n"
        "    expected  1\n"
        "    found     2"
    )
    assert not REPORT.passed
    assert REPORT.seconds == pytest.approx(0.003)
    assert REPORT.verdict("name").passed
    with pytest.raises(KeyError, match="gradients"):
        REPORT.verdict("gradients")


def test_the_table_shows_every_check() -> None:
    assert REPORT.table().splitlines() == [
        "loss 'huber' on numpy: 1 of 2 checks failed",
        "  ok      name          it has a name",
        "  FAILED  gradient      it is the derivative",
        "                        expected  1",
        "                        found     2",
        "  -       logits_forms  they agree (it offers none)",
    ]


def test_the_report_is_plain_data() -> None:
    data = json.loads(json.dumps(REPORT.to_json()))
    assert {key: data[key] for key in ("kind", "item", "backend", "passed")} == {
        "kind": "loss",
        "item": "huber",
        "backend": "numpy",
        "passed": False,
    }
    assert data["checks"][1] == {
        "name": "gradient",
        "passed": False,
        "detail": "expected  1\nfound     2",
        "seconds": 0.002,
    }


def test_the_message_about_a_wrong_derivative_reads_whole() -> None:
    item = next(defect.item for defect in DEFECTS if defect.mistake == "the derivative has another slope")
    assert str(run_checks(item, "activation", "numpy")) == (
        "activation 'leaky' on numpy: 1 of 17 checks failed\n\n"
        "  derivative: derivative is the derivative of forward\n"
        "    expected  0.01 (central difference of forward in float64)\n"
        "    found     0.1 from derivative\n"
        "    where     z[8, 3] = -1.5999449; the worst of 33 wrong among 60\n"
        "    do        correct derivative(z, y): z is the pre-activation and y is what forward gave for it."
    )


def test_the_message_about_numpy_names_the_line_and_the_cause() -> None:
    item = next(defect.item for defect in DEFECTS if defect.mistake == "NumPy stands where xp should")
    detail = run_checks(item, "activation", "array-api-strict").verdict("portable").detail
    assert "in numpy_tanh: return np.tanh(z)" in detail
    assert "a NumPy function was given an array of another library; use the function of xp instead." in detail


def test_the_message_about_a_factor_names_the_number_of_outputs() -> None:
    mistake = "value is the mean over outputs, gradient of the sum"
    item = next(defect.item for defect in DEFECTS if defect.mistake == mistake)
    lines = run_checks(item, "loss", "numpy").verdict("gradient").detail.splitlines()
    assert lines[1].endswith("from gradient(prediction, target): everywhere 3 times the expected number")
    assert lines[2].startswith("where     prediction[3, 2] = -2.4317897, target[3, 2] = 1.7544826")
    assert lines[3] == "do        3 is the number of outputs: value takes their mean; divide the gradient by it."
