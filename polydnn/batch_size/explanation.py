"""Sentences that say why a batch size is the best: what bounds a step below, at and above it, with the numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from polydnn.arrays.byte_sizes import bytes_text
from polydnn.batch_size.cost_model import CostModel, Knee
from polydnn.batch_size.noise_scale import NoiseScale
from polydnn.batch_size.prediction import Prediction
from polydnn.batch_size.report.wording import number_text, seconds_text
from polydnn.batch_size.working_set import MEMORY, cache_level

__all__ = ["Explanation", "Facts", "explain"]

MOSTLY = 0.25
"""The part of a step's time from which overhead counts as what bounds it."""


@dataclass(frozen=True)
class Facts:
    """What is known of machine and steps besides the times; whatever is missing is not spoken of.

    ``caches`` are the used sizes in bytes by level, ``working_sets`` bytes and ``gigaflops`` rates by batch size,
    ``peak_gigaflops`` the best rate that the machine showed.
    """

    caches: Mapping[str, int] = field(default_factory=dict)
    working_sets: Mapping[int, int] = field(default_factory=dict)
    gigaflops: Mapping[int, float] = field(default_factory=dict)
    peak_gigaflops: float | None = None


@dataclass(frozen=True)
class Explanation:
    """Why the best size is the best, and what bounds a step below, at and above it; one to three sentences each."""

    why: str
    below: str
    at: str
    above: str

    def as_dict(self) -> dict[str, Any]:
        """The sentences as they stand in the record."""
        return {"why": self.why, "below": self.below, "at": self.at, "above": self.above}


def explain(
    cost: CostModel, noise: NoiseScale | None, prediction: Prediction, facts: Facts | None = None
) -> Explanation:
    """The sentences for a prediction; every number in them stands in the record too."""
    told = _Telling(cost, noise, prediction, facts or Facts())
    return Explanation(told.why(), told.below(), told.at(), told.above())


