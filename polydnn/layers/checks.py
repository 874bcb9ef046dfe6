"""Checks of layer options."""

from numbers import Integral, Real

from polydnn.errors import InvalidArgumentError

__all__ = ["check_count", "check_flag", "check_fraction"]


def check_count(owner: str, argument: str, value: object) -> int:
    """``value`` as an int; raises InvalidArgumentError unless it is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        msg = f"{owner}: {argument} must be a whole number of at least 1, found {value!r}."
        raise InvalidArgumentError(msg)
    return int(value)


def check_fraction(owner: str, argument: str, value: object) -> float:
    """``value`` as a float; raises InvalidArgumentError unless 0 <= value < 1."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 <= float(value) < 1.0:
        msg = f"{owner}: {argument} must be a number from 0 up to but not including 1, found {value!r}."
        raise InvalidArgumentError(msg)
    return float(value)


def check_flag(owner: str, argument: str, value: object) -> bool:
    """``value`` if it is True or False; raises InvalidArgumentError for anything else, "no" and 0 among it."""
    if not isinstance(value, bool):
        msg = f"{owner}: {argument} must be True or False, found {value!r}."
        raise InvalidArgumentError(msg)
    return value
