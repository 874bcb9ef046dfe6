"""The arguments of a trainer, checked."""

import math
from collections.abc import Sequence
from dataclasses import fields
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias

from polydnn.errors import InvalidArgumentError
from polydnn.execution.plan import Penalties
from polydnn.training.callbacks import Callback

__all__ = [
    "SETTINGS",
    "BatchSize",
    "check_batch_size",
    "check_callbacks",
    "check_epochs",
    "check_fraction",
    "check_interval",
    "check_learning_rate",
    "check_penalties",
]

BatchSize: TypeAlias = int | Literal["full"]

SETTINGS = (
    "learning_rate",
    "batch_size",
    "seed",
    "execution",
    "check_every",
    *(each.name for each in fields(Penalties)),
)
"""The arguments of a trainer that are numbers or words; checkpoints and copies of a trainer have all of them."""


def check_batch_size(value: object) -> BatchSize:
    """``value`` as an int or "full"; raises InvalidArgumentError for anything else, 0 and 2.5 among it.

    "auto" is for ``polydnn.Trainer``, which knows how to measure, and never comes here.
    """
    if value == "full" and isinstance(value, str):
        return "full"
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        msg = f"batch_size must be a whole number of at least 1, 'full' or 'auto', found {value!r}."
        raise InvalidArgumentError(msg)
    return int(value)


def check_epochs(value: object) -> int:
    """``value`` as an int of at least 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        msg = f"epochs must be a whole number of at least 1, found {value!r}."
        raise InvalidArgumentError(msg)
    return int(value)


def check_learning_rate(value: object) -> float:
    """``value`` as a float above 0."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 < float(value) < math.inf:
        msg = f"learning_rate must be a finite number above 0, found {value!r}."
        raise InvalidArgumentError(msg)
    return float(value)


def check_fraction(value: object, argument: str) -> float:
    """``value`` as a float strictly between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 < float(value) < 1.0:
        msg = f"{argument} must be a number between 0 and 1, found {value!r}."
        raise InvalidArgumentError(msg)
    return float(value)


def check_interval(value: object) -> int | None:
    """``value`` as a number of steps of at least 1, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        msg = f"check_every must be a whole number of steps of at least 1, or None, found {value!r}."
        raise InvalidArgumentError(msg)
    return int(value)


def check_penalties(l1: object, l2: object, weight_decay: object, clip_value: object, clip_norm: object) -> Penalties:
    """The penalties record; l1, l2 and weight_decay are at least 0, the clipping bounds above 0.

    None stands for no bound, and for the optimizer's own weight decay.
    """
    return Penalties(
        _at_least_zero("l1", l1),
        _at_least_zero("l2", l2),
        None if weight_decay is None else _at_least_zero("weight_decay", weight_decay),
        _bound("clip_value", clip_value),
        _bound("clip_norm", clip_norm),
    )


def _at_least_zero(argument: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 <= float(value) < math.inf:
        msg = f"{argument} must be a finite number of at least 0, found {value!r}."
        raise InvalidArgumentError(msg)
    return float(value)


def _bound(argument: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 < float(value) < math.inf:
        msg = f"{argument} must be a finite number above 0, or None, found {value!r}."
        raise InvalidArgumentError(msg)
    return float(value)


def check_callbacks(callbacks: object) -> tuple[Callback, ...]:
    """The callbacks as a tuple."""
    if not isinstance(callbacks, Sequence) or not all(isinstance(each, Callback) for each in callbacks):
        msg = f"callbacks must be a sequence of polydnn.Callback objects, found {callbacks!r}."
        raise InvalidArgumentError(msg)
    return tuple(callbacks)
