"""The contract of a layer: a description that makes its own arrays and carries values forward and gradients back."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np

from polydnn.types import Array, Gradients, Namespace, Options

__all__ = ["NOTHING", "Back", "Forward", "Layer"]

Back: TypeAlias = Callable[[Array, bool], tuple[Array | None, Gradients]]
"""``back(dy, need_dx) -> (dx, gradients)``; dx may be None where it is not needed."""

Forward: TypeAlias = tuple[Array, Back, Mapping[str, Array]]
"""``(y, back, changes)``: the output, the way back, and new values for the layer's statistics."""

NOTHING: Mapping[str, Array] = {}
"""The changes of a layer that keeps no statistics."""


class Layer(ABC):
    """One layer of a network.

    A layer object holds options only; its arrays live in the network and are handed to every call as a mapping from
    short names ("weight") to arrays. What the way back needs is kept by the closure that ``forward`` returns, so there
    is no hidden field that could be stale.
    """

    type: ClassVar[str]
    """The registered name, "dense" for instance."""

    @property
    @abstractmethod
    def options(self) -> Options:
        """The arguments that make this layer again, in terms a file can hold."""

    def out_features(self, in_features: int) -> int:
        """The width of the output for a given width of the input."""
        return in_features

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The short names of what the optimizer changes; weight decay reaches the one called "weight"."""
        return ()

    def parameters(self, in_features: int, stream: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
        """The first values of what the optimizer changes, float64 on the host, by short name."""
        return {}

    def statistics(self, in_features: int) -> dict[str, np.ndarray[Any, Any]]:
        """The first values of what the layer itself keeps (running means, scaling constants), float64 on the host."""
        return {}

    def shapes(self, in_features: int) -> dict[str, tuple[int, ...]]:
        """The shapes of the layer's arrays by short name, without making the arrays where that can be helped."""
        made = {
            **self.parameters(in_features, np.random.Generator(np.random.Philox(0))),
            **self.statistics(in_features),
        }
        return {name: array.shape for name, array in made.items()}

    def noise(self, rows: int, in_features: int, stream: np.random.Generator) -> np.ndarray[Any, Any] | None:
        """The random array one training step needs, drawn on the host; None for a layer that needs none."""
        return None

    @property
    def random(self) -> bool:
        """Whether ``noise`` draws anything."""
        return False

    @abstractmethod
    def predict(self, arrays: Mapping[str, Array], x: Array, *, xp: Namespace) -> Array:
        """y (n, out_features) for x (n, in_features) outside training."""

    @abstractmethod
    def forward(self, arrays: Mapping[str, Array], x: Array, noise: Array | None, *, xp: Namespace) -> Forward:
        """y for x during training, with the way back; ``noise`` is None where the step is to be free of chance."""

    def __repr__(self) -> str:
        inside = ", ".join(f"{key}={_in_words(value)}" for key, value in self.options.items())
        return f"{type(self).__name__}({inside})"


def _in_words(value: Any) -> str:
    """An option as one would write it: an activation by its name, with its options where it has any."""
    name, options = getattr(value, "name", None), getattr(value, "options", None)
    if name is None or options is None:
        return repr(value)
    return repr((name, dict(options)) if options else name)
