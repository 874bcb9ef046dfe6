"""The masks of dropouts for compiled code: drawn on the host as the reference draws them, for some steps at a time."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from polydnn import StepPlan
from polydnn.execution import Key
from polydnn.executors.on_numpy import together, usable_threads

__all__ = ["Masks"]

MOST_NOISE = 1 << 20
"""Numbers of masks drawn at once."""
SHARED = 1 << 16
"""Numbers of masks whose drawing is worth a second thread."""


class Masks:
    """Draws for the ``dropped`` layers of a plan, the number and width of each."""

    def __init__(self, plan: StepPlan, dropped: Sequence[tuple[int, int]]) -> None:
        self._plan, self._dropped = plan, tuple(dropped)
        self._dtype = np.dtype(plan.network.dtype)
        self._width = sum(width for _, width in dropped)
        self._kept = self._nothing = np.zeros(0, self._dtype)

    def portions(self, batch_size: int, count: int) -> Sequence[tuple[int, int]]:
        """The steps of a bundle in portions whose masks are drawn at once."""
        if not self._dropped:
            return ((0, count),) if count else ()
        at_once = max(MOST_NOISE // (batch_size * self._width), 1)
        return [(start, min(start + at_once, count)) for start in range(0, count, at_once)]

    def draw(self, key: Key, start: int, end: int, batch_size: int) -> np.ndarray[Any, Any]:
        """The masks of the steps ``start`` to ``end`` of a bundle that begins with ``key``.

        Step by step, layer by layer, (batch_size, width) each, all in one flat array, which the next call writes over;
        empty where nothing is dropped.
        """
        if not self._dropped:
            return self._nothing
        steps, of_step = end - start, batch_size * self._width
        if self._kept.size < steps * of_step:
            self._kept = self._nothing  # let go first, for two at a time would be twice the memory
            self._kept = np.empty(steps * of_step, self._dtype)
        noise = self._kept[: steps * of_step].reshape(steps, of_step)
        threads = min(usable_threads(), steps) if noise.size >= SHARED else 1
        shares = [range(first, steps, threads) for first in range(threads)]
        together([partial(self._fill, noise, share, key, start, batch_size) for share in shares])
        return noise.reshape(-1)

    def _fill(self, noise: Any, steps: range, key: Key, start: int, batch_size: int) -> None:
        for step in steps:
            drawn = self._plan.host_noise(Key(key.seed, key.step + start + step), batch_size)
            at = 0
            for layer, width in self._dropped:
                end = at + batch_size * width
                noise[step, at:end] = drawn[layer].reshape(-1)
                at = end
