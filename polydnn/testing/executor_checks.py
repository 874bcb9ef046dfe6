"""What is asked of an executor: the reference's steps, however they are cut, and hands off arrays that are others'."""

import numpy as np

from polydnn.execution.agreement import FirstBatch, disagreement, expected_of
from polydnn.execution.executor import Executor
from polydnn.execution.plan import Key
from polydnn.testing.bench import Host, shape_of
from polydnn.testing.check import Check
from polydnn.testing.executor_bench import BATCH, ROWS, ExecutorBench, Trial, bound_of, copies, on_host
from polydnn.testing.finding import Finding
from polydnn.testing.identity_checks import DOCSTRING, NAME
from polydnn.types import Array

__all__ = ["EXECUTOR_CHECKS"]


def made(bench: ExecutorBench) -> None:
    _ = bench.trials


def runs(bench: ExecutorBench) -> None:
    for trial in bench.trials:
        executor, data = _started(trial), trial.data()
        for batch in trial.batches():
            trial.step(executor, data, batch)
        executor.read()
        trial.steps(executor, data, np.arange(10), BATCH, [trial.rate] * 2, 7)


def arrays(bench: ExecutorBench) -> None:
    for trial in bench.trials:
        executor, reference, data = _started(trial), _started(trial, trial.reference()), trial.data()
        batch = next(trial.batches())
        loss = trial.step(executor, data, batch)
        if shape_of(loss) != () or loss.dtype != bench.backend.dtype(trial.plan.network.dtype):
            raise Finding(
                expected=f"a loss without axes in {trial.plan.network.dtype} from step",
                found=f"{type(loss).__name__} {getattr(loss, 'dtype', '')} of shape {shape_of(loss)}",
                where=trial.label,
            )
        trial.step(reference, data, batch)
        found, wanted = _parts(executor), _parts(reference)
        if found.keys() != wanted.keys():
            odd = sorted(found.keys() ^ wanted.keys())
            raise Finding(
                expected=f"{len(wanted)} arrays from read, all of the network's and the optimizer's",
                found=f"{'without' if odd[0] in wanted else 'with'} {odd[0]!r}",
                where=trial.label,
            )
        for name, array in wanted.items():
            other = found[name]
            if shape_of(other) != shape_of(array) or other.dtype != array.dtype or not bench.backend.owns(other):
                raise Finding(
                    expected=f"{name} {shape_of(array)} in {array.dtype} on {bench.backend.name}",
                    found=f"{type(other).__name__} {getattr(other, 'dtype', '')} of shape {shape_of(other)}",
                    where=trial.label,
                )


def first_step(bench: ExecutorBench) -> None:
    """As a fit looks at it before it takes an executor."""
    for trial in bench.trials:
        x, y, weights = trial.data()
        for bundles in (False, True):
            whole = FirstBatch(*trial.start(), x, y, trial.rate, Key(3, 1), weights, bundles)
            batch = whole.head(BATCH)
            reason = disagreement(trial.executor, batch, expected_of(trial.plan, batch))
            if reason:
                how = "steps" if bundles else "step"
                raise Finding(
                    expected=f"the reference's numbers after one {how}",
                    found=reason.replace("the reference", "it"),
                    where=f"{trial.label}, {BATCH} rows",
                )


def several_steps(bench: ExecutorBench) -> None:
    for trial in bench.trials:
        executor, reference, data = _started(trial), _started(trial, trial.reference()), trial.data()
        for batch in trial.batches():
            losses = [trial.step(each, data, batch) for each in (executor, reference)]
            place = f"{trial.label}, step {batch.key.step}, of {len(batch.order)} rows"
            found, wanted = on_host(trial, executor), on_host(trial, reference)
            found["the loss"], wanted["the loss"] = (np.asarray(bench.backend.to_numpy(each)) for each in losses)
            _require_close(executor, found, wanted, "as the reference", place, steps=10)


def bundles(bench: ExecutorBench) -> None:
    for trial in bench.trials:
        order = np.concatenate([np.arange(ROWS), np.arange(ROWS)])[: 4 * BATCH]
        rates = [trial.rate / number for number in (1, 2, 3, 4)]
        found = {cut: _cut(trial, order, rates, cut) for cut in ((1, 1, 1, 1), (4,), (1, 3), (2, 2))}
        wanted = found.pop((1, 1, 1, 1))
        for cut, numbers in found.items():
            words = " and ".join(map(str, cut))
            place = f"{trial.label}, steps in bundles of {words}"
            _require_same(trial, numbers, wanted, "as step by step", place)


