"""A batch-size study from beginning to end: machine probe, sweep, noise scale, analysis, and validation if wished."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polydnn.batch_size.cache_sizes import parse_caches
from polydnn.batch_size.following import EPOCHS, follow
from polydnn.batch_size.machine_probe import probe_machine
from polydnn.batch_size.noise_scale import NoiseScale
from polydnn.batch_size.provenance import study_provenance
from polydnn.batch_size.record import build_record
from polydnn.batch_size.sizes import check_sizes
from polydnn.batch_size.sweep import Report, Sweep, check_budget, silent, sweep_twin
from polydnn.batch_size.twin import Twin, twin_of
from polydnn.batch_size.validation import validate
from polydnn.errors import InvalidArgumentError, InvalidDataError
from polydnn.training import Trainer
from polydnn.training.weights import ClassWeight

__all__ = ["study"]

PROBING, SWEEPING, ENDING = 0.06, 0.72, 0.94
"""Parts of the budget: for the probe, and by when the sweep and the measurement of the noise scale have ended."""

LONGEST_PROBE = 3.0


def study(
    trainer: Trainer,
    x: object,
    y: object,
    *,
    sizes: Sequence[int] | str | None = None,
    budget: float = 90.0,
    caches: Mapping[str, int] | str | None = None,
    dataset: str = "data",
    executions: Sequence[str] = (),
    epochs: int | None = None,
    target_loss: float | None = None,
    sample_weight: object | None = None,
    class_weight: ClassWeight | None = None,
    validation_fraction: float | None = None,
    validation: Mapping[str, Any] | None = None,
    progress: Report = silent,
) -> dict[str, Any]:
    """Find the best batch size for this training on this machine, and why: the record of a study, plain values.

    x (n, in_features), y, weights and ``validation_fraction`` are what ``fit`` takes. ``sizes`` are powers of two from
    1 to 4096 (or the rows) unless given, as numbers or as text ("1:4096", "16,64,256"). ``budget`` bounds the seconds.
    ``caches`` are sizes in bytes by level, or text such as "L2=1M,L3=32M", that win over what is detected and measured.
    ``dataset`` is the name under which the rows stand in the record. ``executions`` are further executors whose steps
    are swept beside the trainer's own; on a device these are the reference step unless given. The noise scale is
    followed through trainings of several seeds, at most ``epochs`` epochs long or until the loss is ``target_loss``, as
    many as there is time for; their spread is what its interval and that of the best size say. With ``validation``,
    arguments of ``validate`` (possibly none), trainings to the target loss follow; they have a budget of their own.

    Everything happens in a copy: trainer, network, optimizer state, random streams and history stay as they are.
    ``progress`` is told what is being done and the part of the budget that is spent. Raises InvalidArgumentError naming
    the argument, and as ``fit`` does for rows that it would refuse.

    >>> import polydnn
    >>> trainer = polydnn.Trainer(polydnn.Network(1, [polydnn.Dense(1)]), loss="mean_squared_error")
    >>> x = [[value / 32] for value in range(32)]
    >>> record = study(trainer, x, x, budget=4.0, caches="L2=1M,L3=16M")
    >>> [row["batch_size"] for row in record["sweep"]], trainer.history.rows
    ([1, 2, 4, 8, 16, 32], [])
    """
    started = time.perf_counter()
    budget = check_budget(budget)
    overrides = parse_caches(caches) if isinstance(caches, str) else caches
    weights: dict[str, Any] = {"sample_weight": sample_weight, "class_weight": class_weight}
    twin = twin_of(trainer, x, y, validation_fraction=validation_fraction, **weights)
    wanted = check_sizes(sizes, len(twin.rows))
    clock = _Clock(started, budget, progress)
    provenance = _provenance(twin, dataset, budget)
    clock.say("looking at the machine")
    machine = probe_machine(
        twin.backend,
        dtype=twin.plan.network.dtype,
        seconds=min(LONGEST_PROBE, PROBING * budget),
        overrides=overrides,
    )
    used = {each["level"]: each["used_bytes"] for each in machine["caches"] if each["used_bytes"]}
    found, others = _sweeps(twin, wanted, used, _others(twin, executions), clock)
    noise = _noise(twin, found, clock, epochs, target_loss, machine["warnings"])
    compared = None
    if validation is not None:
        asked = {"target_loss": target_loss, "validation_fraction": validation_fraction, **weights, **validation}
        compared = _validated(trainer, x, y, found, asked, clock)
    record = build_record(
        provenance=provenance,
        machine=machine,
        sweep=found.rows,
        noise_scale=noise,
        skipped=found.skipped,
        validation=compared,
    )
    return {**record, "other_executions": others, "seconds": clock.spent()}


@dataclass(frozen=True)
class _Clock:
    """The time since the study began."""

    started: float
    budget: float
    progress: Report

    def spent(self) -> float:
        return time.perf_counter() - self.started

    def left(self, share: float) -> float:
        """The seconds until so much of the budget is spent; never none at all."""
        return max(share * self.budget - self.spent(), 0.02 * self.budget)

    def say(self, text: str) -> None:
        self.progress(text, min(self.spent() / self.budget, 1.0))


def _provenance(twin: Twin, dataset: str, budget: float) -> dict[str, Any]:
    trainer, rows = twin.trainer, twin.rows
    facts = {
        "name": dataset,
        "rows": len(rows),
        "in_features": trainer.network.in_features,
        "fingerprint": twin.fingerprint,
    }
    return study_provenance(
        twin.plan,
        dataset=facts,
        execution=trainer.execution,
        learning_rate=trainer.learning_rate,
        seed=trainer.seed,
        budget_seconds=budget,
    )


def _others(twin: Twin, executions: Sequence[str]) -> list[str]:
    """The further executors; a device has launches to save, so that there the plain step is worth knowing."""
    if executions or twin.backend.on_host or twin.trainer.execution == "reference":
        return [each for each in executions if each != twin.trainer.execution]
    return ["reference"]


def _sweeps(
    twin: Twin, sizes: Sequence[int], caches: Mapping[str, int], others: Sequence[str], clock: _Clock
) -> tuple[Sweep, list[dict[str, Any]]]:
    """The sweep of the trainer's own execution, which has half of the time where there are others, and the others'."""
    end = SWEEPING if not others else SWEEPING / 2
    first = sweep_twin(twin, sizes, budget=clock.left(end), caches=caches, progress=_relayed(clock))
    more = []
    for number, name in enumerate(others, 1):
        share = SWEEPING / 2 * (1 + number / len(others))
        try:
            found = sweep_twin(
                twin, sizes, budget=clock.left(share), caches=caches, execution=name, progress=_relayed(clock)
            )
        except InvalidArgumentError as error:
            if "execution must be one of" in str(error):
                raise
            found = Sweep([], [{"batch_size": sizes[0], "why": str(error)}])
        more.append({"execution": name, "sweep": found.rows, "skipped": found.skipped})
    return first, more


def _relayed(clock: _Clock) -> Report:
    """The sweep's report, with the part of the whole study's budget in place of its own."""
    return lambda text, share: clock.say(text)


def _noise(
    twin: Twin, found: Sweep, clock: _Clock, epochs: int | None, target_loss: float | None, warnings: list[str]
) -> NoiseScale | None:
    """The noise scale, None where it cannot be measured; the reason then stands among the warnings."""
    clock.say("measuring the gradient noise scale")
    try:
        return follow(
            twin,
            found,
            seconds=clock.left(ENDING),
            epochs=epochs or EPOCHS,
            target_loss=target_loss,
            progress=_relayed(clock),
        )
    except (InvalidArgumentError, InvalidDataError) as error:
        warnings.append(f"There is no gradient noise scale, so the throughput alone decides: {error}")
        return None


def _validated(
    trainer: Trainer, x: object, y: object, found: Sweep, arguments: dict[str, Any], clock: _Clock
) -> dict[str, Any]:
    """The trainings to the target loss at the sizes that were measured, unless others are wished for."""

    def said(text: str) -> None:
        clock.progress(f"validating: {text}", 1.0)

    arguments = {"sizes": [row["batch_size"] for row in found.rows]} | arguments
    return validate(trainer, x, y, report=said, **arguments)
