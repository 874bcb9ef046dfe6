"""A layer that stands in another's place to see what passes through it."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from polydnn.layers.layer import Layer
from polydnn.types import Array, Namespace, Options

__all__ = ["Watched"]

Inside = TypeVar("Inside", bound=Layer)


class Watched(Layer, Generic[Inside]):
    """Computes as the layer ``inside``; a subclass says in ``forward`` what it notes on the way.

    It makes no arrays of its own: it is for the layers of a plan, whose arrays the network holds already.
    """

    type = "watched"

    def __init__(self, inside: Inside) -> None:
        self.inside = inside

    @property
    def options(self) -> Options:
        return self.inside.options

    def predict(self, arrays: Mapping[str, Array], x: Array, *, xp: Namespace) -> Array:
        return self.inside.predict(arrays, x, xp=xp)
