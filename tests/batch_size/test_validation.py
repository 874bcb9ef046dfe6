"""The validation as a whole: steps counted by an independent loop, copies only, budget, what is refused."""

import hashlib
import math
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend
from polydnn.batch_size.schema import FORM, check_form
from polydnn.batch_size.timed_run import TimedRun
from polydnn.batch_size.validation import scaled_rate, validate
from polydnn.errors import InvalidArgumentError, InvalidDataError

RNG = np.random.default_rng(7)
X = RNG.normal(size=(64, 3))
Y = X @ np.asarray([[1.0], [-2.0], [0.5]]) + 0.1 * RNG.normal(size=(64, 1))
QUICK: dict[str, Any] = {"budget": 30.0, "seeds": (0, 1)}


def trainer_of(backend: Backend | str = "numpy", dtype: str = "float64", **changes: Any) -> polydnn.Trainer:
    network = polydnn.Network(3, [polydnn.Dense(1)], backend=backend, dtype=dtype)
    arguments = {"loss": "mean_squared_error", "learning_rate": 0.05, "batch_size": 16, "execution": "reference"}
    return polydnn.Trainer(network, **arguments | changes)


def digest(trainer: polydnn.Trainer) -> str:
    found = hashlib.sha256()
    for name, array in trainer.network.arrays.items():
        found.update(name.encode() + np.ascontiguousarray(array).tobytes())
    for name, slots in trainer.optimizer_state.items():
        for slot, array in slots.items():
            found.update(f"{name}/{slot}".encode() + np.ascontiguousarray(array).tobytes())
    settings = (trainer.learning_rate, trainer.batch_size, trainer.seed, trainer.history.rows, trainer.network.task)
    found.update(repr((*settings, trainer.progress, trainer.choice)).encode())
    return found.hexdigest()


def full_batch_losses(rate: float, seed: int) -> list[float]:
    """The losses of gradient descent on the mean squared error, before each step, in NumPy alone."""
    start = polydnn.Network(3, [polydnn.Dense(1)], dtype="float64", seed=seed)
    w, b = (np.array(start.parameters[f"layers.0.{name}"]) for name in ("weight", "bias"))
    losses = []
    for _ in range(400):
        error = X @ w + b - Y
        losses.append(float((error**2).mean()))
        w, b = w - rate * 2.0 * X.T @ error / 64, b - rate * 2.0 * error.mean(axis=0)
    return losses


def test_the_steps_are_those_of_an_independent_loop() -> None:
    found = validate(trainer_of(), X, Y, sizes=[64], target_loss=0.1, scaling="linear", **QUICK)
    assert found["evaluation_rows"] == 64
    for row in found["rows"]:
        assert row["learning_rate"] == pytest.approx(0.2)
        losses = full_batch_losses(0.2, row["seed"])
        expected = next(step for step, loss in enumerate(losses) if loss <= 0.1)
        assert expected - 1 <= row["steps"] <= expected + 1
        assert row["seconds"] > 0.0


def test_it_has_the_form_of_the_record_and_a_best() -> None:
    lines: list[str] = []
    found = validate(trainer_of(), X, Y, sizes=[32, 8, 128], target_loss=0.2, report=lines.append, **QUICK)
    check_form(found, FORM["validation"][0], "validation")
    assert [row["batch_size"] for row in found["rows"]] == [8, 8, 32, 32]
    assert found["left_out"] == [{"batch_size": 128, "why": "there are only 64 rows"}]
    assert found["measured_best"]["batch_size"] in (8, 32)
    assert found["seeds"] == [0, 1]
    assert found["reference"] == {"batch_size": 16, "learning_rate": 0.05}
    assert len(lines) == 1 + sum(row["reached"] for row in found["rows"])
    for row in found["measured"]:
        low, high = row["seconds_to_target_interval"]
        assert low < row["seconds_to_target"] < high
        assert row["seeds"] == 2


def test_the_trainer_stays_as_it_is_also_when_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_of(optimizer="adam")
    trainer.fit(X, Y, epochs=2)
    before = digest(trainer)
    validate(trainer, X, Y, sizes=[16, 64], target_loss=1.0, **QUICK)
    assert digest(trainer) == before

    def broken(*given: object, **named: object) -> None:
        msg = "the disk is on fire"
        raise OSError(msg)

    monkeypatch.setattr("polydnn.batch_size.timed_run.TimedRun.advance", broken)
    with pytest.raises(OSError, match="on fire"):
        validate(trainer, X, Y, sizes=[16, 64], target_loss=1.0, **QUICK)
    assert digest(trainer) == before


def test_what_the_trainer_has_learnt_does_not_count() -> None:
    fresh, taught = trainer_of(), trainer_of()
    taught.fit(X, Y, epochs=20)
    steps = [
        [row["steps"] for row in validate(each, X, Y, sizes=[16], target_loss=0.2, **QUICK)["rows"]]
        for each in (fresh, taught)
    ]
    assert steps[0] == steps[1]
    assert steps[0][0] > 3


