"""The check of the numbers that initializers are made with."""

from math import inf, isfinite
from numbers import Real

from polydnn.errors import InvalidArgumentError

__all__ = ["check_finite"]


def check_finite(owner: str, argument: str, value: object, *, least: float = -inf) -> float:
    """``value`` as a float; raises InvalidArgumentError unless it is a finite number and at least ``least``."""
    if not isinstance(value, bool) and isinstance(value, Real):
        try:
            number = float(value)
        except OverflowError:  # an integer of more than 308 digits
            number = inf
        if isfinite(number) and number >= least:
            return number
    bound = "" if least == -inf else f" of at least {least:g}"
    msg = f"{owner}: {argument} must be a finite number{bound}, found {value!r}."
    raise InvalidArgumentError(msg)
