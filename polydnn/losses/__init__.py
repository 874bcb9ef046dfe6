"""Losses, value and gradient side by side, and the contract they keep."""

from polydnn.losses.binary_cross_entropy import binary_cross_entropy
from polydnn.losses.categorical_cross_entropy import categorical_cross_entropy
from polydnn.losses.hinge import hinge
from polydnn.losses.loss import LogitsForm, Loss, check_same_shape
from polydnn.losses.mean_absolute_error import mean_absolute_error
from polydnn.losses.mean_squared_error import mean_squared_error
from polydnn.losses.sum_squared_error import sum_squared_error

__all__ = [
    "LogitsForm",
    "Loss",
    "binary_cross_entropy",
    "categorical_cross_entropy",
    "check_same_shape",
    "hinge",
    "mean_absolute_error",
    "mean_squared_error",
    "sum_squared_error",
]
