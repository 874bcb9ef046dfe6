"""Which of two backends to use for which batch size: the crossover of their measured times."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from polydnn.batch_size.cost_model import CostModel, Vector, fit_cost_model
from polydnn.batch_size.noise_scale import NORMAL_QUANTILE
from polydnn.batch_size.provenance import check_comparable
from polydnn.batch_size.record import timings_of
from polydnn.batch_size.report.wording import number_text, seconds_text
from polydnn.errors import InvalidArgumentError

__all__ = ["MAY_DIFFER", "recommend_device"]

MAY_DIFFER = frozenset({"backend", "device", "execution", "threads", "packages", "environment", "plugins"})
"""What of the provenance differs where two backends are compared."""

ALIKE = 1.05
"""Times to target within 5 % are not told apart in words."""


def recommend_device(one: Mapping[str, Any], two: Mapping[str, Any], *, different: bool = False) -> dict[str, Any]:
    """The record's ``crossover`` of two records that differ in their backends.

    ``faster_backend`` takes less time for the largest size that both sweeps cover, and for every size from
    ``batch_size`` on, a power of two or a measured size; ``slower_backend`` is the other. ``batch_size`` is None where
    there is no crossover. ``why`` says by how much, where the two cannot be told apart, and which is done first with
    its own best size. Raises InvalidArgumentError for two records of one backend, of sizes that do not overlap, or of
    otherwise different provenance unless ``different`` allows it.
    """
    names = [each["provenance"]["backend"] for each in (one, two)]
    if names[0] == names[1]:
        msg = f"both records are of backend {names[0]!r}; a crossover needs two backends."
        raise InvalidArgumentError(msg)
    check_comparable(one, two, different=different, ignored=MAY_DIFFER)
    costs = [fit_cost_model(timings_of(each["sweep"])) for each in (one, two)]
    sizes = _common(costs)
    lead = np.log(costs[0].seconds(sizes) / costs[1].seconds(sizes))  # above 0 where the second is faster
    winner = 1 if lead[-1] > 0.0 else 0
    faster, slower = names[winner], names[1 - winner]
    behind = [place for place, value in enumerate(lead) if (value > 0.0) != (winner == 1)]
    place = behind[-1] + 1 if behind else None
    gains = np.exp(np.abs(lead))
    sentences = [_crossing(faster, slower, sizes, gains, place)]
    sentences += _undecided(sizes, lead, _doubt(costs, sizes))
    sentences += _with_their_best(one, two)
    batch_size = None if place is None else sizes[place]
    return {"slower_backend": slower, "faster_backend": faster, "batch_size": batch_size, "why": " ".join(sentences)}


def _common(costs: list[CostModel]) -> list[int]:
    low, high = max(each.sizes[0] for each in costs), min(each.sizes[-1] for each in costs)
    sizes = {size for each in costs for size in each.sizes} | {2**k for k in range(high.bit_length())}
    found = sorted(size for size in sizes if low <= size <= high)
    if not found:
        ranges = " and ".join(f"{each.sizes[0]} to {each.sizes[-1]}" for each in costs)
        msg = f"the two sweeps have no batch sizes in common: {ranges}; sweep the same sizes on both."
        raise InvalidArgumentError(msg)
    return found


def _doubt(costs: list[CostModel], sizes: list[int]) -> Vector:
    """The half width of the interval of the logarithm of the ratio."""
    variances = [each.mixture(sizes) ** 2 @ np.asarray([row.deviation**2 for row in each.timings]) for each in costs]
    found: Vector = NORMAL_QUANTILE * np.sqrt(variances[0] + variances[1])
    return found


def _crossing(faster: str, slower: str, sizes: list[int], gains: Vector, place: int | None) -> str:
    last = f"{number_text(float(gains[-1]))} times as fast at {sizes[-1]}"
    if place is None:
        first = f"{number_text(float(gains[0]))} times as fast at {sizes[0]}"
        return f"A step takes less time on {faster} at every size: {first}, {last}."
    return (
        f"A step takes less time on {faster} from {sizes[place]} rows on ({last}), and less on {slower} at "
        f"{sizes[place - 1]} ({number_text(float(gains[place - 1]))} times as fast)."
    )


def _undecided(sizes: list[int], lead: Vector, doubt: Vector) -> list[str]:
    unclear = [size for size, value, width in zip(sizes, lead, doubt, strict=True) if abs(value) <= width]
    if not unclear:
        return []
    return [f"The intervals of the times overlap at {', '.join(map(str, unclear))}."]


def _with_their_best(one: Mapping[str, Any], two: Mapping[str, Any]) -> list[str]:
    """Both predictions at their own best size, in the same unit: seconds for one S_min."""
    found = []
    for record in (one, two):
        size = record["best"]["batch_size"]
        times = {row["batch_size"]: row["seconds_to_target"] for row in record["prediction"]}
        if size not in times:
            return []
        found.append((times[size], record["provenance"]["backend"], size))
    (less, first, size), (more, second, other) = sorted(found)
    both = f"{seconds_text(less)} and {seconds_text(more)} for every step of S_min"
    if more < ALIKE * less:
        return [
            f"Each with its best size, {first} ({size} rows) and {second} ({other} rows) reach a target alike: {both}."
        ]
    return [
        f"Each with its best size, {first} ({size} rows) reaches a target {number_text(more / less)} times as soon as "
        f"{second} ({other} rows): {both}."
    ]
