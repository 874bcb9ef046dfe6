"""What samples say: medians with intervals, ratios paired by round, polydnn beside the fastest peer and the floor."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy import stats

from peer_frameworks import FRAMEWORKS

__all__ = ["interval", "median_of", "paired_ratio", "settled", "spread", "summarize"]

Sample = dict[int, float]
"""Microseconds by the number of the round."""

CONFIDENCE = 0.95
RATIOS = ("to_fastest_peer", "to_fastest_stepwise_peer", "to_floor", "to_best_floor")
MANY_STEPS_A_CALL = ("jax_scan", "keras_steps")
"""Peers that run many steps in one call of compiled code, which nobody can look at in between."""


def spread(values: Sequence[float]) -> float:
    """Interquartile range over median."""
    return float(stats.iqr(values) / np.median(values))


def settled(values: Sequence[float], wanted: float, at_least: int) -> bool:
    """Whether there are enough values and their spread is below ``wanted``."""
    return len(values) >= at_least and spread(values) < wanted


def interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The 95 % bootstrap interval of the median; nothing for fewer than three values."""
    if len(values) < 3:
        return None, None
    rng = np.random.default_rng(1)
    found = stats.bootstrap((values,), np.median, confidence_level=CONFIDENCE, method="percentile", rng=rng)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def median_of(values: Sequence[float]) -> dict[str, float | int | None]:
    """Median, its interval, the spread and the number of values."""
    low, high = interval(values)
    return {"median": float(np.median(values)), "low": low, "high": high, "spread": spread(values), "n": len(values)}


def paired_ratio(one: Sample, other: Sample) -> dict[str, float | int | None]:
    """The median over rounds of one / other in the same round, with its interval."""
    rounds = sorted(one.keys() & other.keys())
    return median_of([one[each] / other[each] for each in rounds])


def samples_of(point: dict[str, Any]) -> Sample:
    """The samples of a stored point by round."""
    return dict(zip(point["rounds"], point["samples_us"], strict=True))


def groups(points: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, str, str], dict[int, dict[str, dict[str, Any]]]]]:
    """(case, optimizer, measure), and its measured points by batch size and framework."""
    found: dict[tuple[str, str, str], dict[int, dict[str, dict[str, Any]]]] = {}
    for point in points:
        if "samples_us" in point:
            key = (point["case"], point["optimizer"], point["measure"])
            found.setdefault(key, {}).setdefault(point["batch_size"], {})[point["framework"]] = point
    yield from sorted(found.items())


def summarize(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For every case, optimizer, measure and way of running polydnn: its ratios at every batch size and their mean.

    ``to_fastest_peer`` is polydnn's time over that of the peer with the smallest median, ``to_fastest_stepwise_peer``
    over that of the fastest peer which makes one step a call (JAX's scan makes up to 64), ``to_floor`` and
    ``to_best_floor`` over the matrix products alone (NumPy's, and the fastest BLAS's). Means are geometric.
    """
    rows = []
    for (case, optimizer, measure), by_batch in groups(points):
        names = [name for name, entry in FRAMEWORKS.items() if entry.role == "polydnn"]
        for name in names:
            cells = [
                compare(name, batch_size, measured)
                for batch_size, measured in sorted(by_batch.items())
                if name in measured
            ]
            if not cells:
                continue
            row: dict[str, Any] = {"case": case, "optimizer": optimizer, "measure": measure, "framework": name}
            for key in RATIOS:
                ratios = [cell[key]["median"] for cell in cells if cell[key]]
                row[f"mean_{key}"] = float(stats.gmean(ratios)) if ratios else None
                row[f"worst_{key}"] = max(ratios) if ratios else None
            rows.append({**row, "batch_sizes": cells})
    return rows


def compare(name: str, batch_size: int, measured: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One way of running polydnn at one batch size, against the fastest peer and the floors."""
    own = samples_of(measured[name])
    peers = [each for each in measured if FRAMEWORKS[each].role == "peer"]
    stepwise = [each for each in peers if each not in MANY_STEPS_A_CALL]
    fastest, fastest_stepwise = (
        min(group, key=lambda each: measured[each]["median_us"], default=None) for group in (peers, stepwise)
    )

    def ratio(other: str | None) -> dict[str, float | int | None] | None:
        return paired_ratio(own, samples_of(measured[other])) if other in measured else None

    return {
        "batch_size": batch_size,
        "median_us": measured[name]["median_us"],
        "fastest_peer": fastest,
        "fastest_peer_us": measured[fastest]["median_us"] if fastest else None,
        "fastest_stepwise_peer": fastest_stepwise,
        "fastest_stepwise_peer_us": measured[fastest_stepwise]["median_us"] if fastest_stepwise else None,
        "to_fastest_peer": ratio(fastest),
        "to_fastest_stepwise_peer": ratio(fastest_stepwise),
        "to_floor": ratio("floor"),
        "to_best_floor": ratio("floor_best_blas"),
    }
