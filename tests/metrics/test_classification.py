"""The metrics of classification against scikit-learn: ties, absent classes, nothing predicted, every form of target."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polydnn.arrays import Backend, device_of
from polydnn.metrics import Metric, accuracy, f1, hamming_loss, precision, recall
from polydnn.types import DType

skm = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle of the metrics")

RATIOS = {"f1": (f1, skm.f1_score), "precision": (precision, skm.precision_score), "recall": (recall, skm.recall_score)}
each_ratio = pytest.mark.parametrize("name", RATIOS)
each_average = pytest.mark.parametrize("average", ["auto", "macro", "micro"])


def run(backend: Backend, metric: Metric, prediction: Any, target: Any, dtype: str = "float64") -> float:
    """The value as a host number, after the checks that hold for all of them."""
    on_device = backend.asarray(np.asarray(prediction), dtype=backend.dtype(dtype))
    found = metric.value(on_device, backend.asarray(np.asarray(target)), xp=backend.xp)
    assert (found.shape, found.dtype) == ((), backend.dtype(dtype))
    assert device_of(found) == device_of(on_device)
    return float(found)


def binary(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.integers(0, 11, (n, 1)) / 10, random.integers(0, 2, n)  # outputs of exactly 0.5 among them


def multiclass(seed: int, n: int = 40, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Two of the classes are never there, one of these and another are never predicted; rows have ties."""
    random = np.random.default_rng(seed)
    scores = random.integers(0, 5, (n, classes)).astype(float)
    scores[:, [2, 4]] = -1.0
    return scores, random.choice([0, 1, 4], n)


def multilabel(seed: int, n: int = 40, labels: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """The last label is neither there nor predicted, and the one before never predicted."""
    random = np.random.default_rng(seed)
    prediction, target = random.random((n, labels)), random.integers(0, 2, (n, labels))
    prediction[:, -2:], target[:, -1] = 0.1, 0
    return prediction, target


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.int64)[labels]


@pytest.mark.parametrize("seed", range(2))
class TestAgainstScikitLearn:
    def test_accuracy_and_hamming_binary(self, backend: Backend, seed: int) -> None:
        prediction, target = binary(seed)
        hard = (prediction[:, 0] > 0.5).astype(int)
        assert run(backend, accuracy(), prediction, target) == pytest.approx(skm.accuracy_score(target, hard))
        assert run(backend, hamming_loss(), prediction, target) == pytest.approx(skm.hamming_loss(target, hard))

    def test_accuracy_and_hamming_multiclass(self, backend: Backend, seed: int) -> None:
        scores, target = multiclass(seed)
        hard = scores.argmax(axis=1)
        for form in (target, target[:, None], one_hot(target, 5)):
            assert run(backend, accuracy(), scores, form) == pytest.approx(skm.accuracy_score(target, hard))
            assert run(backend, hamming_loss(), scores, form) == pytest.approx(skm.hamming_loss(target, hard))

    def test_accuracy_and_hamming_multilabel(self, backend: Backend, seed: int) -> None:
        prediction, target = multilabel(seed)
        hard = (prediction > 0.5).astype(int)
        hard[:5] = target[:5]  # whole rows that are right are rare otherwise
        prediction = np.where(hard, 0.5 + 0.5 * prediction, 0.5 * prediction)
        assert run(backend, accuracy(), prediction, target) == pytest.approx(skm.accuracy_score(target, hard))
        assert run(backend, hamming_loss(), prediction, target) == pytest.approx(skm.hamming_loss(target, hard))

    @each_ratio
    @each_average
    def test_ratios_binary(self, backend: Backend, seed: int, name: str, average: str) -> None:
        prediction, target = binary(seed)
        ours, theirs = RATIOS[name]
        hard = (prediction[:, 0] > 0.5).astype(int)
        wanted = theirs(target, hard, average="binary" if average == "auto" else average, zero_division=0)
        for form in (target, target[:, None]):
            assert run(backend, ours(average=average), prediction, form) == pytest.approx(wanted)

    @each_ratio
    @each_average
    def test_ratios_multiclass(self, backend: Backend, seed: int, name: str, average: str) -> None:
        scores, target = multiclass(seed)
        ours, theirs = RATIOS[name]
        wanted = theirs(
            target, scores.argmax(axis=1), average="macro" if average == "auto" else average, zero_division=0
        )
        for form in (target, one_hot(target, 5)):
            assert run(backend, ours(average=average), scores, form) == pytest.approx(wanted)

    @each_ratio
    @each_average
    def test_ratios_multilabel(self, backend: Backend, seed: int, name: str, average: str) -> None:
        prediction, target = multilabel(seed)
        ours, theirs = RATIOS[name]
        hard = (prediction > 0.5).astype(int)
        wanted = theirs(target, hard, average="micro" if average == "auto" else average, zero_division=0)
        assert run(backend, ours(average=average), prediction, target) == pytest.approx(wanted)