def test_the_best_factor_of_the_first_seed_is_kept() -> None:
    asked = {"sizes": [64], "target_loss": 0.1, "seeds": (0, 1), "budget": 30.0}
    found = validate(trainer_of(), X, Y, factors=(0.25, 1.0, 4.0), **asked)
    assert {row["learning_rate"] for row in found["rows"]} == {0.2}
    assert sorted(row["learning_rate"] for row in found["other_rates"]) == pytest.approx([0.0125, 0.05])
    alone = validate(trainer_of(learning_rate=0.2), X, Y, **asked)
    assert [row["steps"] for row in found["rows"]] == [row["steps"] for row in alone["rows"]]


def test_a_rate_that_only_the_first_seed_favours_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the first seed the better rate is held up until the other is there, yet not by so much as to be out."""
    asked: dict[str, Any] = {"sizes": [64], "target_loss": 0.1, "seeds": (0, 1, 2), "budget": 60.0}
    slower = validate(trainer_of(), X, Y, factors=(2.0,), **asked)["rows"][0]["steps"]  # 0.1, and 0.2 below
    whole = TimedRun.loss

    def loss(run: TimedRun) -> float:
        held_up = run._seed == 0 and run._rate > 0.15 and 0 < run.steps < 1.2 * slower
        return max(whole(run), 1.0) if held_up else whole(run)

    monkeypatch.setattr(TimedRun, "loss", loss)
    found = validate(trainer_of(), X, Y, factors=(2.0, 4.0), **asked)
    assert {row["learning_rate"] for row in found["rows"]} == {0.2}
    assert found["rows"][0]["steps"] > slower
    assert {(row["learning_rate"], row["seed"]) for row in found["other_rates"]} == {(0.1, 0), (0.1, 1), (0.1, 2)}


def test_a_target_is_chosen_where_none_is_given() -> None:
    found = validate(trainer_of(), X, Y, sizes=[16, 32], **QUICK)
    before = full_batch_losses(0.1, 0)[0]
    assert 0.0 < found["target_loss"] < 0.9 * before
    assert found["target_why"].startswith("batch size 16 came to it in 40 steps")  # ten epochs
    assert found["measured_best"] is not None


def test_a_budget_that_is_spent_is_said() -> None:
    found = validate(trainer_of(), X, Y, sizes=[8, 16], target_loss=1e-9, budget=0.3, seeds=(0, 1, 2))
    assert found["seconds"] > 0.0
    assert found["measured"] == []
    assert found["measured_best"] is None
    assert {row["why"] for row in found["rows"]} == {"the budget was spent"}
    assert found["notes"][0] == "no time was left for seed 1, 2"


def test_a_size_that_diverges_is_not_tried_again() -> None:
    found = validate(trainer_of(), X, Y, sizes=[16, 64], scaling="none", factors=(1.0,), target_loss=0.2, **QUICK)
    wild = validate(trainer_of(learning_rate=5.0, batch_size=1), X, Y, sizes=[1], target_loss=0.2, **QUICK)
    assert all(row["reached"] for row in found["rows"])
    assert [row["reached"] for row in wild["rows"]] == [False]
    assert "no longer finite" in wild["rows"][0]["why"]


def test_rows_for_a_size_that_failed_once_say_so() -> None:
    asked: dict[str, Any] = {"sizes": [1, 64], "scaling": "linear", "target_loss": 0.2, **QUICK}
    found = validate(trainer_of(learning_rate=0.5, batch_size=4), X, Y, **asked)  # 8.0 for 64 rows
    lost = [row for row in found["rows"] if row["batch_size"] == 64]
    assert [row["seed"] for row in lost] == [0, 1]
    assert lost[1]["why"].startswith("not tried again after seed 0: the loss was no longer finite")


def test_a_rate_that_diverges_with_another_seed_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TimedRun.loss

    def loss(run: TimedRun) -> float:
        run.diverged = run.steps > 0 and run._seed == 1 and run._rate > 0.15
        return whole(run)

    monkeypatch.setattr(TimedRun, "loss", loss)
    asked: dict[str, Any] = {"sizes": [32, 64], "target_loss": 0.1, "seeds": (0, 1, 2), "budget": 60.0}
    found = validate(trainer_of(), X, Y, factors=(4.0, 1.0, 2.0), **asked)  # 0.2, 0.05, 0.1
    assert [row["learning_rate"] for row in found["rows"]] == [0.1] * 6
    assert all(row["reached"] for row in found["rows"])
    fallen = [row for row in found["other_rates"] if "no longer finite" in row["why"]]
    assert {(row["learning_rate"], row["seed"]) for row in fallen} == {(0.2, 1)}
    alone = validate(trainer_of(), X, Y, factors=(4.0,), **asked)  # nothing to give way to
    assert [row["seeds"] for row in alone["measured"]] == [2, 2]


def test_a_size_that_fails_with_one_seed_is_not_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TimedRun.loss

    def loss(run: TimedRun) -> float:
        run.diverged = run.steps > 0 and run._seed == 1 and run.batch_size == 64
        return whole(run)

    monkeypatch.setattr(TimedRun, "loss", loss)
    asked: dict[str, Any] = {"sizes": [1, 64], "target_loss": 0.1, "scaling": "linear", **QUICK}
    found = validate(trainer_of(learning_rate=0.02), X, Y, **asked)
    one, full = found["measured"]
    assert (one["seeds"], full["seeds"]) == (2, 1)
    assert full["seconds_to_target"] < one["seconds_to_target"]
    assert found["measured_best"] == {"batch_size": 1, "interval": [1, 1]}


def test_a_schedule_is_left_out_and_said_to_be() -> None:
    found = validate(trainer_of(schedule="cosine"), X, Y, sizes=[16], target_loss=0.2, **QUICK)
    assert "the schedule was left out" in found["notes"][0]


def test_weights_are_those_of_the_fit() -> None:
    weights = np.zeros(64)
    weights[:8] = 1.0
    found = validate(trainer_of(), X, Y, sizes=[64], target_loss=0.05, sample_weight=weights, **QUICK)
    plain = validate(trainer_of(), X, Y, sizes=[64], target_loss=0.05, **QUICK)
    assert [row["steps"] for row in found["rows"]] != [row["steps"] for row in plain["rows"]]


def test_rows_set_aside_for_validation_are_not_trained_on() -> None:
    found = validate(trainer_of(), X, Y, sizes=[16, 64], target_loss=0.2, validation_fraction=0.25, **QUICK)
    assert found["evaluation_rows"] == 48
    assert found["left_out"] == [{"batch_size": 64, "why": "there are only 48 rows"}]


def test_it_runs_on_every_backend(backend: Backend) -> None:
    trainer = trainer_of(backend, "float32")
    found = validate(trainer, X, Y, sizes=[16, 64], target_loss=0.3, seeds=(0,), budget=60.0, scaling="square root")
    host = validate(
        trainer_of("numpy", "float32"), X, Y, sizes=[16, 64], target_loss=0.3, seeds=(0,), scaling="square root"
    )
    steps = [[row["steps"] for row in each["rows"]] for each in (found, host)]
    assert None not in steps[1]
    assert np.abs(np.subtract(*steps)).max() <= 1


@pytest.mark.parametrize("scaling", ["none", "linear", "square root"])
def test_the_rule_scales_from_the_trainers_own_size(scaling: Any) -> None:
    power = {"none": 0.0, "linear": 1.0, "square root": 0.5}[scaling]
    for size in (1, 16, 100, 4096):
        assert scaled_rate(0.3, 16, size, scaling) == pytest.approx(0.3 * (size / 16) ** power)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "scaling": ({"scaling": "cubic"}, "scaling must be one of 'none', 'linear', 'square root', found 'cubic'"),
    "no sizes": ({"sizes": []}, r"sizes must be a list of at least one number, found \[\]"),
    "size 0": ({"sizes": [16, 0]}, "sizes must be whole numbers of rows of at least 1, found 0"),
    "half a row": ({"sizes": [2.5]}, "sizes must be whole numbers of rows of at least 1, found 2.5"),
    "all too large": ({"sizes": [128, 256]}, r"all of \[128, 256\] are larger than the 64 rows; give smaller ones"),
    "no seeds": ({"seeds": ()}, r"seeds must be a list of at least one number, found \(\)"),
    "budget": ({"budget": 0.0}, "budget must be a finite number above 0, found 0.0"),
    "give up": ({"give_up": 1.0}, "give_up must be a finite number above 1, found 1.0"),
    "factor": ({"factors": [1.0, -1.0]}, "factors must be a finite number above 0, found -1.0"),
    "target above": ({"target_loss": 1e6}, r"must be a number below \S+, the loss before training, found 1000000.0"),
    "target nan": ({"target_loss": math.nan}, "the loss before training, found nan"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_refused(fault: str) -> None:
    changed, message = REFUSED[fault]
    with pytest.raises(InvalidArgumentError, match=message):
        validate(trainer_of(), X, Y, **{"sizes": [16], "target_loss": 0.2, **changed})


def test_a_trainer_that_does_not_learn_gets_no_target() -> None:
    with pytest.raises(InvalidArgumentError, match="no target loss could be chosen: with batch size 16 and learning"):
        validate(trainer_of(learning_rate=1e-9), X, Y, sizes=[16], budget=2.0)


def test_rows_that_a_fit_would_refuse_are_refused() -> None:
    with pytest.raises(InvalidDataError, match="x must be finite"):
        validate(trainer_of(), np.full((4, 3), np.nan), np.zeros((4, 1)), sizes=[2], target_loss=0.1)
