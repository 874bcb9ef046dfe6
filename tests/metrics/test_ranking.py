"""Top-k accuracy and ROC AUC against scikit-learn and against counting all pairs, with ties and one-sided columns."""

from typing import Any

import numpy as np
import pytest

from polydnn.arrays import Backend
from polydnn.errors import InvalidArgumentError, ShapeError
from polydnn.metrics import Metric, accuracy, roc_auc, top_k_accuracy

skm = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle of the metrics")


def run(backend: Backend, metric: Metric, prediction: Any, target: Any, dtype: str = "float64") -> float:
    on_device = backend.asarray(np.asarray(prediction), dtype=backend.dtype(dtype))
    found = metric.value(on_device, backend.asarray(np.asarray(target)), xp=backend.xp)
    assert (found.shape, found.dtype) == ((), backend.dtype(dtype))
    return float(found)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 9])
def test_top_k_is_scikit_learns(backend: Backend, k: int) -> None:
    random = np.random.default_rng(k)
    scores, target = random.normal(size=(40, 5)), random.integers(0, 5, 40)
    kept = min(k, 4)  # scikit-learn warns where k reaches the number of classes, and everything is right
    wanted = 1.0 if k > 4 else skm.top_k_accuracy_score(target, scores, k=kept, labels=range(5))
    for form in (target, target[:, None], np.eye(5)[target]):
        assert run(backend, top_k_accuracy(k=k), scores, form) == pytest.approx(wanted)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_gives_ties_to_the_first(backend: Backend, k: int) -> None:
    random = np.random.default_rng(k)
    scores, target = random.integers(0, 3, (40, 5)).astype(float), random.integers(0, 5, 40)
    # scikit-learn gives them to the last, so it is asked about the classes in reverse
    wanted = skm.top_k_accuracy_score(4 - target, scores[:, ::-1], k=k, labels=range(5))
    assert run(backend, top_k_accuracy(k=k), scores, target) == pytest.approx(wanted)
    if k == 1:
        assert run(backend, top_k_accuracy(k=k), scores, target) == run(backend, accuracy(), scores, target)


def test_top_k_has_nothing_for_nan_and_for_labels_out_of_range(backend: Backend) -> None:
    assert np.isnan(run(backend, top_k_accuracy(), [[np.nan, 1.0]], np.asarray([0])))
    assert run(backend, top_k_accuracy(k=5), [[0.1, 1.0], [0.3, 0.2]], np.asarray([-1, 2])) == 0.0


def test_top_k_sees_infinite_scores(backend: Backend) -> None:
    scores = [[-np.inf, 1.0, np.inf, 2.0, 3.0], [-np.inf, -np.inf, 0.0, -np.inf, -np.inf]]
    assert run(backend, top_k_accuracy(k=2), scores, np.asarray([0, 0])) == 0.5


def pairs(scores: np.ndarray, target: np.ndarray) -> float:
    """All pairs of a positive and a negative row, counted one by one."""
    wins = [(p > q) + 0.5 * (p == q) for p in scores[target == 1] for q in scores[target == 0]]
    return float(np.mean(wins))


@pytest.mark.parametrize("levels", [2, 5, 1000])
@pytest.mark.parametrize("seed", range(2))
def test_auc_binary(backend: Backend, seed: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    target = random.integers(0, 2, 40)
    scores = random.integers(0, levels, (40, 1)) / levels + 0.2 * target[:, None]
    found = run(backend, roc_auc(), scores, target)
    assert found == pytest.approx(skm.roc_auc_score(target, scores[:, 0]), rel=1e-12)
    assert found == pytest.approx(pairs(scores[:, 0], target), rel=1e-12)
    assert run(backend, roc_auc(), scores, target[:, None]) == found
    # scores of one sixty-fourth are exact in float32, so their ties are too
    coarse = np.round(scores * 64) / 64
    assert run(backend, roc_auc(), coarse, target, "float32") == pytest.approx(pairs(coarse[:, 0], target), rel=1e-6)


def test_auc_multilabel_is_the_mean_over_labels(backend: Backend) -> None:
    random = np.random.default_rng(0)
    scores, target = random.integers(0, 8, (40, 5)) / 8, random.integers(0, 2, (40, 5))
    wanted = skm.roc_auc_score(target, scores, average="macro")
    assert run(backend, roc_auc(), scores, target) == pytest.approx(wanted, rel=1e-12)


def test_auc_multiclass_is_one_against_the_rest(backend: Backend) -> None:
    random = np.random.default_rng(0)
    target = random.integers(0, 5, 40)
    scores = random.random((40, 5)) + np.eye(5)[target]
    scores /= scores.sum(axis=1, keepdims=True)
    wanted = skm.roc_auc_score(target, scores, multi_class="ovr", average="macro")
    for form in (target, np.eye(5, dtype=int)[target]):
        assert run(backend, roc_auc(), scores, form) == pytest.approx(wanted, rel=1e-12)


def test_auc_leaves_out_columns_with_one_side_only(backend: Backend) -> None:
    random = np.random.default_rng(0)
    scores, target = random.random((40, 5)), random.integers(0, 2, (40, 5))
    target[:, 1], target[:, 2] = 0, 1
    wanted = np.mean([skm.roc_auc_score(target[:, j], scores[:, j]) for j in (0, 3, 4)])
    assert run(backend, roc_auc(), scores, target) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("only", [0, 1])
def test_auc_of_one_class_is_nan(backend: Backend, only: int) -> None:
    assert np.isnan(run(backend, roc_auc(), [[0.1], [0.7]], np.asarray([only, only])))


def test_auc_extremes(backend: Backend) -> None:
    target = np.asarray([0, 0, 1, 1])
    assert run(backend, roc_auc(), [[0.1], [0.2], [0.3], [0.4]], target) == 1.0
    assert run(backend, roc_auc(), [[0.4], [0.3], [0.2], [0.1]], target) == 0.0
    assert run(backend, roc_auc(), [[0.4], [0.4], [0.4], [0.4]], target) == 0.5
    assert run(backend, roc_auc(), [[-np.inf], [0.0], [0.0], [np.inf]], target) == 0.875
    assert np.isnan(run(backend, roc_auc(), [[np.nan], [0.3], [0.2], [0.1]], target))


def test_auc_of_many_rows_keeps_its_digits_in_float32(backend: Backend) -> None:
    random = np.random.default_rng(0)
    target = random.integers(0, 2, 200_000)
    scores = (random.normal(size=200_000) + target).astype(np.float32)
    found = run(backend, roc_auc(), scores[:, None], target, "float32")
    assert found == pytest.approx(skm.roc_auc_score(target, scores), abs=2e-6)


@pytest.mark.parametrize("k", [0, -1, 2.5, True, "5", float("nan")])
def test_k_is_checked(k: Any) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        top_k_accuracy(k=k)
    assert str(raised.value) == f"top_k_accuracy: k must be a whole number of at least 1, found {k!r}."


def test_top_k_of_one_output_is_refused(backend: Backend) -> None:
    with pytest.raises(ShapeError, match=r"top_k_accuracy: a prediction \(n, 1\) is binary .* use accuracy\."):
        run(backend, top_k_accuracy(), [[0.1]], np.asarray([0]))