@dataclass(frozen=True)
class _Telling:
    cost: CostModel
    noise: NoiseScale | None
    prediction: Prediction
    facts: Facts

    @property
    def best(self) -> int:
        return self.prediction.best

    @property
    def sizes(self) -> list[int]:
        return [row.batch_size for row in self.prediction.rows] or self.cost.sizes

    def why(self) -> str:
        if self.noise is None:
            return (
                f"No noise scale was measured, so throughput decides: {self.best} is the smallest size within 5 % of "
                f"the most rows a second, which size {self.prediction.fastest} reaches."
            )
        first, last = self.prediction.near
        near = f"; sizes from {first} to {last} are within 5 % of it" if first != last else ""
        return f"{self.best} has the least predicted time to target{near}. {self._balance()}"

    def _balance(self) -> str:
        assert self.noise is not None
        low, high = self.noise.interval
        ends = f"{_rows(low)} or more" if high is None else f"{_rows(low)} to {_rows(high)}"
        data = f"the data's noise scale is {_rows(self.noise.value)} rows ({ends})"
        half, closed = self.cost.half_saturation, self.prediction.closed_form
        if len(self.cost.sizes) == 1:
            return f"It is the only size that was measured, and {data}."
        if half is None or closed is None:
            return f"Here {data}, and the times show no cost of a further row beside the overhead."
        return (
            f"Here {data}, and {_rows(half)} rows cost as much as the overhead of a step; "
            f"the square root of their product is {_rows(closed)}."
        )

    def below(self) -> str:
        smaller = [size for size in self.sizes if size < self.best]
        if not smaller:
            return f"No size below {self.best} was measured; the best may lie there."
        size = smaller[-1]
        share = self.cost.overhead(size)
        spent = f"{_percent(share)} of the {self._time(size)} that a step of {size} rows takes is overhead"
        if share >= MOSTLY:
            return f"Below, overhead bounds the step: {spent}. {self._exchange(size)}"
        if self.noise is None:
            return f"Below, throughput falls off slowly: {spent}."
        return f"Below, the statistics bound the training, not the step: {spent}. {self._exchange(size)}"

    def at(self) -> str:
        parts = [f"a step takes {self._time(self.best)}"]
        if len(self.cost.sizes) > 1:  # one size alone cannot tell overhead from work
            parts[0] += f", {_percent(self.cost.overhead(self.best))} of it overhead"
        parts += self._where(self.best) + self._rate(self.best)
        if self.noise is not None:
            steps = number_text(1.0 + self.noise.value / self.best)
            parts.append(f"{steps} times the fewest possible steps are needed")
        return f"At {self.best}: {'; '.join(parts)}."

    def above(self) -> str:
        larger = [size for size in self.sizes if size > self.best]
        if not larger:
            return f"No size above {self.best} was measured; the best may lie there."
        size = larger[0]
        knee = next((each for each in self._knees_above(larger) if each.kind == "measured"), None)
        if knee is not None:
            bound = f"Above, the step gets dearer: {self._dearer(knee)}."
        elif self.noise is not None and self.noise.value <= size:
            bound = "Above, the statistics bound the training: the batch is past the noise scale of the data."
        elif self.cost.overhead(size) >= 1.0 - MOSTLY:
            bound = "Above, more rows hardly lengthen a step, and hardly save any either."
        else:
            each = f"every further row adds {seconds_text(self.cost.t1)}{self._rates(size)}"
            bound = f"Above, arithmetic bounds the step: {each}."
        unseen = [] if knee is not None else [each for each in self._knees_above(larger) if each.kind == "capacity"]
        left = f" {self._unseen(unseen[0])}" if unseen else ""
        return f"{bound} {self._exchange(size)}{left}"

    # ---- the pieces ------------------------------------------------------------------------------------------------

    def _exchange(self, other: int) -> str:
        """What is won and lost by going from the best size to its neighbour."""
        here, there = self.cost.seconds([self.best, other])
        longer = f"From {self.best} to {other} rows a step takes {number_text(there / here)} times as long"
        if self.noise is None:
            return f"{longer}."
        scale = self.noise.value
        steps = (1.0 + scale / other) / (1.0 + scale / self.best)
        return f"{longer} and {number_text(steps)} times the steps are needed."

    def _knees_above(self, larger: list[int]) -> list[Knee]:
        reach = larger[: 2 if len(larger) > 1 else 1][-1]
        return [each for each in self.cost.knees if self.best < each.batch_size <= reach]

    def _dearer(self, knee: Knee) -> str:
        rise = "" if knee.rise is None else f" by {_percent(knee.rise)}"
        text = f"from {knee.batch_size} rows on a further row costs more{rise}"
        left = self._left(knee.batch_size)
        if left:
            return f"{text}, where the working set of {left}"
        return f"{text}, in the same cache as before" if self.facts.caches and self.facts.working_sets else text

    def _unseen(self, knee: Knee) -> str:
        left = self._left(knee.batch_size)
        return f"The working set of {left} at {knee.batch_size} rows, which the times do not show." if left else ""

    def _left(self, size: int) -> str:
        """ "43 MiB leaves the L3 (32 MiB)" where between the size before and this one a cache is left."""
        sizes, caches = self.facts.working_sets, self.facts.caches
        before = max((each for each in self.sizes if each < size and each in sizes), default=None)
        if size not in sizes or before is None:
            return ""
        old, new = cache_level(sizes[before], caches), cache_level(sizes[size], caches)
        return "" if old == new else f"{bytes_text(sizes[size])} leaves the {old} ({bytes_text(caches[old])})"

    def _where(self, size: int) -> list[str]:
        if size not in self.facts.working_sets or not self.facts.caches:
            return []
        held = self.facts.working_sets[size]
        level = cache_level(held, self.facts.caches)
        if level == MEMORY:
            last = max(self.facts.caches, key=lambda name: self.facts.caches[name])
            capacity = bytes_text(self.facts.caches[last])
            return [f"its working set of {bytes_text(held)} is more than the {last} holds ({capacity})"]
        return [f"its working set of {bytes_text(held)} lies in the {level} ({bytes_text(self.facts.caches[level])})"]

    def _rate(self, size: int) -> list[str]:
        rate, peak = self.facts.gigaflops.get(size), self.facts.peak_gigaflops
        if rate is None:
            return []
        share = f", {_percent(rate / peak)} of the machine's best" if peak else ""
        return [f"its products run at {number_text(rate)} GFLOP/s{share}"]

    def _rates(self, size: int) -> str:
        rate = self._rate(size)
        return f" ({rate[0]})" if rate else ""

    def _time(self, size: int) -> str:
        return seconds_text(float(self.cost.seconds([size])[0]))


def _rows(value: float) -> str:
    return f"{value:,.0f}" if value >= 10.0 else number_text(value)


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %"
