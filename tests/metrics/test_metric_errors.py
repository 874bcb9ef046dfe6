"""What metrics refuse, and in which words; and that their options make them again."""

from typing import Any

import numpy as np
import pytest

from polydnn.arrays import Backend
from polydnn.errors import InvalidArgumentError, ShapeError
from polydnn.metrics import (
    accuracy,
    f1,
    hamming_loss,
    mean_absolute_error,
    precision,
    r2,
    recall,
    roc_auc,
    root_mean_squared_error,
    top_k_accuracy,
)

FACTORIES = {
    "accuracy": accuracy,
    "f1": f1,
    "hamming_loss": hamming_loss,
    "mean_absolute_error": mean_absolute_error,
    "precision": precision,
    "r2": r2,
    "recall": recall,
    "roc_auc": roc_auc,
    "root_mean_squared_error": root_mean_squared_error,
    "top_k_accuracy": top_k_accuracy,
}
LABELLED = ["accuracy", "f1", "hamming_loss", "precision", "recall"]
REGRESSION = ["mean_absolute_error", "r2", "root_mean_squared_error"]


def refusal(backend: Backend, name: str, prediction: tuple[int, ...], target: tuple[int, ...], **options: Any) -> str:
    arrays = (backend.asarray(np.zeros(shape)) for shape in (prediction, target))
    metric = FACTORIES[name](**options)
    with pytest.raises(ShapeError) as raised:
        metric.value(*arrays, xp=backend.xp)
    return str(raised.value)


@pytest.mark.parametrize("name", FACTORIES)
def test_predictions_without_rows_or_columns_are_refused(backend: Backend, name: str) -> None:
    for shape in ((4,), (0, 3), (3, 0), (2, 2, 2)):
        wanted = f"{name}: the prediction must be (n, outputs) with at least one row and one output, found {shape}."
        assert refusal(backend, name, shape, shape) == wanted


@pytest.mark.parametrize("name", [*LABELLED, "roc_auc", "top_k_accuracy"])
def test_targets_of_other_shapes_are_refused(backend: Backend, name: str) -> None:
    for target in ((3,), (4, 2), (1, 4), (4, 3, 1)):
        wanted = f"{name}: the target must be (4,) or (4, 3); found prediction (4, 3) and target {target}."
        assert refusal(backend, name, (4, 3), target) == wanted


@pytest.mark.parametrize("name", REGRESSION)
def test_regression_never_broadcasts(backend: Backend, name: str) -> None:
    for prediction, target in (((4, 3), (4,)), ((4, 1), (1, 4)), ((4, 3), (4, 1)), ((4, 1), (5,))):
        wanted = (
            f"{name}: the target must have the prediction's shape {prediction}, found {target}; reshape one of them."
        )
        assert refusal(backend, name, prediction, target) == wanted


@pytest.mark.parametrize("name", LABELLED)
def test_tasks_that_do_not_fit_are_refused(backend: Backend, name: str) -> None:
    end = "found prediction {} and target {}."
    wanted = f"{name}: the task 'multiclass' does not go with 1 output(s); " + end.format((4, 1), (4,))
    assert refusal(backend, name, (4, 1), (4,), task="multiclass") == wanted
    wanted = f"{name}: the task 'binary' does not go with 3 output(s); " + end.format((4, 3), (4, 3))
    assert refusal(backend, name, (4, 3), (4, 3), task="binary") == wanted
    wanted = f"{name}: the task 'multilabel' needs a target (4, 3); " + end.format((4, 3), (4,))
    assert refusal(backend, name, (4, 3), (4,), task="multilabel") == wanted


TASKS = "task must be one of auto, binary, multiclass, multilabel, found "
AVERAGES = "average must be one of auto, macro, micro, found "


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"task": "multi-class"}, TASKS + "'multi-class'. Did you mean 'multiclass'?"),
        ({"task": None}, TASKS + "None."),
        ({"threshold": "0.5"}, "threshold must be a finite number, found '0.5'."),
        ({"threshold": float("nan")}, "threshold must be a finite number, found nan."),
        ({"threshold": True}, "threshold must be a finite number, found True."),
        ({"threshold": 10**400}, f"threshold must be a finite number, found {10**400}."),
    ],
)
def test_options_are_checked(name: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        FACTORIES[name](**options)
    assert str(raised.value) == f"{name}: {text}"


@pytest.mark.parametrize("name", ["f1", "precision", "recall"])
@pytest.mark.parametrize(("average", "end"), [("marco", "'marco'. Did you mean 'macro'?"), (1, "1.")])
def test_average_is_checked(name: str, average: Any, end: str) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        FACTORIES[name](average=average)
    assert str(raised.value) == f"{name}: {AVERAGES}{end}"


@pytest.mark.parametrize("name", FACTORIES)
def test_options_make_the_same_metric_again(name: str) -> None:
    made = FACTORIES[name]()
    assert made.name == name
    assert FACTORIES[name](**made.options).options == made.options


def test_lower_is_better_for_errors_only() -> None:
    lower = {name for name, factory in FACTORIES.items() if not factory().higher_is_better}
    assert lower == {"hamming_loss", "mean_absolute_error", "root_mean_squared_error"}
