"""User data as training rows on the device: checked, weighted, split, and scaled by constants of the training rows."""

from dataclasses import replace

from polydnn.errors import InvalidArgumentError, InvalidDataError, ShapeError
from polydnn.layers import Dense
from polydnn.losses.loss import Loss
from polydnn.network import Network
from polydnn.training.batches import Rows, split_rows
from polydnn.training.settings import check_fraction
from polydnn.training.targets import prepare_targets
from polydnn.training.weights import ClassWeight, example_weights

__all__ = ["place_fit", "place_rows"]


def place_rows(network: Network, loss: Loss, x: object, y: object, x_name: str, y_name: str) -> Rows:
    """Rows on the device, checked and in training's units; errors call them ``x_name`` and ``y_name``."""
    inputs = network.input_rows(x, x_name)
    xp = network.xp
    if inputs.shape[0] == 0:
        msg = f"{x_name} must have at least one row, found shape {tuple(inputs.shape)}."
        raise ShapeError(msg)
    if xp.isdtype(inputs.dtype, "real floating"):
        inputs = xp.astype(inputs, network.real_dtype, copy=False)
        if not bool(xp.all(xp.isfinite(inputs))):
            msg = f"{x_name} must be finite, found NaN or infinity (or numbers beyond {network.dtype})."
            raise InvalidDataError(msg)
    targets = prepare_targets(network, loss, y, inputs.shape[0], y_name)
    return Rows(inputs, targets.loss, targets.metrics)


def place_fit(
    network: Network,
    loss: Loss,
    x: object,
    y: object,
    *,
    seed: int,
    sample_weight: object | None,
    class_weight: ClassWeight | None,
    validation_data: tuple[object, object] | None,
    validation_fraction: float | None,
) -> tuple[Rows, Rows | None]:
    """The rows to train on and the rows to validate on, if any.

    Everything is checked before the normalizations that have no constants yet learn them, from training rows only: data
    that are refused leave the network as it was.
    """
    if validation_data is not None and validation_fraction is not None:
        msg = "fit: give validation_data or validation_fraction, not both."
        raise InvalidArgumentError(msg)
    check_output(network, loss)
    rows = place_rows(network, loss, x, y, "x", "y")
    rows = replace(rows, weights=example_weights(network, sample_weight, class_weight, rows.metric_y))
    validation: Rows | None = None
    if validation_fraction is not None:
        rows, validation = _split(network, rows, check_fraction(validation_fraction, "validation_fraction"), seed)
    elif validation_data is not None:
        validation = place_rows(network, loss, *_pair(validation_data), "validation x", "validation y")
    _require_weight(network, rows, "training")
    if validation is not None:
        _require_weight(network, validation, "validation")
    return _scaled(network, loss, rows, validation)


def _split(network: Network, rows: Rows, fraction: float, seed: int) -> tuple[Rows, Rows]:
    if len(rows) < 2:
        msg = "validation_fraction needs at least two rows of x, found one."
        raise InvalidArgumentError(msg)
    return split_rows(rows, fraction, seed, network.backend)


def _pair(validation_data: object) -> tuple[object, object]:
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        size = f" of {len(validation_data)}" if isinstance(validation_data, tuple | list) else ""
        msg = f"validation_data must be a pair (x, y), found a {type(validation_data).__name__}{size}."
        raise InvalidArgumentError(msg)
    x, y = validation_data
    return x, y


def _require_weight(network: Network, rows: Rows, part: str) -> None:
    """Refuse rows that all weigh nothing: their mean does not exist."""
    if rows.weights is not None and not bool(network.xp.any(rows.weights > 0.0)):
        msg = (
            f"sample_weight and class_weight leave all {len(rows)} {part} rows a weight of 0; "
            f"one at least must be above 0."
        )
        raise InvalidDataError(msg)


def check_output(network: Network, loss: Loss) -> None:
    """Refuse a loss on probabilities behind an output activation that gives other numbers.

    What the activation gives is seen from a few points; where the loss has a stable form for it, that is enough.
    """
    if network.target_normalization is not None and loss.target_kind != "real":
        kind = loss.target_kind
        msg = f"target_normalization is for real targets, and the loss {loss.name} takes {kind}; leave it out."
        raise InvalidArgumentError(msg)
    last = network.layers[-1]
    if not loss.on_probabilities or not isinstance(last, Dense) or last.activation.name in loss.logits_forms:
        return
    xp = network.xp
    z = network.backend.asarray([[-3.0, 0.5, 3.0], [3.0, -3.0, -0.5]], dtype=network.real_dtype)
    y = last.activation.forward(z, xp=xp)
    if bool(xp.any(y < 0.0)) or bool(xp.any(y > 1.0)):
        fitting = " or ".join(loss.logits_forms) or "one between 0 and 1"
        msg = (
            f"the loss {loss.name} takes probabilities, and the output activation {last.activation.name} gives "
            f"numbers beyond 0 and 1; the output activation it is made for is {fitting}."
        )
        raise InvalidArgumentError(msg)


def _scaled(network: Network, loss: Loss, rows: Rows, validation: Rows | None) -> tuple[Rows, Rows | None]:
    network.settle_task(loss.target_kind)
    if not network.normalized:
        network.fit_normalization(rows.x)
    if network.target_normalized or loss.target_kind != "real":
        return rows, validation
    network.fit_target_normalization(rows.metric_y)
    rows = replace(rows, y=network.in_training_units(rows.metric_y))
    if validation is not None:
        validation = replace(validation, y=network.in_training_units(validation.metric_y))
    return rows, validation
