"""Every planted defect is named by the check that is meant for it, in words that help, and by no other."""

import pytest

from polydnn.testing import run_checks
from polydnn.testing.subject import KINDS
from tests.testing.defects import DEFECTS
from tests.testing.planted import Defect


def test_there_are_many_defects_and_each_is_another() -> None:
    assert len(DEFECTS) >= 80
    assert len({(defect.kind, defect.mistake) for defect in DEFECTS}) == len(DEFECTS)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: f"{defect.kind}: {defect.mistake}")
def test_a_planted_defect_is_named_by_its_check_alone(defect: Defect) -> None:
    report = run_checks(defect.item, defect.kind, defect.backend)
    assert [verdict.name for verdict in report.failures] == [defect.check], str(report)
    assert defect.says in report.failures[0].detail


def test_every_check_catches_a_planted_defect() -> None:
    planted = {defect.check for defect in DEFECTS}
    for kind, about in KINDS.items():
        own = {defect.check for defect in DEFECTS if defect.kind == kind}
        shared = {check.name for check in KINDS["activation"].checks}
        missing = {check.name for check in about.checks} - own - (planted & shared)
        assert not missing, f"{kind}: no planted defect for {sorted(missing)}"
