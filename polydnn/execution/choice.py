"""Which executor runs a fit: the fastest one offered that agrees with the reference step on the first batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from polydnn.errors import InvalidArgumentError, did_you_mean
from polydnn.execution.agreement import FirstBatch, disagreement, expected_of
from polydnn.execution.executor import TOLERANCE, Executor, ExecutorFactory, PureExecutor, executor_of
from polydnn.execution.plan import StepPlan
from polydnn.execution.reference import reference_step
from polydnn.execution.tuning import SETTLE, fastest_made

__all__ = ["TOLERANCE", "Candidate", "Choice", "FirstBatch", "choose"]

TIMED_STEPS, TIMED_WORK = 32, 2**30
"""Executors are timed on a bundle of steps, as a fit runs them: so many, or fewer if these multiply more than that."""

THREADED = 2**14
"""Parameters from which on executors use threads, whose rest before the next one's turn has to be waited for."""


@dataclass(frozen=True)
class Candidate:
    """An executor that may be tried: its name, what builds it from a plan, and the libraries it is for (all if none).

    ``build`` raises where it cannot serve a plan; NotImplementedError means that it was not made for such plans, which
    is no news to anybody who did not ask for it.
    """

    name: str
    build: ExecutorFactory
    backends: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """The executor that was chosen, its name, and a sentence for every candidate that was passed over.

    ``reasons`` are what a user has to know; ``remarks`` tell one who asks why it came so.
    """

    name: str
    executor: Executor
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def choose(plan: StepPlan, batch: FirstBatch, candidates: Sequence[Candidate], execution: str = "auto") -> Choice:
    """The executor for a fit.

    ``execution`` is "reference", "auto" (the fastest candidate that agrees, the reference where none does) or a
    candidate's name. One that cannot be built, fails, or differs from the reference beyond TOLERANCE is passed over
    with the reason. Raises InvalidArgumentError for a name that is no candidate.
    """
    reference = PureExecutor(plan, reference_step(plan))
    if execution == "reference":
        return Choice("reference", reference, remarks=("the reference step was asked for",))
    reasons: list[str] = []
    remarks: list[str] = []
    tried = _tried(plan, candidates, execution, reasons)
    expected = expected_of(plan, batch) if tried else None
    agreeing: dict[str, Executor] = {}
    for candidate in tried:
        assert expected is not None
        try:
            executor = executor_of(plan, candidate.build(plan))
            reason = disagreement(executor, batch, expected)
        except NotImplementedError as error:
            (remarks if execution == "auto" else reasons).append(f"executor {candidate.name!r} is not used: {error}")
            continue
        except Exception as error:  # an executor is an optimization: whatever goes wrong in it, the reference goes on
            reason = f"{type(error).__name__}: {error}"
        if reason is None:
            agreeing[candidate.name] = executor
        else:
            reasons.append(f"executor {candidate.name!r} is not used: {reason}")
    if not agreeing:
        why = "no other executor serves this backend and agrees with the reference"
        return Choice("reference", reference, tuple(reasons), (*remarks, why))
    name, why = _fastest(plan, batch, agreeing)
    return Choice(name, agreeing[name], tuple(reasons), (*remarks, why))


def _tried(plan: StepPlan, candidates: Sequence[Candidate], execution: str, reasons: list[str]) -> list[Candidate]:
    """The candidates that ``execution`` means; in "auto" those for the library of the plan.

    Where the one that is named was not made for this library, the experiment has moved to another backend: "auto".
    """
    names = [candidate.name for candidate in candidates]
    if execution not in ("auto", *names):
        possible = ["auto", "reference", *names]
        msg = f"execution must be one of {', '.join(possible)}, found {execution!r}." + did_you_mean(
            str(execution), possible
        )
        raise InvalidArgumentError(msg)
    library = plan.backend.library
    fitting = [candidate for candidate in candidates if not candidate.backends or library in candidate.backends]
    if execution == "auto":
        return fitting
    if named := [candidate for candidate in fitting if candidate.name == execution]:
        return named
    made_for = next(candidate.backends for candidate in candidates if candidate.name == execution)
    reasons.append(f"executor {execution!r} is not used: it is for {', '.join(made_for)}, and the backend is {library}")
    return fitting


def _fastest(plan: StepPlan, batch: FirstBatch, agreeing: dict[str, Executor]) -> tuple[str, str]:
    """The name of the fastest, and how that is known; the answer is kept, so that a second run computes the same."""
    first = next(iter(agreeing))
    if len(agreeing) == 1:
        return first, f"executor {first!r} agrees with the reference"

    rows = int(batch.x.shape[0])
    size = plan.network.parameter_count()
    count = max(min(TIMED_STEPS, TIMED_WORK // max(rows * size, 1)), 1)

    def timed(executor: Executor) -> Callable[[], None]:
        def run() -> None:
            batch.steps(executor, count, 1e-3 * batch.learning_rate)  # so many steps on one batch might diverge
            plan.backend.synchronize()

        batch.run(executor)
        return run

    question = {"what": "executor", **plan.describe(), "rows": rows, "steps": count}
    makers = {name: partial(timed, executor) for name, executor in agreeing.items()}
    return fastest_made(question, makers, settle=SETTLE if size >= THREADED else 0.0)