@each_ratio
@each_average
def test_nothing_predicted_and_nothing_there(backend: Backend, name: str, average: str) -> None:
    ours, theirs = RATIOS[name]
    scores = np.full((6, 1), 0.2)
    for target in (np.asarray([0, 1, 0, 1, 1, 1]), np.zeros(6, int)):
        wanted = theirs(target, np.zeros(6, int), average="binary" if average == "auto" else average, zero_division=0)
        assert run(backend, ours(average=average), scores, target) == pytest.approx(wanted)
    empty = np.zeros((4, 3))
    assert run(backend, ours(average=average), empty, empty.astype(int)) == 0.0


INTEGERS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]


@pytest.mark.parametrize("kind", INTEGERS)
def test_targets_of_any_type(backend: Backend, kind: str) -> None:
    scores = [[0.2, 0.8], [0.9, 0.1], [0.6, 0.4]]
    assert run(backend, accuracy(), scores, np.asarray([1, 0, 1], kind)) == pytest.approx(2 / 3)
    assert run(backend, accuracy(), [[0.8], [0.1]], np.asarray([[1], [1]], kind)) == 0.5
    assert run(backend, f1(), scores, np.asarray([[1, 1], [1, 0], [0, 0]], kind)) == pytest.approx(2 * 2 / (3 + 3))


def test_signs_are_labels_too(backend: Backend) -> None:
    metric = accuracy(threshold=0.0)
    assert run(backend, metric, [[0.3], [-0.2], [0.1]], np.asarray([[1.0], [-1.0], [-1.0]])) == pytest.approx(2 / 3)


def test_the_task_settles_what_a_target_with_one_label_a_row_means(backend: Backend) -> None:
    prediction = np.asarray([[0.9, 0.8, 0.1], [0.4, 0.3, 0.2]])
    target = np.asarray([[1, 0, 0], [1, 0, 0]])
    assert run(backend, accuracy(), prediction, target) == 1.0
    assert run(backend, accuracy(task="multiclass"), prediction, target) == 1.0
    assert run(backend, accuracy(task="multilabel"), prediction, target) == 0.0
    assert run(backend, hamming_loss(task="multilabel"), prediction, target) == pytest.approx(2 / 6)
    several = np.asarray([[1, 1, 0], [1, 0, 0]])
    assert run(backend, accuracy(), prediction, several) == 0.5
    assert run(backend, accuracy(task="multiclass"), prediction, several) == 1.0


def test_a_label_out_of_range_is_never_right(backend: Backend) -> None:
    assert run(backend, accuracy(), [[0.2, 0.8], [0.9, 0.1]], np.asarray([-1, 2])) == 0.0


def test_the_threshold_is_exceeded_not_met(backend: Backend) -> None:
    assert run(backend, accuracy(), [[0.5]], np.asarray([0])) == 1.0
    assert run(backend, accuracy(threshold=0.3), [[0.5]], np.asarray([1])) == 1.0


@pytest.mark.parametrize("make", [accuracy, f1, hamming_loss, precision, recall])
def test_nan_in_gives_nan_out(backend: Backend, make: Callable[[], Metric]) -> None:
    assert np.isnan(run(backend, make(), [[np.nan], [0.3]], np.asarray([1, 0])))
    assert np.isnan(run(backend, make(), [[np.nan, 0.5], [0.3, 0.2]], np.asarray([1, 0])))


@pytest.mark.parametrize("make", [accuracy, f1, hamming_loss, precision, recall])
def test_inputs_are_left_alone_and_float32_stays(backend: Backend, dtype: DType, make: Callable[[], Metric]) -> None:
    scores, labels = multiclass(0)
    prediction, target = backend.asarray(scores, dtype=dtype), backend.asarray(labels)
    assert make().value(prediction, target, xp=backend.xp).dtype == dtype
    np.testing.assert_array_equal(backend.to_numpy(prediction), scores)
    np.testing.assert_array_equal(backend.to_numpy(target), labels)
