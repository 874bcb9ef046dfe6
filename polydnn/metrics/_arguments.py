"""Checks of the options that metrics are made with."""

from math import inf, isfinite
from numbers import Integral, Real

from polydnn.errors import InvalidArgumentError, did_you_mean

__all__ = ["AVERAGES", "CLASSIFICATION", "COLUMNS", "TASKS", "check_count", "check_threshold", "check_word"]

AVERAGES = ("auto", "macro", "micro")
CLASSIFICATION = ("binary", "multiclass", "multilabel")
TASKS = ("auto", *CLASSIFICATION)
COLUMNS = ("binary", "multilabel", "regression")
"""The tasks whose targets have a number for every output, which can be compared with the output itself."""


def check_word(owner: str, argument: str, value: object, possible: tuple[str, ...]) -> str:
    """``value`` as it is; raises InvalidArgumentError unless it is one of the ``possible`` words."""
    if isinstance(value, str) and value in possible:
        return value
    hint = did_you_mean(value, possible) if isinstance(value, str) else ""
    msg = f"{owner}: {argument} must be one of {', '.join(possible)}, found {value!r}.{hint}"
    raise InvalidArgumentError(msg)


def check_threshold(owner: str, value: object) -> float:
    """``value`` as a float; raises InvalidArgumentError unless it is a finite number."""
    if not isinstance(value, bool) and isinstance(value, Real):
        try:
            number = float(value)
        except OverflowError:  # an integer of more than 308 digits
            number = inf
        if isfinite(number):
            return number
    msg = f"{owner}: threshold must be a finite number, found {value!r}."
    raise InvalidArgumentError(msg)


def check_count(owner: str, argument: str, value: object) -> int:
    """``value`` as an int; raises InvalidArgumentError unless it is a whole number of at least 1."""
    if not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= 1:
        return int(value)
    msg = f"{owner}: {argument} must be a whole number of at least 1, found {value!r}."
    raise InvalidArgumentError(msg)
