"""Targets that do not fit are refused in words, and the edges of what fits give what the documentation says."""

import math
from typing import Any

import numpy as np
import pytest

import polydnn.losses
from polydnn.arrays import Backend
from polydnn.errors import DTypeError, InvalidDataError, ShapeError
from polydnn.losses import Loss, binary_cross_entropy, categorical_cross_entropy

LOSSES = [
    getattr(polydnn.losses, name)()
    for name in polydnn.losses.__all__
    if name.islower() and not name.startswith("check_")
]
BY_ROWS = [loss for loss in LOSSES if loss.target_kind != "classes"]
INF = math.inf


def calls(loss: Loss) -> list[Any]:
    """Every function of the loss that takes a target."""
    return [f for form in (loss, *loss.logits_forms.values()) for f in (form.value, form.gradient)]


@pytest.mark.parametrize("loss", BY_ROWS, ids=lambda loss: loss.name)
@pytest.mark.parametrize(
    ("prediction", "target"), [((4, 1), (4,)), ((4,), (4, 1)), ((4, 3), (4, 1)), ((4, 3), (1, 3)), ((4, 3), (3,))]
)
def test_shapes_never_broadcast(loss: Loss, prediction: tuple[int, ...], target: tuple[int, ...], backend: Backend):
    p, t = backend.asarray(np.full(prediction, 0.5)), backend.asarray(np.ones(target))
    for function in calls(loss):
        with pytest.raises(ShapeError) as caught:
            function(p, t, xp=backend.xp)
        assert str(caught.value) == (
            f"{loss.name}: the target must have the prediction's shape {prediction}, found {target}; "
            f"reshape one of them."
        )


@pytest.mark.parametrize("target", [(5,), (4, 1), (1, 3), (4, 3, 1), ()])
def test_class_targets_of_another_shape_are_refused(target: tuple[int, ...], backend: Backend):
    p, t = backend.asarray(np.full((4, 3), 0.5)), backend.asarray(np.ones(target))
    for function in calls(categorical_cross_entropy()):
        with pytest.raises(ShapeError) as caught:
            function(p, t, xp=backend.xp)
        assert str(caught.value) == (
            "categorical_cross_entropy: the target must hold rows of shape (4, 3) or 4 integer labels 0 .. 2 "
            f"of shape (4,), found shape {target}; reshape it."
        )


@pytest.mark.parametrize("labels", [[0.0, 1.0], [True, False]])
def test_labels_that_are_no_integers_are_refused(labels: list[Any], backend: Backend):
    p, t = backend.asarray(np.full((2, 3), 0.5)), backend.asarray(labels)
    for function in calls(categorical_cross_entropy()):
        with pytest.raises(
            DTypeError, match=r"a target of shape \(2,\) must hold integer labels, found .*(float|bool)"
        ):
            function(p, t, xp=backend.xp)


def test_the_refusals_are_invalid_data():
    assert issubclass(ShapeError, InvalidDataError)
    assert issubclass(DTypeError, InvalidDataError)


@pytest.mark.parametrize("width", ["int8", "uint8", "int32", "int64"])
def test_labels_of_any_integer_type_work(width: str, backend: Backend):
    p = backend.asarray([[0.25, 0.75], [0.5, 0.5]])
    labels = backend.asarray([1, 0], dtype=backend.dtype(width))
    found = categorical_cross_entropy().value(p, labels, xp=backend.xp)
    np.testing.assert_allclose(backend.to_numpy(found), [-math.log(0.75), math.log(2)], rtol=1e-15)


def test_integer_one_hot_rows_keep_the_predictions_type(backend: Backend):
    p = backend.asarray([[0.25, 0.75]], dtype=backend.dtype("float32"))
    rows = backend.asarray([[0, 1]], dtype=backend.index_dtype)
    for function in calls(categorical_cross_entropy()):
        assert function(p, rows, xp=backend.xp).dtype == backend.dtype("float32")


@pytest.mark.parametrize("label", [-1, 3, 1000])
def test_a_label_out_of_range_never_passes_for_another(label: int, backend: Backend):
    p = backend.asarray(np.full((2, 3), 1 / 3))
    labels = backend.asarray([label, 1], dtype=backend.index_dtype)
    loss = categorical_cross_entropy()
    with np.errstate(divide="ignore", invalid="ignore"):  # NumPy warns, which is right: the others cannot
        plain = backend.to_numpy(loss.value(p, labels, xp=backend.xp))
        joined = backend.to_numpy(loss.logits_forms["softmax"].value(p, labels, xp=backend.xp))
    assert plain[0] == INF
    assert math.isnan(joined[0])
    np.testing.assert_allclose([plain[1], joined[1]], math.log(3), rtol=1e-15)


@pytest.mark.parametrize(
    ("p", "t", "value", "slope"),
    [
        (0.0, 0.0, 0.0, 1.0),
        (1.0, 1.0, 0.0, -1.0),
        (0.0, 1.0, INF, -INF),
        (1.0, 0.0, INF, INF),
        (0.0, 0.5, INF, -INF),
        (1.0, 0.5, INF, INF),
    ],
)
def test_certain_binary_predictions_are_not_clipped(p: float, t: float, value: float, slope: float, backend: Backend):
    loss, arrays = binary_cross_entropy(), (backend.asarray([[p]]), backend.asarray([[t]]))
    with np.errstate(divide="ignore" if value == INF else "raise"):
        assert backend.to_numpy(loss.value(*arrays, xp=backend.xp)).tolist() == [value]
        assert backend.to_numpy(loss.gradient(*arrays, xp=backend.xp)).tolist() == [[slope]]


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize(("label", "value", "slopes"), [(0, 0.0, [-1.0, 0.0]), (1, INF, [0.0, -INF])])
def test_certain_class_predictions_are_not_clipped(
    labels: bool, label: int, value: float, slopes: list[float], backend: Backend
):
    prediction = backend.asarray([[1.0, 0.0]])
    target = backend.asarray([label], dtype=backend.index_dtype) if labels else backend.asarray(np.eye(2)[[label]])
    loss = categorical_cross_entropy()
    with np.errstate(divide="ignore" if value == INF else "raise"):
        assert backend.to_numpy(loss.value(prediction, target, xp=backend.xp)).tolist() == [value]
        assert backend.to_numpy(loss.gradient(prediction, target, xp=backend.xp)).tolist() == [slopes]


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if not loss.logits_forms], ids=lambda loss: loss.name)
def test_large_predictions_do_not_warn(loss: Loss, backend: Backend):
    sizes = [0.0, 1.0, -1.0, 1e15, -1e15] if "squared" in loss.name else [0.0, 1.0, -1.0, 1e30, -1e30]
    p = backend.asarray([[size] for size in sizes], dtype=backend.dtype("float32"))
    for function in calls(loss):
        found = function(p, backend.xp.ones_like(p), xp=backend.xp)
        assert np.isfinite(backend.to_numpy(found)).all()
