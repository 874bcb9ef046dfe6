"""The choice of an executor: one that agrees is taken, any other is passed over with its reason."""

import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.errors import InvalidArgumentError
from polydnn.execution import Candidate, Step, StepPlan, reference_step
from polydnn.losses import mean_squared_error
from polydnn.optimizers import adam
from polydnn.training import Trainer

X, Y = np.linspace(-1, 1, 12).reshape(6, 2), np.linspace(0, 1, 6).reshape(6, 1)


def changed(change: Callable[..., Any]) -> Callable[[StepPlan], Step]:
    """The reference step with its result sent through ``change(parameters, state, loss)``."""

    def build(plan: StepPlan) -> Step:
        step = reference_step(plan)

        def run(*args: Any, **options: Any) -> Any:
            return change(*step(*args, **options))

        return run

    return build


def cannot(plan: StepPlan) -> Step:
    msg = "no such hardware"
    raise RuntimeError(msg)


def failing(*result: Any) -> Any:
    msg = "it broke on the way"
    raise ValueError(msg)


def with_weight(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda p, s, loss: ({**p, "layers.0.weight": function(p["layers.0.weight"])}, s, loss)


def with_slot(function: Callable[[Any], Any]) -> Callable[..., Any]:
    def change(p: Any, s: Any, loss: Any) -> Any:
        own = s["layers.0.bias"]
        return p, {**s, "layers.0.bias": {**own, "square_sum": function(own["square_sum"])}}, loss

    return change


AGREES = Candidate("agrees", changed(lambda *result: result))
REFUSED = {
    "cannot be built": (cannot, "RuntimeError: no such hardware"),
    "fails": (changed(failing), "ValueError: it broke on the way"),
    "other loss": (changed(lambda p, s, loss: (p, s, loss * 1.01)), "the loss differs from the reference by 1.0e-02"),
    "other weight": (changed(with_weight(lambda w: w + 0.5)), "layers.0.weight differs from the reference by"),
    "other state": (changed(with_slot(lambda v: v * 2)), "layers.0.bias square_sum differs from the reference by"),
    "NaN": (changed(with_weight(lambda w: w * np.nan)), "layers.0.weight differs from the reference by nan"),
    "other shape": (changed(with_weight(lambda w: w[:1])), "has shape (1, 1) where the reference has (2, 1)"),
    "name missing": (changed(lambda p, s, loss: ({}, s, loss)), "KeyError: 'layers.0.weight'"),
}


def trainer(*candidates: Candidate, execution: str = "auto") -> Trainer:
    network = polydnn.Network(2, [polydnn.Dense(1)])
    executors = list(candidates)
    return Trainer(network, loss=mean_squared_error(), optimizer=adam(), executors=executors, execution=execution)


def chosen(*candidates: Candidate, execution: str = "auto") -> Any:
    made = trainer(*candidates, execution=execution)
    made.fit(X, Y, epochs=1)
    return made.choice


def test_a_candidate_that_agrees_is_taken_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    choice = chosen(AGREES)
    assert (choice.name, choice.reasons) == ("agrees", ())
    assert chosen(AGREES, execution="agrees").name == "agrees"
    assert caplog.text == ""


def test_rounding_is_no_difference() -> None:
    nearly = Candidate("nearly", changed(with_weight(lambda w: w * np.float32(1 + 1e-6))))
    assert chosen(nearly).name == "nearly"


@pytest.mark.parametrize("fault", REFUSED)
def test_any_other_is_passed_over_with_its_reason(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    build, reason = REFUSED[fault]
    bad = Candidate("bad", build)
    with caplog.at_level(logging.WARNING, "polydnn"):
        choice = chosen(bad, AGREES)
    assert choice.name == "agrees"
    assert len(choice.reasons) == 1
    assert choice.reasons[0].startswith("executor 'bad' is not used: ")
    assert reason in choice.reasons[0]
    assert caplog.messages == list(choice.reasons)  # said once
    assert chosen(bad).name == "reference"
    assert chosen(bad, execution="bad").name == "reference"


def test_the_reference_asks_no_candidate() -> None:
    choice = chosen(Candidate("never", cannot), execution="reference")
    assert (choice.name, choice.reasons) == ("reference", ())


def test_a_named_candidate_is_the_only_one_tried() -> None:
    other = Candidate("other", cannot)
    assert chosen(other, AGREES, execution="agrees").reasons == ()


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    text = r"execution must be one of auto, reference, agrees, found 'refrence'\. Did you mean 'reference'\?"
    with pytest.raises(InvalidArgumentError, match=text):
        chosen(AGREES, execution="refrence")


def test_the_choice_is_made_once_a_trainer_and_changes_no_result() -> None:
    built = []

    def counting(plan: StepPlan) -> Step:
        built.append(plan)
        return reference_step(plan)

    made, plain = trainer(Candidate("counting", counting)), trainer()
    for each in (made, plain):
        each.fit(X, Y, epochs=2)
        each.fit(X, Y, epochs=1)
    assert len(built) == 1
    for name, array in plain.network.parameters.items():
        np.testing.assert_array_equal(made.network.parameters[name], array)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_gradients_that_are_rounding_alone_are_no_difference(optimizer: str, dtype: str) -> None:
    """A bias before batch normalization has the gradient 0: what comes out is rounding, and Adam moves by its sign."""
    layers = [polydnn.Dense(5, "relu"), polydnn.BatchNormalization(), polydnn.Dense(1)]
    made = polydnn.Trainer(polydnn.Network(2, layers, dtype=dtype), loss="mean_squared_error", optimizer=optimizer)
    made.fit(X, Y, epochs=1)
    assert made.choice is not None
    assert (made.choice.name, made.choice.reasons) == ("numpy", ())


def test_an_executor_for_another_library_gives_way_to_those_for_this_one(caplog: pytest.LogCaptureFixture) -> None:
    """The experiment file of a run names its executor; on another backend the run goes on with what fits there."""
    elsewhere = Candidate("elsewhere", cannot, backends=("torch", "jax"))
    with caplog.at_level(logging.WARNING, "polydnn"):
        choice = chosen(elsewhere, AGREES, execution="elsewhere")
    assert choice.name == "agrees"
    assert choice.reasons == ("executor 'elsewhere' is not used: it is for torch, jax, and the backend is numpy",)
    assert chosen(elsewhere, AGREES).reasons == ()  # nobody asked for it


def test_what_was_not_made_for_a_plan_is_told_to_those_who_ask() -> None:
    def other_plans(plan: StepPlan) -> Step:
        msg = "it is for tiny networks"
        raise NotImplementedError(msg)

    candidate = Candidate("tiny", other_plans)
    silent = chosen(candidate, AGREES)
    assert (silent.name, silent.reasons) == ("agrees", ())
    assert silent.remarks[0] == "executor 'tiny' is not used: it is for tiny networks"
    assert chosen(candidate, execution="tiny").reasons == ("executor 'tiny' is not used: it is for tiny networks",)


def test_of_several_that_agree_the_fastest_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    from polydnn.execution import tuning

    monkeypatch.setenv(tuning.VARIABLE, str(tmp_path))

    def slow(*result: Any) -> Any:
        time.sleep(0.01)
        return result

    choice = chosen(Candidate("slow", changed(slow)), AGREES)
    assert choice.name == "agrees"
    assert choice.remarks[-1].startswith("'agrees' was measured fastest (microseconds: slow ")


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_relu_that_rounding_decides_in_a_large_batch_is_no_difference(optimizer: str) -> None:
    """Of 8192 rows some pre-activation is so near 0 that two orders of summation put it on different sides."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(8192, 300)), random.normal(size=(8192, 1))
    layers = [polydnn.Dense(200, "relu"), polydnn.Dense(1)]
    made = polydnn.Trainer(
        polydnn.Network(300, layers), loss="mean_squared_error", optimizer=optimizer, batch_size="full"
    )
    made.fit(x, y, epochs=1)
    assert made.choice is not None
    assert (made.choice.name, made.choice.reasons) == ("numpy", ())


def test_a_part_of_a_large_batch_that_is_left_out_is_a_difference() -> None:
    def careless(plan: StepPlan) -> Step:
        step = reference_step(plan)

        def run(p: Any, s: Any, x: Any, y: Any, *rest: Any, **options: Any) -> Any:
            keep = slice(None) if len(x) <= 64 else slice(0, len(x) * 3 // 4)
            return step(p, s, x[keep], y[keep], *rest, **options)

        return run

    random = np.random.default_rng(0)
    x, y = random.normal(size=(400, 2)), random.normal(size=(400, 1))
    made = trainer(Candidate("careless", careless))
    made.batch_size = "full"
    made.fit(x, y, epochs=1)
    assert made.choice is not None
    assert made.choice.name == "reference"
    assert "the loss differs" in made.choice.reasons[0]
