"""The verdicts on one item on one backend: as words for people, as a mapping for programs, as an error for tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from polydnn.errors import PolydnnError

__all__ = ["ConformanceError", "Report", "Verdict"]


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check.

    ``passed`` is None where the check was not run; ``detail`` then says why. Where it failed, ``detail`` says what was
    expected, what was found, where, and what to do, one a line. ``promise`` is what a conforming item does.
    """

    name: str
    passed: bool | None
    detail: str
    seconds: float
    promise: str = ""


@dataclass(frozen=True)
class Report:
    """All verdicts on one item on one backend.

    ``str(report)`` is the text for people: one line where everything passed, else every failed check in full.

    >>> print(Report("activation", "relu", "numpy", (Verdict("runs", True, "", 0.001),)))
    activation 'relu' on numpy: 1 check passed
    """

    kind: str
    item: str
    backend: str
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Verdict, ...]:
        """The verdicts of the failed checks, in the order of the table."""
        return tuple(verdict for verdict in self.verdicts if verdict.passed is False)

    @property
    def seconds(self) -> float:
        """What all checks took together."""
        return sum(verdict.seconds for verdict in self.verdicts)

    def verdict(self, name: str) -> Verdict:
        """The verdict of the check of that name; KeyError where this kind of item has no such check."""
        return {verdict.name: verdict for verdict in self.verdicts}[name]

    def to_json(self) -> dict[str, Any]:
        """The report in plain dictionaries, lists, strings and numbers."""
        return {
            "kind": self.kind,
            "item": self.item,
            "backend": self.backend,
            "passed": self.passed,
            "checks": [
                {"name": each.name, "passed": each.passed, "detail": each.detail, "seconds": round(each.seconds, 6)}
                for each in self.verdicts
            ],
        }

    def table(self) -> str:
        """Every check on a line of its own, for a reader who wants to see what was looked at."""
        words = {True: "ok", False: "FAILED", None: "-"}
        width = max((len(each.name) for each in self.verdicts), default=0)
        lines = [self._headline()]
        for each in self.verdicts:
            note = each.promise if each.passed is not None else f"{each.promise} ({each.detail})"
            lines.append(f"  {words[each.passed]:<6}  {each.name:<{width}}  {note}")
            if each.passed is False:
                lines.append(indent(each.detail, " " * (width + 12)))
        return "\n".join(lines)

    def __str__(self) -> str:
        failed = [f"  {each.name}: {each.promise}\n{indent(each.detail, '    ')}" for each in self.failures]
        return "\n\n".join([self._headline(), *failed])

    def _headline(self) -> str:
        run = sum(verdict.passed is not None for verdict in self.verdicts)
        subject = f"{self.kind} {self.item!r} on {self.backend}"
        if not run and self.verdicts:
            return f"{subject}: not checked: {self.verdicts[0].detail}"
        counted = f"{run} check{'s' if run != 1 else ''}"
        if self.failures:
            return f"{subject}: {len(self.failures)} of {counted} failed"
        return f"{subject}: {counted} passed"


class ConformanceError(PolydnnError, AssertionError):
    """An item breaks its contract; the text lists every failed check, ``reports`` holds all verdicts."""

    def __init__(self, reports: Sequence[Report]) -> None:
        self.reports = tuple(reports)
        super().__init__("\n\n".join(str(report) for report in reports if not report.passed))