def _cut(trial: Trial, order: Host, rates: list[float], cut: tuple[int, ...]) -> dict[str, Host]:
    """A run in bundles of so many steps; bundles of one are calls of ``step`` where all are."""
    executor, data, losses, done = _started(trial), trial.data(), [], 0
    for count in cut:
        part = order[done * BATCH : (done + count) * BATCH]
        if len(cut) == 4:
            batch = next(trial.batches())._replace(order=part, rate=rates[done], key=Key(3, done + 1))
            losses.append(np.asarray(trial.plan.backend.to_numpy(trial.step(executor, data, batch))).reshape(1))
        else:
            losses.append(trial.steps(executor, data, part, BATCH, rates[done : done + count], done + 1))
        done += count
    return on_host(trial, executor) | {"the losses": np.concatenate(losses)}


def resumed(bench: ExecutorBench) -> None:
    for trial in bench.trials:
        data, executor = trial.data(), _started(trial)
        for batch in trial.batches():
            trial.step(executor, data, batch)
            if batch.key.step == 2:
                kept = executor.read()
        wanted, fresh = on_host(trial, executor), trial.build()
        fresh.load(*kept)
        for batch in list(trial.batches())[2:]:
            trial.step(fresh, data, batch)
        _require_same(trial, on_host(trial, fresh), wanted, "as without a new start", f"{trial.label}, after 6 steps")


def read_kept(bench: ExecutorBench) -> None:
    for trial in bench.trials:
        executor, data, given = _started(trial), trial.data(), []
        for batch in trial.batches(1):
            trial.step(executor, data, batch)
            parts = executor.read()
            given.append((batch.key.step, parts, copies(bench.backend, *parts)))
        trial.steps(executor, data, np.arange(10), BATCH, [trial.rate] * 2, 4)
        executor.load(*trial.start())
        trial.step(executor, data, next(trial.batches()))
        for step, parts, before in given:
            _require_kept(copies(bench.backend, *parts), before, f"what read gave after step {step}", trial.label)


def load_kept(bench: ExecutorBench) -> None:
    for trial in bench.trials:
        start, data, executor = trial.start(), trial.data(), trial.executor
        order = np.arange(10)
        rows = {name: each for name, each in data._asdict().items() if each is not None}
        before = copies(bench.backend, *start), copies(bench.backend, rows, {})
        executor.load(*start)
        for batch in trial.batches(1):
            trial.step(executor, data, batch)
        trial.steps(executor, data, order, BATCH, [trial.rate] * 2, 4)
        _require_kept(copies(bench.backend, *start), before[0], "what load was given", trial.label)
        _require_kept(copies(bench.backend, rows, {}), before[1], "the rows that steps was given", trial.label)
        _require_kept({"order": order}, {"order": np.arange(10)}, "the order that steps was given", trial.label)


def not_finite(bench: ExecutorBench) -> None:
    order = np.arange(3 * BATCH) % ROWS
    for trial in bench.trials:
        for cause, spoilt, rates in (
            ("a NaN among the rows of the second step", BATCH + 2, [trial.rate] * 3),
            ("a second step of infinite length", None, [trial.rate, float("inf"), trial.rate]),
        ):
            executor = _started(trial)
            losses = trial.steps(executor, trial.data(spoilt), order, BATCH, rates, 1)
            parameters = on_host(trial, executor)
            told = not np.isfinite(losses).all()
            left = any(not np.isfinite(parameters[name]).all() for name in trial.plan.network.parameter_names)
            if not told and (len(losses) == 3 or not left):
                raise Finding(
                    expected="fewer losses than rates, the last step's loss or parameters not finite, or losses of NaN",
                    found=f"the losses {', '.join(f'{each:.6g}' for each in losses)}",
                    where=f"{trial.label}; {cause}",
                )
            if len(losses) == 0 or not np.isfinite(losses[0]):
                raise Finding(
                    expected="the loss of the first step, at which all is well",
                    found=f"{losses[0]:.6g}" if len(losses) else "no loss at all",
                    where=f"{trial.label}; {cause}",
                )


