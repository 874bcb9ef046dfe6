"""Flat arrays on the device for all parameters, gradients and each slot of the optimizer's state, with named views."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from polydnn.types import Array

__all__ = ["Layout"]

ALIGNMENT = 256
"""Bytes on which every view begins: cublasLt has faster kernels for aligned operands."""


class Layout:
    """Where in a flat array every named array lies: weights first, so that what decays is one range.

    ``shapes`` maps names to shapes, ``weights`` names those that come first; ``itemsize`` is that of an element in
    bytes. The gaps between arrays hold zeros in parameters, gradients and state, which every built-in update leaves
    finite.

    >>> layout = Layout({"layers.0.bias": (3,), "layers.0.weight": (2, 3)}, ["layers.0.weight"], itemsize=4)
    >>> layout.offsets, layout.decayed, layout.size
    ({'layers.0.weight': 0, 'layers.0.bias': 64}, 64, 128)
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], weights: Sequence[str], *, itemsize: int) -> None:
        self.shapes = dict(shapes)
        step = ALIGNMENT // itemsize
        self.offsets: dict[str, int] = {}
        self.decayed = end = 0
        for name in (*weights, *(name for name in shapes if name not in weights)):
            self.offsets[name] = end
            end += -(-math.prod(self.shapes[name]) // step) * step
            if name in weights:
                self.decayed = end
        self.size = max(end, step)
        """Elements in a flat array, at least one."""

    def view(self, flat: Array, name: str) -> Array:
        """The named part of a flat array, in its shape."""
        start, shape = self.offsets[name], self.shapes[name]
        return flat[start : start + math.prod(shape)].reshape(shape)

    def views(self, flat: Array) -> dict[str, Any]:
        """All named parts of a flat array, in the order of ``shapes``."""
        return {name: self.view(flat, name) for name in self.shapes}
