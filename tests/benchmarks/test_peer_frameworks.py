"""Every framework of the comparison trains with the same mathematics; what is not installed is skipped visibly."""

import importlib
import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import peer_frameworks
import pytest
from machine_facts import FORCING
from peer_frameworks import FRAMEWORKS, make_framework
from peer_frameworks.campaign import LOSS_TOLERANCE, MOVE_TOLERANCE, disagreement
from peer_frameworks.framework import Arrays, Framework
from peer_frameworks.numpy_loop import NumpyLoop, true_training
from peer_frameworks.problems import BATCH_SIZES, CASES, OPTIMIZERS, STEPS_CHECKED, Case, Problem, initial_weights
from peer_frameworks.processes import WorkerError, WorkerProcess, worker_environment
from peer_frameworks.products import candidates, products_of
from peer_frameworks.rounds import Limits, measure
from peer_frameworks.worker import Worker, departures

QUICK = ["torch_eager", "jax_jit", "jax_scan", "scikit_learn", "thinc", "numpy_loop"]
QUICK += ["polydnn_auto", "polydnn_reference", "polydnn_steps", "polydnn_torch", "polydnn_jax"]
SLOW = ["torch_compile", "keras", "keras_steps"]
SMALL_SOFTMAX = Case("12-7-5-4", (12, 7, 5, 4), {"sgd": 0.05, "adam": 1e-3})


def made(name: str) -> Framework:
    """The framework, or a skip with the reason."""
    try:
        framework: Framework = make_framework(name, "cpu")
    except ImportError as error:
        pytest.skip(f"{name}: {error}")
    return framework


def compare(framework: Framework, problem: Problem) -> dict[str, float]:
    weights = initial_weights(problem.case)
    losses, true = true_training(problem, weights, STEPS_CHECKED)
    framework.load(problem, weights)
    framework.reset()
    return departures(framework, losses, true, weights)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("case", [CASES["8-10-5-1"], SMALL_SOFTMAX], ids=["squared error", "cross entropy"])
@pytest.mark.parametrize("name", QUICK)
def test_ten_steps_are_those_of_float64(name: str, case: Case, optimizer: str) -> None:
    framework = made(name)
    problem = Problem(case, optimizer, 5)
    weights = initial_weights(case)
    found = compare(framework, problem)
    assert disagreement(found) is None, found
    for own, fresh in zip(weights, initial_weights(case), strict=True):
        assert np.array_equal(own, fresh), "the weights that were given have been changed"
    framework.reset()
    framework.steps(3 * framework.block)
    framework.reset()
    losses = framework.losses(2)
    np.testing.assert_allclose(losses, true_training(problem, weights, 2)[0], rtol=LOSS_TOLERANCE)


@pytest.mark.parametrize("name", [name for name in QUICK if name != "polydnn_steps"])
def test_an_epoch_goes_over_all_rows_once(name: str) -> None:
    """With one batch as large as half of the rows an epoch is two steps; their order hardly matters here."""
    framework = made(name)
    problem = Problem(CASES["8-10-1"], "sgd", 512)
    assert problem.rows == 16384
    weights = initial_weights(problem.case)
    framework.load(problem, weights)
    framework.reset()
    framework.epochs(1)
    by_hand = NumpyLoop(dtype=np.float64)
    by_hand.load(problem, weights)
    by_hand.epochs(1)
    if name.startswith("polydnn"):
        values = framework.trainer.network.parameters.values()  # type: ignore[attr-defined]
        found = [framework.backend.to_numpy(value) for value in values]  # type: ignore[attr-defined]
    else:
        found = framework.parameters()
    for mine, true, start in zip(found, by_hand.parameters(), weights, strict=True):
        moved = float(np.max(np.abs(true - start)))
        assert moved > 0
        assert float(np.max(np.abs(mine - true))) < 0.2 * moved


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_frameworks_that_compile_agree_as_well(name: str, tmp_path: Path) -> None:
    environment = worker_environment(FORCING, 1, "cpu", "jax")
    worker = WorkerProcess(name, "cpu", environment, set(range(64)), tmp_path / "log")
    try:
        greeting = worker.hear(180)
        if "unavailable" in greeting:
            pytest.skip(f"{name}: {greeting['unavailable']}")
        for case in ("8-10-1", "784-512-512-10"):
            problem = Problem(CASES[case], "adam", 16)
            weights = initial_weights(problem.case)
            losses, true = true_training(problem, weights, STEPS_CHECKED)
            np.savez(tmp_path / "expected.npz", *true, losses=losses)
            expected = str(tmp_path / "expected.npz")
            answer = worker.ask("prepare", case=case, optimizer="adam", batch_size=16, expected=expected)
            assert disagreement(answer) is None
            assert worker.ask("sample", measure="epoch", count=1, wake=0.0)["seconds"] > 0
    finally:
        worker.close(kill=True)


class Wrong(NumpyLoop):
    """A loop whose learning rate is three per cent too large."""

    def load(self, problem: Problem, weights: Arrays) -> None:
        super().load(problem, weights)
        self.rate = np.float32(problem.learning_rate * 1.03)


