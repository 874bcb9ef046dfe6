"""Central differences on the host, and the worst point where two sets of numbers differ."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from polydnn.testing.bench import Host
from polydnn.testing.finding import Finding

__all__ = ["STEP", "Slopes", "factor_between", "require_equal", "require_slope", "side_by_side", "slopes", "spot"]

STEP = float(np.finfo(np.float64).eps) ** (1 / 3)  # balances truncation and rounding of a central difference
TOLERANCE = 1e-6  # relative, absolute below 1; central differences reach 1e-9
KINK = 1e-3  # one-sided differences further apart than this belong to a kink or a jump


@dataclass(frozen=True)
class Slopes:
    """One-sided and central differences of a function at the same points, and how far to trust them."""

    left: Host
    right: Host
    central: Host
    doubt: Host
    """By how much twice the step changes the central difference: large where a higher derivative jumps."""

    def excess(self, analytic: Host) -> Host:
        """By how much the analytic numbers miss; 0 where they are within tolerance, or within the slopes of a kink."""
        low, high = np.minimum(self.left, self.right), np.maximum(self.left, self.right)
        scale = 1.0 + np.abs(self.central)
        kink = high - low > KINK * scale
        with np.errstate(invalid="ignore"):
            smooth = np.abs(analytic - self.central) - TOLERANCE * scale - 4.0 * self.doubt
            outside = np.maximum(low - analytic, analytic - high) - KINK * scale
        missed = np.where(kink, outside, smooth)
        return np.where(np.isnan(missed), np.inf, np.maximum(missed, 0.0))


def slopes(function: Callable[[Host], Host], at: Host, *, step: float | None = None) -> Slopes:
    """Differences of ``function``, which maps an array to one of the same shape, every place by itself.

    ``step`` is the same everywhere where it is given; else it grows with the point.
    """
    h = np.full(at.shape, step) if step is not None else STEP * np.maximum(1.0, np.abs(at))
    right, here, left = function(at + h), function(at), function(at - h)
    central = (right - left) / (2.0 * h)
    doubt = np.abs((function(at + 2.0 * h) - function(at - 2.0 * h)) / (4.0 * h) - central)
    return Slopes((here - left) / h, (right - here) / h, central, doubt)


def side_by_side(columns: Iterable[Slopes]) -> Slopes:
    """The slopes by each input in turn, put together on a second axis."""
    parts = [(each.left, each.right, each.central, each.doubt) for each in columns]
    return Slopes(*(np.stack(part, axis=1) for part in zip(*parts, strict=True)))


def spot(at: Mapping[str, Host], index: tuple[int, ...]) -> str:
    """The inputs at one place in words: ``z[1, 2] = -0.5``; a scalar stands without brackets."""
    return ", ".join(f"{name}{_place(value, index)} = {_number(value, index)}" for name, value in at.items())


def _place(value: Host, index: tuple[int, ...]) -> str:
    place = index[: value.ndim]
    return f"[{', '.join(str(i) for i in place)}]" if place else ""


def _number(value: Host, index: tuple[int, ...]) -> str:
    place = index[: value.ndim]
    shown = value[place]
    return f"{shown:.8g}" if np.ndim(shown) == 0 else np.array2string(shown, precision=6)


def require_slope(what: str, of: str, analytic: Host, numeric: Slopes, at: Mapping[str, Host], hint: str = "") -> None:
    """Raise Finding with the worst point unless the analytic numbers are the slopes."""
    excess = numeric.excess(analytic)
    if not excess.any():
        return
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(excess)), excess.shape))
    raise Finding(
        expected=f"{numeric.central[index]:.8g} (central difference of {of} in float64)",
        found=f"{analytic[index]:.8g} from {what}{factor_between(analytic, numeric.central)}",
        where=f"{spot(at, index)}; {_count(excess > 0)}",
        do=hint,
    )


def factor_between(found: Host, expected: Host) -> str:
    """A remark where one is a constant multiple of the other: ``, everywhere 3 times too large`` ..."""
    use = np.abs(expected) > 1e-3 * np.max(np.abs(expected), initial=0.0)
    with np.errstate(all="ignore"):
        ratios = found[use] / expected[use]
    if ratios.size < 2 or not np.isfinite(ratios).all():
        return ""
    ratio = float(np.median(ratios))
    if ratio == 0.0 or abs(ratio - 1.0) < 1e-3 or np.max(np.abs(ratios - ratio)) > 1e-4 * abs(ratio):
        return ""
    if abs(ratio + 1.0) < 1e-4:
        return ": the sign is reversed everywhere"
    return f": everywhere {ratio:.6g} times the expected number"


def require_equal(
    found: Host,
    expected: Host,
    tolerance: float,
    *,
    what: str,
    same_as: str,
    at: Mapping[str, Host] | None = None,
    do: str = "",
) -> None:
    """Raise Finding with the worst point unless both agree, relatively, absolutely below 1; NaN agrees with NaN."""
    if found.shape != expected.shape:
        raise Finding(expected=f"{same_as}, shape {expected.shape}", found=f"{what} of shape {found.shape}", do=do)
    a, b = found.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        excess = np.abs(a - b) - tolerance * (1.0 + np.abs(b))
    excess = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.where(np.isnan(excess), np.inf, excess))
    if not (excess > 0).any():
        return
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(excess)), excess.shape))
    place = f"at [{', '.join(map(str, index))}]; " if index else ""
    inputs = f"{spot(at, index)}; " if at else place
    raise Finding(
        expected=f"{b[index]:.8g} ({same_as})",
        found=f"{a[index]:.8g} from {what}{factor_between(a, b)}",
        where=f"{inputs}{_count(excess > 0)}",
        do=do,
    )


def _count(wrong: Host) -> str:
    return f"the worst of {int(wrong.sum())} wrong among {wrong.size}" if wrong.size > 1 else "the only number"