def _started(trial: Trial, executor: Executor | None = None) -> Executor:
    executor = executor or trial.executor
    executor.load(*trial.start())
    return executor


def _parts(executor: Executor) -> dict[str, Array]:
    parameters, state = executor.read()
    return dict(parameters) | {f"{name} {slot}": each for name, slots in state.items() for slot, each in slots.items()}


def _require_close(
    executor: Executor, found: dict[str, Host], wanted: dict[str, Host], same: str, place: str, steps: int
) -> None:
    for name, array in wanted.items():
        gap = float(np.max(np.abs(found[name].astype(np.float64) - array), initial=0.0))
        if not gap <= bound_of(executor, array, steps):
            raise Finding(
                expected=f"{name} {same} has it, to {bound_of(executor, array, steps):.1e}",
                found=f"a difference of {gap:.1e}",
                where=place,
            )


def _require_same(trial: Trial, found: dict[str, Host], wanted: dict[str, Host], same: str, place: str) -> None:
    """To the last bit on NumPy, to the tolerance elsewhere."""
    for name, array in wanted.items():
        if found[name].shape != array.shape:
            raise Finding(expected=f"{name} of shape {array.shape}", found=f"shape {found[name].shape}", where=place)
    if trial.plan.backend.library != "numpy":
        _require_close(trial.executor, found, wanted, same, place, steps=10)
        return
    for name, array in wanted.items():
        if found[name].tobytes() != array.tobytes():
            gap = float(np.max(np.abs(found[name].astype(np.float64) - array), initial=0.0))
            raise Finding(expected=f"{name} {same}, to the last bit", found=f"a difference of {gap:.1e}", where=place)


def _require_kept(now: dict[str, Host], before: dict[str, Host], what: str, place: str) -> None:
    for name, array in before.items():
        if now[name].tobytes() != array.tobytes():
            raise Finding(expected=f"{what} as it was", found=f"{name} changed by a later step", where=place)


SOUND = ("made", "runs", "arrays", "first_step", "several_steps")

EXECUTOR_CHECKS: tuple[Check, ...] = (
    NAME,
    DOCSTRING,
    Check(
        "made",
        "the factory makes an executor for a plan, or declines it with NotImplementedError",
        "raise NotImplementedError with the reason for plans that it was not made for; name its libraries in backends.",
        made,
    ),
    Check("runs", "it takes steps one by one and in bundles", "correct the line above.", runs, ("made",)),
    Check(
        "arrays",
        "losses, and what read gives, are arrays like the reference's",
        "return all parameters and statistics, and the state of every parameter, in the dtype of the network.",
        arrays,
        SOUND[:2],
    ),
    Check(
        "first_step",
        "its first step agrees with the reference step, as every fit makes sure",
        "compute what polydnn.execution.reference_step(plan) does, weights and penalties included, or decline.",
        first_step,
        SOUND[:3],
    ),
    Check(
        "several_steps",
        "two epochs agree with the reference step by step, with smaller last batches",
        "look at what is kept between steps, and at divisions by the number of rows.",
        several_steps,
        SOUND[:4],
    ),
    Check(
        "load_kept",
        "nothing that it is given is changed",
        "copy what load is given where steps write into it.",
        load_kept,
        SOUND,
    ),
    Check(
        "read_kept",
        "no later step changes what read gave",
        "give copies where steps write into buffers.",
        read_kept,
        SOUND,
    ),
    Check(
        "bundles",
        "steps gives what as many calls of step give, to the last bit on NumPy, wherever it is cut",
        "let both go through the same operations in the same order; each step has a rate and a key of its own.",
        bundles,
        (*SOUND, "load_kept"),
    ),
    Check(
        "resumed",
        "a new executor goes on from what read gave as if it were the old one",
        "keep nothing that read does not give; the number of the step is key.step.",
        resumed,
        (*SOUND, "load_kept", "read_kept"),
    ),
    Check(
        "not_finite",
        "it stops where something is not finite, or its losses say so",
        "hide no NaN: end steps with the loss of that step, or go on and return what comes.",
        not_finite,
        (*SOUND, "load_kept", "bundles"),
    ),
)
