"""Checks of the numbers that optimizers, clipping and schedules are made with."""

from math import inf
from numbers import Integral, Real

from polydnn.errors import InvalidArgumentError

__all__ = ["check_flag", "check_number", "check_share_or_steps"]


def check_number(owner: str, argument: str, value: object, interval: str) -> float:
    """``value`` as a float; raises InvalidArgumentError unless it lies in ``interval``, as in "[0, 1)" or "(0, inf)".

    A round bracket leaves its end out, a square one takes it in. NaN lies in no interval; True and "1" are no numbers.
    """
    low, high = (float(end) for end in interval[1:-1].split(","))
    if not isinstance(value, bool) and isinstance(value, Real):
        number = _as_float(value)
        above = low <= number if interval[0] == "[" else low < number
        below = number <= high if interval[-1] == "]" else number < high
        if above and below:
            return number
    msg = f"{owner}: {argument} must be a number in {interval}, found {value!r}."
    raise InvalidArgumentError(msg)


def _as_float(value: Real) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer of more than 308 digits
        return inf


def check_flag(owner: str, argument: str, value: object) -> bool:
    """``value`` as it is; raises InvalidArgumentError unless it is True or False."""
    if not isinstance(value, bool):
        msg = f"{owner}: {argument} must be True or False, found {value!r}."
        raise InvalidArgumentError(msg)
    return value


def check_share_or_steps(owner: str, argument: str, value: object, *, zero: bool = False) -> float | int:
    """A share of all steps (a float in (0, 1)) or a count of them (an int from 1, or from 0 with ``zero``).

    Raises InvalidArgumentError for anything else, 1.0 and 2.5 among them.
    """
    if not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= (0 if zero else 1):
        return int(value)
    if isinstance(value, Real) and not isinstance(value, Integral) and 0.0 < float(value) < 1.0:
        return float(value)
    if zero and isinstance(value, float) and value == 0.0:
        return 0
    least = 0 if zero else 1
    msg = (
        f"{owner}: {argument} must be a whole number of steps from {least} up, "
        f"or a share of all steps between 0 and 1, found {value!r}."
    )
    raise InvalidArgumentError(msg)
