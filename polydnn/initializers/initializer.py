"""The contract of an initializer: the first value of a weight."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from polydnn.types import Options

__all__ = ["Draw", "Initializer"]


class Draw(Protocol):
    def __call__(self, shape: tuple[int, int], stream: np.random.Generator) -> np.ndarray[Any, Any]: ...


@dataclass(frozen=True)
class Initializer:
    """How the weights of a layer start.

    ``draw(shape, stream)`` returns a float64 host array of ``shape`` = (in_features, out_features), using no random
    numbers but those of ``stream``. It runs on the host so that every backend starts from the same bits.
    """

    name: str
    draw: Draw
    options: Options = field(default_factory=dict)