def test_a_slightly_wrong_learning_rate_is_found() -> None:
    found = compare(Wrong(), Problem(CASES["8-10-1"], "sgd", 16))
    assert found["move_error"] > MOVE_TOLERANCE
    text = disagreement({"loss_error": 0.0, "move_error": 0.03})
    assert text == "the move of the weights in 10 steps differs by 3.0e-02 from float64's, more than 0.02"
    assert "a loss in 10 steps differs by 5.0e-03" in str(disagreement({"loss_error": 0.005, "move_error": 0.0}))
    assert disagreement({"loss_error": float("nan"), "move_error": 0.0}) is not None
    assert disagreement({}) is None


def test_every_entry_names_a_framework() -> None:
    assert set(QUICK) | set(SLOW) | {"floor", "floor_best_blas", "torch_graph", "polydnn_numpy", "polydnn_numba"} == (
        set(FRAMEWORKS)
    )
    folder = Path(peer_frameworks.__file__).parent
    for name, entry in FRAMEWORKS.items():
        assert f"class {entry.made_by}(" in (folder / f"{entry.module}.py").read_text(encoding="utf-8"), name
        assert entry.role in ("peer", "floor", "polydnn")


def test_importing_the_list_imports_no_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.startswith("peer_frameworks.")]:
        monkeypatch.delitem(sys.modules, name)
    importlib.reload(peer_frameworks)
    assert not [each for each in sys.modules if each.startswith("peer_frameworks.")]


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
def test_an_epoch_is_a_whole_number_of_batches(batch_size: int) -> None:
    problem = Problem(CASES["8-10-1"], "sgd", batch_size)
    assert problem.rows % batch_size == 0
    assert problem.rows >= max(1024, 2 * batch_size)
    x, y = problem.data
    assert x.shape == (problem.rows, 8)
    assert y.shape == (problem.rows, 1)


def test_operations_are_counted_from_the_products() -> None:
    problem = Problem(CASES["784-512-512-10"], "sgd", 256)
    assert problem.parameters == 669_706
    products = products_of(Problem(CASES["784-512-512-10"], "sgd", 2), initial_weights(problem.case))
    per_row = sum(2 * each.a.shape[0] * each.a.shape[1] * each.b.shape[1] for each in products) / 2
    assert problem.products_flop == per_row * 256


@pytest.mark.parametrize("batch_size", [1, 3])
def test_every_candidate_of_the_floor_computes_the_product(batch_size: int) -> None:
    pytest.importorskip("scipy")
    products = products_of(Problem(CASES["8-10-5-1"], "sgd", batch_size), initial_weights(CASES["8-10-5-1"]))
    forward, back = ["forward 0", "forward 1", "forward 2"], ["weight 2", "input 2", "weight 1", "input 1", "weight 0"]
    assert [each.role for each in products] == forward + back
    for product in products:
        expected = product.a @ product.b
        for name, call in candidates(product):
            product.out[...] = np.nan
            call()
            np.testing.assert_allclose(product.out, expected, rtol=1e-5, atol=1e-6, err_msg=f"{product.role} {name}")


@pytest.fixture
def worker(tmp_path: Path) -> Any:
    process = WorkerProcess(
        "numpy_loop", "cpu", worker_environment(FORCING, 1, "cpu", "jax"), set(range(64)), tmp_path / "log"
    )
    yield process
    process.close(kill=True)


def test_a_worker_answers_fails_and_goes_on(worker: WorkerProcess, tmp_path: Path) -> None:
    assert worker.hear()["import_seconds"] > 0
    facts = worker.ask("facts")
    assert facts["measures"] == ["step", "epoch"]
    assert set(facts["versions"]) == {"numpy"}
    problem = Problem(CASES["8-10-1"], "sgd", 4)
    losses, true = true_training(problem, initial_weights(problem.case), STEPS_CHECKED)
    np.savez(tmp_path / "expected.npz", *true, losses=losses)
    with pytest.raises(WorkerError, match="KeyError: 'rmsprop'"):
        worker.ask("prepare", case="8-10-1", optimizer="rmsprop", batch_size=4, expected="")
    expected = str(tmp_path / "expected.npz")
    answer = worker.ask("prepare", case="8-10-1", optimizer="sgd", batch_size=4, expected=expected)
    assert disagreement(answer) is None
    assert answer["setup_seconds"] > 0
    limits = Limits(seconds=0.05, sample_seconds=0.001, at_least=4)
    found, failed = measure({"numpy_loop": worker}, {"numpy_loop": 1}, "step", limits, random.Random(0))
    assert not failed
    figures = found["numpy_loop"].figures()
    assert figures["median_us"] > 0
    assert len(figures["rounds"]) >= limits.in_any_case
    json.dumps(figures)
    assert worker.wait_until_idle()
    worker.process.kill()
    with pytest.raises(WorkerError, match=r"the process of numpy_loop (has ended|ended with status)"):
        worker.ask("facts")


def test_steps_are_reset_before_they_learn_by_heart() -> None:
    """And a block of steps wakes the framework before the clock starts."""

    class Counting(NumpyLoop):
        resets = 0

        def steps(self, count: int) -> None:
            taken.append(count)

        def reset(self) -> None:
            self.resets += 1

    framework, taken = Counting(), list[int]()
    framework.block = 60
    assert Worker(framework).sample("step", 600, wake=0.0)["count"] == 600
    assert taken == [60, 240, 240, 120]
    assert framework.resets == 4
